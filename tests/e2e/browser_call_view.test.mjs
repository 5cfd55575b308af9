// The call view in a real browser: layout, chat, and the user's own devices.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Visitor, inBrowser } from "./support/browser.mjs";
import { Line } from "./support/line.mjs";
import { polled, within } from "./support/patience.mjs";
import { startFaulty } from "./support/server.mjs";

const WINDOWS = {
  desktop: { width: 1280, height: 800 },
  "desktop at 200 %": { width: 640, height: 400 },
  phone: { width: 390, height: 844 },
  "phone on its side": { width: 844, height: 390 },
  "small phone": { width: 320, height: 568 },
};

describe("a call in a browser", () => {
  const suite = inBrowser();
  const { arrives, listens } = suite;
  /** The chat messages received, in order. */
  const texts = (client) => client.heard.filter(([event]) => event === "chat-message").map(([, { message }]) => message);
  const opensChat = (page) => page.getByRole("button", { name: /^Chat/ }).click();
  const entry = (page) => page.getByLabel("Message", { exact: true });
  const writes = async (page, text) => {
    await entry(page).fill(text);
    await entry(page).press("Enter");
  };
  /** Ann in a call with her chat open, behind a line that can fail, and Zoe, who listens. */
  const chatting = async () => {
    const ann = await arrives();
    const { page } = ann;
    const line = await Line.lay(ann);
    await ann.register();
    const zoe = await listens(await ann.makeRoom());
    // Before it has joined, the page says of a lost connection that it connects.
    await page.getByText("2 people").waitFor();
    await opensChat(page);
    return { ann, page, line, zoe };
  };
  const control = (page, name) => page.getByRole("toolbar").getByRole("button", { name, exact: true });
  const part = (...people) => Visitor.part(people);
  /** Waits until the page has been drawn again. */
  const frames = (page) => page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
  /** What of the call is outside the window or cannot be clicked. */
  const outOfReach = (page) =>
    page.evaluate(() => {
      const faults = [];
      const { scrollHeight, scrollWidth } = document.documentElement;
      if (scrollHeight > innerHeight) faults.push(`the page is ${scrollHeight} px high`);
      if (scrollWidth > innerWidth) faults.push(`the page is ${scrollWidth} px wide`);
      for (const element of document.querySelectorAll(".controls button:not([hidden]), .chat textarea, .chat button[type=submit]")) {
        const { left, right, top, bottom } = element.getBoundingClientRect();
        const within = left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight;
        const hit = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
        if (!within || !element.contains(hit)) faults.push(`${element.textContent || element.name}: ${[left, top, right, bottom].map(Math.round)}`);
      }
      const list = document.querySelector(".messages").getBoundingClientRect();
      const last = document.querySelector(".messages li:last-child").getBoundingClientRect();
      if (list.height < 32) faults.push(`the messages have ${Math.round(list.height)} px`);
      if (Math.abs(last.bottom - list.bottom) > 40) faults.push("the last message is out of sight");
      for (const tile of document.querySelectorAll(".tile")) {
        const { top, bottom } = tile.getBoundingClientRect();
        if (bottom > innerHeight || bottom - top < 8) faults.push(`a picture from ${Math.round(top)} to ${Math.round(bottom)}`);
      }
      return faults;
    });

  test("controls and chat stay in the window after 40 messages with five people, at every size", async () => {
    const ann = await arrives();
    const { page } = ann;
    await ann.register();
    const link = await ann.makeRoom();
    const others = [];
    for (const name of ["bob", "cat", "dan", "eve"]) others.push(await listens(link, name));
    await page.getByText("5 people").waitFor();
    await opensChat(page);
    for (let index = 0; index < 39; index += 1) await others[index % 4].says(`message ${index}`);
    await others[0].says("A long one. ".repeat(300).trim());
    await others[1].says("the last word");
    await page.getByText("the last word").waitFor();
    for (const [name, size] of Object.entries(WINDOWS)) {
      await page.setViewportSize(size);
      await page.waitForFunction(() => document.querySelector(".messages").clientHeight > 0);
      await frames(page);
      assert.deepEqual(await outOfReach(page), [], name);
    }
    await part(ann);
  });

  test("text typed while a message is pending is kept, and 30 quick messages arrive in order", async () => {
    const { ann, page, line, zoe } = await chatting();
    line.latency = 250;
    await entry(page).pressSequentially("first sentence");
    await entry(page).press("Enter");
    await page.getByText("Sending…").waitFor();
    await entry(page).pressSequentially("second sentence typed", { delay: 30 });
    await entry(page).press("Enter");
    const quick = Array.from({ length: 30 }, (_, index) => `quick ${index}`);
    for (const text of quick) await writes(page, text);
    const all = ["first sentence", "second sentence typed", ...quick];
    await zoe.until(() => texts(zoe).length === all.length, "32 messages");
    assert.deepEqual(texts(zoe), all);
    await page.getByText("Sending…").first().waitFor({ state: "detached" });
    assert.deepEqual(await page.locator(".said").allTextContents(), all, "each is there once");
    await part(ann);
  });

  test("a lost message is marked as not sent, can be retried, and arrives once", async () => {
    const { ann, page, line, zoe } = await chatting();
    await within(line.upgraded, "the upgrade");
    line.loses = true;
    await writes(page, "into the void");
    await page.locator(".messages li", { hasText: "Not sent." }).getByText("into the void").waitFor();
    assert.deepEqual(await ann.inaccessible(), []);
    line.loses = false;
    await writes(page, "the next one");
    await zoe.until(() => texts(zoe).length === 1, "the next one");
    await page.getByRole("button", { name: "Try again" }).click();
    await zoe.until(() => texts(zoe).length === 2, "the one that was lost");
    await page.getByText("Not sent.").waitFor({ state: "hidden" });
    assert.deepEqual(await page.locator(".said").allTextContents(), ["the next one", "into the void"]);
    await part(ann);
  });

  test("messages written while the connection is lost are sent after the reconnection, and no error stays", async () => {
    const { ann, page, line, zoe } = await chatting();
    await within(line.upgraded, "the upgrade");
    await line.cut();
    await page.getByText("Connection lost. Reconnecting…").waitFor();
    for (const text of ["one", "two"]) await writes(page, text);
    assert.equal(await page.getByText("Sending…").count(), 2);
    line.restore();
    await zoe.until(() => texts(zoe).length === 2, "two messages");
    assert.deepEqual(texts(zoe), ["one", "two"]);
    await page.locator(".banner").waitFor({ state: "hidden" });
    await page.getByText("Sending…").first().waitFor({ state: "detached" });
    assert.equal(await page.locator(".chat").getByText(/timed out|Not sent/).filter({ visible: true }).count(), 0);
    await part(ann);
  });

  test("a chat opened late shows the latest message, and does not scroll while older ones are read", async () => {
    const ann = await arrives();
    const { page } = ann;
    await ann.register();
    const zoe = await listens(await ann.makeRoom());
    await page.getByText("2 people").waitFor();
    for (let index = 0; index < 40; index += 1) await zoe.says(`message ${index}`);
    await page.getByRole("button", { name: "Chat (40)" }).click();
    const list = page.locator(".messages");
    const fromEnd = () => list.evaluate(({ scrollHeight, scrollTop, clientHeight }) => scrollHeight - scrollTop - clientHeight);
    assert.ok((await fromEnd()) <= 1, "it stands at the end");
    await zoe.says("read along");
    await page.getByText("read along").waitFor();
    assert.ok((await fromEnd()) <= 1, "and follows");
    await list.evaluate((element) => (element.scrollTop = 0));
    await frames(page);
    await zoe.says("unseen");
    const newer = page.getByRole("button", { name: "New messages" });
    await newer.waitFor();
    assert.equal(await list.evaluate((element) => element.scrollTop), 0);
    await newer.click();
    assert.ok((await fromEnd()) <= 1);
    await newer.waitFor({ state: "hidden" });
    await part(ann);
  });

  test("the camera button controls the camera, also while the screen is shared", async () => {
    const [ann, bob] = [await arrives(), await arrives()];
    await ann.register();
    const link = await ann.makeRoom();
    await bob.register(link);
    await bob.enter();
    await bob.sees(ann.name);
    await control(ann.page, "Share screen").click();
    await bob.sees(`${ann.name} (screen)`);
    await control(ann.page, "Camera off").waitFor();
    await control(ann.page, "Stop sharing").click();
    await bob.sees(ann.name);
    // Switching the camera off while sharing takes effect after it.
    await control(ann.page, "Share screen").click();
    await bob.sees(`${ann.name} (screen)`);
    await control(ann.page, "Camera off").click();
    await control(ann.page, "Camera on").waitFor();
    await bob.sees(`${ann.name} (screen)`);
    await control(ann.page, "Stop sharing").click();
    await bob.page.locator("figure.tile.dark", { hasText: ann.name }).waitFor();
    await control(ann.page, "Camera on").click();
    await bob.sees(ann.name);
    await part(ann, bob);
  });

  test("a reload keeps the microphone muted and the camera off", async () => {
    const ann = await arrives();
    const { page } = ann;
    await ann.register();
    const zoe = await listens(await ann.makeRoom());
    await control(page, "Mute").click();
    await control(page, "Camera off").click();
    await page.reload();
    await page.getByRole("button", { name: "Unmute" }).waitFor();
    await page.getByText("Your camera is off").waitFor();
    zoe.taken();
    await ann.enter();
    const [state] = await zoe.next("media-state");
    assert.deepEqual([state.audio, state.video], [false, false]);
    await control(page, "Unmute").click();
    await page.reload();
    await page.getByRole("button", { name: "Mute", exact: true }).waitFor();
    await part(ann);
  });

  test("controls are named after their action and are not toggle buttons", async () => {
    const ann = await arrives();
    const { page } = ann;
    await ann.register();
    await page.getByRole("button", { name: "New room" }).click();
    await page.getByRole("button", { name: "Mute", exact: true }).waitFor();
    assert.equal(await page.locator("[aria-pressed]").count(), 0, "in the lobby");
    await ann.enter();
    for (const [now, then] of [["Mute", "Unmute"], ["Camera off", "Camera on"], ["Share screen", "Stop sharing"]]) {
      await control(page, now).click();
      await control(page, then).waitFor();
    }
    assert.equal(await page.locator("[aria-pressed]").count(), 0, "in the call");
    await part(ann);
  });

  test("leaving a call, or the end of a room, does not announce that everybody else has left", async () => {
    const [ann, bob] = [await arrives(), await arrives()];
    for (const { context } of [ann, bob]) {
      await context.addInitScript(() => {
        globalThis.announced = [];
        const note = () => globalThis.announced.push(document.getElementById("announcements").textContent);
        addEventListener("DOMContentLoaded", () => new MutationObserver(note).observe(document.getElementById("announcements"), { childList: true }));
      });
    }
    await ann.register();
    const link = await ann.makeRoom();
    await bob.register(link);
    await bob.enter();
    const [zoe, fred] = [await listens(link), await listens(link, "fred")];
    for (const { page } of [ann, bob]) await page.getByText("4 people").waitFor();
    // An announcement is made in the next frame.
    const announced = async (page) => (await frames(page), page.evaluate(() => globalThis.announced.join("; ")));
    for (const { username } of [zoe, fred]) await ann.page.waitForFunction((name) => globalThis.announced.join().includes(name), username);
    await control(bob.page, "Leave").click();
    await bob.page.getByRole("heading", { name: "You left the call" }).waitFor();
    assert.doesNotMatch(await announced(bob.page), /has left/);
    await ann.page.waitForFunction((words) => globalThis.announced.includes(words), `${bob.name} has left`);
    fred.close();
    await ann.page.waitForFunction((words) => globalThis.announced.includes(words), `${fred.username} has left`);
    await ann.page.evaluate(() => (globalThis.announced.length = 0));
    await control(ann.page, "Host").click();
    const dialog = ann.page.getByRole("dialog");
    for (let asked = 0; asked < 2; asked += 1) await dialog.getByRole("button", { name: "End for all" }).click();
    await ann.page.getByText("The host has ended this room.").waitFor();
    assert.doesNotMatch(await announced(ann.page), /has left/);
    await part(ann, bob);
  });

  test("what is read out has its place on the page before its words, and is not written anew without need", async () => {
    const ann = await arrives();
    const { page } = ann;
    /** Regions that come into being together with their text, which many screen readers do not read then. */
    const missing = () =>
      page.evaluate(() => {
        const regions = [...document.querySelectorAll("[role=status]:not(dialog *)")];
        return regions.filter((region) => !region.checkVisibility()).map(({ className }) => className);
      });
    await ann.register();
    await page.getByRole("button", { name: "New room" }).click();
    await ann.heading("Ready to join?").waitFor();
    assert.deepEqual(await missing(), [], "in the lobby");
    await ann.enter();
    await page.getByText("Just you").waitFor();
    await page.locator(".banner").waitFor({ state: "hidden" });
    assert.deepEqual(await missing(), [], "in the call");
    await ann.context.setOffline(true);
    await page.getByText("Connection lost. Reconnecting…").waitFor();
    await page.evaluate(() => {
      globalThis.written = 0;
      new MutationObserver(() => (globalThis.written += 1)).observe(document.querySelector(".banner"), { childList: true });
    });
    await control(page, "Mute").click();
    await control(page, "Unmute").waitFor();
    assert.equal(await page.evaluate(() => globalThis.written), 0);
    await ann.context.setOffline(false);
    await part(ann);
  });

  test("a name changed in another tab reaches the others during the call", async () => {
    const [ann, bob] = [await arrives(), await arrives()];
    await ann.register();
    const link = await ann.makeRoom();
    await bob.register(link);
    await bob.enter();
    await ann.tile(bob.name).waitFor();
    const second = await bob.newTab();
    await second.goto("/app/#/profile");
    const renamed = `${bob.name}_new`;
    await second.getByLabel("Name", { exact: true }).fill(renamed);
    await second.getByRole("button", { name: "Save" }).click();
    await ann.tile(renamed).waitFor();
    await part(ann, bob);
  });
});

