// The command a newcomer runs: `cargo xtask dev`, from the first line it prints to the end of its processes.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { call, joined, person, roomOf } from "./support/people.mjs";
import { ROOT, freePort } from "./support/server.mjs";

/** Runs `cargo xtask dev` until it says that it listens. */
async function dev(port, state) {
  const child = spawn("cargo", ["xtask", "dev"], {
    cwd: ROOT,
    env: { ...process.env, PORT: String(port), ZETRA_STATE_DIR: state },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  await new Promise((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk) => {
        output += chunk;
        if (output.includes("Ctrl-C ends it")) resolve();
      });
    }
    child.on("exit", (code) => reject(new Error(`it ended with ${code}:\n${output}`)));
  });
  return { child, output: () => output, url: `http://127.0.0.1:${port}` };
}

async function end({ child }, signal) {
  const descendants = descendantsOf(child.pid);
  assert.ok(descendants.length > 0, "it had started something");
  child.removeAllListeners("exit");
  child.kill(signal);
  const [code] = await once(child, "exit");
  const left = descendants.filter((pid) => existsSync(`/proc/${pid}`) && !isZombie(pid));
  assert.deepEqual([code, left], [0, []], "it ends cleanly and leaves no process");
}

for (const signal of ["SIGINT", "SIGTERM"]) {
  test(`dev serves, ends on ${signal} and loses nothing`, async () => {
    const state = mkdtempSync(join(tmpdir(), "zetra-dev-"));
    const port = await freePort();
    const first = await dev(port, state);
    assert.match(first.output(), new RegExp(`http://localhost:${port}`));
    const [ann, bob] = [await person(first), await person(first)];
    const room = await roomOf(first, ann, bob);
    const [one, two] = [await joined(first, room, ann), await joined(first, room, bob)];
    one.emit("offer", room, { sdp: "x" });
    assert.deepEqual(await two.next("offer"), [{ sdp: "x" }]);
    await end(first, signal);
    const second = await dev(port, state);
    const profile = await call(second, "GET", "/api/user/profile", { token: ann.token });
    assert.equal(profile.status, 200, "what was answered is there at the next start");
    await end(second, signal);
    for (const client of [one, two]) client.close();
    rmSync(state, { recursive: true, force: true });
  });
}

test("dev says what to do when its port is taken", async () => {
  const port = await freePort();
  const holder = createServer().listen(port, "127.0.0.1");
  await once(holder, "listening");
  await assert.rejects(dev(port, tmpdir()), /port \d+ cannot be used.*choose another: PORT=/s);
  holder.close();
});

test("an unknown command shows the help and fails", async () => {
  const child = spawn("cargo", ["xtask", "dance"], { cwd: ROOT, stdio: ["ignore", "ignore", "pipe"] });
  let errors = "";
  child.stderr.on("data", (chunk) => (errors += chunk));
  const [code] = await once(child, "exit");
  assert.equal(code, 1);
  assert.match(errors, /unknown command or option: dance[\s\S]*cargo xtask <command>/);
});

function descendantsOf(pid) {
  const parents = readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number);
  const childrenOf = (parent) => parents.filter((other) => parentOf(other) === parent);
  return childrenOf(pid).flatMap((child) => [child, ...descendantsOf(child)]);
}

function parentOf(pid) {
  return Number(statusOf(pid, "PPid"));
}

function isZombie(pid) {
  return statusOf(pid, "State").startsWith("Z");
}

function statusOf(pid, field) {
  try {
    return new RegExp(`${field}:\\s+(.*)`).exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1];
  } catch {
    return ""; // it ended between being listed and being read
  }
}
