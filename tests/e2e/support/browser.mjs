// A real browser with fake devices, and people who sit at it.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before } from "node:test";
import { build } from "esbuild";
import { chromium } from "playwright-core";
import { firefox } from "playwright-core-firefox";
import { call, joined, person } from "./people.mjs";
import { PATIENCE } from "./patience.mjs";
import { ROOT, startServer } from "./server.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
/** Everybody's. */
export const PASSWORD = "Sup3rSecret";
/** Milliseconds that a page may take for what it promises: several browsers on a busy machine are slow. */
const BROWSER_PATIENCE = 2 * PATIENCE;
/** How the picture of a connection is named. Which of them it is depends on how busy the machine is. */
export const CONNECTION = /^(Good|Fair|Poor) connection$/;
const PROGRAMS = { chromium: "/usr/bin/chromium", firefox: "/usr/bin/firefox-esr" };

/** Starts Chromium, or Firefox; both have fake devices. `preferences` are of Firefox. */
export async function startBrowser(name = "chromium", preferences) {
  const executablePath = process.env[name.toUpperCase()] ?? PROGRAMS[name];
  if (!existsSync(executablePath)) throw new Error(`there is no ${executablePath}: install ${name}, or set ${name.toUpperCase()} to it`);
  return name === "firefox" ? startFirefox(executablePath, preferences) : startChromium(executablePath);
}

function startChromium(executablePath) {
  const quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic", "--no-first-run"];
  // Encoding pictures takes most of a core; a few a second show what is tested.
  const devices = ["--use-fake-device-for-media-stream=fps=8", "--use-fake-ui-for-media-stream", "--auto-select-desktop-capture-source=Entire screen"];
  // Without it addresses are hidden behind names that only multicast DNS resolves.
  const direct = ["--disable-features=WebRtcHideLocalIpsWithMdns", "--autoplay-policy=no-user-gesture-required"];
  return chromium.launch({ executablePath, args: ["--disable-gpu", ...quiet, ...devices, ...direct] });
}

/** By WebDriver BiDi, so an ordinary Firefox will do. Newer versions of Playwright ask for what the ESR does not have. */
function startFirefox(executablePath, preferences) {
  const devices = { "media.navigator.streams.fake": true, "media.navigator.permission.disabled": true };
  const direct = { "media.peerconnection.ice.obfuscate_host_addresses": false, "media.peerconnection.ice.loopback": true };
  return firefox.launch({ executablePath, channel: "moz-firefox", firefoxUserPrefs: { ...devices, ...direct, "media.autoplay.default": 0, ...preferences } });
}

/**
 * A server and a browser from before the first test of the suite around this call until after its last one, and people who
 * arrive there: `{server, browser, arrives(options), pair(), listens(link, name)}`; a pair are two people in one call, who
 * listens is in it without a browser. `start` starts another server than the usual one.
 */
export function inBrowser(variables, start = startServer) {
  const arrives = (options) => Visitor.arrive(suite.browser, suite.server, options);
  const pair = async () => {
    const [ann, bob] = [await arrives(), await arrives()];
    await ann.register();
    const link = await ann.makeRoom();
    await bob.register(link);
    await bob.enter();
    await Promise.all([ann.sees(bob.name), bob.sees(ann.name)]);
    return { ann, bob, link };
  };
  /** A participant without a browser, with everything they receive. */
  const listens = async (link, name = "zoe") => {
    const roomId = link.split("/room/")[1];
    const someone = await person(suite.server, name);
    await call(suite.server, "POST", `/api/room/join/${roomId}`, { token: someone.token });
    const client = await joined(suite.server, roomId, someone);
    listeners.push(client);
    return Object.assign(client, { roomId, username: someone.username, says: (text) => client.ask("chat-message", roomId, text) });
  };
  const listeners = [];
  const suite = { arrives, pair, listens };
  before(async () => {
    suite.server = await start(variables);
    suite.browser = await startBrowser();
  });
  after(async () => {
    for (const listener of listeners) listener.close();
    await suite.browser.close();
    await suite.server.stop();
  });
  return suite;
}

