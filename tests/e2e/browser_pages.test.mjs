// The pages around the call in a real browser: focus, forms, history, navigation.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { errorWords } from "../../web/src/error_words.js";
import { Visitor, inBrowser } from "./support/browser.mjs";
import { person, roomOf, call as request } from "./support/people.mjs";

describe("the client's pages in a browser", () => {
  const suite = inBrowser();

  const arrives = suite.arrives;
  const part = (...people) => Visitor.part(people);
  /** The focused element: its tag, and its name or else its text. */
  const focused = (page) => page.evaluate(() => `${document.activeElement.localName} ${document.activeElement.name || document.activeElement.textContent}`);
  const isFocused = (page, words) =>
    page.waitForFunction((words) => `${document.activeElement.localName} ${document.activeElement.name || document.activeElement.textContent}` === words, words);
  const heading = (page, name) => page.getByRole("heading", { name, exact: true });

  test("the skip link moves the focus to the content and does not end the call", async () => {
    const ann = await arrives();
    const { page } = ann;
    await ann.register();
    const link = await ann.makeRoom();
    await page.getByText("Just you").waitFor();
    const skip = page.getByRole("link", { name: "Skip to content" });
    await skip.focus();
    await skip.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement.id), "main");
    assert.equal(page.url(), link);
    assert.ok(await page.getByRole("toolbar", { name: "Call" }).isVisible());
    await page.getByText("Just you").waitFor();
    await part(ann);
  });

  test("every navigation out of a call asks for confirmation in the page's own dialog", async () => {
    const ann = await arrives();
    const { page } = ann;
    page.on("dialog", (dialog) => {
      ann.faults.push(`a dialog of the browser's: ${dialog.message()}`);
      dialog.dismiss();
    });
    await ann.register();
    const link = await ann.makeRoom();
    await page.getByText("Just you").waitFor();
    const question = page.getByRole("dialog", { name: "Leave the call?" });
    const waysOut = { "another address": () => page.evaluate(() => (location.hash = "#/history")), back: () => page.goBack() };
    for (const [name, goes] of Object.entries(waysOut)) {
      await goes();
      await question.waitFor();
      assert.equal(await focused(page), "button Stay", name);
      assert.deepEqual(await ann.inaccessible(), [], name);
      if (name === "back") await page.keyboard.press("Escape");
      else await question.getByRole("button", { name: "Stay" }).click();
      await question.waitFor({ state: "detached" });
      assert.equal(page.url(), link, name);
      assert.ok(await page.getByRole("toolbar", { name: "Call" }).isVisible(), name);
    }
    await page.getByText("Just you").waitFor();
    await page.evaluate(() => (location.hash = "#/"));
    await question.getByRole("button", { name: "Leave the call" }).click();
    await heading(page, `Hello, ${ann.name}`).waitFor();
    // Outside a call there is no confirmation.
    await page.goto(link);
    await heading(page, "Ready to join?").waitFor();
    await ann.enter();
    await page.evaluate(() => (location.hash = "#/history"));
    await question.getByRole("button", { name: "Leave the call" }).click();
    await heading(page, "Call history").waitFor();
    await part(ann);
  });

  test("success is visible, and an error disappears when its field is corrected", async () => {
    const ann = await arrives();
    const { page } = ann;
    await ann.register();
    await page.getByRole("link", { name: ann.name }).click();
    const save = page.getByRole("button", { name: "Save" });
    await page.getByLabel("Name").fill("x");
    await save.click();
    await page.getByText("at least 3 characters").waitFor();
    await page.getByLabel("Name").fill(ann.name);
    await page.getByText("at least 3 characters").waitFor({ state: "hidden" });
    assert.equal(await page.getByLabel("Name").getAttribute("aria-invalid"), "false");
    await save.click();
    await page.getByRole("status").getByText("Saved", { exact: true }).waitFor();
    assert.equal(await focused(page), "button Save");
    assert.deepEqual(await ann.inaccessible(), []);
    for (const [value, words] of [["", "Enter your email."], ["nobody", "Enter an address like name@example.com."], ["a@b", "Enter an address like name@example.com."]]) {
      await page.getByLabel("Email").fill(value);
      await save.click();
      await page.getByText(words).waitFor();
      assert.equal(await focused(page), "input email");
    }
    await page.getByLabel("Current password").fill("Sup3rSecret");
    await page.getByLabel("New password").fill("N3wPassword");
    await page.getByRole("button", { name: "Change password" }).click();
    await page.getByRole("status").getByText("Password changed").waitFor();
    await part(ann);
  });

  test("the focus follows changes of view, and stays on a chosen device", async () => {
    const ann = await arrives();
    const { page } = ann;
    await page.goto("/app/");
    await page.getByRole("button", { name: "Create an account" }).click();
    await isFocused(page, "h1 Create an account");
    await page.getByRole("button", { name: "Sign in" }).click();
    await isFocused(page, "h1 Video calls by link");
    await ann.register();
    await page.getByRole("button", { name: "New room" }).click();
    await isFocused(page, "h1 Ready to join?");
    const microphones = page.getByRole("combobox", { name: "Microphone" });
    const other = await microphones.locator("option").last().getAttribute("value");
    await microphones.focus();
    await microphones.selectOption(other);
    await page.waitForFunction(() => document.querySelector(".no-picture").hidden);
    assert.equal(await page.evaluate(() => document.activeElement.localName), "select");
    assert.equal(await microphones.inputValue(), other);
    await ann.enter();
    await page.waitForFunction(() => document.activeElement.matches(".call h1"));
    await page.getByRole("button", { name: "Leave", exact: true }).click();
    await isFocused(page, "h1 You left the call");
    await page.getByRole("button", { name: "Join again" }).click();
    await isFocused(page, "h1 Ready to join?");
    await page.waitForFunction(() => document.querySelector("select")?.value);
    assert.equal(await microphones.inputValue(), other, "the device that was chosen is kept");
    await page.getByRole("link", { name: ann.name }).click();
    await page.getByRole("button", { name: "Delete account…" }).click();
    await isFocused(page, "input password");
    await part(ann);
  });

  test("no device is requested for a room that does not exist or has ended", async () => {
    const ann = await arrives();
    const { page } = ann;
    await ann.context.addInitScript(() => {
      globalThis.asked = 0;
      const original = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
      navigator.mediaDevices.getUserMedia = (wanted) => {
        globalThis.asked += 1;
        return original(wanted);
      };
    });
    await ann.register("/app/#/room/1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed");
    const gone = heading(page, "This room doesn't exist or has ended.");
    await gone.waitFor();
    assert.equal(await page.evaluate(() => globalThis.asked), 0);
    assert.equal(await page.getByRole("button", { name: "Join the call" }).count(), 0);
    await page.getByRole("link", { name: "Back to rooms" }).click();
    const token = await page.evaluate(() => JSON.parse(localStorage.getItem("zetra.session")).token);
    const roomId = await roomOf(suite.server, { token });
    await request(suite.server, "DELETE", `/api/room/${roomId}`, { token });
    await page.goto(`/app/#/room/${roomId}`);
    await gone.waitFor();
    assert.equal(await page.evaluate(() => globalThis.asked), 0);
    await part(ann);
  });

  test("after an account is deleted the start page says so", async () => {
    const ann = await arrives();
    const { page } = ann;
    await ann.register();
    await page.getByRole("link", { name: ann.name }).click();
    await page.getByRole("button", { name: "Delete account…" }).click();
    await page.getByLabel("Your password").fill("Sup3rSecret");
    await page.getByRole("button", { name: "Permanently delete my account" }).click();
    await page.getByRole("main").getByText("Your account was deleted.").waitFor();
    assert.equal(new URL(page.url()).hash, "#/");
    assert.deepEqual(await ann.inaccessible(), []);
    await part(ann);
  });

  test("a history that fails to load shows one error, and loads on another try", async () => {
    const ann = await arrives();
    const { page } = ann;
    await ann.register();
    await ann.context.setOffline(true);
    await page.getByRole("link", { name: "History" }).click();
    await page.getByRole("alert").filter({ visible: true }).waitFor();
    assert.equal(await page.getByRole("alert").filter({ visible: true }).count(), 1);
    assert.equal(await page.getByText("Loading").filter({ visible: true }).count(), 0);
    await ann.context.setOffline(false);
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByText("No calls yet").waitFor();
    assert.equal(await page.getByRole("alert").filter({ visible: true }).count(), 0);
    await part(ann);
  });

  test("blocked devices are reported once, and can be tried again", async () => {
    const ann = await arrives();
    const { page } = ann;
    await ann.context.addInitScript(() => {
      const original = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
      globalThis.blocked = true;
      navigator.mediaDevices.getUserMedia = (wanted) => (globalThis.blocked ? Promise.reject(new DOMException("", "NotAllowedError")) : original(wanted));
    });
    await ann.register();
    await page.getByRole("button", { name: "New room" }).click();
    await page.getByText("Camera and microphone are blocked.").waitFor();
    assert.equal(await page.locator(".problem").filter({ visible: true }).count(), 1);
    assert.deepEqual(await ann.inaccessible(), []);
    await page.evaluate(() => (globalThis.blocked = false));
    await page.getByRole("button", { name: "Try again" }).click();
    await page.locator(".no-picture").waitFor({ state: "hidden" });
    await page.locator(".problem").filter({ visible: true }).waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Mute", exact: true }).waitFor();
    await part(ann);
  });

  test("placeholders have enough contrast, in light and dark", async () => {
    for (const colorScheme of ["light", "dark"]) {
      const ann = await arrives({ colorScheme });
      await ann.register();
      const ratio = await ann.page.getByLabel("Join by link").evaluate((input) => {
        const luminance = (colour) => {
          const parts = colour.match(/[\d.]+/g).slice(0, 3).map((part) => part / 255);
          const [red, green, blue] = parts.map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
          return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
        };
        const placeholder = getComputedStyle(input, "::placeholder");
        if (placeholder.opacity !== "1") return 0;
        const [dark, light] = [luminance(placeholder.color), luminance(getComputedStyle(input).backgroundColor)].sort((one, other) => one - other);
        return (light + 0.05) / (dark + 0.05);
      });
      assert.ok(ratio >= 4.5, `${ratio}, ${colorScheme}`);
      await part(ann);
    }
  });

  test("a wrong email or password gives one message, and empty fields are named", async () => {
    const [ann, zoe] = [await arrives(), await person(suite.server, "zoe")];
    const { page } = ann;
    await page.goto("/app/");
    for (const email of [zoe.email, "nobody@example.com"]) {
      await page.getByLabel("Email").fill(email);
      await page.getByLabel("Password").fill("Wr0ngPassword");
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByText("Email or password is wrong.").waitFor();
      await page.getByLabel("Email").fill("");
    }
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("Enter your email.").waitFor();
    await part(ann);
  });
});

test("API errors are replaced by the client's messages, by code", () => {
  const limited = { code: "rate_limited", message: "Too many authentication attempts, please try again later" };
  for (const [error, words] of [
    [{ ...limited, retryAfter: 900 }, "Too many attempts. Try again in 15 minutes."],
    [{ ...limited, retryAfter: 12 }, "Too many attempts. Try again in 1 minute."],
    [{ code: "room_not_found", message: "Room not found" }, "This room doesn't exist or has ended."],
    [{ code: "username_taken", message: "Username already taken" }, "This name is taken."],
    [{ code: "room_locked", message: "Room is locked" }, "Room is locked"],
  ]) {
    assert.equal(errorWords(error), words);
  }
});
