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
import { ROOT, startServer } from "./server.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const PASSWORD = "Sup3rSecret";
const PROGRAMS = { chromium: "/usr/bin/chromium", firefox: "/usr/bin/firefox-esr" };

/** Starts Chromium, or Firefox; both have fake devices. */
export async function startBrowser(name = "chromium") {
  const executablePath = process.env[name.toUpperCase()] ?? PROGRAMS[name];
  if (!existsSync(executablePath)) throw new Error(`there is no ${executablePath}: install ${name}, or set ${name.toUpperCase()} to it`);
  return name === "firefox" ? startFirefox(executablePath) : startChromium(executablePath);
}

function startChromium(executablePath) {
  const quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic", "--no-first-run"];
  const devices = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--auto-select-desktop-capture-source=Entire screen"];
  // Without it addresses are hidden behind names that only multicast DNS resolves.
  const direct = ["--disable-features=WebRtcHideLocalIpsWithMdns", "--autoplay-policy=no-user-gesture-required"];
  return chromium.launch({ executablePath, args: ["--disable-gpu", ...quiet, ...devices, ...direct] });
}

/** By WebDriver BiDi, so an ordinary Firefox will do. Newer versions of Playwright ask for what the ESR does not have. */
function startFirefox(executablePath) {
  const devices = { "media.navigator.streams.fake": true, "media.navigator.permission.disabled": true };
  const direct = { "media.peerconnection.ice.obfuscate_host_addresses": false, "media.peerconnection.ice.loopback": true };
  return firefox.launch({ executablePath, channel: "moz-firefox", firefoxUserPrefs: { ...devices, ...direct, "media.autoplay.default": 0 } });
}

/**
 * A server and a browser from before the first test of the suite around this call until after its last one, and people who
 * arrive there: `{server, browser, arrives(options)}`.
 */
export function inBrowser(variables) {
  const suite = { arrives: (options) => Visitor.arrive(suite.browser, suite.server, options) };
  before(async () => {
    suite.server = await startServer(variables);
    suite.browser = await startBrowser();
  });
  after(async () => {
    await suite.browser.close();
    await suite.server.stop();
  });
  return suite;
}

/** Somebody with a browser profile of their own. What goes wrong on their pages is kept. */
export class Visitor {
  faults = [];
  name = `v_${randomBytes(5).toString("hex")}`;

  static async arrive(browser, server, { permissions = ["camera", "microphone", "clipboard-write"], ...options } = {}) {
    const visitor = new Visitor();
    // Firefox knows no permissions for tests: it is started so that it asks for none.
    const allowed = browser.browserType().name() === "firefox" ? {} : { permissions };
    visitor.context = await browser.newContext({ ...allowed, baseURL: server.url, ...options });
    await visitor.context.addInitScript(COUNT_CONNECTIONS);
    visitor.page = await visitor.newTab();
    return visitor;
  }

