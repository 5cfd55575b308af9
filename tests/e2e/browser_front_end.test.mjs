// The front end that docs/front-end.md shows, as it stands there, on a page of another origin.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { build } from "esbuild";
import { Visitor, inBrowser } from "./support/browser.mjs";
import { call, person, roomOf } from "./support/people.mjs";
import { ROOT, startServer } from "./support/server.mjs";

/** Runs in the page: enters the call with the camera; `shown` are the people by id, `ended` why the call is over. */
async function enters(options) {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
  globalThis.shown = new Map();
  const show = (id, media) => {
    const video = globalThis.shown.get(id) ?? Object.assign(document.createElement("video"), { muted: true, autoplay: true });
    if (media) globalThis.shown.set(id, Object.assign(video, { srcObject: media }));
    else globalThis.shown.delete(id);
  };
  const over = (code) => (globalThis.ended = code);
  globalThis.entered = await globalThis.frontEnd.enter({ ...options, stream, show, over });
}

describe("the front end in the guide", () => {
  const site = createServer((_, response) => response.setHeader("content-type", "text/html").end("<!doctype html><title>A front end</title>"));
  let origin, script;
  before(async () => {
    await new Promise((resolve) => site.listen(0, "127.0.0.1", resolve));
    origin = `http://127.0.0.1:${site.address().port}`;
    const [, contents] = /```js\n(.*?)```/s.exec(readFileSync(join(ROOT, "docs/front-end.md"), "utf8"));
    const { outputFiles } = await build({ stdin: { contents, resolveDir: ROOT }, bundle: true, format: "iife", globalName: "globalThis.frontEnd", write: false });
    script = outputFiles[0].text;
  });
  const suite = inBrowser({}, () => startServer({ NEXT_PUBLIC_API_BASE_URL: origin }));
  after(() => site.close());

  /** Somebody on that page, in the call. */
  const arrives = async ({ token, id }, roomId) => {
    const visitor = await Visitor.arrive(suite.browser, { url: origin });
    // What it says of signals that came too late.
    visitor.expected.push(/InvalidStateError|OperationError/);
    await visitor.page.goto("/");
    await visitor.page.evaluate(script);
    await visitor.page.evaluate(enters, { url: suite.server.url, token, me: id, roomId });
    return visitor;
  };
  /** Waits until so many others are shown, moving. */
  const sees = ({ page }, count) =>
    page.waitForFunction((count) => {
      const moving = [...globalThis.shown.values()].filter((video) => video.getVideoPlaybackQuality().totalVideoFrames > 5);
      return globalThis.shown.size === count && moving.length === count;
    }, count);
  const ends = async ({ page }, code) => {
    await page.waitForFunction(() => globalThis.ended);
    assert.equal(await page.evaluate(() => globalThis.ended), code);
  };

  test("three meet, are there again after a restart of the runtime, and are told why the call is over", async () => {
    const people = await Promise.all(["ann", "bob", "cat"].map((name) => person(suite.server, name)));
    const roomId = await roomOf(suite.server, people[0]);
    const visitors = [];
    for (const one of people) visitors.push(await arrives(one, roomId));
    const [ann, bob, cat] = visitors;
    await Promise.all(visitors.map((visitor) => sees(visitor, 2)));

    await suite.server.kill();
    for (const { page } of visitors) await page.waitForFunction(() => !globalThis.entered.socket.connected);
    await suite.server.start();
    for (const { page } of visitors) await page.waitForFunction(() => globalThis.entered.socket.connected);
    await Promise.all(visitors.map((visitor) => sees(visitor, 2)));

    const secondTab = await arrives(people[2], roomId);
    await ends(cat, "replaced");
    await Promise.all([ann, bob, secondTab].map((visitor) => sees(visitor, 2)));

    await bob.page.evaluate(() => globalThis.entered.leave());
    await ends(bob, "left");
    await Promise.all([ann, secondTab].map((visitor) => sees(visitor, 1)));
    await call(suite.server, "DELETE", `/api/room/${roomId}`, { token: people[0].token });
    for (const visitor of [ann, secondTab]) await ends(visitor, "room_ended");
    await Visitor.part([...visitors, secondTab]);
  });
});
