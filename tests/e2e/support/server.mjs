// The Worker on the real runtime: workerd by way of Miniflare, configured by wrangler.toml, with real
// Durable Objects and real D1; or, where TEST_STORE says `mongodb`, a database of its own in a real MongoDB,
// through the Data API server. Loopback only, on free ports.

import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { DataApi } from "./data_api.mjs";
import { Listener } from "./patience.mjs";
import { descendantsOf, memoryOf } from "./processes.mjs";
import { linesWithSecrets } from "./secrets.mjs";
import { workerOptionsOf } from "./worker_options.mjs";
import { Log, LogLevel, Miniflare, convertV4MiniflareOptions } from "miniflare";

export const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
/** What each Worker's objects are wrapped in. */
export const OBJECTS = ["durable_object.mjs", "inbox.mjs"].map((name) => join(ROOT, "crates/socketio-object/js", name));
export const JWT_SECRET = "a-secret-for-tests-of-more-than-32-bytes";

/** For what is wrong behind the limits: they are as high as they may be. */
export const UNLIMITED = {
  AUTH_LIMIT_ATTEMPTS: "100000",
  AUTH_LIMIT_ADDRESS_FAILURES: "10000",
  AUTH_LIMIT_ACCOUNT_FAILURES: "1000",
  AUTH_LIMIT_ACCOUNT_TOTAL: "100000",
  ROOMS_PER_HOUR: "1000000",
  CALL_LOGS_PER_HOUR: "1000000",
};

/** For what is wrong behind the limit of events: nobody reaches it. */
export const UNLIMITED_EVENTS = { SOCKET_EVENTS_PER_SECOND: "100000", SOCKET_EVENTS_BURST: "1000000" };

/** Starts the product; `variables` override those of wrangler.toml. */
export async function startServer(variables = {}) {
  return process.env.TEST_STORE === "mongodb" ? startServerOnMongodb(variables) : startOnD1(variables);
}

/** The product on MongoDB; `server.dataApi` is the server between. */
export async function startServerOnMongodb(variables = {}, options = {}) {
  const dataApi = await DataApi.start(options);
  const server = await start(ROOT, { JWT_SECRET, ...dataApi.variables, ...variables });
  server.dataApi = dataApi;
  return server;
}

/** The product on D1 for many clients at once: without Miniflare's own Worker in front, and on one port through restarts. */
export async function startDirect(variables = {}, options = {}) {
  const server = await start(ROOT, { JWT_SECRET, ...variables }, { directPort: await freePort(), ...options });
  server.url = server.directUrl;
  return server;
}

/**
 * Starts the fixture of the official protocol suites. They count milliseconds, so they are served by the
 * Worker itself, on this port, without Miniflare's own Worker in front of it, and where there is a disk in
 * memory the alarms are kept there: workerd stands still while a disk takes its time to write one.
 */
export async function startConformance(variables = {}, port = 0) {
  const disk = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
  const server = await start(join(ROOT, "tests/conformance"), variables, { directPort: port, disk });
  server.url = server.directUrl;
  return server;
}

/** The chat of `examples/`; `server.constructed()` tells how often one of its objects has been brought into memory. */
export async function startChat() {
  const server = await start(join(ROOT, "examples/chat"), {}, { entry: inFront("constructed.mjs") });
  server.constructed = () => server.logged.filter((line) => line.startsWith('{"constructed"')).length;
  return server;
}

/**
 * The product on D1, with a counter wherever Cloudflare has one: `server.counts()` gives the sums since the start,
 * `server.databaseSize()` the bytes that D1 has at last told.
 */
export async function startCounted(variables = {}) {
  const server = await start(ROOT, { JWT_SECRET, ...variables }, { entry: inFront("counted.mjs") });
  server.counts = () => {
    const sums = {};
    const lines = server.logged.filter((line) => line.startsWith('{"counted"')).map((line) => JSON.parse(line));
    for (const { counted, by } of lines) sums[counted] = (sums[counted] ?? 0) + by;
    return sums;
  };
  server.databaseSize = () => JSON.parse(server.logged.findLast((line) => line.startsWith('{"d1Bytes"'))).d1Bytes;
  return server;
}