  async newTab() {
    const page = await this.context.newPage();
    page.setDefaultTimeout(15_000);
    const expected = /status of (400|401|403|404|409)|net::ERR_(CONNECTION|NETWORK|INTERNET|EMPTY)|WebSocket connection/;
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
    const deadline = Date.now() + 30_000;
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
  /** The heights of the pictures that leave this page, in pixels. */
  globalThis.heightsSent = async () => {
    const reports = await Promise.all([...connections].map((connection) => connection.getStats()));
    const sent = reports.flatMap((report) => [...report.values()].filter(({ type, kind }) => type === "outbound-rtp" && kind === "video"));
    return sent.map(({ frameHeight }) => frameHeight).filter(Boolean);
  };
  globalThis.restartIce = () => connections.forEach((connection) => connection.restartIce());
  globalThis.audioPacketsOfPeers = async () => {
    const counts = [];
    for (const connection of connections) {
      let packets = 0;
      for (const stat of (await connection.getStats()).values()) {
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

/**
 * Put into a page: `peersInPage(deliver)` makes a pair of peers with the fake devices, the first of them polite, and
 * `deliver(index, kind, value)` hears what each sends; `peer(index)` makes another one like that; `shows()` resolves to whether each gets moving pictures from the other, within 15 s.
 */
export const PEERS_IN_PAGE = () => {
  globalThis.peersInPage = async (deliver) => {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
    const tracks = { microphone: stream.getAudioTracks()[0], camera: stream.getVideoTracks()[0], screen: null, screenSound: null };
    const peer = (index) => {
      const send = (kind, value) => deliver(index, kind, structuredClone(value));
      return new globalThis.peers.Peer({ polite: index === 0, configuration: {}, tracks, send, changed() {} });
    };
    const pair = [peer(0), peer(1)];
    const shows = async () => {
      const videos = pair.map(() => Object.assign(document.createElement("video"), { muted: true }));
      const deadline = Date.now() + 15_000;
      const moving = () => videos.map((video) => video.getVideoPlaybackQuality().totalVideoFrames > 5);
      while (moving().includes(false) && Date.now() < deadline) {
        videos.forEach((video, index) => {
          if (video.srcObject === pair[index].stream) return;
          video.srcObject = pair[index].stream;
          video.play().catch(() => {});
        });
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      const outcome = moving();
      for (const one of pair) one.close();
      for (const track of stream.getTracks()) track.stop();
      return outcome;
    };
    return { peer, pair, shows };
  };
};

/** Runs in the page: two peers both open; whether each gets moving pictures. `delays`: ms until each is heard. */
export async function meetAtOnce(delays) {
  const { pair, shows } = await globalThis.peersInPage((index, kind, value) => setTimeout(() => pair[1 - index].receive(kind, value), delays[index]));
  for (const peer of pair) peer.open();
  return shows();
}

/**
 * Runs in the page: one side opens, then is back as somebody new and waits, while its first offer is still on the way to the
 * other, who opens as well. Whether each gets moving pictures in the end.
 */
export async function meetAcross(opener) {
  const late = [];
  let delivers = false;
  const { peer, pair, shows } = await globalThis.peersInPage((index, kind, value) => {
    if (delivers) pair[1 - index].receive(kind, value);
    else late.push([index, kind, value]);
  });
  const offered = async (count) => {
    while (late.filter(([, kind]) => kind === "offer").length < count) await new Promise((resolve) => setTimeout(resolve, 20));
  };
  pair[opener].open();
  await offered(1);
  pair[opener].close();
  pair[opener] = peer(opener);
  pair[1 - opener].open();
  await offered(2);
  delivers = true;
  for (const [index, kind, value] of late) pair[1 - index].receive(kind, value);
  return shows();
}

/**
 * Runs in the page: a peer meets another side that describes many lines, then stops them all, while its own tracks
 * change; then a browser that makes no more connections. Tells what came of it, and what nobody caught.
 */
export async function meetStrangers() {
  const [answers, warned, rejected] = [[], [], []];
  addEventListener("unhandledrejection", ({ reason }) => rejected.push(String(reason)));
  console.warn = (text) => warned.push(text.split(":")[0]);
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
  const tracks = { microphone: stream.getAudioTracks()[0], camera: stream.getVideoTracks()[0], screen: null, screenSound: null };
  const send = (kind, value) => kind === "answer" && answers.push(value);
  const meet = () => new globalThis.peers.Peer({ polite: true, configuration: {}, tracks, send, changed() {} });
  const turn = () => new Promise((resolve) => setTimeout(resolve, 20));
  const answered = async (count) => {
    for (const deadline = Date.now() + 10_000; answers.length < count && Date.now() < deadline; ) await turn();
  };

  const [peer, other] = [meet(), new RTCPeerConnection()];
  const offer = async () => {
    await other.setLocalDescription();
    peer.receive("offer", other.localDescription.toJSON());
  };
  for (const kind of ["video", "audio", "video", "video"]) other.addTransceiver(kind);
  peer.receive("ice-candidate", { candidate: "candidate:x", sdpMid: "0" });
  await offer();
  await answered(1);
  if (answers.length === 1) await other.setRemoteDescription(answers[0]);
  for (const line of other.getTransceivers()) line.stop();
  await offer();
  await answered(2);
  for (const camera of [null, tracks.camera, null]) peer.replace({ ...tracks, camera });
  await turn();
  peer.close();
  other.close();

  const before = globalThis.connectionsMade;
  for (let waiting = 0; waiting < 100; waiting += 1) meet().close();
  const made = globalThis.connectionsMade - before;
  globalThis.RTCPeerConnection = class {
    constructor() {
      throw new DOMException("Cannot create so many PeerConnections", "UnknownError");
    }
  };
  const [newcomer, waiting] = [meet(), meet()];
  newcomer.open();
  for (const type of ["offer", "answer"]) waiting.receive(type, { type, sdp: "v=0" });
  for (const peer of [newcomer, waiting]) {
    await peer.replace(tracks);
    peer.configure({ iceServers: [] });
  }
  await turn();
  for (const track of stream.getTracks()) track.stop();
  return { answered: answers.length, sentOn: (answers[0]?.sdp.match(/a=sendrecv/g) ?? []).length, made, warned, rejected };
}
