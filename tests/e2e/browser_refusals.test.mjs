// Microphone, camera and screen that the browser, the system or another program refuses.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Visitor, inBrowser } from "./support/browser.mjs";
import { REFUSE_DEVICES } from "./support/devices.mjs";
import { isUsed, lobbyOf, menu, picture } from "./support/lobby.mjs";

describe("refused devices in a browser", () => {
  const suite = inBrowser();
  const part = (...people) => Visitor.part(people);
  const inLobby = lobbyOf(suite);

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

  test("whoever chooses a device that another program uses, and has none, gets the default and is told why", async () => {
    const { ann, page } = await inLobby(REFUSE_DEVICES);
    await page.evaluate(() => (sessionStorage.default = "NotReadableError"));
    await page.reload();
    await page.getByText("Your microphone cannot be used: another program is using it.").waitFor();
    await page.evaluate(() => {
      sessionStorage.removeItem("default");
      sessionStorage["Fake Audio Input 2"] = "NotReadableError";
    });
    await menu(page, "Microphone").selectOption("Fake Audio Input 2");
    await isUsed(page, "audio", "Fake Default Audio Input");
    await page.getByText("The microphone that you chose cannot be used: another program is using it.").waitFor();
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
});
