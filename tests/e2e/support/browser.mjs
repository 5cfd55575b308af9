// A real browser with fake devices, and people who sit at it.

import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const PASSWORD = "Sup3rSecret";

export async function startBrowser() {
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  if (!existsSync(executablePath)) throw new Error(`there is no ${executablePath}: install Chromium, or set CHROMIUM to it`);
  const quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic", "--no-first-run"];
  const devices = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--auto-select-desktop-capture-source=Entire screen"];
  // Without it addresses are hidden behind names that only multicast DNS resolves.
  const direct = ["--disable-features=WebRtcHideLocalIpsWithMdns", "--autoplay-policy=no-user-gesture-required"];
  return chromium.launch({ executablePath, args: ["--disable-gpu", ...quiet, ...devices, ...direct] });
}

/** Somebody with a browser profile of their own. What goes wrong on their pages is kept. */
export class Visitor {
  faults = [];
  name = `v_${randomBytes(5).toString("hex")}`;

  static async arrive(browser, server, { permissions = ["camera", "microphone", "clipboard-write"], ...options } = {}) {
    const visitor = new Visitor();
    visitor.context = await browser.newContext({ permissions, baseURL: server.url, ...options });
    await visitor.context.addInitScript(COUNT_CONNECTIONS);
    visitor.page = await visitor.newTab();
    return visitor;
  }

  async newTab() {
    const page = await this.context.newPage();
    page.setDefaultTimeout(15_000);
    const expected = /status of (400|401|404|409)|net::ERR_(CONNECTION|NETWORK|INTERNET|EMPTY)|WebSocket connection/;
    page.on("console", (message) => {
      const text = message.text();
      if (["error", "warning"].includes(message.type()) && !expected.test(text)) this.faults.push(text);
    });
    page.on("pageerror", (error) => this.faults.push(error.stack));
    return page;
  }

  get email() {
    return `${this.name}@example.com`;
  }

  async register(at = "/app/") {
    const { page } = this;
    await page.goto(at);
    await page.getByRole("button", { name: "Create an account" }).click();
    await page.getByLabel("Name").fill(this.name);
    await page.getByLabel("Email").fill(this.email);
    await page.getByLabel("Password").fill(PASSWORD);
    await page.getByRole("button", { name: "Create account" }).click();
    await page.getByRole("button", { name: "Sign out" }).waitFor();
  }

  /** From the first page into a new room's call; gives the room's link. */
  async makeRoom() {
    await this.page.getByRole("button", { name: "New room" }).click();
    await this.page.getByRole("heading", { name: "Ready to join?" }).waitFor();
    const link = this.page.url();
    await this.enter();
    return link;
  }

  /** From the lobby into the call. */
  async enter(page = this.page) {
    await page.getByRole("button", { name: "Join the call" }).click();
    await page.getByRole("toolbar", { name: "Call" }).waitFor();
  }

  tile(name) {
    return this.page.locator("figure.tile", { has: this.page.getByText(name, { exact: true }) });
  }

  /** Waits until pictures of somebody are decoded, and more of them still. */
  async sees(name) {
    const video = this.tile(name).locator("video");
    await video.waitFor();
    await this.#grows(() => video.evaluate((element) => element.getVideoPlaybackQuality().totalVideoFrames), `the picture of ${name}`);
  }

  /** Waits until as many connections as there are others bring sound, and more of it still. */
  async hears(others) {
    const packets = async () => {
      const counts = await this.page.evaluate(() => globalThis.audioPacketsOfPeers());
      return counts.length === others ? Math.min(...counts) : 0;
    };
    await this.#grows(packets, "sound");
  }

  async #grows(measure, what) {
    const deadline = Date.now() + 30_000;
    let first;
    for (;;) {
      const value = await measure();
      if (value > 0) first ??= value;
      if (first !== undefined && value > first + 5) return;
      if (Date.now() > deadline) throw new Error(`${this.name} waited in vain for ${what}: ${value}; ${this.faults.join("; ")}`);
      await this.page.waitForTimeout(100);
    }
  }

  /** The serious faults that axe finds on the page as it is. */
  async inaccessible() {
    // The page's own policy forbids scripts of others; the debugger's way in is exempt.
    await this.page.evaluate(AXE);
    const { violations } = await this.page.evaluate(() => globalThis.axe.run({ resultTypes: ["violations"] }));
    const grave = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
    return grave.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ").slice(0, 400)}`);
  }

  async leave() {
    await this.context.close();
  }
}

/** Put into a page before its own scripts: counts its media connections and what comes over them, and can disturb them. */
export const COUNT_CONNECTIONS = () => {
  const connections = new Set();
  globalThis.connectionsMade = 0;
  const Original = globalThis.RTCPeerConnection;
  globalThis.RTCPeerConnection = class extends Original {
    constructor(...parameters) {
      super(...parameters);
      connections.add(this);
      globalThis.connectionsMade += 1;
    }
    close() {
      connections.delete(this);
      super.close();
    }
  };
  globalThis.restartIce = () => connections.forEach((connection) => connection.restartIce());
  globalThis.audioPacketsOfPeers = async () => {
    const counts = [];
    for (const connection of connections) {
      let packets = 0;
      for (const stat of (await connection.getStats()).values()) {
        if (stat.type === "inbound-rtp" && stat.kind === "audio") packets = stat.packetsReceived;
      }
      counts.push(packets);
    }
    return counts;
  };
};
