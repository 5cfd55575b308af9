// Microphone, camera and speaker in a real browser: their choice, and what comes and goes.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Visitor, inBrowser } from "./support/browser.mjs";
import { WATCH_DEVICES } from "./support/devices.mjs";
import { isUsed, lobbyOf, menu, picture } from "./support/lobby.mjs";
import { call as request } from "./support/people.mjs";

describe("devices in a browser", () => {
  const suite = inBrowser();
  const part = (...people) => Visitor.part(people);
  const inLobby = lobbyOf(suite);
  const options = (page, name) => menu(page, name).locator("option").allTextContents();

  test("the level follows the microphone, is empty while it is muted, and stops when the lobby is left", async () => {
    const { ann, page } = await inLobby();
    const meter = page.getByRole("meter", { name: "Microphone level" });
    await meter.waitFor();
    // The fake microphone beeps.
    await page.waitForFunction(() => Number(document.querySelector("[role=meter]").getAttribute("aria-valuenow")) > 20);
    await page.waitForFunction(() => document.querySelector(".level").getBoundingClientRect().width > 10);
    assert.deepEqual(await ann.inaccessible(), []);
    await page.getByRole("button", { name: "Mute", exact: true }).click();
    await page.waitForFunction(() => document.querySelector("[role=meter]").getAttribute("aria-valuenow") === "0");
    // It beeps every second; of two seconds none is shown. What was recorded before the mute may still come for a moment.
    const loudest = await page.evaluate(async () => {
      const meter = document.querySelector("[role=meter]");
      const context = globalThis.sounds.at(-1);
      const from = context.currentTime + 0.5;
      let most = 0;
      while (context.currentTime < from + 2) {
        await new Promise(requestAnimationFrame);
        if (context.currentTime > from) most = Math.max(most, Number(meter.getAttribute("aria-valuenow")));
      }
      return most;
    });
    assert.equal(loudest, 0);
    await page.getByRole("link", { name: "History" }).click();
    await ann.heading("Call history").waitFor();
    await page.waitForFunction(() => globalThis.sounds.length > 0 && globalThis.sounds.every(({ state }) => state === "closed"));
    await part(ann);
  });

  test("chosen devices are kept for the next visit, mute and camera off only in their tab", async () => {
    const { ann, page } = await inLobby();
    await picture(page);
    await menu(page, "Microphone").selectOption("Fake Audio Input 2");
    await menu(page, "Speaker").selectOption("Fake Audio Output 1");
    await isUsed(page, "audio", "Fake Audio Input 2");
    await page.getByRole("button", { name: "Mute", exact: true }).click();
    await page.getByRole("button", { name: "Camera off" }).click();
    const second = await ann.newTab();
    await second.goto(page.url());
    await picture(second);
    await second.getByRole("button", { name: "Mute", exact: true }).waitFor();
    for (const tab of [second, page]) {
      if (tab === page) await tab.reload();
      await isUsed(tab, "audio", "Fake Audio Input 2");
      await tab.waitForFunction(() => document.querySelectorAll("select")[0].selectedOptions[0]?.label === "Fake Audio Input 2");
      await tab.waitForFunction(() => [...document.querySelectorAll("select")].at(-1).selectedOptions[0]?.label === "Fake Audio Output 1");
    }
    await page.getByRole("button", { name: "Unmute" }).waitFor();
    await page.getByText("Your camera is off").waitFor();
    await part(ann);
  });

  test("a microphone that is unplugged gives way to the default, and is used again on the next visit", async () => {
    const { ann, page } = await inLobby();
    await picture(page);
    await menu(page, "Microphone").selectOption("Fake Audio Input 2");
    await isUsed(page, "audio", "Fake Audio Input 2");
    await page.evaluate(() => globalThis.unplug("Fake Audio Input 2"));
    await isUsed(page, "audio", "Fake Default Audio Input");
    await page.waitForFunction(() => document.querySelector("select").options.length === 2);
    assert.deepEqual(await options(page, "Microphone"), ["Fake Default Audio Input", "Fake Audio Input 1"]);
    assert.equal(await page.locator(".problem").filter({ visible: true }).count(), 0);
    await page.evaluate(() => globalThis.plugIn("Fake Audio Input 2"));
    await page.waitForFunction(() => document.querySelector("select").options.length === 3);
    await page.reload();
    await isUsed(page, "audio", "Fake Audio Input 2");
    await part(ann);
  });

  test("where nothing is left that is said once, and what is plugged in then is opened", async () => {
    const { ann, page } = await inLobby();
    await picture(page);
    await page.evaluate(() => globalThis.unplug());
    for (const device of ["microphone", "camera"]) await page.getByText(`No ${device} was found.`).waitFor();
    assert.equal(await page.getByRole("meter").count(), 0);
    assert.deepEqual(await ann.inaccessible(), []);
    await page.evaluate(() => globalThis.plugIn());
    await picture(page);
    await isUsed(page, "audio", "Fake Default Audio Input");
    await page.locator(".problems .problem").first().waitFor({ state: "detached" });
    await part(ann);
  });

  test("a speaker that is unplugged gives way to the default", async () => {
    const { ann, page } = await inLobby();
    await picture(page);
    await menu(page, "Speaker").selectOption("Fake Audio Output 2");
    await page.evaluate(() => globalThis.unplug("Fake Audio Output 2"));
    await page.waitForFunction(() => [...document.querySelectorAll("select")].at(-1).options.length === 2);
    const chosen = () => menu(page, "Speaker").evaluate((select) => select.selectedOptions[0].label);
    assert.equal(await chosen(), "Fake Default Audio Output");
    await page.evaluate(() => globalThis.plugIn("Fake Audio Output 2"));
    await page.waitForFunction(() => [...document.querySelectorAll("select")].at(-1).options.length === 3);
    assert.equal(await chosen(), "Fake Audio Output 2");
    await part(ann);
  });

  test("a browser that cannot choose a speaker offers none; one with a list of its own offers that", async () => {
    const without = await inLobby(() => delete HTMLMediaElement.prototype.setSinkId);
    await menu(without.page, "Microphone").waitFor();
    assert.equal(await menu(without.page, "Speaker").count(), 0);
    await part(without.ann);

    const { ann, page } = await inLobby(() => {
      navigator.mediaDevices.selectAudioOutput = async () => {
        const list = await navigator.mediaDevices.enumerateDevices();
        return list.find(({ label }) => label === "Fake Audio Output 2");
      };
    });
    const pick = page.getByRole("button", { name: "Choose speaker…" });
    await pick.click();
    await page.getByRole("button", { name: "Speaker: Fake Audio Output 2" }).waitFor();
    assert.equal(await menu(page, "Speaker").count(), 0);
    await part(ann);
  });

  test("a permission that is taken back is told, and nobody is asked again", async () => {
    const { ann, page } = await inLobby(() => {
      const query = navigator.permissions.query.bind(navigator.permissions);
      navigator.permissions.query = async (what) => (globalThis.taken ? { state: "prompt" } : query(what));
    });
    await picture(page);
    const before = await page.evaluate(() => {
      globalThis.taken = true;
      for (const track of globalThis.tracks.filter(({ kind }) => kind === "video")) {
        track.stop();
        track.dispatchEvent(new Event("ended"));
      }
      return globalThis.requests.length;
    });
    await page.getByText("Camera is blocked.").waitFor();
    assert.equal(await page.evaluate(() => globalThis.requests.length), before);
    await page.getByRole("button", { name: "Try again" }).click();
    await picture(page);
    await part(ann);
  });

  test("a device that opens after the lobby was left is stopped, and no other is asked for", async () => {
    const ann = await suite.arrives();
    const { page } = ann;
    await ann.context.addInitScript(WATCH_DEVICES);
    await ann.register();
    const { json } = await request(suite.server, "POST", "/api/room/create", { token: await ann.token() });
    await page.evaluate(() => (globalThis.isAsking = true));
    await page.evaluate((hash) => (location.hash = hash), `#/room/${json.roomId}`);
    await page.getByText("Ready to join?").waitFor();
    await page.waitForFunction(() => globalThis.requests.length === 1);
    await page.getByRole("link", { name: "Rooms" }).click();
    await ann.heading(`Hello, ${ann.name}`).waitFor();
    await page.evaluate(() => globalThis.answer());
    await page.waitForFunction(() => globalThis.tracks.length === 1 && globalThis.tracks[0].readyState === "ended");
    assert.equal(await page.evaluate(() => globalThis.requests.length), 1);
    await part(ann);
  });

  test("where the level cannot be measured there is no bar, whatever else changes", async () => {
    const { ann, page } = await inLobby(() => {
      AudioContext.prototype.createMediaStreamSource = () => {
        throw new DOMException("another sample rate", "NotSupportedError");
      };
    });
    await picture(page);
    for (const [now, then] of [["Mute", "Unmute"], ["Unmute", "Mute"]]) {
      await page.getByRole("button", { name: now, exact: true }).click();
      await page.getByRole("button", { name: then, exact: true }).waitFor();
      assert.equal(await page.getByRole("meter").count(), 0);
    }
    assert.deepEqual(await page.evaluate(() => globalThis.sounds.map(({ state }) => state)), ["closed"], "it was tried once");
    await part(ann);
  });

  test("one's own picture is a mirror, but not that of a camera that looks away", async () => {
    const { ann, page } = await inLobby(() => {
      const { getSettings } = MediaStreamTrack.prototype;
      MediaStreamTrack.prototype.getSettings = function () {
        return { ...getSettings.call(this), facingMode: globalThis.facingMode };
      };
    });
    /** Opens another camera: how its picture is drawn. */
    const drawn = async (facingMode) => {
      await page.evaluate((facingMode) => (globalThis.facingMode = facingMode), facingMode);
      await page.getByRole("button", { name: "Camera off" }).click();
      await page.getByRole("button", { name: "Camera on" }).click();
      await page.getByRole("button", { name: "Camera off" }).waitFor();
      return page.getByLabel(/^(Your camera|Video of You)$/).evaluate((video) => (getComputedStyle(video).transform === "none" ? "as it is" : "mirrored"));
    };
    await picture(page);
    for (const place of ["lobby", "call"]) {
      if (place === "call") await ann.enter();
      const expected = [["environment", "as it is"], ["user", "mirrored"], [undefined, "mirrored"], ["environment", "as it is"]];
      for (const [facingMode, how] of expected) assert.equal(await drawn(facingMode), how, `${facingMode} in the ${place}`);
    }
    await part(ann);
  });

  test("devices are changed during the call too, and the level stops with the dialog", async () => {
    const { ann, page } = await inLobby();
    await picture(page);
    await ann.enter();
    await page.waitForFunction(() => globalThis.sounds.every(({ state }) => state === "closed"));
    await page.getByRole("button", { name: "Settings" }).click();
    const dialog = page.getByRole("dialog", { name: "Settings" });
    await dialog.getByRole("meter", { name: "Microphone level" }).waitFor();
    await menu(page, "Microphone").selectOption("Fake Audio Input 1");
    await isUsed(page, "audio", "Fake Audio Input 1");
    await menu(page, "Speaker").selectOption("Fake Audio Output 1");
    assert.deepEqual(await ann.inaccessible(), []);
    await page.waitForFunction(() => Number(document.querySelector("[role=meter]").getAttribute("aria-valuenow")) > 20);
    await dialog.getByRole("button", { name: "Close" }).click();
    await page.waitForFunction(() => globalThis.sounds.every(({ state }) => state === "closed"));
    await page.getByRole("button", { name: "Settings" }).click();
    await page.waitForFunction(() => Number(document.querySelector("[role=meter]").getAttribute("aria-valuenow")) > 20);
    await part(ann);
  });
});
