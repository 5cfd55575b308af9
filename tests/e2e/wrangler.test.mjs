// What somebody types who knows Workers and not this repository: `npx wrangler dev` after `npm ci`, and
// `wrangler d1 migrations`.

import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { after, before, describe, test } from "node:test";
import { call, person, roomOf } from "./support/people.mjs";
import { Program, outputOf } from "./support/program.mjs";
import { ROOT, freePort } from "./support/server.mjs";

/**
 * Nothing here has to ask the network. The checkout's `xtask` is compiled in a place of its own: in ours it would replace our own
 * for a moment, and tests of it, beside this one, would work on the checkout.
 */
const ENV = {
  ...process.env,
  CARGO_TARGET_DIR: join(ROOT, "target/wrangler-checkout"),
  CLOUDFLARE_CF_FETCH_ENABLED: "false",
  WRANGLER_SEND_METRICS: "false",
  CI: "1",
};

describe("wrangler alone, on a clean checkout", () => {
  let folder, checkout, older;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "zetra-wrangler-"));
    checkout = cleanCheckout(join(folder, "checkout"));
    older = olderVersion(join(folder, "older"));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  async function wranglerDev(t, state) {
    const port = await freePort();
    const command = ["npx", "wrangler", "dev", "--port", String(port), "--persist-to", join(folder, state)];
    const program = await Program.start(t, command, { until: "Ready on", cwd: checkout, env: ENV, detached: true });
    return Object.assign(program, { url: `http://127.0.0.1:${port}` });
  }

  async function d1(cwd, state, ...args) {
    const command = ["npx", "wrangler", "d1", ...args, "--local", "--persist-to", join(folder, state)];
    const { code, stdout, stderr } = await outputOf(command, { cwd, env: ENV });
    assert.equal(code, 0, stdout + stderr);
    return stdout;
  }

  /** What wrangler knows of applied migrations: how its table was made, and the names in it. */
  async function journal(state) {
    const question = "SELECT sql AS text FROM sqlite_master WHERE name = 'd1_migrations' UNION ALL SELECT name FROM d1_migrations";
    const [{ results }] = JSON.parse(await d1(checkout, state, "execute", "zetra", "--json", "--command", question));
    return results.map(({ text }) => text);
  }

  test("the first start makes a secret and tables, reads both, and serves", async (t) => {
    assert.equal(existsSync(join(checkout, ".dev.vars")), false);
    const first = await wranglerDev(t, "store-first");
    // The first requests come at once.
    const people = await Promise.all(Array.from({ length: 8 }, () => person(first)));
    const [ann, bob] = people;
    const login = await call(first, "POST", "/api/auth/login", { body: { email: ann.email, password: ann.password } });
    assert.equal(login.status, 200, login.text);
    const room = await roomOf(first, ann, bob);
    const { json } = await call(first, "GET", `/api/room/${room}`, { token: login.json.token });
    assert.deepEqual(json.room.participants, [ann.id, bob.id]);
    await first.end("SIGINT", { group: true });

    assert.match(await d1(checkout, "store-first", "migrations", "apply", "zetra"), /No migrations to apply/);
    const second = await wranglerDev(t, "store-first");
    assert.equal((await call(second, "GET", "/api/user/profile", { token: ann.token })).status, 200);
    await second.end("SIGINT", { group: true });
  });

  test("where wrangler began the store goes on, and both keep one journal", async (t) => {
    await d1(older, "wrangler-first", "migrations", "apply", "zetra");
    assert.equal((await journal("wrangler-first")).length, 2, "its own table, and one migration in it");
    const server = await wranglerDev(t, "wrangler-first");
    const [ann, bob] = [await person(server), await person(server)];
    await roomOf(server, ann, bob);
    assert.equal((await call(server, "GET", "/api/call-logs/stats", { token: ann.token })).status, 200);
    await server.end("SIGINT", { group: true });
    await d1(checkout, "wrangler-first", "migrations", "apply", "zetra");
    assert.deepEqual(await journal("wrangler-first"), await journal("store-first"), "the same to the letter");
  });
});

/**
 * The repository without what it ignores. What takes minutes to make is shared: npm's packages, the build
 * tools, and the Worker, noted as built after its sources were copied (xtask/src/build.rs, `Stamp`).
 */
function cleanCheckout(checkout) {
  const ignored = readFileSync(join(ROOT, ".gitignore"), "utf8").split("\n").filter(Boolean);
  const left = new Set([".git", ...ignored.map((path) => path.slice(1))]);
  cpSync(ROOT, checkout, { recursive: true, filter: (path) => !left.has(relative(ROOT, path)) });
  symlinkSync(realpathSync(join(ROOT, "node_modules")), join(checkout, "node_modules"));
  // Old, so that nothing is ever installed anew through this link.
  utimesSync(join(checkout, "package-lock.json"), 0, 0);
  mkdirSync(join(checkout, "target"));
  symlinkSync(join(ROOT, "target/tools"), join(checkout, "target/tools"));
  cpSync(join(ROOT, "build"), join(checkout, "build"), { recursive: true });
  const [, compiled, , effort] = readFileSync(join(ROOT, "target/zetra.built"), "utf8").split(" ");
  const output = statSync(join(checkout, "build/index_bg.wasm"), { bigint: true }).mtimeNs;
  const begun = BigInt(Date.now() + 1_000) * 1_000_000n;
  writeFileSync(join(checkout, "target/zetra.built"), [begun, compiled, output, effort].join(" "));
  return checkout;
}

/** A version that had the first migration only, as far as wrangler's migrations are concerned. */
function olderVersion(folder) {
  const migrations = "crates/store/migrations";
  const [first] = readdirSync(join(ROOT, migrations)).sort();
  for (const file of ["wrangler.toml", join(migrations, first)]) cpSync(join(ROOT, file), join(folder, file));
  symlinkSync(realpathSync(join(ROOT, "node_modules")), join(folder, "node_modules"));
  return folder;
}
