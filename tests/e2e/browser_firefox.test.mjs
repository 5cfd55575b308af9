// The client in Firefox, among themselves and with Chromium: what a call consists of. Firefox has a fake camera and microphone
// for tests, but no fake screen, and no way to cut its network.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { CONNECTION, Visitor, inBrowser, startBrowser } from "./support/browser.mjs";

describe("the client in Firefox", () => {
  const suite = inBrowser();
  let firefox;
  before(async () => (firefox = await startBrowser("firefox")));
  after(() => firefox.close());

  /** A click plays what it is meant to play, and nothing else plays what sounds, not even what others send. */
  const STRICT = { "media.autoplay.default": 1, "media.autoplay.blocking_policy": 2, "media.autoplay.block-webrtc": true };
  // Firefox warns of what a page is made of, not of what it does.
  const forgive = (...visitors) => visitors.forEach((visitor) => visitor.forgive(/^(Content-Security-Policy|Layout was forced|WebRTC:|ICE failed)/));
  const arrives = (browser) => Visitor.arrive(browser, suite.server);
  const control = ({ page }, name) => page.getByRole("toolbar").getByRole("button", { name, exact: true });
  /** Everybody sees and hears everybody else. */
  const meet = async (everybody) => {
    const others = everybody.flatMap((one) => everybody.filter((other) => other !== one).map((other) => one.sees(other.name)));
    await Promise.all([...others, ...everybody.map((one) => one.hears(everybody.length - 1))]);
  };

  test("two in Firefox and one in Chromium meet, talk, write, mute, and are there again after a restart of the runtime", async () => {
    const [ann, bob, cat] = [await arrives(firefox), await arrives(firefox), await arrives(suite.browser)];
    await ann.register();
    const link = await ann.makeRoom();
    for (const visitor of [bob, cat]) {
      await visitor.register(link);
      await visitor.enter();
    }
    await meet([ann, bob, cat]);
    await ann.page.locator("figure.speaking").first().waitFor();
    await ann.tile(cat.name).getByRole("img", { name: CONNECTION }).waitFor();

    await ann.page.keyboard.press("c");
    await ann.page.keyboard.type("hello from Firefox");
    await ann.page.keyboard.press("Enter");
    await cat.page.getByRole("button", { name: "Chat (1)" }).click();
    await cat.page.locator(".said", { hasText: "hello from Firefox" }).waitFor();
    await control(bob, "Mute").click();
    await control(bob, "Camera off").click();
    for (const visitor of [ann, cat]) {
      await visitor.tile(bob.name).getByText("muted", { exact: true }).waitFor();
      await visitor.page.locator("figure.tile.dark", { hasText: bob.name }).waitFor();
    }
    await control(bob, "Camera on").click();
    await ann.sees(bob.name);
    await control(cat, "Share screen").click();
    await Promise.all([ann.sees(`${cat.name} (screen)`), bob.sees(`${cat.name} (screen)`), ann.sees(cat.name)]);
    await control(cat, "Stop sharing").click();

    await suite.server.kill();
    await Promise.all([ann, bob, cat].map(({ page }) => page.locator(".banner").waitFor()));
    await suite.server.start();
    await Promise.all([ann, bob, cat].map(({ page }) => page.locator(".banner").waitFor({ state: "hidden" })));
    await meet([ann, bob, cat]);
    await control(ann, "Leave").click();
    await ann.page.getByRole("heading", { name: "You left the call" }).waitFor();
    await cat.tile(ann.name).waitFor({ state: "detached" });
    forgive(ann, bob);
    await Visitor.part([ann, bob, cat]);
  });

  test("who has neither camera nor microphone, and a browser that lets nothing sound before a click, presses a button to hear the others", async (t) => {
    const strict = await startBrowser("firefox", STRICT);
    t.after(() => strict.close());
    const [ann, bob] = [await arrives(suite.browser), await arrives(strict)];
    // Whoever is recorded may hear.
    await bob.context.addInitScript(() => {
      // An empty page has none.
      if (!navigator.mediaDevices) return;
      navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("none", "NotFoundError"));
    });
    await ann.register();
    const link = await ann.makeRoom();
    await bob.register(link);
    await bob.enter();
    await bob.page.getByRole("alert").getByText("Your browser does not play the sound and pictures of others before").waitFor();
    assert.deepEqual(await bob.inaccessible(), []);
    const play = bob.page.getByRole("button", { name: "Play", exact: true });
    await play.click();
    await play.waitFor({ state: "detached" });
    await bob.focuses(`h1 ${await bob.page.locator("h1").textContent()}`);
    await bob.sees(ann.name);
    assert.equal(await ann.page.getByRole("button", { name: "Play", exact: true }).count(), 0, "where it plays by itself");
    forgive(bob);
    await Visitor.part([ann, bob]);
  });

  test("every page is shown, and a history is kept", async () => {
    const ann = await arrives(firefox);
    const { page } = ann;
    await ann.register();
    for (const [name, heading] of [["History", "Call history"], [ann.name, "Your profile"], ["Rooms", `Hello, ${ann.name}`]]) {
      await page.getByRole("link", { name, exact: true }).click();
      await page.getByRole("heading", { name: heading }).waitFor();
    }
    assert.deepEqual(await ann.inaccessible(), []);
    await Visitor.part([ann]);
  });
});
