// Pictures of every page for docs/screenshots, on a desktop and a phone, light and dark:
// `cargo xtask screenshots`. They are looked at, not compared.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Visitor, startBrowser } from "./support/browser.mjs";
import { ROOT, startServer } from "./support/server.mjs";

const FOLDER = join(ROOT, "docs/screenshots");
const SIZES = { desktop: { width: 1200, height: 760 }, phone: { width: 390, height: 780 } };

const [server, browser] = [await startServer(), await startBrowser()];
mkdirSync(FOLDER, { recursive: true });
for (const colorScheme of ["light", "dark"]) {
  for (const [size, viewport] of Object.entries(SIZES)) {
    const arrive = (name) => Visitor.arrive(browser, server, { colorScheme, viewport }).then((visitor) => Object.assign(visitor, { name }));
    const suffix = `${size}_${colorScheme}`;
    const [ann, bob, cat] = await Promise.all(["ann", "bob", "cat"].map((name) => arrive(`${name}_${suffix}`)));
    const { page } = ann;
    const take = (name) => page.screenshot({ path: join(FOLDER, `${name}-${size}-${colorScheme}.jpg`), type: "jpeg", quality: 80 });
    await page.goto("/app/");
    await page.getByRole("heading", { name: "Video calls by link" }).waitFor();
    await take("sign-in");
    await ann.register();
    await page.getByRole("button", { name: "New room" }).click();
    await page.getByRole("heading", { name: "Ready to join?" }).waitFor();
    await page.locator(".no-picture").waitFor({ state: "hidden" });
    await page.waitForFunction(() => document.querySelector("video").videoWidth > 0);
    await take("lobby");
    const link = page.url();
    await ann.enter();
    for (const other of [bob, cat]) {
      await other.register(link);
      await other.enter();
      await ann.sees(other.name);
    }
    await cat.page.getByRole("button", { name: "Camera off" }).click();
    await cat.page.getByRole("button", { name: "Mute", exact: true }).click();
    await page.locator("figure.tile.dark").waitFor();
    await take("call");
    await page.getByRole("button", { name: /^Chat/ }).click();
    for (const [someone, text] of [[bob, "Can everybody hear me?"], [ann, "Loud and clear."]]) {
      if (someone !== ann) await someone.page.getByRole("button", { name: /^Chat/ }).click();
      await someone.page.getByLabel("Message", { exact: true }).fill(text);
      await someone.page.getByRole("button", { name: "Send" }).click();
      await page.getByText(text).waitFor();
    }
    await take("chat");
    for (const other of [cat, bob]) await other.page.getByRole("button", { name: "Leave" }).click();
    await page.getByText("Just you").waitFor();
    await page.getByRole("button", { name: "Leave" }).click();
    await page.getByRole("link", { name: "Rooms", exact: true }).click();
    await page.locator(".rooms[aria-busy=false]").waitFor();
    await take("rooms");
    await page.getByRole("link", { name: "History" }).click();
    await page.locator(".weeks").waitFor();
    await take("history");
    await page.getByRole("link", { name: ann.name }).click();
    await page.getByRole("heading", { name: "Your profile" }).waitFor();
    await take("profile");
    for (const person of [ann, bob, cat]) await person.leave();
  }
}
await browser.close();
await server.stop();