/** Somebody with a browser profile of their own. What goes wrong on their pages is kept. */
export class Visitor {
  faults = [];
  /**
   * What a browser says of refusals and of connections that break is no fault. Chromium says it of each connection, Firefox of
   * a WebSocket that could not be opened, and of one that was reset because the server died with something unread.
   */
  expected = [
    /status of (400|401|403|404|409)|net::ERR_(CONNECTION|NETWORK|INTERNET|EMPTY)|WebSocket connection/,
    /^Firefox can.t establish a connection to the server at ws:|^The connection to ws:\S+ was interrupted/,
  ];
  name = `v_${randomBytes(5).toString("hex")}`;

  static async arrive(browser, server, { permissions = ["camera", "microphone", "clipboard-write"], ...options } = {}) {
    const visitor = new Visitor();
    // Firefox knows no permissions for tests: it is started so that it asks for none.
    const allowed = browser.browserType().name() === "firefox" ? {} : { permissions };
    visitor.context = await browser.newContext({ ...allowed, baseURL: server.url, ...options });
    await visitor.context.addInitScript(COUNT_CONNECTIONS);
    await visitor.context.addInitScript(USE_SMALL_PICTURES);
    visitor.page = await visitor.newTab();
    return visitor;
  }

  async newTab() {
    const page = await this.context.newPage();
    page.setDefaultTimeout(BROWSER_PATIENCE);
    page.on("console", (message) => {
      const text = message.text();
      if (["error", "warning"].includes(message.type()) && !this.expected.some((pattern) => pattern.test(text))) this.faults.push(text);
    });
    page.on("pageerror", (error) => this.faults.push(error.stack));
    return page;
  }

  get email() {
    return `${this.name}@example.com`;
  }

  heading(name) {
    return this.page.getByRole("heading", { name, exact: true });
  }

  /** Waits until an element has the focus: its tag, and its name or else its text. */
  focuses(words) {
    return this.page.waitForFunction((words) => `${document.activeElement.localName} ${document.activeElement.name || document.activeElement.textContent}` === words, words);
  }

  /** Waits until a notice shows that sentence. */
  notices(words) {
    return this.page.locator(".toast", { hasText: words }).waitFor();
  }

  token() {
    return this.page.evaluate(() => JSON.parse(localStorage.getItem("zetra.session")).token);
  }

  /** Takes out of the faults what a story brings about on purpose. */
  forgive(pattern) {
    this.faults = this.faults.filter((fault) => !pattern.test(fault));
  }

  /** The user id of who is signed in. */
  id() {
    return this.page.evaluate(() => JSON.parse(localStorage.getItem("zetra.session")).user.id);
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
    await this.#grows(() => video.evaluate((element) => element.mozPaintedFrames ?? element.getVideoPlaybackQuality().totalVideoFrames), () => `the picture of ${name}`);
  }

  /** Waits until as many connections as there are others bring sound, and more of it still. */
  async hears(others) {
    const packets = async () => {
      counts = await this.page.evaluate(() => globalThis.audioPacketsOfPeers());
      return counts.length === others ? Math.min(...counts) : 0;
    };
    let counts = [];
    await this.#grows(packets, () => `sound of ${others}: ${counts.join()}`);
  }

  async #grows(measure, what) {
    // Longer than two attempts to connect.
    const deadline = Date.now() + 60_000;
    let first;
    for (;;) {
      const value = await measure();
      if (value > 0) first ??= value;
      if (first !== undefined && value > first + 5) return;
      if (Date.now() > deadline) throw new Error(`${this.name} waited in vain for ${what()}: ${value}; ${this.faults.join("; ")}`);
      await this.page.waitForTimeout(100);
    }
  }

  /** What axe finds wrong on the page as it is, grave or not. */
  async inaccessible() {
    // The page's own policy forbids scripts of others; the debugger's way in is exempt.
    await this.page.evaluate(AXE);
    const { violations } = await this.page.evaluate(() => globalThis.axe.run({ resultTypes: ["violations"] }));
    return violations.map(({ id, impact, nodes }) => `${impact} ${id}: ${nodes.map(({ html }) => html).join(" ").slice(0, 400)}`);
  }

  async leave() {
    await this.context.close();
  }

  /** Ends a story: fails if anything went wrong on these people's pages. */
  static async part(people) {
    for (const { name, faults } of people) assert.deepEqual(faults, [], `on ${name}'s pages`);
    for (const visitor of people) await visitor.leave();
  }
}

