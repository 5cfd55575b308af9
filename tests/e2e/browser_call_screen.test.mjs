// The call's screen in a real browser: the stage, who is shown where, the invitation, the chat's comforts, the keyboard.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CONNECTION, Visitor, inBrowser } from "./support/browser.mjs";

describe("the call's screen in a browser", () => {
  const suite = inBrowser();
  const { arrives, listens, pair } = suite;
  const part = (...people) => Visitor.part(people);
  const control = (page, name) => page.getByRole("toolbar").getByRole("button", { name, exact: true });
  /** Where it stands, in whole pixels. */
  const box = async (locator) => {
    const { x, y, width, height } = await locator.boundingBox();
    return Object.fromEntries(Object.entries({ x, y, width, height, right: x + width, bottom: y + height }).map(([name, pixels]) => [name, Math.round(pixels)]));
  };
  /** The stage when nothing moves any more. */
  const settled = (page) =>
    page.waitForFunction(() => document.getAnimations().every(({ playState }) => playState !== "running") && document.querySelector(".grid"));
  test("a call fills the window and shows nothing else; the only other person fills the stage", async () => {
    const { ann, bob } = await pair();
    const { page } = ann;
    assert.equal(await page.getByRole("link", { name: "History" }).count(), 0, "no site navigation");
    await settled(page);
    const [window, other, own, stage] = await Promise.all([".call", `figure:has(video[aria-label="Video of ${bob.name}"])`, 'figure:has(video[aria-label="Video of You"])', ".grid"].map((selector) => box(page.locator(selector))));
    const { width, height } = page.viewportSize();
    assert.deepEqual([window.x, window.y, window.width, window.height], [0, 0, width, height]);
    assert.deepEqual(other, stage);
    assert.ok(own.width <= 280 && own.right <= stage.right && own.bottom <= stage.bottom && own.right > stage.right - 20, JSON.stringify(own));
    assert.deepEqual(await ann.inaccessible(), []);
    await part(ann, bob);
  });

  test("a shared screen takes the stage beside the camera, a pin overrules it, and its end restores the stage", async () => {
    const { ann, bob } = await pair();
    const { page } = ann;
    const onStage = () => page.locator("figure.spotlit figcaption .name").textContent();
    await control(bob.page, "Share screen").click();
    await ann.sees(`${bob.name} (screen)`);
    await ann.sees(bob.name);
    assert.equal(await onStage(), `${bob.name} (screen)`);
    assert.equal(await bob.page.locator("figure.spotlit").count(), 0, "who shares does not look into a mirror");
    await settled(page);
    assert.deepEqual(await ann.inaccessible(), []);
    await page.getByRole("button", { name: `Pin ${bob.name}`, exact: true }).focus();
    await page.keyboard.press("Enter");
    assert.equal(await onStage(), bob.name);
    await page.getByRole("button", { name: `Unpin ${bob.name}` }).click();
    assert.equal(await onStage(), `${bob.name} (screen)`);
    await ann.tile("You").click();
    assert.equal(await onStage(), "You");
    await page.getByRole("button", { name: "Unpin You" }).click();
    await page.getByRole("button", { name: `Full screen: ${bob.name} (screen)` }).click();
    await page.waitForFunction(() => document.fullscreenElement?.matches("figure.screen"));
    await page.evaluate(() => document.exitFullscreen());
    await page.getByRole("button", { name: `Picture in picture: ${bob.name} (screen)` }).click();
    await page.waitForFunction(() => document.pictureInPictureElement?.closest("figure.screen"));
    await page.evaluate(() => document.exitPictureInPicture());
    await control(bob.page, "Stop sharing").click();
    await ann.tile(`${bob.name} (screen)`).waitFor({ state: "detached" });
    assert.equal(await page.locator("figure.spotlit").count(), 0);
    await ann.sees(bob.name);
    await part(ann, bob);
  });

  test("whoever speaks is outlined, whoever is muted is marked, and the connection is told in words", async () => {
    const { ann, bob } = await pair();
    const tile = ann.tile(bob.name);
    // The fake microphone beeps once a second.
    await ann.page.locator("figure.speaking").waitFor();
    await tile.getByRole("img", { name: CONNECTION }).waitFor();
    await control(bob.page, "Mute").click();
    await tile.getByText("muted", { exact: true }).waitFor();
    await ann.page.locator("figure.speaking").waitFor({ state: "detached" });
    await part(ann, bob);
  });

  test("in a room of four each picture is sent smaller than to one, by whoever offered and whoever answered", async () => {
    const { ann, bob } = await pair();
    const sends = (visitor, condition) => visitor.page.waitForFunction(condition);
    // A busy machine sends less than it may, so of what is large only the limit is looked at.
    const large = () => globalThis.scalesSent().length > 0 && globalThis.scalesSent().every((scale) => scale === 1);
    const small = async () => {
      const [scales, heights] = [globalThis.scalesSent(), await globalThis.heightsSent()];
      return heights.length > 1 && heights.every((height) => height <= 480) && scales.every((scale) => scale > 1);
    };
    for (const visitor of [ann, bob]) await sends(visitor, large);
    const link = ann.page.url();
    const zoe = await listens(link, "zoe");
    const cat = await arrives();
    await cat.register(link);
    await cat.enter();
    await cat.sees(ann.name);
    for (const visitor of [ann, bob, cat]) await sends(visitor, small);
    zoe.close();
    await control(cat.page, "Leave").click();
    for (const visitor of [ann, bob]) await sends(visitor, large);
    await part(ann, bob, cat);
  });

  test("alone, one sees the link to send; whoever comes and goes is named in sight and hearing", async () => {
    const ann = await arrives();
    const { page } = ann;
    await ann.register();
    const link = await ann.makeRoom();
    const invitation = page.getByText("You're the only one here");
    await invitation.waitFor();
    await page.getByText(link.replace("http://", "")).waitFor();
    assert.deepEqual(await ann.inaccessible(), []);
    const zoe = await listens(link, "zoe");
    await invitation.waitFor({ state: "hidden" });
    const told = async (words) => {
      await page.locator(".toast", { hasText: words }).waitFor();
      await page.locator("#announcements", { hasText: words }).waitFor({ state: "attached" });
    };
    await told(`${zoe.username} has joined`);
    await ann.tile(zoe.username).getByText("Connecting…").waitFor();
    assert.equal(await ann.tile(zoe.username).locator(".initial").textContent(), "Z", "nobody is an empty box");
    zoe.close();
    await told(`${zoe.username} has left`);
    await invitation.waitFor();
    await part(ann);
  });

  test("the chat grows, breaks lines, makes links, groups, counts in the title, and closes with Escape", async () => {
    const ann = await arrives();
    const { page } = ann;
    await ann.register();
    const zoe = await listens(await ann.makeRoom(), "zoe");
    await page.getByText("2 people").waitFor();
    for (const text of ["one", "two https://example.com/plan.", "javascript:alert(1)"]) await zoe.says(text);
    await page.waitForFunction(() => document.title.startsWith("(3) "));
    await page.getByRole("button", { name: "Chat (3)" }).click();
    await page.waitForFunction(() => !document.title.startsWith("("));
    const heads = page.locator(".messages .head").filter({ visible: true });
    assert.equal(await heads.count(), 1, "one name above three messages");
    const links = await page.locator(".said a").evaluateAll((found) => found.map(({ href, target, rel }) => ({ href, target, rel })));
    assert.deepEqual(links, [{ href: "https://example.com/plan", target: "_blank", rel: "noopener noreferrer" }]);
    const entry = page.getByLabel("Message", { exact: true });
    const low = (await box(entry)).height;
    await entry.pressSequentially("first line");
    for (let line = 0; line < 3; line += 1) await entry.press("Shift+Enter");
    await entry.pressSequentially("last line");
    assert.ok((await box(entry)).height > low + 40, "the box has grown");
    await entry.press("Enter");
    await zoe.until(() => zoe.heard.some(([event, said]) => event === "chat-message" && said.message === "first line\n\n\nlast line"), "both lines");
    assert.equal((await box(entry)).height, low);
    assert.equal(await heads.count(), 2);
    assert.deepEqual(await ann.inaccessible(), []);
    await entry.press("Escape");
    await page.getByRole("complementary", { name: "Chat" }).waitFor({ state: "hidden" });
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "Chat");
    await zoe.says("anybody?");
    await page.waitForFunction(() => document.title.startsWith("(1) "));
    await part(ann);
  });

  test("single keys control the call, but not while one writes, and not when they are switched off", async () => {
    const ann = await arrives();
    const { page } = ann;
    await ann.register();
    await ann.makeRoom();
    await page.getByText("Just you").waitFor();
    for (const [key, name, heard] of [
      ["m", "Unmute", "Muted"],
      ["M", "Mute", "Unmuted"],
      ["v", "Camera on", "Camera is off"],
      ["v", "Camera off", "Camera is on"],
      ["s", "Stop sharing", "You are sharing your screen"],
      ["s", "Share screen", "You are not sharing your screen"],
    ]) {
      await page.keyboard.press(key);
      await control(page, name).waitFor();
      await page.locator("#announcements").getByText(heard, { exact: true }).waitFor({ state: "attached" });
    }
    await page.keyboard.press("c");
    const entry = page.getByLabel("Message", { exact: true });
    await entry.pressSequentially("my camera is vast");
    assert.equal(await entry.inputValue(), "my camera is vast");
    await control(page, "Mute").waitFor();
    await control(page, "Settings").click();
    const settings = page.getByRole("dialog", { name: "Settings" });
    await settings.getByText("Mute or unmute").waitFor();
    assert.deepEqual(await ann.inaccessible(), []);
    await settings.getByLabel("Single keys control the call").uncheck();
    await settings.getByRole("button", { name: "Close" }).click();
    await page.getByRole("heading", { level: 1 }).focus();
    await page.keyboard.press("m");
    await control(page, "Mute").waitFor();
    await control(page, "Settings").click();
    assert.equal(await settings.getByLabel("Single keys control the call").isChecked(), false);
    await part(ann);
  });

  test("the screen stays on during a call, again after the page was hidden, and not a moment longer", async () => {
    const ann = await arrives();
    const { page } = ann;
    // As browsers do it: the lock is taken back when the page is hidden. `isSlow`: it is granted only by `grant()`.
    await ann.context.addInitScript(() => {
      const locks = (globalThis.locks = []);
      const request = async (type) => {
        if (globalThis.isSlow) await new Promise((resolve) => (globalThis.grant = resolve));
        const lock = { type, released: false, release: async () => void (lock.released = true) };
        locks.push(lock);
        return lock;
      };
      Object.defineProperty(navigator, "wakeLock", { value: { request } });
      globalThis.show = (hidden) => {
        Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
        if (hidden) locks.forEach((lock) => lock.release());
        document.dispatchEvent(new Event("visibilitychange"));
      };
    });
    const held = () => page.evaluate(() => globalThis.locks.map(({ type, released }) => `${type} ${released ? "released" : "held"}`));
    const leave = async () => {
      await control(page, "Leave").click();
      await page.getByRole("heading", { name: "You left the call" }).waitFor();
    };
    await ann.register();
    await ann.makeRoom();
    assert.deepEqual(await held(), ["screen held"]);
    await page.evaluate(() => globalThis.show(true));
    assert.deepEqual(await held(), ["screen released"]);
    await page.evaluate(() => globalThis.show(false));
    assert.deepEqual(await held(), ["screen released", "screen held"]);
    await page.evaluate(() => globalThis.show(false));
    assert.deepEqual(await held(), ["screen released", "screen held", "screen released"], "one is enough");
    await leave();
    await page.evaluate(() => globalThis.show(false));
    assert.deepEqual(await held(), Array(3).fill("screen released"));
    // One that is granted after the call is over.
    await page.evaluate(() => (globalThis.isSlow = true));
    await page.getByRole("button", { name: "Join again" }).click();
    await ann.enter();
    await leave();
    await page.evaluate(() => globalThis.grant());
    assert.deepEqual(await held(), Array(4).fill("screen released"));
    await part(ann);
  });

  test("a whole call works by the keyboard alone", async () => {
    const ann = await arrives();
    const { page } = ann;
    /** Tabs to the control of that name. */
    const tabTo = async (role, name) => {
      const wanted = page.getByRole(role, { name }).first();
      await wanted.waitFor();
      for (let pressed = 0; pressed < 60; pressed += 1) {
        if (await wanted.evaluate((element) => element === document.activeElement)) return wanted;
        await page.keyboard.press("Tab");
      }
      throw new Error(`no way by Tab to ${name}`);
    };
    await page.goto("/app/");
    await tabTo("button", "Create an account");
    await page.keyboard.press("Enter");
    await (await tabTo("textbox", "Name")).pressSequentially(ann.name);
    await (await tabTo("textbox", "Email")).pressSequentially(ann.email);
    await tabTo("textbox", "Password");
    await page.keyboard.type("Sup3rSecret");
    await page.keyboard.press("Enter");
    await tabTo("button", "New room");
    await page.keyboard.press("Enter");
    await tabTo("button", "Join the call");
    await page.keyboard.press("Enter");
    await page.getByText("Just you").waitFor();
    const other = await listens(page.url());
    await page.getByText("2 people").waitFor();
    await tabTo("button", "Mute");
    await page.keyboard.press("Space");
    await control(page, "Unmute").waitFor();
    await tabTo("button", /^Chat/);
    await page.keyboard.press("Enter");
    await page.keyboard.type("hello from the keyboard");
    await page.keyboard.press("Enter");
    await other.until(() => other.heard.some(([event, said]) => event === "chat-message" && said.message === "hello from the keyboard"), "the message");
    await page.keyboard.press("Escape");
    await tabTo("button", "Settings");
    await page.keyboard.press("Enter");
    await page.getByRole("dialog", { name: "Settings" }).waitFor();
    await page.keyboard.press("Escape");
    await tabTo("button", "Leave");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "You left the call" }).waitFor();
    await part(ann);
  });

  test("two who cannot reach each other are told why", async () => {
    // Only ways over a relay, of which there is none, as behind networks that block direct calls.
    const relayed = (visitor) =>
      visitor.context.addInitScript(() => {
        const Original = globalThis.RTCPeerConnection;
        globalThis.RTCPeerConnection = class extends Original {
          constructor(configuration) {
            super({ ...configuration, iceTransportPolicy: "relay" });
          }
        };
      });
    const [ann, bob] = [await arrives(), await arrives()];
    await Promise.all([relayed(ann), relayed(bob)]);
    await ann.register();
    const link = await ann.makeRoom();
    await bob.register(link);
    await bob.enter();
    for (const [visitor, other] of [[ann, bob], [bob, ann]]) {
      await visitor.tile(other.name).getByText("there is no relay (TURN)").waitFor();
    }
    await part(ann, bob);
  });
});