/** The product on D1, whatever the other tests run on. */
export function startOnD1(variables = {}) {
  return start(ROOT, { JWT_SECRET, ...variables });
}

/** The product on a D1 of which `server.faults(plan)` makes batches fail; it gives `{met, seen}` since the last plan. */
export async function startFaulty(variables = {}) {
  const server = await start(ROOT, { JWT_SECRET, ...variables }, { entry: inFront("faulty.mjs") });
  server.faults = async (plan) => (await fetch(`${server.url}/(faults)`, { method: "POST", body: JSON.stringify(plan) })).json();
  return server;
}

/** The product, with a database that cannot be reached. */
export async function startUnreachable(variables = {}) {
  if (process.env.TEST_STORE !== "mongodb") {
    const server = await startFaulty(variables);
    await server.faults({ words: "", skip: 0, times: Number.MAX_SAFE_INTEGER, text: "D1_ERROR: Network connection lost." });
    return server;
  }
  const nobody = { MONGO_URI: `http://127.0.0.1:${await freePort()}/data/v1`, MONGO_API_KEY: "key" };
  return start(ROOT, { JWT_SECRET, ...nobody, MONGO_DATA_SOURCE: "Cluster0", MONGO_DATABASE: "zetra", ...variables });
}

/** The product, of which `server.wasmMemory()` gives the bytes of memory of all its instances. */
export async function startWatched(variables = {}) {
  const entry = ["watched.mjs", "instances.mjs"].map(inFront);
  const server = await start(ROOT, { JWT_SECRET, ...variables }, { entry });
  server.wasmMemory = async () => Number(await (await fetch(`${server.url}/(wasm memory)`)).text());
  return server;
}

/**
 * The product, whose objects throw instead of doing what they are asked, so many times from `server.throws("Room.receiveBatch")`
 * on, or `"RateLimit.fetch"`.
 */
export async function startThrowing(variables = {}) {
  const server = await start(ROOT, { JWT_SECRET, ...variables }, { entry: inFront("throwing.mjs") });
  server.throws = (where, times = 1) => fetch(`${server.url}/(throw)`, { method: "POST", body: JSON.stringify({ where, times }) });
  return server;
}

/** The product, whose next room that wakes up cannot read its storage after `server.unreadableOnce()`. */
export async function startUnreadable(variables = {}) {
  const server = await start(ROOT, { JWT_SECRET, ...variables }, { entry: inFront("unreadable.mjs") });
  server.unreadableOnce = () => fetch(`${server.url}/(unreadable)`);
  return server;
}

/** The product, whose WASM panics after `server.panics("Room.alarm")` in that method of that class. */
export async function startPanicking(variables = {}) {
  const server = await start(ROOT, { JWT_SECRET, ...variables }, { entry: inFront("panicking.mjs") });
  server.panics = (planned, times = 1) => fetch(`${server.url}/(panic)`, { method: "POST", body: JSON.stringify({ planned, times }) });
  return server;
}

/**
 * The product, of which `server.frames()` gives how many `came`, and how many of them `waited` for others
 * (crates/socketio-object/js/inbox.mjs). After `server.hold()` they wait until something other than time lets them go.
 */
export async function startGathering(variables = {}) {
  const server = await start(ROOT, { JWT_SECRET, ...variables }, { entry: inFront("gathering.mjs") });
  const ask = async (path) => (await fetch(server.url + path)).json();
  server.frames = () => ask("/(frames)");
  server.hold = () => ask("/(hold)");
  return server;
}

/** A module beside this one that is the Worker, and has the real one behind it, in the folder that it is given. */
function inFront(name) {
  const contents = readFileSync(join(import.meta.dirname, name), "utf8");
  return (folder) => ({ type: "ESModule", path: join(folder, name), contents });
}

