// The client in a real browser: people register, meet by a link, see and hear each other.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { Visitor, importsOf, inBrowser } from "./support/browser.mjs";

describe("the client in a browser", () => {
  const suite = inBrowser({ RECONNECT_GRACE_SECONDS: "20" });
  const { arrives, pair } = suite;
  const part = (...people) => Visitor.part(people);

  test("two people, then three, meet by a link and see and hear each other", async () => {
    const { ann, bob, link } = await pair();
    await Promise.all([ann.hears(1), bob.hears(1)]);
    const cat = await arrives();
    await cat.register(link);
    await cat.enter();
    await Promise.all([ann.sees(cat.name), bob.sees(cat.name), cat.sees(ann.name), cat.sees(bob.name)]);
    await Promise.all([ann, bob, cat].map((person) => person.hears(2)));
    assert.match(await ann.page.locator(".count").textContent(), /^3 people/);
    // Leaving is told at once, and the call is in the history.
    await cat.page.getByRole("button", { name: "Leave" }).click();
    await cat.page.getByRole("heading", { name: "You left the call" }).waitFor();
    await ann.tile(cat.name).waitFor({ state: "detached" });
    await bob.page.getByRole("button", { name: "Leave" }).click();
    await bob.page.getByRole("link", { name: "History" }).click();
    await bob.page.getByText(ann.name).or(bob.page.getByText(cat.name)).first().waitFor();
    await part(ann, bob, cat);
  });

  test("chat arrives once, as text, and media states show on the other side", async () => {
    const { ann, bob } = await pair();
    for (const { page } of [ann, bob]) await page.getByRole("button", { name: /^Chat/ }).click();
    const text = "<img src=x onerror=alert(1)> hello";
    await ann.page.getByLabel("Message", { exact: true }).fill(text);
    await ann.page.getByRole("button", { name: "Send" }).click();
    for (const { page } of [ann, bob]) {
      await page.getByText(text).waitFor();
      assert.equal(await page.locator(".messages li").count(), 1);
    }
    assert.match(await bob.page.locator(".messages li").textContent(), new RegExp(ann.name));

    await ann.page.getByRole("button", { name: "Mute", exact: true }).click();
    await bob.tile(ann.name).getByText("muted", { exact: true }).waitFor();
    await ann.page.getByRole("button", { name: "Unmute" }).click();
    await bob.tile(ann.name).getByText("muted", { exact: true }).waitFor({ state: "hidden" });
    await ann.page.getByRole("button", { name: "Camera off" }).click();
    await bob.page.locator("figure.tile.dark").waitFor();
    await ann.page.getByRole("button", { name: "Camera on" }).click();
    await bob.page.locator("figure.tile.dark").waitFor({ state: "detached" });
    await bob.sees(ann.name);
    await ann.page.getByRole("button", { name: "Share screen" }).click();
    await bob.sees(`${ann.name} (screen)`);
    await ann.page.getByRole("button", { name: "Stop sharing" }).click();
    await bob.sees(ann.name);
    await part(ann, bob);
  });

  test("a killed tab is gone within the time of grace, and a cut connection comes back with the media going on", async () => {
    const { ann, bob, link } = await pair();
    const made = () => Promise.all([ann, bob].map(({ page }) => page.evaluate(() => globalThis.connectionsMade)));
    const before = await made();
    await ann.context.setOffline(true);
    await ann.page.getByText("Connection lost. Reconnecting…").waitFor();
    await ann.context.setOffline(false);
    await ann.page.locator(".banner").waitFor({ state: "hidden" });
    await Promise.all([ann.sees(bob.name), bob.sees(ann.name)]);
    assert.deepEqual(await made(), before, "the media connections are the same ones");
    // A page that crashes says no goodbye.
    const session = await bob.context.newCDPSession(bob.page);
    session.send("Page.crash").catch(() => {});
    await ann.tile(bob.name).waitFor({ state: "detached" });
    bob.page = await bob.newTab();
    await bob.page.goto(link);
    await bob.enter();
    await Promise.all([ann.sees(bob.name), bob.sees(ann.name)]);
    await part(ann, bob);
  });

  test("who opened the conversation gathers candidates anew while the media goes on", async () => {
    const { ann, bob } = await pair();
    for (let round = 0; round < 3; round += 1) {
      // Bob came to Ann, so he has offered.
      await bob.page.evaluate(() => globalThis.restartIce());
      await Promise.all([ann.sees(bob.name), bob.sees(ann.name), ann.hears(1), bob.hears(1)]);
    }
    await part(ann, bob);
  });

  test("ICE servers are asked for again before they expire", async () => {
    const ann = await arrives();
    const { page } = ann;
    await page.clock.install();
    await ann.register();
    await ann.makeRoom();
    await page.getByText("Just you").waitFor();
    const again = page.waitForRequest("**/api/ice-servers");
    await page.clock.fastForward("12:00:00");
    await again;
    await ann.leave();
  });

  test("a restart of the runtime in the middle of a call ends in a working call", async () => {
    const { ann, bob } = await pair();
    await suite.server.kill();
    await Promise.all([ann, bob].map(({ page }) => page.locator(".banner").waitFor()));
    await suite.server.start();
    await Promise.all([ann, bob].map(({ page }) => page.locator(".banner").waitFor({ state: "hidden" })));
    await Promise.all([ann.sees(bob.name), bob.sees(ann.name), ann.hears(1), bob.hears(1)]);
    await part(ann, bob);
  });

  test("who has no camera or refuses it can join, sees the others, and is told what it means", async () => {
    const [ann, bob] = [await arrives(), await arrives()];
    await bob.context.addInitScript(() => {
      navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("", "NotAllowedError"));
    });
    await ann.register();
    const link = await ann.makeRoom();
    await bob.register(link);
    await bob.page.getByText("Camera and microphone are blocked.").waitFor();
    await bob.page.getByText("You can join anyway").waitFor();
    await bob.enter();
    await bob.sees(ann.name);
    await ann.page.locator("figure.tile.dark", { hasText: bob.name }).waitFor();
    await part(ann, bob);
  });

  test("a second tab takes the first one's place, and signing out signs out both", async () => {
    const { ann, bob, link } = await pair();
    const second = await bob.newTab();
    await second.goto(link);
    await bob.enter(second);
    await bob.page.getByRole("heading", { name: "You joined from another tab" }).waitFor();
    const first = bob.page;
    bob.page = second;
    await Promise.all([ann.sees(bob.name), bob.sees(ann.name)]);
    await second.getByRole("button", { name: "Leave", exact: true }).click();
    await second.getByRole("button", { name: "Sign out" }).click();
    await second.getByRole("heading", { name: "Video calls by link" }).waitFor();
    await first.getByRole("heading", { name: "Video calls by link" }).waitFor();
    await ann.tile(bob.name).waitFor({ state: "detached" });
    await part(ann, bob);
  });

  test("the profile is changed, errors stand beside their fields, the account is deleted", async () => {
    const [ann, bob] = [await arrives(), await arrives()];
    await bob.register();
    await ann.register();
    const { page } = ann;
    await page.getByRole("link", { name: ann.name }).click();
    await page.getByLabel("Name", { exact: true }).fill("x");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("Username must be at least 3 characters long").waitFor();
    const described = await page.getByLabel("Name", { exact: true }).evaluate((input) => {
      const ids = input.getAttribute("aria-describedby").split(" ");
      return ids.map((id) => document.getElementById(id).textContent).join(" ");
    });
    assert.match(described, /at least 3 characters/, "a screen reader reads it with the field");
    await page.getByLabel("Name", { exact: true }).fill(bob.name);
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("This name is taken.").waitFor();
    ann.name += "_new";
    await page.getByLabel("Name", { exact: true }).fill(ann.name);
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("link", { name: ann.name }).waitFor();
    await page.getByLabel("Current password").fill("wrong");
    await page.getByLabel("New password").fill("N3wPassword");
    await page.getByRole("button", { name: "Change password" }).click();
    await page.getByText("Current password is incorrect").waitFor();
    await page.getByLabel("Current password").fill("Sup3rSecret");
    await page.getByRole("button", { name: "Change password" }).click();
    await page.locator(".toast", { hasText: "Password changed" }).waitFor();
    await page.getByRole("button", { name: "Delete account…" }).click();
    await page.getByLabel("Your password").fill("N3wPassword");
    await page.getByRole("button", { name: "Permanently delete my account" }).click();
    await page.getByRole("heading", { name: "Video calls by link" }).waitFor();
    await page.getByLabel("Email").fill(ann.email);
    await page.getByLabel("Password").fill("N3wPassword");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("Email or password is wrong.").waitFor();
    await part(ann, bob);
  });

  test("a call and its end have no accessibility fault, in light and dark", async () => {
    for (const colorScheme of ["light", "dark"]) {
      const ann = await arrives({ colorScheme });
      const { page } = ann;
      const check = async (name) => assert.deepEqual(await ann.inaccessible(), [], `${name}, ${colorScheme}`);
      await ann.register();
      await ann.makeRoom();
      await page.getByRole("button", { name: /^Chat/ }).click();
      await check("call");
      await page.getByRole("button", { name: "Leave" }).click();
      await page.getByRole("heading", { name: "You left the call" }).waitFor();
      await check("the end of a call");
      await part(ann);
    }
  });

  test("the whole client is less than 60 KB", async () => {
    let bytes = 0;
    for (const file of ["index.html", "app.js", "app.css", "icon.svg"]) {
      const answer = await fetch(`${suite.server.url}/app/${file}`);
      assert.equal(answer.status, 200, file);
      bytes += gzipSync(Buffer.from(await answer.arrayBuffer())).length;
    }
    assert.ok(bytes < 60_000, `${bytes} bytes gzip`);
  });

  test("the link of a room is copied, and who follows it arrives there after signing in", async () => {
    const [ann, bob] = [await arrives({ permissions: ["camera", "microphone", "clipboard-read", "clipboard-write"] }), await arrives()];
    await ann.register();
    await ann.page.getByRole("button", { name: "New room" }).click();
    await ann.page.getByRole("button", { name: "Copy link" }).click();
    await ann.page.locator(".toast", { hasText: "Link copied" }).waitFor();
    const link = await ann.page.evaluate(() => navigator.clipboard.readText());
    assert.equal(link, ann.page.url());
    await bob.register(link);
    await bob.page.getByRole("heading", { name: "Ready to join?" }).waitFor();
    assert.equal(bob.page.url(), link);
    // Pasted on the first page it leads there too; something else is told beside its field.
    await bob.page.getByRole("link", { name: "Rooms" }).click();
    await bob.page.getByLabel("Join by link").fill("no link");
    await bob.page.getByRole("button", { name: "Join", exact: true }).click();
    await bob.page.getByText("That is not a Zetra room link.").waitFor();
    await bob.page.getByLabel("Join by link").fill(`Come here: ${link}`);
    await bob.page.getByRole("button", { name: "Join", exact: true }).click();
    await bob.page.getByRole("heading", { name: "Ready to join?" }).waitFor();
    await part(ann, bob);
  });

  test("a room that never was is told as such", async () => {
    const ann = await arrives();
    await ann.register("/app/#/room/1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed");
    await ann.page.getByRole("heading", { name: "This room doesn't exist or has ended." }).waitFor();
    await part(ann);
  });

  test("a browser at the front door gets the client, with a policy that allows no foreign script", async () => {
    const ann = await arrives();
    const answer = await ann.page.goto("/");
    assert.equal(new URL(ann.page.url()).pathname, "/app/");
    const policy = answer.headers()["content-security-policy"];
    assert.match(policy, /default-src 'none'; script-src 'self'/);
    assert.doesNotMatch(policy, /unsafe/);
    await part(ann);
  });
});

test("no module of the client imports itself by way of others", async () => {
  const imports = await importsOf("web/src/app.js");
  const circles = [];
  const follow = (module, way) => {
    if (way.includes(module)) circles.push([...way.slice(way.indexOf(module)), module].join(" → "));
    else for (const imported of imports.get(module)) follow(imported, [...way, module]);
  };
  follow("web/src/app.js", []);
  assert.deepEqual([...new Set(circles)], []);
});