/** Put into a page before its own scripts: encoding large pictures takes most of what these tests take, and shows no more. */
const USE_SMALL_PICTURES = () => {
  const devices = navigator.mediaDevices;
  // An empty page has none.
  if (!devices) return;
  const getUserMedia = devices.getUserMedia.bind(devices);
  const small = { width: { ideal: 320 }, height: { ideal: 180 } };
  devices.getUserMedia = (wanted) => getUserMedia(wanted?.video ? { ...wanted, video: { ...wanted.video, ...small } } : wanted);
};

/** Put into a page before its own scripts: counts its media connections and what comes over them, and can disturb them. */
export const COUNT_CONNECTIONS = () => {
  const connections = new Set();
  const closed = new WeakMap();
  /** Firefox never settles what was asked of a connection that is closed meanwhile. */
  const statsOf = (connection) => Promise.race([connection.getStats(), closed.get(connection).promise]);
  globalThis.connectionsMade = 0;
  const Original = globalThis.RTCPeerConnection;
  globalThis.RTCPeerConnection = class extends Original {
    constructor(...parameters) {
      super(...parameters);
      connections.add(this);
      closed.set(this, Promise.withResolvers());
      globalThis.connectionsMade += 1;
    }
    close() {
      connections.delete(this);
      closed.get(this).resolve(new Map());
      super.close();
    }
  };
  /** The heights of the pictures that leave this page, in pixels. */
  globalThis.heightsSent = async () => {
    const reports = await Promise.all([...connections].map(statsOf));
    const sent = reports.flatMap((report) => [...report.values()].filter(({ type, kind }) => type === "outbound-rtp" && kind === "video"));
    return sent.map(({ frameHeight }) => frameHeight).filter(Boolean);
  };
  /** By what the pictures that leave this page are scaled down, at least. */
  globalThis.scalesSent = () => {
    const senders = [...connections].flatMap((connection) => connection.getSenders()).filter(({ track }) => track?.kind === "video");
    return senders.map((sender) => sender.getParameters().encodings[0].scaleResolutionDownBy ?? 1);
  };
  globalThis.restartIce = () => connections.forEach((connection) => connection.restartIce());
  globalThis.audioPacketsOfPeers = async () => {
    const counts = [];
    for (const connection of connections) {
      let packets = 0;
      for (const stat of (await statsOf(connection)).values()) {
        if (stat.type === "inbound-rtp" && stat.kind === "audio") packets += stat.packetsReceived;
      }
      counts.push(packets);
    }
    return counts;
  };
};

/** A module of the client as a script that sets a global. */
export async function bundled(path, name) {
  const entryPoints = [join(ROOT, path)];
  // The client's tsconfig makes scripts strict, and a strict script that is evaluated sets no global.
  const tsconfigRaw = "{}";
  const { outputFiles } = await build({ entryPoints, bundle: true, format: "iife", globalName: `globalThis.${name}`, tsconfigRaw, write: false });
  return outputFiles[0].text;
}

/** What each module of the client imports of its other modules. */
export async function importsOf(path) {
  const { metafile } = await build({ entryPoints: [join(ROOT, path)], absWorkingDir: ROOT, bundle: true, write: false, metafile: true });
  const ours = (module) => module.startsWith("web/");
  const modules = Object.entries(metafile.inputs).filter(([module]) => ours(module));
  return new Map(modules.map(([module, { imports }]) => [module, imports.map((imported) => imported.path).filter(ours)]));
}