async function start(worker, variables, { directPort = 0, disk = tmpdir(), entry, v8Flags } = {}) {
  const folder = mkdtempSync(join(disk, "zetra-"));
  const server = new Server({ worker, port: await freePort(), directPort, folder, variables, entry, v8Flags });
  await server.start();
  return server;
}

class Server {
  /** Hears the lines that the Worker logs; they may come later than the answer that they are about. */
  log = new Listener();

  constructor({ worker, port, directPort, folder, variables, entry, v8Flags }) {
    Object.assign(this, { worker, port, directPort, folder, variables, entry, v8Flags });
    this.url = `http://127.0.0.1:${port}`;
  }

  get logged() {
    return this.log.heard;
  }

  async start() {
    const { workerOptions, main } = await workerOptionsOf(relative(ROOT, this.worker) || ".");
    const options = {
      ...workerOptions,
      bindings: { ...workerOptions.bindings, ...this.variables },
      rootPath: this.worker,
      modulesRoot: ROOT,
      modules: [
        // The first one is the Worker.
        ...[this.entry ?? []].flat().map((module) => module(dirname(main))),
        ...[main, ...OBJECTS, join(this.worker, "build/index.js")].map((path) => ({ type: "ESModule", path })),
        { type: "CompiledWasm", path: join(this.worker, "build/index_bg.wasm") },
      ],
      host: "127.0.0.1",
      port: this.port,
      unsafeDirectSockets: [{ host: "127.0.0.1", port: this.directPort }],
      log: new Log(LogLevel.ERROR),
      handleStructuredLogs: ({ message }) => this.log.note(message),
      resourcePersistencePath: this.folder,
      d1Persist: join(this.folder, "d1"),
      durableObjectsPersist: join(this.folder, "do"),
    };
    // Miniflare has no option for it.
    if (this.v8Flags) process.env.MINIFLARE_WORKERD_V8_FLAGS = this.v8Flags;
    this.miniflare = new Miniflare(convertV4MiniflareOptions(options));
    await this.miniflare.ready;
    if (this.v8Flags) delete process.env.MINIFLARE_WORKERD_V8_FLAGS;
    // The Worker without Miniflare's own entry in front, which costs more than the Worker.
    this.directUrl = (await this.miniflare.unsafeGetDirectURL()).origin;
  }

  /** The ids of this server's workerd, which a file may have beside those of other servers; none while it is down. */
  workerds() {
    const address = new RegExp(`=127\\.0\\.0\\.1:${this.port}(?!\\d)`);
    const isOurs = ({ parent, command }) => parent === process.pid && command.includes("workerd") && address.test(command);
    return descendantsOf(process.pid).filter(isOurs).map(({ pid }) => pid);
  }

  /** Bytes of memory that the runtime has. */
  memory() {
    return memoryOf(this.workerds()[0]);
  }

  /** Ends this server's workerd as a crash would. What it answered before must be there after `start`. */
  async kill() {
    for (const pid of this.workerds()) process.kill(pid, "SIGKILL");
    await this.miniflare.dispose();
  }

  /** Lets go of an object's memory and keeps its sockets, as the runtime does by itself after ten seconds without an event. */
  async hibernate(className, name) {
    // The Worker has no name here.
    await this.miniflare.unsafeEvictDurableObject("", className, { name, webSockets: "hibernate" });
  }

  async stop() {
    await this.miniflare.dispose();
    rmSync(this.folder, { recursive: true, force: true });
    await this.dataApi?.end();
    const leaks = linesWithSecrets(this.logged.map(String), this.variables);
    if (leaks.length > 0) throw new Error(`secrets in the log:\n${leaks.join("\n")}`);
  }

  [Symbol.asyncDispose]() {
    return this.stop();
  }
}

export function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.on("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}
