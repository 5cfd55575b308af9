// `cargo xtask deploy` at a terminal and without one, with a stand-in for wrangler, as there is no account here. Of what the
// stand-in imitates, deploy_wrangler holds against the real wrangler: the lists of secrets and databases, a Worker that is
// missing, the upload with secrets, and the report of it. Imitated only are `whoami`, `d1 create` and `d1 migrations apply`.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { NO_DATABASE, configuration as own } from "./support/configuration.mjs";
import { within } from "./support/patience.mjs";
import { outputOf } from "./support/program.mjs";
import { ROOT } from "./support/server.mjs";

const NEW_ID = "5e1f0000-0000-4000-8000-000000000001";
const WEBHOOK_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const WELL = { status: 200, body: { status: "ok" } };
/** A start may compile the command first. */
const PATIENCE = 300_000;

/** For tests that need a terminal, which this program of util-linux gives; that of macOS has other options. */
const AT_TERMINAL = { skip: spawnSync("script", ["--version"]).status !== 0 && "the `script` of util-linux is not there" };

/** The text of a file, which may be gone. */
function contents(file) {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

describe("deploy with a stand-in for wrangler", () => {
  let folder, server, health;
  before(async () => {
    server = createServer((request, response) => {
      const answer = request.url === "/health" ? health : { status: 404, body: {} };
      response.writeHead(answer.status, { "content-type": "application/json" }).end(JSON.stringify(answer.body));
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
  });
  after(() => server.close());
  beforeEach(() => {
    health = WELL;
    folder = mkdtempSync(join(tmpdir(), "zetra-deploy-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const configuration = () => readFileSync(join(folder, "wrangler.toml"), "utf8");
  const state = () => JSON.parse(readFileSync(join(folder, "state.json"), "utf8"));
  /** The commands, without the options that all of them have. */
  const calls = () => (state().calls ?? []).map((call) => call.filter((word) => !/^--(config|env)/.test(word) && word !== join(folder, "wrangler.toml")).join(" "));

  /** An account, and the product's configuration with other variables. */
  function given({ variables = {}, edit = (text) => text, ...account } = {}) {
    writeFileSync(join(folder, "wrangler.toml"), edit(own({ variables })));
    const target = `http://127.0.0.1:${server.address().port}`;
    const nothing = { signedIn: true, worker: "zetra", secrets: null, databases: [], newId: NEW_ID, target };
    writeFileSync(join(folder, "state.json"), JSON.stringify({ ...nothing, ...account }));
  }

  function command(...options) {
    const { CI, ...environment } = process.env;
    const env = { ...environment, ZETRA_WRANGLER: join(ROOT, "tests/e2e/support/stand_in_wrangler.mjs"), STAND_IN_STATE: join(folder, "state.json") };
    return [["cargo", "xtask", "deploy", "--config", join(folder, "wrangler.toml"), ...options], { cwd: ROOT, env }];
  }

  async function deploy(...options) {
    const [words, settings] = command(...options);
    const { code, stdout, stderr } = await outputOf(words, settings);
    return { code, output: stdout + stderr };
  }

  /** The same at a terminal (by util-linux's `script`), where somebody types one answer to each question. */
  async function deployAtTerminal(t, answers, ...options) {
    const [words, { cwd, env }] = command(...options);
    // `exec`: Ctrl-C ends a shell between, whose exit code would be seen instead of the command's.
    const arguments_ = ["--quiet", "--return", "--command", `exec ${words.join(" ")}`, "/dev/null"];
    const child = spawn("script", arguments_, { cwd, env: { ...env, SHELL: "/bin/sh" } });
    t.after(() => child.kill("SIGKILL"));
    let output = "";
    let asked = 0;
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk) => {
        output += chunk;
        const questions = output.split("(it is not shown): ").length - 1;
        while (asked < Math.min(questions, answers.length)) child.stdin.write(answers[asked++]);
      });
    }
    const [code] = await within(once(child, "close"), `the end of ${words.join(" ")} after:\n${output}`, PATIENCE);
    return { code, output, asked };
  }

  /** Secrets are nowhere but where they belong. */
  function hidden(output, ...secrets) {
    const argumentsGiven = JSON.stringify(state().calls);
    for (const secret of secrets) {
      assert.ok(!output.includes(secret), "not in the output");
      assert.ok(!argumentsGiven.includes(secret), "not in an argument");
    }
    // Those of another deployment come and go.
    const files = readdirSync(join(ROOT, "target")).filter((file) => /^(secrets|deploy)-/.test(file));
    for (const secret of secrets) assert.ok(!files.some((file) => contents(join(ROOT, "target", file)).includes(secret)), "and in no file");
  }

  test("the first one makes database and secret, and waits until the Worker is well", AT_TERMINAL, async (t) => {
    given();
    const { code, output } = await deployAtTerminal(t, ["\n"]);
    assert.equal(code, 0, output);
    const [upload] = calls().slice(-1);
    assert.deepEqual(calls().slice(0, -1), [
      "whoami --json",
      "secret list --format json",
      "d1 list --json",
      "d1 create zetra",
      "d1 list --json",
      "d1 migrations apply zetra --remote",
    ]);
    assert.match(upload, /^deploy --var NODE_ENV:production --secrets-file \S+$/);
    assert.match(state().secrets.JWT_SECRET, /^[0-9a-f]{64}$/);
    hidden(output, state().secrets.JWT_SECRET);
    assert.ok(state().migrated, "wrangler was not left to ask about the migrations");
    assert.equal(configuration(), own().replace(NO_DATABASE, NEW_ID), "the id, in its place, and nothing else");
    assert.match(output, new RegExp(`put the id of the database zetra, ${NEW_ID}, into`));
    assert.ok(output.includes(`Deployed to ${state().target}`) && output.includes(`${state().target}/app/`), output);
  });

  test("the next one asks nothing and applies migrations", async () => {
    given({ secrets: { JWT_SECRET: "" }, databases: [{ name: "zetra", uuid: NEW_ID }], edit: (text) => text.replace(NO_DATABASE, NEW_ID) });
    const { code, output } = await deploy();
    assert.equal(code, 0, output);
    assert.deepEqual(calls(), [
      "whoami --json",
      "secret list --format json",
      "d1 migrations apply zetra --remote",
      "deploy --var NODE_ENV:production",
    ]);
  });

  test("a database that is there already is used", async () => {
    given({ secrets: { JWT_SECRET: "" }, databases: [{ name: "zetra", uuid: NEW_ID }] });
    const { code, output } = await deploy();
    assert.equal(code, 0, output);
    assert.ok(!calls().includes("d1 create zetra"));
    assert.ok(configuration().includes(NEW_ID));
  });

  const onMongodb = { MONGO_URI: "https://data.example.com/data/v1", MONGO_DATABASE: "zetra", MONGO_DATA_SOURCE: "c" };
  const withoutDatabases = (text) => text.replaceAll(/\[\[(env\.staging\.)?d1_databases\]\]\n(.+\n)+/g, "");

  test("with MongoDB no D1 command is run, and the key is asked for", AT_TERMINAL, async (t) => {
    given({ variables: onMongodb, edit: withoutDatabases });
    const secrets = ["0123456789abcdef0123456789abcdef", "Bearer $ecret key"];
    const { code, output } = await deployAtTerminal(t, secrets.map((secret) => `${secret}\n`));
    assert.equal(code, 0, output);
    assert.deepEqual(calls().map((call) => call.split(" ")[0]), ["whoami", "secret", "deploy"]);
    assert.deepEqual(state().secrets, { JWT_SECRET: secrets[0], MONGO_API_KEY: secrets[1] });
    hidden(output, ...secrets);
  });

  test("with MongoDB a database that was never created must not be bound", async () => {
    given({ variables: onMongodb });
    const { code, output } = await deploy();
    assert.equal(code, 1);
    assert.match(output, /Remove its d1_databases section/);
    assert.deepEqual(calls(), ["whoami --json"]);
  });

  test("secrets of TURN and webhooks are asked for, again where they cannot be right", AT_TERMINAL, async (t) => {
    const turn = { TURN_SERVER_URL: "turn:turn.example.com", TURN_SERVER_USERNAME: "zetra", TURN_KEY_ID: "key" };
    given({ variables: { ...turn, WEBHOOK_URL: "https://hooks.example.com" }, secrets: { JWT_SECRET: "" } });
    const answers = ["the-credential", "the-token", "no-webhook-secret", WEBHOOK_SECRET];
    const { code, output } = await deployAtTerminal(t, answers.map((answer) => `${answer}\n`));
    assert.equal(code, 0, output);
    assert.match(output, /It must be whsec_/);
    const { JWT_SECRET, ...given_ } = state().secrets;
    assert.deepEqual(given_, { TURN_SERVER_CREDENTIAL: answers[0], TURN_KEY_API_TOKEN: answers[1], WEBHOOK_SECRET });
    hidden(output, ...answers);
  });

  test("without a terminal it names what is missing and how to set it, and does nothing", async () => {
    given({ variables: { WEBHOOK_URL: "https://hooks.example.com", TURN_SERVER_URL: "turn:turn.example.com" } });
    const { code, output } = await deploy();
    assert.equal(code, 1);
    for (const name of ["JWT_SECRET", "TURN_SHARED_SECRET", "WEBHOOK_SECRET"]) {
      assert.ok(output.includes(`npx wrangler secret put ${name} --config ${join(folder, "wrangler.toml")} --env=""`), output);
    }
    assert.deepEqual(calls(), ["whoami --json", "secret list --format json"]);
  });

  test("staging is named in every command, and has its own database", AT_TERMINAL, async (t) => {
    given({ worker: "zetra-staging" });
    const { code, output } = await deployAtTerminal(t, ["\n"], "--env", "staging");
    assert.equal(code, 0, output);
    for (const call of state().calls) assert.ok(call.includes("--env=staging"), call.join(" "));
    assert.ok(calls().includes("d1 create zetra-staging") && calls().includes("d1 migrations apply zetra-staging --remote"));
    const [top, staging] = configuration().split("[[env.staging.d1_databases]]");
    assert.ok(top.includes(NO_DATABASE) && staging.includes(NEW_ID));
  });

  test("a Worker that is not well is a failure that tells health's own reason", async () => {
    given({ secrets: { JWT_SECRET: "" }, databases: [{ name: "zetra", uuid: NEW_ID }] });
    health = { status: 503, body: { status: "error", message: "JWT_SECRET is too short: it needs at least 32 bytes" } };
    const { code, output } = await deploy("--wait", "1");
    assert.equal(code, 1);
    assert.match(output, /is deployed, but .*\/health was not healthy within 1 s: it answered 503: JWT_SECRET is too short/);
  });

  test("the log of a Worker that is not well is that of its environment", async () => {
    given({ worker: "zetra-staging", secrets: { JWT_SECRET: "" }, databases: [{ name: "zetra-staging", uuid: NEW_ID }] });
    health = { status: 200, body: "a page of somebody else" };
    const { code, output } = await deploy("--wait", "1", "--env", "staging");
    assert.equal(code, 1);
    assert.match(output, /it answered 200: "a page of somebody else"/);
    assert.ok(output.includes(`npx wrangler tail --config ${join(folder, "wrangler.toml")} --env=staging`), output);
  });

  test("a Worker that becomes well in time is waited for", async () => {
    given({ secrets: { JWT_SECRET: "" }, databases: [{ name: "zetra", uuid: NEW_ID }] });
    let requests = 0;
    health = { get status() { return ++requests > 2 ? 200 : 503; }, body: { status: "ok", message: "Database unavailable" } };
    const { code, output } = await deploy();
    assert.equal(code, 0, output);
    assert.equal(requests, 3);
  });

  test("a webhook's secret without an address for it is left alone", async () => {
    given({ secrets: { JWT_SECRET: "", WEBHOOK_SECRET: "" }, databases: [{ name: "zetra", uuid: NEW_ID }] });
    const { code, output } = await deploy();
    assert.equal(code, 0, output);
    assert.deepEqual(Object.keys(state().secrets), ["JWT_SECRET", "WEBHOOK_SECRET"]);
  });

  test("secrets that a killed deployment has left are deleted, and those of one that is under way are not", async (t) => {
    const file = (process) => join(ROOT, `target/secrets-${process}.json`);
    // This process is none, but it is there.
    const [left, used] = [file(spawnSync("true").pid), file(process.pid)];
    t.after(() => rmSync(used));
    for (const path of [left, used]) writeFileSync(path, "{}");
    given({ signedIn: false });
    await deploy();
    assert.deepEqual([existsSync(left), existsSync(used)], [false, true]);
  });

  for (const stopAt of ["secret list", "d1 migrations"]) test(`SIGTERM during \`${stopAt}\` is the end of it: nothing is uploaded`, async () => {
    given({ stopAt, secrets: { JWT_SECRET: "" }, databases: [{ name: "zetra", uuid: NEW_ID }] });
    const { code, output } = await deploy();
    assert.equal(code, 1);
    assert.match(output, /\nstopped\n$/);
    assert.ok(calls().at(-1).startsWith(stopAt), calls().join());
  });

  test("who is not signed in is told how", async () => {
    given({ signedIn: false });
    const { code, output } = await deploy();
    assert.equal(code, 1);
    assert.match(output, /nobody is signed in.*npx wrangler login.*CLOUDFLARE_API_TOKEN/s);
  });

  test("another failure of the question who is signed in is told as wrangler tells it", async () => {
    given({ trouble: "fetch failed" });
    const { code, output } = await deploy();
    assert.equal(code, 1);
    assert.match(output, /wrangler cannot say whether you are signed in:\nfetch failed/);
    assert.doesNotMatch(output, /nobody is signed in/);
  });

  test("Ctrl-C at a question ends it, and nothing was done", AT_TERMINAL, async (t) => {
    given();
    const { code, output, asked } = await deployAtTerminal(t, ["\x03"]);
    assert.deepEqual([code, asked], [1, 1], output);
    assert.match(output, /stopped/);
    assert.deepEqual(calls(), ["whoami --json", "secret list --format json"]);
  });

  test("an environment that there is not is refused with those that there are", async () => {
    given();
    const { code, output } = await deploy("--env", "stagign");
    assert.equal(code, 1);
    assert.match(output, /has no environment stagign. It has staging/);
  });
});
