// Pictures of every page and state for docs/screenshots, on a desktop and a phone, light and dark:
// `cargo xtask screenshots`. They are looked at, not compared.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Visitor, startBrowser } from "./support/browser.mjs";
import { LOOKS, showPerson } from "./support/portrait.mjs";
import { ROOT, startServer } from "./support/server.mjs";

const FOLDER = join(ROOT, "docs/screenshots");
const SIZES = { desktop: { width: 1280, height: 760 }, phone: { width: 390, height: 780 } };
const OTHERS = ["Ben", "Carla", "Dina"];
const SAID = [["Ben", "Can everybody hear me?"], ["Ben", "The plan is at https://example.com/plan"], ["Anna", "Loud and clear."]];

const browser = await startBrowser();
mkdirSync(FOLDER, { recursive: true });
for (const colorScheme of ["light", "dark"]) {
  for (const [size, viewport] of Object.entries(SIZES)) await visit(colorScheme, size, viewport);
}
await browser.close();

async function visit(colorScheme, size, viewport) {
  // A server of its own, as the names are the same each time.
  const server = await startServer();
  const arrive = async (name, look) => {
    const visitor = Object.assign(await Visitor.arrive(browser, server, { colorScheme, viewport }), { name });
    await visitor.context.addInitScript(showPerson, { look: LOOKS[look], upright: size === "phone" });
    return visitor;
  };
  const anna = await arrive("Anna", 0);
  const { page } = anna;
  const take = (name) => page.screenshot({ path: join(FOLDER, `${name}-${size}-${colorScheme}.jpg`), type: "jpeg", quality: 80 });
  const control = (someone, name) => someone.page.getByRole("toolbar").getByRole("button", { name }).click();
  /** When nothing moves any more and no notice is shown. */
  const settled = () => page.waitForFunction(() => !document.querySelector(".toast") && document.getAnimations().every(({ playState }) => playState !== "running"));

  await page.goto("/app/");
  await anna.heading("Video calls by link").waitFor();
  await take("sign-in");
  await anna.register();
  await page.getByLabel("Name of the room (optional)").fill("Monday stand-up");
  await page.getByRole("button", { name: "New room" }).click();
  await page.waitForFunction(() => document.querySelector("video")?.videoWidth > 0);
  await take("lobby");
  const link = page.url();
  await anna.enter();
  await page.getByText("You're the only one here").waitFor();
  await settled();
  await take("alone");
  const others = [];
  for (const [index, name] of OTHERS.entries()) {
    const other = await arrive(name, index + 1);
    await other.register(link);
    await other.enter();
    await anna.sees(name);
    others.push(other);
    if (index === 0) {
      await settled();
      await take("two");
    }
  }
  await control(others[2], "Mute");
  await anna.tile("Dina").getByText("muted", { exact: true }).waitFor();
  await settled();
  await take("call");
  await control(anna, /^Chat/);
  await control(others[0], /^Chat/);
  for (const [name, text] of SAID) {
    const { page: writer } = [anna, ...others].find((someone) => someone.name === name);
    await writer.getByLabel("Message", { exact: true }).fill(text);
    await writer.keyboard.press("Enter");
    await page.locator(".said", { hasText: text }).waitFor();
  }
  await take("chat");
  await page.keyboard.press("Escape");
  await control(others[1], "Share screen");
  await anna.sees("Carla (screen)");
  await settled();
  await take("screen");
  for (const panel of ["Host", "Settings"]) {
    await control(anna, panel);
    await page.getByRole("dialog").waitFor();
    await take(panel.toLowerCase());
    await page.keyboard.press("Escape");
  }
  for (const other of others) await control(other, "Leave");
  await page.getByText("Just you").waitFor();
  await control(anna, "Leave");
  await anna.heading("You left the call").waitFor();
  await settled();
  await take("left");
  await page.getByRole("link", { name: "Rooms", exact: true }).click();
  await page.locator(".rooms[aria-busy=false]").waitFor();
  await take("rooms");
  await page.getByRole("link", { name: "History" }).click();
  await page.getByText("total time").waitFor();
  await take("history");
  await page.getByRole("link", { name: "Anna" }).click();
  await anna.heading("Your profile").waitFor();
  await take("profile");
  for (const person of [anna, ...others]) await person.leave();
  await server.stop();
}
