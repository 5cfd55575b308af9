// Microphone, camera and speaker in a real browser: their choice, and what comes and goes.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Visitor, inBrowser } from "./support/browser.mjs";
import { REFUSE_DEVICES, WATCH_DEVICES } from "./support/devices.mjs";
import { polled } from "./support/patience.mjs";
import { call as request } from "./support/people.mjs";

describe("devices in a browser", () => {
  const suite = inBrowser();
  const part = (...people) => Visitor.part(people);

  /** Ann in the lobby of her room; `prepare` runs in her pages before their own scripts. */
  const inLobby = async (prepare = () => {}) => {
    const ann = await suite.arrives();
    await ann.context.addInitScript(WATCH_DEVICES);
    await ann.context.addInitScript(prepare);
    await ann.register();
    await ann.page.getByRole("button", { name: "New room" }).click();
    await ann.heading("Ready to join?").waitFor();
    return { ann, page: ann.page };
  };
  const menu = (page, name) => page.getByRole("combobox", { name });
  const picture = (page) => page.locator(".no-picture").waitFor({ state: "hidden" });
  /** Waits until the only live track of that kind comes from the device of that name. Playwright itself does not wait for a promise. */
  const isUsed = (page, kind, label) => {
    const used = () =>
      page.evaluate(async (kind) => {
        const live = globalThis.tracks.filter((track) => track.kind === kind && track.readyState === "live");
        const list = await navigator.mediaDevices.enumerateDevices();
        return live.map((track) => list.find(({ deviceId }) => deviceId === track.getSettings().deviceId)?.label).join();
      }, kind);
    return polled(async () => (await used()) === label, `${label} in use`);
  };
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

  test("blocked devices are reported once, and can be tried again", async () => {
    const { ann, page } = await inLobby(() => {
      const original = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
      globalThis.blocked = true;
      navigator.mediaDevices.getUserMedia = (wanted) => (globalThis.blocked ? Promise.reject(new DOMException("", "NotAllowedError")) : original(wanted));
    });
    await page.getByText("Camera and microphone are blocked.").waitFor();
    assert.equal(await page.locator(".problem").filter({ visible: true }).count(), 1);
    assert.deepEqual(await ann.inaccessible(), []);
    await page.evaluate(() => (globalThis.blocked = false));
    await page.getByRole("button", { name: "Try again" }).click();
    await picture(page);
    await page.locator(".problem").filter({ visible: true }).waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Mute", exact: true }).waitFor();
    await part(ann);
  });

  test("a device is changed also where only one of its kind can be open at a time, as on many phones", async () => {
    const { ann, page } = await inLobby(() => {
      const original = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
      navigator.mediaDevices.getUserMedia = async (wanted) => {
        const isBusy = globalThis.tracks.some(({ kind, readyState }) => kind in wanted && readyState === "live");
        if (isBusy) throw new DOMException("", "NotReadableError");
        return original(wanted);
      };
    });
    await picture(page);
    await menu(page, "Microphone").selectOption("Fake Audio Input 1");
    await isUsed(page, "audio", "Fake Audio Input 1");
    assert.equal(await page.locator(".problem").filter({ visible: true }).count(), 0);
    await part(ann);
  });

  test("a device that cannot be opened leaves the one that is in use, is not remembered, and can be tried again", async () => {
    const { ann, page } = await inLobby(REFUSE_DEVICES);
    await picture(page);
    const microphone = menu(page, "Microphone");
    const chosen = () => microphone.evaluate((select) => select.selectedOptions[0].label);
    // After the first error the one in use is opened anew: it may have been in the way. After the others it is never stopped.
    for (const [name, words, opened] of [["NotReadableError", "another program is using it.", 2], ["AbortError", "(AbortError)", 2]]) {
      await page.evaluate((name) => (sessionStorage["Fake Audio Input 2"] = name), name);
      await microphone.selectOption("Fake Audio Input 2");
      await page.getByText(`The microphone that you chose cannot be used${name === "AbortError" ? " " : ": "}${words}`).waitFor();
      await isUsed(page, "audio", "Fake Default Audio Input");
      assert.equal(await page.evaluate(() => globalThis.tracks.filter(({ kind }) => kind === "audio").length), opened, name);
      assert.equal(await chosen(), "Fake Default Audio Input");
    }
    assert.deepEqual(await ann.inaccessible(), []);
    await page.reload();
    await isUsed(page, "audio", "Fake Default Audio Input");
    assert.equal(await chosen(), "Fake Default Audio Input");
    assert.equal(await page.locator(".problem").filter({ visible: true }).count(), 0);
    await microphone.selectOption("Fake Audio Input 2");
    await page.getByText("The microphone that you chose cannot be used").waitFor();
    await page.evaluate(() => sessionStorage.removeItem("Fake Audio Input 2"));
    await page.getByRole("button", { name: "Try again" }).click();
    await isUsed(page, "audio", "Fake Audio Input 2");
    await page.locator(".problem").filter({ visible: true }).waitFor({ state: "detached" });
    await page.reload();
    await isUsed(page, "audio", "Fake Audio Input 2");
    await part(ann);
  });

  test("a remembered device that another program uses gives way to the default, and is used again on the next visit", async () => {
    const { ann, page } = await inLobby(REFUSE_DEVICES);
    await menu(page, "Microphone").selectOption("Fake Audio Input 2");
    await isUsed(page, "audio", "Fake Audio Input 2");
    await page.evaluate(() => (sessionStorage["Fake Audio Input 2"] = "NotReadableError"));
    await page.reload();
    await isUsed(page, "audio", "Fake Default Audio Input");
    assert.equal(await page.locator(".problem").filter({ visible: true }).count(), 0);
    await page.evaluate(() => sessionStorage.removeItem("Fake Audio Input 2"));
    await page.reload();
    await isUsed(page, "audio", "Fake Audio Input 2");
    await part(ann);
  });

  test("devices that the system blocks are to be allowed there, not in the browser", async () => {
    const { ann, page } = await inLobby(() => {
      const original = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
      globalThis.blocked = ["audio", "video"];
      navigator.mediaDevices.getUserMedia = async (wanted) => {
        if (globalThis.blocked.some((kind) => kind in wanted)) throw new DOMException("Permission denied by system", "NotAllowedError");
        return original(wanted);
      };
    });
    await page.getByText("Your system blocks camera and microphone. Allow them to this browser in your system's settings").waitFor();
    assert.equal(await page.locator(".problem").filter({ visible: true }).count(), 1);
    await page.evaluate(() => (globalThis.blocked = ["video"]));
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByText("Your system blocks the camera. Allow it to this browser in your system's settings").waitFor();
    await isUsed(page, "audio", "Fake Default Audio Input");
    await part(ann);
  });

  test("a screen that the system refuses is told as such, and can be shared on another try", async () => {
    const { ann, page } = await inLobby(() => {
      const devices = navigator.mediaDevices;
      const original = devices.getDisplayMedia.bind(devices);
      const refusals = [["", "NotReadableError"], ["Permission denied by system", "NotAllowedError"], ["Permission denied", "NotAllowedError"]];
      devices.getDisplayMedia = async (wanted) => {
        const refusal = refusals.shift();
        if (refusal) throw new DOMException(...refusal);
        return original(wanted);
      };
    });
    await ann.enter();
    await page.getByRole("button", { name: "Share screen" }).click();
    await page.getByText("Your screen could not be shared. Your system refused it (NotReadableError).").waitFor();
    assert.deepEqual(await ann.inaccessible(), []);
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByText("Allow it to this browser in your system's settings.").waitFor();
    // To close the browser's own dialog is no error.
    await page.getByRole("button", { name: "Try again" }).click();
    await page.locator(".problem").filter({ visible: true }).waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Share screen" }).click();
    await page.getByRole("button", { name: "Stop sharing" }).waitFor();
    await part(ann);
  });

  test("that a screen could not be shared is forgotten with the call", async () => {
    const { ann, page } = await inLobby(() => {
      navigator.mediaDevices.getDisplayMedia = () => Promise.reject(new DOMException("", "NotReadableError"));
    });
    await ann.enter();
    await page.getByRole("button", { name: "Share screen" }).click();
    await page.getByText("Your screen could not be shared.").waitFor();
    await page.getByRole("button", { name: "Leave", exact: true }).click();
    await page.getByRole("button", { name: "Join again" }).click();
    await ann.heading("Ready to join?").waitFor();
    await picture(page);
    assert.equal(await page.locator(".problem").filter({ visible: true }).count(), 0);
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
