// The media connection between two people, as a module in a real browser, with a network that the test decides on.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Visitor, bundled, inBrowser } from "./support/browser.mjs";
import { PEERS_IN_PAGE, meetAcross, meetAtOnce, meetByOneSide, meetManyAttempts, meetNobody, meetOften, meetStrangers, shareScreen } from "./support/peers_in_page.mjs";

describe("two peers in a browser", () => {
  const suite = inBrowser();
  /** A page with the client's module, and with what makes pairs of peers. */
  const withPeers = async () => {
    const ann = await suite.arrives();
    const { page } = ann;
    await page.goto("/app/");
    await page.evaluate(await bundled("web/src/call/peer.js", "peers"));
    await page.evaluate(PEERS_IN_PAGE);
    return { ann, page };
  };
  const part = (...people) => Visitor.part(people);

  test("two who offer at the same moment understand each other, whoever is heard first", async () => {
    const { ann, page } = await withPeers();
    for (const delays of [[0, 0], [0, 200], [200, 0]]) {
      const frames = await page.evaluate(meetAtOnce, delays);
      assert.deepEqual(frames, [true, true], `after ${delays} ms`);
    }
    await part(ann);
  });

  test("an offer that its sender has given up is answered in vain, and both sides still find each other", async () => {
    const { ann, page } = await withPeers();
    for (const opener of [0, 1]) {
      for (const other of ["opens", "waits"]) {
        assert.deepEqual(await page.evaluate(meetAcross, { opener, other }), [true, true], `side ${opener} came back, the other one ${other}`);
      }
    }
    await part(ann);
  });

  test("who has ignored an offer hears of the addresses behind the answer", async () => {
    const { ann, page } = await withPeers();
    assert.deepEqual(await page.evaluate(meetByOneSide), { outcome: [true, true], heard: true });
    await part(ann);
  });

  test("a screen is sent beside the camera, and instead of it to a client that names no attempts", async () => {
    const { ann, page } = await withPeers();
    const [afterwards, shows] = [["camera"], [true, true]];
    assert.deepEqual(await page.evaluate(shareScreen, { isForeign: false }), { meanwhile: ["camera", "screen"], afterwards, shows });
    assert.deepEqual(await page.evaluate(shareScreen, { isForeign: true }), { meanwhile: ["screen"], afterwards, shows });
    await part(ann);
  });

  test("attempts without end cost ten connections", async () => {
    const { ann, page } = await withPeers();
    assert.deepEqual(await page.evaluate(meetManyAttempts), { made: 10, answers: 10 });
    await part(ann);
  });

  test("attempts that succeed do not count: a long call may be interrupted often", async () => {
    const { ann, page } = await withPeers();
    assert.deepEqual(await page.evaluate(meetOften, 15), [true, true]);
    await part(ann);
  });

  test("who is offered one attempt after the other, all in vain, is told so as soon as who was offered one", async () => {
    const { ann, page } = await withPeers();
    await page.clock.install();
    await page.evaluate(meetNobody);
    assert.equal(await page.evaluate(() => globalThis.answers("first")), false);
    await page.clock.fastForward(10_000);
    assert.equal(await page.evaluate(() => globalThis.answers("second")), false, "ten seconds are not too long");
    await page.clock.fastForward(5_000);
    assert.equal(await page.evaluate(() => globalThis.unreachable()), true);
    await part(ann);
  });

  test("a peer sends on its own lines, whatever is described to it, and throws nothing", async () => {
    const { ann, page } = await withPeers();
    assert.deepEqual(await page.evaluate(meetStrangers), {
      answered: 2,
      // One of sound, and two of pictures: the second is for a screen.
      sentOn: 3,
      made: 0,
      warned: ["a peer's ice-candidate was not understood", "no connection could be made", "a peer's offer was not understood"],
      rejected: [],
    });
    await part(ann);
  });
});
