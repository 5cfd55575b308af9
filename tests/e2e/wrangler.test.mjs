// What somebody types who knows Workers and not this repository: `npx wrangler dev` after `npm ci`, and
// `wrangler d1 migrations`.

import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { after, before, describe, test } from "node:test";
import { call, person, roomOf } from "./support/people.mjs";
import { Program, outputOf } from "./support/program.mjs";
import { ROOT, freePort } from "./support/server.mjs";

/** Nothing here has to ask the network. */
const ENV = { ...process.env, CLOUDFLARE_CF_FETCH_ENABLED: "false", WRANGLER_SEND_METRICS: "false", CI: "1" };

describe("wrangler alone, on a clean checkout", () => {
  let folder, checkout;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "zetra-wrangler-"));
    checkout = join(folder, "checkout");
    cleanCheckout(checkout);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  async function wranglerDev(t, state) {
    const port = await freePort();
    const command = ["npx", "wrangler", "dev", "--port", String(port), "--persist-to", join(folder, state)];
    const program = await Program.start(t, command, { until: "Ready on", cwd: checkout, env: ENV, detached: true });
    return Object.assign(program, { url: `http://127.0.0.1:${port}` });
  }

  async function d1(state, ...args) {
    const command = ["npx", "wrangler", "d1", ...args, "--local", "--persist-to", join(folder, state)];
    const { code, stdout, stderr } = await outputOf(command, { cwd: checkout, env: ENV });
    assert.equal(code, 0, stdout + stderr);
    return stdout;
  }

  /** What wrangler knows of applied migrations: how its table was made, and the names in it. */
  async function journal(state) {
    const question = "SELECT sql AS text FROM sqlite_master WHERE name = 'd1_migrations' UNION ALL SELECT name FROM d1_migrations";
    const [{ results }] = JSON.parse(await d1(state, "execute", "zetra", "--json", "--command", question));
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

    assert.match(await d1("store-first", "migrations", "apply", "zetra"), /No migrations to apply/);
    const second = await wranglerDev(t, "store-first");
    assert.equal((await call(second, "GET", "/api/user/profile", { token: ann.token })).status, 200);
    await second.end("SIGINT", { group: true });
  });

  test("a database that wrangler brought up is served as it is, and both keep one journal", async (t) => {
    await d1("wrangler-first", "migrations", "apply", "zetra");
    const applied = await journal("wrangler-first");
    assert.ok(applied.length > 1, JSON.stringify(applied));
    const server = await wranglerDev(t, "wrangler-first");
    await roomOf(server, await person(server), await person(server));
    await server.end("SIGINT", { group: true });
    assert.deepEqual(await journal("wrangler-first"), applied);
    assert.deepEqual(await journal("store-first"), applied, "the store's own is the same, to the letter");
  });
});

/**
 * The repository without what it ignores. What takes minutes to make is shared: npm's packages, the build
 * tools, and the Worker, which is newer here than its sources.
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
}
