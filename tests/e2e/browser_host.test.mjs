// The host's controls in a real browser, what the others see of them, and the history that the room keeps.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Visitor, inBrowser } from "./support/browser.mjs";
import { polled } from "./support/patience.mjs";
import { call } from "./support/people.mjs";

describe("a host in a browser", () => {
  const suite = inBrowser();

  /** People in one call, the first of them its host. */
  async function meeting(count, name = "") {
    const people = [];
    for (let made = 0; made < count; made += 1) people.push(await suite.arrives());
    const [host, ...others] = people;
    await host.register();
    await host.page.getByLabel("Name of the room (optional)").fill(name);
    const link = await host.makeRoom();
    for (const other of others) {
      await other.register(link);
      await other.enter();
      await host.sees(other.name);
    }
    return { host, others, link };
  }
  const opens = async ({ page }) => {
    await page.getByRole("button", { name: "Host", exact: true }).click();
    const dialog = page.getByRole("dialog", { name: "Host controls" });
    await dialog.waitFor();
    return dialog;
  };
  const part = (...people) => Visitor.part(people);

  test("locks, removes after a question, readmits; nobody else has the controls", async () => {
    const { host, others: [bob, cat], link } = await meeting(3, "Stand-up");
    for (const { page } of [host, bob]) await page.getByRole("heading", { name: "Stand-up" }).waitFor();
    assert.equal(await bob.page.getByRole("button", { name: "Host", exact: true }).isVisible(), false);
    const dialog = await opens(host);
    assert.deepEqual(await host.inaccessible(), [], "the host's controls");
    await dialog.getByRole("button", { name: "Lock the room" }).click();
    await dialog.getByRole("button", { name: "Unlock the room" }).waitFor();
    const late = await suite.arrives();
    await late.register(link);
    await late.page.getByRole("button", { name: "Join the call" }).click();
    await late.page.getByText("Room is locked").waitFor();

    await dialog.getByRole("button", { name: `Remove ${bob.name}` }).click();
    await dialog.getByText(`Remove ${bob.name}?`).waitFor();
    assert.deepEqual(await host.inaccessible(), [], "the question");
    // The focus is on an answer: who does not see the question hears it with it.
    const described = await host.page.evaluate(() => document.getElementById(document.activeElement.getAttribute("aria-describedby")).textContent);
    assert.match(described, new RegExp(`^Remove ${bob.name}\\?`));
    await dialog.getByRole("button", { name: "Cancel" }).click();
    assert.ok(await host.tile(bob.name).isVisible(), "nothing has happened");
    await dialog.getByRole("button", { name: `Remove ${bob.name}` }).click();
    await dialog.getByRole("button", { name: "Remove", exact: true }).click();
    await bob.page.getByText("The host removed you from this room.").waitFor();
    await host.tile(bob.name).waitFor({ state: "detached" });
    await cat.page.locator("#announcements").getByText(`${bob.name} was removed by the host`).waitFor({ state: "attached" });
    await bob.page.getByRole("button", { name: "Join again" }).click();
    await bob.page.getByRole("button", { name: "Join the call" }).click();
    await bob.page.getByText("You were removed from this room").waitFor();

    await dialog.getByRole("button", { name: "Unlock the room" }).click();
    await dialog.getByRole("button", { name: `Readmit ${bob.name}` }).click();
    await dialog.getByRole("button", { name: `Readmit ${bob.name}` }).waitFor({ state: "detached" });
    await bob.enter();
    await host.sees(bob.name);
    await part(host, bob, cat, late);
  });

  test("ends the room for all, and everybody's history names who was there", async () => {
    const { host, others: [bob, cat], link } = await meeting(3);
    const dialog = await opens(host);
    await dialog.getByRole("button", { name: "End for all" }).click();
    await dialog.getByText("End the room for everybody?").waitFor();
    await dialog.getByRole("button", { name: "End for all" }).click();
    for (const { page } of [host, bob, cat]) await page.getByText("The host has ended this room.").waitFor();
    await bob.page.getByRole("button", { name: "Join again" }).click();
    await bob.page.getByRole("heading", { name: "This room doesn't exist or has ended." }).waitFor();
    // No client has posted anything: the room has kept the log.
    await cat.page.getByRole("link", { name: "History" }).click();
    await cat.page.getByText(`${host.name} and ${bob.name}`).or(cat.page.getByText(`${bob.name} and ${host.name}`)).first().waitFor();
    const token = await cat.page.evaluate(() => JSON.parse(localStorage.getItem("zetra.session")).token);
    const logs = async () => (await call(suite.server, "GET", "/api/call-logs", { token })).json.callLogs;
    await polled(async () => (await logs()).every(({ endTime }) => endTime), "the end of the call in the log");
    assert.deepEqual((await logs()).map(({ roomId, participants, endTime }) => [roomId, participants.length, endTime !== null]), [[link.split("/room/")[1], 3, true]]);
    await part(host, bob, cat);
  });
});
