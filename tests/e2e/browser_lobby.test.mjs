// The lobby in a real browser: which room it is, who is there, and whether one is there already.

import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { Visitor, inBrowser } from "./support/browser.mjs";
import { WATCH_DEVICES } from "./support/devices.mjs";
import { polled } from "./support/patience.mjs";
import { call as request, joined, person, roomOf } from "./support/people.mjs";

describe("the lobby in a browser", () => {
  const suite = inBrowser();
  const { arrives } = suite;
  const listeners = [];
  after(() => listeners.forEach((listener) => listener.close()));
  const part = (...people) => Visitor.part(people);

  /** Somebody without a browser, in a call. */
  const enters = async (roomId, someone) => {
    const client = await joined(suite.server, roomId, someone);
    listeners.push(client);
    return client;
  };
  /** Ann before a room of that name, in which Bob may be too. */
  const before = async (name, options) => {
    const [ann, bob] = [await arrives(options), await person(suite.server, "bob")];
    await ann.context.addInitScript(WATCH_DEVICES);
    await ann.page.clock.install();
    await ann.register();
    const { json } = await request(suite.server, "POST", "/api/room/create", { token: await ann.token(), body: { name } });
    await request(suite.server, "POST", `/api/room/join/${json.roomId}`, { token: bob.token });
    const open = async () => {
      await ann.page.goto(`/app/#/room/${json.roomId}`);
      await ann.heading("Ready to join?").waitFor();
    };
    return { ann, bob, page: ann.page, roomId: json.roomId, open };
  };
  const elsewhere = "You are in this call in another tab. Joining here ends it there.";

  test("the room is named, and those who come and go are named while one waits", async () => {
    const { ann, bob, page, roomId, open } = await before("Stand-up");
    await open();
    const lobby = page.locator(".lobby");
    await lobby.getByText("Stand-up", { exact: true }).waitFor();
    assert.equal(await page.title(), "Stand-up · Zetra");
    await lobby.getByText("Nobody else is in the call yet").waitFor();
    const client = await enters(roomId, bob);
    await page.clock.fastForward(10_000);
    await lobby.getByText(`${bob.username} is in the call`).waitFor();
    assert.deepEqual(await ann.inaccessible(), []);
    await client.ask("leave-room", roomId, bob.id);
    await page.clock.fastForward(10_000);
    await lobby.getByText("Nobody else is in the call yet").waitFor();
    await part(ann);
  });

  test("a room without a name is called after the others in it, never by its digits", async () => {
    const { ann, bob, page, roomId, open } = await before(null);
    await open();
    await page.locator(".lobby").getByText(bob.username, { exact: true }).waitFor();
    assert.equal(await page.getByText(roomId.slice(0, 8)).count(), 0);
    await part(ann);
  });

  test("who has not joined yet is told when the others become visible", async () => {
    const [ann, zoe] = [await arrives(), await person(suite.server, "zoe")];
    const roomId = await roomOf(suite.server, zoe);
    await enters(roomId, zoe);
    await ann.register(`/app/#/room/${roomId}`);
    await ann.page.getByText("You see who is in the call when you have joined.").waitFor();
    assert.equal(await ann.page.getByText(zoe.username).count(), 0);
    await ann.enter();
    await ann.tile(zoe.username).waitFor();
    await part(ann);
  });

  test("nobody is looked for while the page is hidden, and at once when it is seen again", async () => {
    const { ann, bob, page, roomId, open } = await before("Hidden");
    await open();
    await page.getByText("Nobody else is in the call yet").waitFor();
    const show = (hidden) =>
      page.evaluate((hidden) => {
        Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
      }, hidden);
    await show(true);
    await enters(roomId, bob);
    let looks = 0;
    page.on("request", (request) => (looks += request.url().endsWith(roomId) ? 1 : 0));
    for (let passed = 0; passed < 5; passed += 1) await page.clock.fastForward(10_000);
    assert.equal(looks, 0);
    await show(false);
    await page.getByText(`${bob.username} is in the call`).waitFor();
    assert.equal(looks, 1);
    await part(ann);
  });

  test("a room that ends while one waits is told as such, and the camera goes off", async () => {
    const { ann, page, roomId, open } = await before("Short");
    await open();
    await page.locator(".no-picture").waitFor({ state: "hidden" });
    await request(suite.server, "DELETE", `/api/room/${roomId}`, { token: await ann.token() });
    await page.clock.fastForward(10_000);
    await ann.heading("This room doesn't exist or has ended.").waitFor();
    await ann.focuses("h1 This room doesn't exist or has ended.");
    assert.deepEqual(await page.evaluate(() => globalThis.tracks.map((track) => track.readyState)), ["ended", "ended"]);
    assert.deepEqual(await ann.inaccessible(), []);
    await part(ann);
  });

  test("what is known stays while the server cannot be reached", async () => {
    const { ann, bob, page, roomId, open } = await before("Offline");
    await enters(roomId, bob);
    await open();
    await page.getByText(`${bob.username} is in the call`).waitFor();
    await ann.context.setOffline(true);
    const failed = page.waitForEvent("requestfailed");
    await page.clock.fastForward(10_000);
    await failed;
    assert.ok(await page.getByText(`${bob.username} is in the call`).isVisible());
    await ann.context.setOffline(false);
    await part(ann);
  });

  test("no device is requested for a room that does not exist or has ended", async () => {
    const ann = await arrives();
    await ann.context.addInitScript(WATCH_DEVICES);
    await ann.register("/app/#/room/1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed");
    const gone = ann.heading("This room doesn't exist or has ended.");
    await gone.waitFor();
    const asked = () => ann.page.evaluate(() => globalThis.requests.length);
    assert.equal(await asked(), 0);
    assert.equal(await ann.page.getByRole("button", { name: "Join the call" }).count(), 0);
    await ann.page.getByRole("link", { name: "Back to rooms" }).click();
    const token = await ann.token();
    const roomId = await roomOf(suite.server, { token });
    await request(suite.server, "DELETE", `/api/room/${roomId}`, { token });
    await ann.page.goto(`/app/#/room/${roomId}`);
    await gone.waitFor();
    assert.equal(await asked(), 0);
    await part(ann);
  });

  test("a call in another tab is told of, until it is left there", async () => {
    const { ann, page, roomId, open } = await before("Twice");
    await open();
    await ann.enter();
    const second = await ann.newTab();
    await second.goto(`/app/#/room/${roomId}`);
    await second.getByText(elsewhere).waitFor();
    // Another room is another matter.
    const other = await roomOf(suite.server, { token: await ann.token() });
    await second.goto(`/app/#/room/${other}`);
    await second.getByText(elsewhere).waitFor({ state: "detached" });
    await second.getByText("Nobody else is in the call yet").waitFor();
    await second.goto(`/app/#/room/${roomId}`);
    await second.getByText(elsewhere).waitFor();
    await page.getByRole("button", { name: "Leave", exact: true }).click();
    await ann.heading("You left the call").waitFor();
    await second.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
    await second.getByText(elsewhere).waitFor({ state: "detached" });
    // One's own call that is over is none.
    await page.getByRole("button", { name: "Join again" }).click();
    await page.getByText("Nobody else is in the call yet").waitFor();
    assert.equal(await page.getByText(elsewhere).count(), 0);
    await part(ann);
  });

  test("joining in the second tab ends the call in the first, which is warned in turn", async () => {
    const { ann, page, roomId, open } = await before("Moved");
    await open();
    await ann.enter();
    const second = await ann.newTab();
    await second.goto(`/app/#/room/${roomId}`);
    await second.getByText(elsewhere).waitFor();
    await ann.enter(second);
    await ann.heading("You joined from another tab").waitFor();
    await page.getByRole("button", { name: "Join again" }).click();
    await page.getByText(elsewhere).waitFor();
    // A tab that is closed holds nothing.
    await second.close();
    await polled(() => page.evaluate(async () => (await navigator.locks.query()).held.length === 0), "the end of the lock");
    await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
    await page.getByText(elsewhere).waitFor({ state: "detached" });
    await part(ann);
  });

  test("the link is copied with a mark for two seconds, or given to the device's share sheet", async () => {
    const { ann, page, roomId, open } = await before("Shared");
    await open();
    assert.equal(await page.getByRole("button", { name: "Share link" }).count(), 0, "there is no share sheet");
    const copy = page.getByRole("button", { name: "Copy link" });
    const mark = () => copy.locator("svg").getAttribute("data-name");
    // Together: the page's clock goes on.
    await Promise.all([copy.locator('svg[data-name="check"]').waitFor(), copy.click()]);
    await ann.notices("Link copied");
    await page.locator("#announcements").getByText("Link copied").waitFor();
    await page.clock.fastForward(2_000);
    assert.equal(await mark(), "copy");

    await page.evaluate(() => (navigator.share = async (data) => (globalThis.shared = data)));
    await page.goto("/app/#/");
    await open();
    await page.getByRole("button", { name: "Share link" }).click();
    assert.equal(await page.evaluate(() => globalThis.shared.url), `${suite.server.url}/app/#/room/${roomId}`);
    assert.deepEqual(await ann.inaccessible(), []);
    await part(ann);
  });

  test("where copying is refused the link is there to be copied by hand", async () => {
    const { ann, page, open } = await before("Refused", { permissions: ["camera", "microphone"] });
    await ann.context.addInitScript(() => (navigator.clipboard.writeText = () => Promise.reject(new DOMException("", "NotAllowedError"))));
    await page.reload();
    await open();
    await page.getByRole("button", { name: "Copy link" }).click();
    const shown = page.getByLabel("The room's link");
    assert.equal(await shown.inputValue(), page.url());
    assert.equal(await shown.evaluate(({ selectionStart, selectionEnd }) => selectionEnd - selectionStart), page.url().length);
    assert.equal(await page.locator(".toast").count(), 0);
    await part(ann);
  });
});
