// The call history in a real browser.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Visitor, inBrowser } from "./support/browser.mjs";
import { person, roomOf, call as request } from "./support/people.mjs";

/** A Wednesday, a month after summer time has ended in Europe. */
const NOW = "2026-11-25T12:00:00.000Z";
const BOB = { _id: "6553f1000102030405060701", username: "bob" };
const [CAT, GONE] = ["6553f1000102030405060702", "6553f1000102030405060703"];
const ROOM = "1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed";

describe("the history in a browser", () => {
  const suite = inBrowser();
  const part = (...people) => Visitor.part(people);

  const arrives = async (options) => {
    const ann = await suite.arrives(options);
    await ann.register();
    return { ann, page: ann.page, opens: () => ann.page.goto("/app/#/history") };
  };
  /** Answers for the server, which makes no calls of weeks ago: the pages of these calls, `size` on each. */
  const tells = async ({ ann, page }, calls, size = 50) => {
    const me = await ann.id();
    const logs = calls.map(({ start, seconds, others = [BOB._id], receiverId = BOB }, index) => ({
      _id: `6553f10001020304050${String(10_000 + index)}`,
      callerId: { _id: me, username: ann.name },
      receiverId,
      roomId: ROOM,
      participants: [me, ...others],
      startTime: start,
      endTime: seconds ? new Date(Date.parse(start) + seconds * 1000).toISOString() : null,
      duration: seconds,
    }));
    await page.route("**/api/call-logs/stats", (route) => route.fulfill({ json: { totalCalls: logs.length, totalDuration: 3_725, averageDuration: 65 } }));
    await page.route("**/api/call-logs?*", (route) => {
      const from = Number(new URL(route.request().url()).searchParams.get("cursor") ?? 0);
      const nextCursor = from + size < logs.length ? String(from + size) : null;
      return route.fulfill({ json: { callLogs: logs.slice(from, from + size), nextCursor } });
    });
  };
  const weeks = (page) => page.locator(".weeks li").evaluateAll((items) => items.map(({ textContent }) => textContent));

  test("without calls there is a word about what will be here, and nothing that is empty", async () => {
    const { ann, page, opens } = await arrives();
    await opens();
    await page.getByText("No calls yet. Each of your calls will be listed here: with whom, when and how long.").waitFor();
    assert.equal(await page.locator(".figure, .weeks li, .list li").count(), 0);
    assert.deepEqual(await ann.inaccessible(), []);
    await page.getByRole("link", { name: "Create a room" }).click();
    await ann.heading(`Hello, ${ann.name}`).waitFor();
    await part(ann);
  });

  test("the weeks have their dates and minutes, by the calendar of whoever looks", async () => {
    const scene = await arrives({ timezoneId: "Europe/Berlin", locale: "en-GB" });
    const { ann, page, opens } = scene;
    await page.clock.setFixedTime(NOW);
    await tells(scene, [
      { start: "2026-11-25T11:00:00.000Z", seconds: 0 },
      { start: "2026-11-23T08:00:00.000Z", seconds: 3_600 },
      { start: "2026-11-22T22:59:00.000Z", seconds: 60 },
      // Half an hour after midnight and before it, around a week of 169 hours.
      { start: "2026-10-25T23:30:00.000Z", seconds: 600 },
      { start: "2026-10-25T22:30:00.000Z", seconds: 61 },
      { start: "2026-10-18T22:30:00.000Z", seconds: 60 },
      { start: "2026-09-01T10:00:00.000Z", seconds: 9_000 },
    ]);
    await opens();
    await page.getByText("Minutes in calls per week").waitFor();
    assert.deepEqual(await weeks(page), [
      ...["5 Oct0 minutes", "12 Oct0 minutes", "19 Oct3 minutes", "26 Oct10 minutes", "2 Nov0 minutes"],
      ...["9 Nov0 minutes", "16 Nov1 minute", "23 Nov60 minutes"],
    ].map((words) => `Week of ${words}`));
    const heights = await page.locator(".bar-of-week").evaluateAll((bars) => bars.map((bar) => bar.getBoundingClientRect().height));
    assert.ok(heights[7] > 5 * heights[3] && heights[3] > heights[6] && heights[0] >= 1, heights.join());
    assert.deepEqual(await ann.inaccessible(), []);
    await part(ann);
  });

  test("the weeks count all of their calls, however many pages these take", async () => {
    const scene = await arrives();
    const { ann, page, opens } = scene;
    await page.clock.setFixedTime(NOW);
    const recent = Array.from({ length: 7 }, (_, index) => ({ start: `2026-11-24T1${7 - index}:00:00.000Z`, seconds: 60 }));
    const old = Array.from({ length: 7 }, (_, index) => ({ start: `2026-01-0${8 - index}T10:00:00.000Z`, seconds: 60 }));
    await tells(scene, [...recent, ...old], 3);
    await opens();
    await page.getByRole("button", { name: "Older calls" }).waitFor();
    assert.match((await weeks(page)).at(-1), /7 minutes$/);
    // The page with the first call that is too old was the last one to be loaded.
    assert.equal(await page.locator(".list li").count(), 9);
    await page.getByRole("button", { name: "Older calls" }).click();
    await page.waitForFunction(() => document.activeElement === document.querySelectorAll(".list li a")[9]);
    assert.equal(await page.locator(".list li").count(), 12);
    await page.getByRole("button", { name: "Older calls" }).click();
    await page.getByRole("button", { name: "Older calls" }).waitFor({ state: "detached" });
    assert.equal(await page.locator(".list li").count(), 14);
    await part(ann);
  });

  test("a row says who, when and how long, does nothing by itself, and has a button to join again", async () => {
    const scene = await arrives({ locale: "en-GB", timezoneId: "UTC" });
    const { ann, page, opens } = scene;
    await page.clock.setFixedTime(NOW);
    await tells(scene, [
      { start: "2026-11-25T11:00:00.000Z", seconds: 0 },
      { start: "2026-11-24T11:00:00.000Z", seconds: 3_725, others: [BOB._id, CAT, GONE] },
      { start: "2026-11-23T11:00:00.000Z", seconds: 5, others: [GONE], receiverId: null },
    ]);
    await page.route(`**/api/room/${ROOM}`, (route) => route.fulfill({ json: { room: { people: [{ id: CAT, username: "cat" }] } } }));
    await opens();
    await page.getByText("bob, cat and 1 more").waitFor();
    const rows = await page.locator(".list li > div").evaluateAll((items) => items.map(({ textContent }) => textContent.replaceAll("\u00a0", " ")));
    assert.deepEqual(rows, ["bob25 Nov 2026, 11:00 · in progress", "bob, cat and 1 more24 Nov 2026, 11:00 · 1 h 02 min", "Deleted account23 Nov 2026, 11:00 · 5 s"]);
    await page.getByText("Deleted account").click();
    assert.equal(new URL(page.url()).hash, "#/history");
    const again = page.getByRole("link", { name: "Join again" });
    assert.equal(await again.count(), 3);
    const described = await again.nth(1).evaluate((link) => link.getAttribute("aria-describedby").split(" ").map((id) => document.getElementById(id).textContent).join(" "));
    assert.match(described, /^bob, cat and 1 more 24 Nov 2026/, "screen readers tell the links apart");
    await page.unroute(`**/api/room/${ROOM}`);
    await again.nth(1).click();
    await ann.heading("This room doesn't exist or has ended.").waitFor();
    await part(ann);
  });

  test("a real call can be joined again", async () => {
    const { ann, page, opens } = await arrives();
    const [token, bob] = [await ann.token(), await person(suite.server, "bob")];
    const roomId = await roomOf(suite.server, { token }, bob);
    const body = { callerId: await ann.id(), receiverId: bob.id, roomId };
    const { status } = await request(suite.server, "POST", "/api/call-logs", { token, body });
    assert.equal(status, 201);
    await opens();
    await page.locator(".list").getByText(bob.username).waitFor();
    assert.deepEqual(await page.locator(".figure strong").first().textContent(), "1");
    await page.getByRole("link", { name: "Join again" }).click();
    await ann.heading("Ready to join?").waitFor();
    assert.equal(new URL(page.url()).hash, `#/room/${roomId}`);
    await part(ann);
  });

  test("a history that fails to load shows one error, and loads on another try", async () => {
    const { ann, page } = await arrives();
    await ann.context.setOffline(true);
    await page.getByRole("link", { name: "History" }).click();
    await page.getByRole("alert").filter({ visible: true }).waitFor();
    assert.equal(await page.getByRole("alert").filter({ visible: true }).count(), 1);
    assert.equal(await page.getByText("Loading").filter({ visible: true }).count(), 0);
    assert.deepEqual(await ann.inaccessible(), []);
    await ann.context.setOffline(false);
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByText("No calls yet").waitFor();
    await ann.focuses("h1 Call history");
    assert.equal(await page.getByRole("alert").filter({ visible: true }).count(), 0);
    await part(ann);
  });
});
