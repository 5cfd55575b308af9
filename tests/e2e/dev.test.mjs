// The command a newcomer runs: `cargo xtask dev`, from the first line it prints to the end of its processes.

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { call, joined, person, roomOf } from "./support/people.mjs";
import { Program, outputOf } from "./support/program.mjs";
import { ROOT, freePort } from "./support/server.mjs";

/** Runs `cargo xtask dev` until it says that it listens. */
async function dev(t, port, state) {
  const program = await Program.start(t, ["cargo", "xtask", "dev"], {
    until: "Ctrl-C ends it",
    cwd: ROOT,
    env: { ...process.env, PORT: String(port), ZETRA_STATE_DIR: state },
  });
  return Object.assign(program, { url: `http://127.0.0.1:${port}` });
}

for (const signal of ["SIGINT", "SIGTERM"]) {
  test(`dev serves, ends on ${signal} and loses nothing`, async (t) => {
    const state = mkdtempSync(join(tmpdir(), "zetra-dev-"));
    t.after(() => rmSync(state, { recursive: true, force: true }));
    const port = await freePort();
    const first = await dev(t, port, state);
    assert.match(first.output, new RegExp(`http://localhost:${port}`));
    const [ann, bob] = [await person(first), await person(first)];
    const room = await roomOf(first, ann, bob);
    const [one, two] = [await joined(first, room, ann), await joined(first, room, bob)];
    one.emit("offer", room, { sdp: "x" });
    assert.deepEqual(await two.next("offer"), [{ sdp: "x" }]);
    assert.equal(await first.end(signal), 0);
    for (const client of [one, two]) client.close();
    const second = await dev(t, port, state);
    const profile = await call(second, "GET", "/api/user/profile", { token: ann.token });
    assert.equal(profile.status, 200, "what was answered is there at the next start");
    assert.equal(await second.end(signal), 0);
  });
}

test("dev leaves no process when its terminal is closed", async (t) => {
  const state = mkdtempSync(join(tmpdir(), "zetra-dev-"));
  t.after(() => rmSync(state, { recursive: true, force: true }));
  const program = await dev(t, await freePort(), state);
  // Nobody reads any more what it prints.
  for (const stream of [program.child.stdout, program.child.stderr]) stream.destroy();
  assert.equal(await program.end("SIGHUP"), 0);
});

test("dev says what to do when its port is taken", async (t) => {
  const port = await freePort();
  const holder = createServer().listen(port, "127.0.0.1");
  await once(holder, "listening");
  await assert.rejects(dev(t, port, tmpdir()), /port \d+ cannot be used.*choose another: PORT=/s);
  holder.close();
});

test("an unknown command shows the help and fails", async () => {
  const { code, stderr } = await outputOf(["cargo", "xtask", "dance"], { cwd: ROOT });
  assert.equal(code, 1);
  assert.match(stderr, /unknown command or option: dance[\s\S]*cargo xtask <command>/);
});