describe("a call in a browser while the database does not answer", () => {
  const suite = inBrowser({}, startFaulty);
  /** How the query begins with which the room admits somebody. */
  const ADMISSION = "SELECT r.room_id";

  test("is not over: whoever was refused comes in once it does", async () => {
    const { server } = suite;
    const fails = (words) => server.faults({ words, skip: 0, times: Number.MAX_SAFE_INTEGER, text: "D1_ERROR: Network connection lost." });
    const works = () => server.faults({ words: "", skip: 0, times: 0 });
    const isLogged = (words) => server.log.until(() => server.logged.some((line) => line.includes(words)), words);
    const ann = await suite.arrives();
    const { page } = ann;
    const line = await Line.lay(ann);
    const isIn = () => page.locator(".banner").waitFor({ state: "hidden" });
    await ann.register();
    await page.getByRole("button", { name: "New room" }).click();
    await page.getByRole("heading", { name: "Ready to join?" }).waitFor();

    await line.cut();
    await ann.enter();
    await fails("");
    line.restore();
    await isLogged("StoreUnavailable");
    await page.getByText("Connecting…", { exact: true }).waitFor();
    // It may connect now, but not join.
    await fails(ADMISSION);
    await polled(async () => (await fails(ADMISSION)).met > 0, "a refused join");
    await works();
    await isIn();

    await line.cut();
    await page.getByText("Connection lost. Reconnecting…").waitFor();
    await fails("");
    line.restore();
    await isLogged("cannot be recovered while the store fails");
    await works();
    await isIn();
    ann.forgive(/status of 503/);
    await Visitor.part([ann]);
  });
});
