// Notices in a real browser: seen above everything, heard once, in nobody's way.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Visitor, bundled, inBrowser } from "./support/browser.mjs";

const PHONE = { width: 390, height: 844 };

describe("notices in a browser", () => {
  const suite = inBrowser();
  const part = (...people) => Visitor.part(people);

  /** Ann on the first page, where `notices.toast` is the client's. */
  const arrives = async (options) => {
    const ann = await suite.arrives(options);
    const { page } = ann;
    await page.clock.install();
    const script = await bundled("web/src/toast.js", "notices");
    return { ann, page, load: () => page.evaluate(script), toast: (...texts) => page.evaluate((texts) => texts.forEach((text) => globalThis.notices.toast(text)), texts) };
  };
  const shown = (page) => page.locator(".toast").allTextContents();
  const heard = (page, words) => page.waitForFunction((words) => document.getElementById("announcements").textContent === words, words);
  /** The controls that a notice touches. */
  const covered = (page) =>
    page.evaluate(() => {
      const notices = [...document.querySelectorAll(".toast")].map((notice) => notice.getBoundingClientRect());
      const controls = [...document.querySelectorAll("a[href], button, input, select")].filter((control) => control.checkVisibility());
      const touches = (control) => {
        const { left, right, top, bottom } = control.getBoundingClientRect();
        return notices.some((notice) => left < notice.right && right > notice.left && top < notice.bottom && bottom > notice.top);
      };
      const outside = notices.filter(({ top, bottom }) => top < 0 || bottom > innerHeight).map(({ top, bottom }) => `${top} to ${bottom}`);
      return [...outside, ...controls.filter(touches).map((control) => control.textContent)];
    });
  /** The colour that is drawn at a place of the window. */
  const drawn = async (page, { x, y }) => {
    const picture = (await page.screenshot({ animations: "disabled" })).toString("base64");
    return page.evaluate(
      async ({ picture, x, y }) => {
        const bytes = Uint8Array.from(atob(picture), (letter) => letter.charCodeAt(0));
        const context = new OffscreenCanvas(1, 1).getContext("2d");
        context.drawImage(await createImageBitmap(new Blob([bytes])), -x, -y);
        return `rgb(${[...context.getImageData(0, 0, 1, 1).data].slice(0, 3).join(", ")})`;
      },
      { picture, x, y },
    );
  };
  /** Whether the notice itself is what is drawn where it stands. */
  const isOnTop = async (page) => {
    const place = await page.locator(".toast").evaluate((notice) => {
      const { left, top, height } = notice.getBoundingClientRect();
      return { x: Math.round(left + 6), y: Math.round(top + height / 2), colour: getComputedStyle(notice).backgroundColor };
    });
    return (await drawn(page, place)) === place.colour;
  };

  test("several are shown at once, the oldest of four goes, a repeated one is not doubled, all go by themselves", async () => {
    const { ann, page, load, toast } = await arrives();
    await page.goto("/app/");
    await load();
    await toast("one", "two");
    await heard(page, "one two");
    assert.deepEqual(await shown(page), ["one", "two"]);
    await page.clock.fastForward(3_000);
    await toast("one", "three", "four");
    assert.deepEqual(await shown(page), ["one", "three", "four"]);
    // The page's clock goes on by itself too: this is after the first one's end, and long before the repeated one's.
    await page.clock.fastForward(2_100);
    assert.deepEqual(await shown(page), ["one", "three", "four"], "the repeated one lasts from its repetition");
    await page.clock.fastForward(5_000);
    assert.deepEqual(await shown(page), []);
    assert.equal(await page.locator(".toasts").isVisible(), false);
    await toast("again");
    assert.deepEqual(await shown(page), ["again"]);
    assert.deepEqual(await ann.inaccessible(), []);
    await part(ann);
  });

  test("a notice is drawn above a modal dialog, and heard although the page behind it is not", async () => {
    const { ann, page, load, toast } = await arrives();
    await ann.register();
    await ann.makeRoom();
    await load();
    await page.getByRole("button", { name: "Host", exact: true }).click();
    await page.getByRole("dialog").waitFor();
    await toast("above the dialog");
    assert.ok(await isOnTop(page));
    await heard(page, "above the dialog");
    assert.ok(await page.evaluate(() => document.querySelector("dialog:modal").contains(document.getElementById("announcements"))));
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "hidden" });
    await toast("without it");
    await heard(page, "without it");
    assert.equal(await page.evaluate(() => document.getElementById("announcements").closest("dialog")), null);
    // The region outlives a dialog that is removed with it inside.
    await page.evaluate(() => (location.hash = "#/history"));
    await page.getByRole("dialog", { name: "Leave the call?" }).waitFor();
    await toast("inside");
    await heard(page, "inside");
    await page.getByRole("button", { name: "Leave the call" }).click();
    await ann.heading("Call history").waitFor();
    await toast("outside again");
    await heard(page, "outside again");
    await part(ann);
  });

  test("a notice is drawn above what fills the screen", async () => {
    const { ann, page, load, toast } = await arrives();
    await page.goto("/app/");
    await load();
    await page.evaluate(() => document.querySelector("main").requestFullscreen());
    await toast("above everything");
    assert.ok(await isOnTop(page));
    await part(ann);
  });

  test("on a phone it covers no control, on any page, and moves when controls come", async () => {
    const { ann, page, load, toast } = await arrives({ viewport: PHONE });
    await ann.register();
    await load();
    for (const [hash, heading] of [["#/profile", "Your profile"], ["#/history", "Call history"], ["#/", `Hello, ${ann.name}`]]) {
      await page.goto(`/app/${hash}`);
      await ann.heading(heading).waitFor();
      await toast("a notice of some length, as they are", "and another");
      assert.deepEqual(await covered(page), [], heading);
    }
    await page.getByRole("button", { name: "New room" }).click();
    await page.getByRole("combobox", { name: "Speaker" }).waitFor();
    await toast("a notice of some length, as they are", "and another");
    assert.deepEqual(await covered(page), [], "lobby");
    // The notices of the lobby are still there when the call's controls appear.
    await ann.enter();
    assert.deepEqual(await shown(page), ["a notice of some length, as they are", "and another"]);
    await page.waitForFunction(() => document.querySelector(".toasts").getBoundingClientRect().bottom < document.querySelector(".controls").getBoundingClientRect().top);
    assert.deepEqual(await covered(page), [], "call");
    // One that comes where a notice is makes it move.
    await page.evaluate(() => {
      const { left, top } = document.querySelector(".toast").getBoundingClientRect();
      const late = document.createElement("button");
      Object.assign(late.style, { position: "fixed", left: `${left}px`, top: `${top}px`, width: "44px", height: "44px" });
      document.querySelector("main").append(late);
    });
    assert.deepEqual(await covered(page), [], "a late control");
    await page.setViewportSize({ width: 844, height: 390 });
    await page.waitForFunction(() => document.querySelector(".toasts").getBoundingClientRect().bottom < document.querySelector(".controls").getBoundingClientRect().top);
    await part(ann);
  });

  test("clicks go through a notice, and it moves only where movement is welcome", async () => {
    for (const reducedMotion of ["reduce", "no-preference"]) {
      const { ann, page, load, toast } = await arrives({ reducedMotion });
      await page.goto("/app/");
      await load();
      await toast("hello");
      const style = (name) => page.locator(".toast").evaluate((notice, name) => getComputedStyle(notice)[name], name);
      assert.equal(await style("animationName"), reducedMotion === "reduce" ? "none" : "toast-in");
      assert.equal(await style("pointerEvents"), "none");
      await part(ann);
    }
  });
});
