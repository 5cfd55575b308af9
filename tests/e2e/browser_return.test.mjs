// A call that somebody comes back to in a real browser: too late to be recovered, without a token, or by the button.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { PASSWORD, Visitor, inBrowser } from "./support/browser.mjs";
import { Line } from "./support/line.mjs";
import { within } from "./support/patience.mjs";
import { call, joined, person } from "./support/people.mjs";

describe("coming back to a call in a browser", () => {
  const suite = inBrowser({ RECONNECT_GRACE_SECONDS: "1" });
  const part = (...people) => Visitor.part(people);

  /** Ann in a call behind a line that can be cut, and Zoe, who needs no browser; `enters()` brings her in again. */
  const calling = async () => {
    const ann = await suite.arrives();
    const line = await Line.lay(ann);
    await ann.register();
    const roomId = (await ann.makeRoom()).split("/room/")[1];
    // A poll that waits at the server would not be cut.
    await within(line.upgraded, "the upgrade");
    const someone = await person(suite.server, "zoe");
    await call(suite.server, "POST", `/api/room/join/${roomId}`, { token: someone.token });
    const enters = () => joined(suite.server, roomId, someone);
    const zoe = await enters();
    await ann.tile(someone.username).waitFor();
    return { ann, page: ann.page, line, zoe, enters, tile: ann.tile(someone.username), name: someone.username };
  };
  const spotlit = ({ page }, name) => page.locator("figure.spotlit", { has: page.getByText(name, { exact: true }) }).waitFor();

  test("who returns too late to be recovered sees the same tiles, and whom they have pinned", async () => {
    const { ann, page, line, zoe, tile, name } = await calling();
    await tile.click();
    await spotlit(ann, name);
    await tile.evaluate((element) => (element.dataset.mark = "the same"));
    await line.cut();
    const id = await ann.id();
    await zoe.until(() => zoe.heard.some(([event, who, why]) => event === "user-disconnected" && who === id && why === "lost"), "the loss");
    line.restore();
    await zoe.until(() => zoe.heard.some(([event, who]) => event === "user-connected" && who === id), "the return");
    await page.locator(".banner").waitFor({ state: "hidden" });
    await spotlit(ann, name);
    assert.equal(await tile.getAttribute("data-mark"), "the same");
    zoe.close();
    await tile.waitFor({ state: "detached" });
    await part(ann);
  });

  test("who left while one was away is gone on the return", async () => {
    const { ann, page, line, zoe, tile } = await calling();
    await line.cut();
    const id = await ann.id();
    await zoe.until(() => zoe.heard.some(([event, who]) => event === "user-disconnected" && who === id), "the loss");
    zoe.close();
    line.restore();
    await page.getByText("Just you").waitFor();
    await tile.waitFor({ state: "detached" });
    await part(ann);
  });

  test("who is pinned is so again after leaving and coming back", async () => {
    const { ann, page, zoe, enters, tile, name } = await calling();
    await tile.click();
    await spotlit(ann, name);
    zoe.close();
    await tile.waitFor({ state: "detached" });
    assert.equal(await page.locator("figure.spotlit").count(), 0, "nobody has the stage meanwhile");
    const again = await enters();
    await spotlit(ann, name);
    again.close();
    await part(ann);
  });

  test("whose token has become void meanwhile is told that they were signed out", async () => {
    const { ann, page, line, zoe } = await calling();
    await line.cut();
    await page.getByText("Connection lost. Reconnecting…").waitFor();
    // The token that changes a password stays good; all others become void.
    const { json } = await call(suite.server, "POST", "/api/auth/login", { body: { email: ann.email, password: PASSWORD } });
    const body = { currentPassword: PASSWORD, newPassword: "An0therSecret" };
    const { status } = await call(suite.server, "POST", "/api/auth/change-password", { token: json.token, body });
    assert.equal(status, 200);
    line.restore();
    // By the call, or by what the page asks for just then.
    await page.locator("#main").getByText("You were signed out. Sign in again.").waitFor();
    zoe.close();
    await part(ann);
  });

  test("whose password is changed in another tab goes on with the token that came of it", async () => {
    const { ann, page, zoe } = await calling();
    const id = await ann.id();
    const other = await page.context().newPage();
    await other.goto(`${suite.server.url}/app/#/profile`);
    // The first change spares the token of the call, with which it is made; the second makes it void.
    for (const [from, to] of [[PASSWORD, "An0therSecret"], ["An0therSecret", "Th1rdSecret"]]) {
      await other.getByLabel("Current password").fill(from);
      await other.getByLabel("New password").fill(to);
      await other.getByRole("button", { name: "Change password" }).click();
      await other.getByText("Password changed").first().waitFor();
      await other.getByLabel("Current password").waitFor();
      if (to === "An0therSecret") await other.reload();
    }
    await zoe.until(() => zoe.heard.some(([event, who]) => event === "user-disconnected" && who === id), "the end of the first token");
    await zoe.until(() => zoe.heard.findLastIndex(([event, who]) => event === "user-connected" && who === id) > zoe.heard.findIndex(([event]) => event === "user-disconnected"), "the return");
    await page.locator(".banner").waitFor({ state: "hidden" });
    await other.close();
    zoe.close();
    await part(ann);
  });

  test("who goes on in another tab keeps their tile, and is said to have joined again, once and not as a newcomer", async () => {
    const { ann, bob, link } = await suite.pair();
    await ann.page.evaluate(() => {
      globalThis.announced = [];
      const region = document.getElementById("announcements");
      new MutationObserver(() => globalThis.announced.push(region.textContent)).observe(region, { childList: true });
    });
    const tile = ann.tile(bob.name);
    await tile.click();
    await spotlit(ann, bob.name);
    await tile.evaluate((element) => {
      element.dataset.mark = "the same";
      globalThis.removed = 0;
      const count = (changes) => changes.forEach(({ removedNodes }) => (globalThis.removed += removedNodes.length));
      new MutationObserver(count).observe(element.parentNode, { childList: true });
    });
    const names = ann.page.waitForResponse((response) => response.url() === link.replace("/app/#/room/", "/api/room/"));
    const second = await bob.newTab();
    await second.goto(link);
    await bob.enter(second);
    await bob.page.getByRole("heading", { name: "You joined from another tab" }).waitFor();
    bob.page = second;
    await Promise.all([ann.sees(bob.name), bob.sees(ann.name), ann.hears(1), bob.hears(1)]);
    // With these a newcomer is announced, in the next frame.
    await names;
    await ann.page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
    assert.deepEqual(await ann.page.evaluate(() => globalThis.announced.filter(Boolean)), [`${bob.name} has joined again`]);
    assert.deepEqual([await tile.getAttribute("data-mark"), await ann.page.evaluate(() => globalThis.removed)], ["the same", 0]);
    await spotlit(ann, bob.name);
    await part(ann, bob);
  });

  test("to join again takes one lobby, however often the button is pressed", async () => {
    const { ann, page, zoe } = await calling();
    await page.getByRole("button", { name: "Leave", exact: true }).click();
    await page.getByRole("heading", { name: "You left the call" }).waitFor();
    let answer;
    const answered = new Promise((resolve) => (answer = resolve));
    await page.route("**/api/room/*", async (route) => {
      await answered;
      await route.continue();
    });
    await page.evaluate(() => {
      const original = globalThis.fetch;
      globalThis.asked = 0;
      globalThis.fetch = (...parameters) => {
        globalThis.asked += 1;
        return original(...parameters);
      };
    });
    const again = page.getByRole("button", { name: "Join again" });
    for (let pressed = 0; pressed < 3; pressed += 1) await again.click();
    assert.equal(await page.evaluate(() => globalThis.asked), 1);
    answer();
    await ann.enter();
    zoe.close();
    await part(ann);
  });
});
