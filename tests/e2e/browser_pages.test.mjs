// The pages around the call in a real browser: focus and navigation.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Visitor, inBrowser } from "./support/browser.mjs";
import { call as request } from "./support/people.mjs";

describe("the client's pages in a browser", () => {
  const suite = inBrowser();

  const arrives = suite.arrives;
  const part = (...people) => Visitor.part(people);
  /** The focused element: its tag, and its name or else its text. */
  const focused = (page) => page.evaluate(() => `${document.activeElement.localName} ${document.activeElement.name || document.activeElement.textContent}`);

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
    await ann.heading(`Hello, ${ann.name}`).waitFor();
    // Outside a call there is no confirmation.
    await page.goto(link);
    await ann.heading("Ready to join?").waitFor();
    await ann.enter();
    await page.evaluate(() => (location.hash = "#/history"));
    await question.getByRole("button", { name: "Leave the call" }).click();
    await ann.heading("Call history").waitFor();
    await part(ann);
  });

  test("the question whether to leave goes with the call that it is about", async () => {
    const ann = await arrives();
    const { page } = ann;
    await ann.register();
    const question = page.getByRole("dialog", { name: "Leave the call?" });
    const second = await ann.newTab();
    await second.goto("/app/");
    const token = await ann.token();
    const ends = (link) => request(suite.server, "DELETE", `/api/room/${link.split("/room/")[1]}`, { token });
    const signsOut = () => second.getByRole("button", { name: "Sign out" }).click();
    for (const [happens, heading] of [[ends, "The call is over"], [signsOut, "Video calls by link"]]) {
      await page.goto("/app/#/");
      const link = await ann.makeRoom();
      await page.getByText("Just you").waitFor();
      await page.evaluate(() => (location.hash = "#/history"));
      await question.waitFor();
      await happens(link);
      await question.waitFor({ state: "detached" });
      await ann.focuses(`h1 ${heading}`);
      assert.equal(page.url(), link, "nobody has chosen to leave");
    }
    await part(ann);
  });

  test("the focus follows changes of view, and stays on a chosen device", async () => {
    const ann = await arrives();
    const { page } = ann;
    await page.goto("/app/");
    await page.getByRole("button", { name: "Create an account" }).click();
    await ann.focuses("h1 Create an account");
    await page.getByRole("button", { name: "Sign in" }).click();
    await ann.focuses("h1 Video calls by link");
    await ann.register();
    await page.getByRole("button", { name: "New room" }).click();
    await ann.focuses("h1 Ready to join?");
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
    await ann.focuses("h1 You left the call");
    await page.getByRole("button", { name: "Join again" }).click();
    await ann.focuses("h1 Ready to join?");
    await page.waitForFunction(() => document.querySelector("select")?.value);
    assert.equal(await microphones.inputValue(), other, "the device that was chosen is kept");
    for (const [link, heading] of [["History", "Call history"], ["Rooms", `Hello, ${ann.name}`], [ann.name, "Your profile"]]) {
      await page.getByRole("link", { name: link, exact: true }).click();
      await ann.focuses(`h1 ${heading}`);
    }
    await page.getByRole("button", { name: "Delete account…" }).click();
    await ann.focuses("input password");
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
});
