// The list of rooms in a real browser, and new ones.

import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { Visitor, inBrowser } from "./support/browser.mjs";
import { call as request, joined, person } from "./support/people.mjs";

describe("the rooms in a browser", () => {
  const suite = inBrowser();
  const { arrives } = suite;
  const listeners = [];
  after(() => listeners.forEach((listener) => listener.close()));
  const part = (...people) => Visitor.part(people);

  /** Ann at her list of these rooms, made in this order; each is a name or null. */
  const withRooms = async (...names) => {
    const ann = await arrives();
    await ann.register();
    const token = await ann.token();
    const rooms = [];
    for (const name of names) {
      const { json } = await request(suite.server, "POST", "/api/room/create", { token, body: { name } });
      rooms.push(json.roomId);
    }
    const ends = (roomId) => request(suite.server, "DELETE", `/api/room/${roomId}`, { token });
    return { ann, page: ann.page, rooms, ends };
  };
  const joins = (roomId, { token }) => request(suite.server, "POST", `/api/room/join/${roomId}`, { token });
  const list = (page) => page.locator(".rooms li");
  const titles = (page) => page.locator(".rooms li strong").allTextContents();

  test("a new room has the name that it is given, and what is wrong with one stands beside its field", async () => {
    const ann = await arrives();
    const { page } = ann;
    await ann.register();
    await page.getByText("No rooms yet").waitFor();
    assert.equal(await page.locator(".button.primary").count(), 1, "there is one primary action");
    const name = page.getByLabel("Name of the room (optional)");
    await name.fill("é".repeat(81));
    await page.getByRole("button", { name: "New room" }).click();
    await page.getByText("Room name must be at most 80 characters long").waitFor();
    await ann.focuses("input name");
    assert.deepEqual(await ann.inaccessible(), []);
    await name.fill(`  ${"é".repeat(80)} `);
    assert.equal(await page.getByText("at most 80 characters").isVisible(), false);
    await page.getByRole("button", { name: "New room" }).click();
    await ann.heading("Ready to join?").waitFor();
    await page.getByText("é".repeat(80), { exact: true }).waitFor();
    await part(ann);
  });

  test("a new room that comes late calls nobody back who has gone to another page", async () => {
    const { ann, page } = await withRooms();
    let answer;
    const answered = new Promise((resolve) => (answer = resolve));
    await page.route("**/api/room/create", async (route) => {
      await answered;
      await route.continue();
    });
    await page.getByRole("button", { name: "New room" }).click();
    await page.getByRole("link", { name: "History" }).click();
    await ann.heading("Call history").waitFor();
    const made = page.waitForResponse("**/api/room/create");
    answer();
    await (await made).finished();
    // What comes of it would be there with the page of rooms, which is asked for later.
    await page.evaluate(() => fetch("/health").then((response) => response.json()));
    assert.match(page.url(), /#\/history$/);
    await page.getByRole("link", { name: "Rooms" }).click();
    await list(page).first().waitFor();
    await part(ann);
  });

  test("rooms are listed newest first, by name or by the people in them, with who is there now", async () => {
    const { ann, page, rooms } = await withRooms(null, "Alone", null, "Stand-up", "Locked");
    const [bob, cat, dan] = await Promise.all(["bob", "cat", "dan"].map((name) => person(suite.server, name)));
    for (const someone of [bob, cat]) await joins(rooms[2], someone);
    for (const someone of [bob, dan]) {
      await joins(rooms[3], someone);
      listeners.push(await joined(suite.server, rooms[3], someone));
    }
    await joins(rooms[4], cat);
    await request(suite.server, "POST", `/api/room/${rooms[4]}/lock`, { token: await ann.token() });
    await page.reload();
    const row = (index) => list(page).nth(index);
    await row(0).getByText(`With ${cat.username} · Created`).waitFor();
    await row(0).getByText(/· Locked$/).waitFor();
    await row(1).getByText(/are in the call$/).waitFor();
    assert.match(await row(1).textContent(), new RegExp(`Stand-up(${bob.username} and ${dan.username}|${dan.username} and ${bob.username}) are in the call`));
    await row(2).getByText(`${bob.username} and ${cat.username}`, { exact: true }).waitFor();
    const [locked, standUp, , alone, unnamed] = await titles(page);
    assert.deepEqual([locked, standUp, alone], ["Locked", "Stand-up", "Alone"]);
    assert.match(unnamed, /^Room of /);
    for (const roomId of rooms) assert.equal(await page.getByText(roomId.slice(0, 8)).count(), 0);
    assert.deepEqual(await ann.inaccessible(), []);
    await row(1).getByRole("link").click();
    await ann.heading("Ready to join?").waitFor();
    await page.getByText(/are in the call$/).waitFor();
    await part(ann);
  });

  test("all rooms can be reached, ended ones are left out, and the focus follows to those that were asked for", async () => {
    const names = Array.from({ length: 23 }, (_, index) => `Room no. ${index}`);
    const { ann, page, rooms, ends } = await withRooms(...names);
    const ended = [22, 5];
    for (const index of ended) await ends(rooms[index]);
    await page.reload();
    const more = page.getByRole("button", { name: "Show more" });
    await more.waitFor();
    assert.equal(await list(page).count(), 9);
    // The second click comes while the first one's rooms do.
    await more.dblclick();
    await page.waitForFunction(() => document.activeElement === document.querySelectorAll(".rooms li a")[9]);
    assert.equal(await list(page).count(), 18);
    await more.click();
    await more.waitFor({ state: "detached" });
    assert.deepEqual(await titles(page), names.filter((_, index) => !ended.includes(index)).reverse());
    await part(ann);
  });

  test("pages of ended rooms are passed over", async () => {
    const { ann, page, rooms, ends } = await withRooms("The old one", ...Array.from({ length: 12 }, (_, index) => `Ended ${index}`));
    for (const roomId of rooms.slice(1)) await ends(roomId);
    await page.reload();
    await list(page).first().waitFor();
    assert.deepEqual(await titles(page), ["The old one"]);
    assert.equal(await page.getByText("No rooms yet").count(), 0);
    await part(ann);
  });

  test("a list that cannot be loaded says so, and goes on where it was on another try", async () => {
    const { ann, page } = await withRooms(...Array.from({ length: 11 }, (_, index) => `Room no. ${index}`));
    const again = page.getByRole("button", { name: "Try again" });
    await page.route("**/api/room?*", (route) => route.abort());
    await page.reload();
    await page.getByRole("alert").getByText("The server cannot be reached.").filter({ visible: true }).waitFor();
    await page.unroute("**/api/room?*");
    await again.click();
    const more = page.getByRole("button", { name: "Show more" });
    await more.waitFor();
    await page.route("**/api/room?*", (route) => route.abort());
    await more.click();
    await again.waitFor();
    assert.equal(await list(page).count(), 10, "what is known stays");
    assert.deepEqual(await ann.inaccessible(), []);
    await page.unroute("**/api/room?*");
    await again.click();
    await list(page).nth(10).waitFor();
    assert.equal(await again.count(), 0);
    ann.forgive(/ERR_FAILED/);
    await part(ann);
  });

  test("who enters a room while the list is open is shown after two minutes, and at once on return", async () => {
    const ann = await arrives();
    const { page } = ann;
    await page.clock.install();
    await ann.register();
    const { json } = await request(suite.server, "POST", "/api/room/create", { token: await ann.token(), body: { name: "Later" } });
    const bob = await person(suite.server, "bob");
    await joins(json.roomId, bob);
    await page.reload();
    await page.getByText(`With ${bob.username}`).waitFor();
    const client = await joined(suite.server, json.roomId, bob);
    listeners.push(client);
    await page.clock.fastForward(120_000);
    await page.getByText(`${bob.username} is in the call`).waitFor();
    await client.ask("leave-room", json.roomId, bob.id);
    await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
    await page.getByText(`With ${bob.username}`).waitFor();
    await part(ann);
  });
});
