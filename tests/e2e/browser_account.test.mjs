// The first page, signing in and up, and the profile, in a real browser.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { errorWords } from "../../web/src/error_words.js";
import { Visitor, inBrowser } from "./support/browser.mjs";
import { person } from "./support/people.mjs";

describe("accounts in a browser", () => {
  const suite = inBrowser();
  const { arrives } = suite;
  const part = (...people) => Visitor.part(people);

  /** Checks that a password is shown and hidden, stays as it is, and is hidden when it is submitted. */
  const canBeShown = async ({ page }, label, submit) => {
    const entry = page.getByLabel(label, { exact: true });
    const field = page.locator(".field", { has: entry });
    await entry.fill("not S3cret");
    assert.equal(await entry.getAttribute("type"), "password", label);
    await field.getByRole("button", { name: "Show password" }).click();
    assert.deepEqual([await entry.getAttribute("type"), await entry.inputValue()], ["text", "not S3cret"], label);
    const hide = field.getByRole("button", { name: "Hide password" });
    assert.equal(await hide.getAttribute("aria-pressed"), null);
    await hide.click();
    assert.equal(await entry.getAttribute("type"), "password", label);
    await field.getByRole("button", { name: "Show password" }).click();
    await page.getByRole("button", { name: submit, exact: true }).click();
    await field.getByRole("button", { name: "Show password" }).waitFor();
    assert.deepEqual([await entry.getAttribute("type"), await entry.inputValue()], ["password", "not S3cret"], label);
  };

  test("a stranger is told what this is and what it takes, and reaches both forms with one click", async () => {
    const ann = await arrives();
    const { page } = ann;
    await page.goto("/app/");
    await ann.heading("Video calls by link").waitFor();
    await page.getByText("Start a room, send its link, and talk.").waitFor();
    await page.getByText("Nothing to install.").waitFor();
    await page.getByText("All you need is a name, an email and a password.").waitFor();
    assert.deepEqual(await ann.inaccessible(), []);
    await page.getByRole("button", { name: "Create an account" }).click();
    await ann.focuses("h1 Create an account");
    await page.getByText("All you need is a name, an email and a password.").waitFor();
    assert.deepEqual(await ann.inaccessible(), []);
    await page.getByRole("button", { name: "Sign in" }).click();
    await ann.focuses("h1 Video calls by link");
    await part(ann);
  });

  test("a link opened signed out says that it leads to a room, and goes there after signing up", async () => {
    const [ann, bob] = [await arrives(), await arrives()];
    await ann.register();
    await ann.page.getByRole("button", { name: "New room" }).click();
    await ann.heading("Ready to join?").waitFor();
    await bob.page.goto(ann.page.url());
    await bob.page.getByText("Sign in to join the room.").waitFor();
    await bob.page.getByRole("button", { name: "Create an account" }).click();
    await bob.page.getByText("Create an account to join the room.").waitFor();
    await bob.page.reload();
    await bob.register(ann.page.url());
    await bob.heading("Ready to join?").waitFor();
    await part(ann, bob);
  });

  test("passwords can be shown, on every page that has them", async () => {
    const ann = await arrives();
    const { page } = ann;
    await page.goto("/app/");
    await canBeShown(ann, "Password", "Sign in");
    await page.getByRole("button", { name: "Create an account" }).click();
    await canBeShown(ann, "Password", "Create account");
    await ann.register();
    await page.getByRole("link", { name: ann.name }).click();
    await canBeShown(ann, "Current password", "Change password");
    await canBeShown(ann, "New password", "Change password");
    await page.getByRole("button", { name: "Delete account…" }).click();
    await canBeShown(ann, "Your password", "Permanently delete my account");
    assert.deepEqual(await ann.inaccessible(), []);
    await part(ann);
  });

  test("a form that asks for a password alone names its account to password managers, also after a new email", async () => {
    const ann = await arrives();
    const { page } = ann;
    await ann.register();
    await page.getByRole("link", { name: ann.name }).click();
    await page.getByRole("button", { name: "Delete account…" }).click();
    const changed = `new_${ann.email}`;
    await page.getByLabel("Email").fill(changed);
    await page.getByRole("button", { name: "Save" }).click();
    await ann.notices("Saved");
    for (const [label, button] of [["Current password", "Change password"], ["Your password", "Permanently delete my account"]]) {
      const form = page.locator("form", { has: page.getByLabel(label, { exact: true }) });
      const name = form.locator("[autocomplete=username]");
      assert.equal(await name.inputValue(), ann.email, "as it was when the form was shown");
      // What is missing keeps it from being sent.
      await form.getByRole("button", { name: button }).click();
      await form.getByText("Enter your").waitFor();
      assert.deepEqual([await name.inputValue(), await name.isVisible()], [changed, false], button);
    }
    assert.deepEqual(await ann.inaccessible(), []);
    await part(ann);
  });

  test("an answer that comes late does not call back whoever has gone on", async () => {
    const ann = await arrives();
    const { page } = ann;
    await ann.register();
    await page.getByRole("link", { name: ann.name }).click();
    const held = new Promise((resolve) => page.route("**/api/auth/change-password", resolve));
    await page.getByLabel("Current password").fill("wrong");
    await page.getByLabel("New password").fill("N3wPassword");
    await page.getByRole("button", { name: "Change password" }).click();
    const asked = await held;
    await page.getByLabel("Name", { exact: true }).focus();
    await asked.continue();
    await page.getByText("Current password is incorrect").waitFor();
    await ann.focuses("input username");
    await part(ann);
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

  test("success is seen and heard once, and an error disappears when its field is corrected", async () => {
    const ann = await arrives();
    const { page } = ann;
    await ann.register();
    await page.getByRole("link", { name: ann.name }).click();
    const save = page.getByRole("button", { name: "Save" });
    await page.getByLabel("Name", { exact: true }).fill("x");
    await save.click();
    await page.getByText("at least 3 characters").waitFor();
    await page.getByLabel("Name", { exact: true }).fill(ann.name);
    await page.getByText("at least 3 characters").waitFor({ state: "hidden" });
    assert.equal(await page.getByLabel("Name", { exact: true }).getAttribute("aria-invalid"), "false");
    await save.click();
    await ann.notices("Saved");
    await page.locator("#announcements").getByText("Saved", { exact: true }).waitFor();
    assert.equal(await page.locator(".toasts").getAttribute("aria-hidden"), "true", "the notice is not heard besides");
    await ann.focuses("button Save");
    assert.deepEqual(await ann.inaccessible(), []);
    for (const [value, words] of [["", "Enter your email."], ["nobody", "Enter an address like name@example.com."], ["a@b", "Enter an address like name@example.com."]]) {
      await page.getByLabel("Email").fill(value);
      await save.click();
      await page.getByText(words).waitFor();
      await ann.focuses("input email");
    }
    await page.getByLabel("Current password").fill("Sup3rSecret");
    await page.getByLabel("New password").fill("N3wPassword");
    await page.getByRole("button", { name: "Change password" }).click();
    await ann.notices("Password changed");
    await part(ann);
  });

  test("deletion has a card of its own, and after it the first page says what has happened", async () => {
    const ann = await arrives();
    const { page } = ann;
    await ann.register();
    await page.getByRole("link", { name: ann.name }).click();
    const card = page.locator("section", { has: page.getByRole("heading", { name: "Delete your account" }) });
    await card.waitFor();
    assert.equal(await card.getByRole("heading").count(), 1);
    await card.getByRole("button", { name: "Delete account…" }).click();
    await ann.focuses("input password");
    await card.getByRole("button", { name: "Permanently delete my account" }).click();
    await card.getByText("Enter your password.").waitFor();
    await page.getByLabel("Your password").fill("Sup3rSecret");
    await page.getByRole("button", { name: "Permanently delete my account" }).click();
    await page.getByRole("main").getByText("Your account was deleted.").waitFor();
    assert.equal(new URL(page.url()).hash, "#/");
    assert.deepEqual(await ann.inaccessible(), []);
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
