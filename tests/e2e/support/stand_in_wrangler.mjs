// Stands in for wrangler where an account would be needed: it notes how it is called and answers in the formats of
// wrangler 4.156 (its help, its documentation, its source). Nothing proves that Cloudflare behaves like this.
// `STAND_IN_STATE` names a JSON file: {signedIn, trouble, worker, secrets, databases, newId,
// target, stopAt} before, with `calls` and `migrated` afterwards. At the command `stopAt` it sends SIGTERM to who called it.

import assert from "node:assert/strict";
import { appendFileSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";

const state = JSON.parse(readFileSync(process.env.STAND_IN_STATE, "utf8"));
const options = Object.fromEntries(
  ["config", "env", "format", "var", "secrets-file"].map((name) => [name, { type: "string" }]),
);
const { values, positionals } = parseArgs({
  options: { ...options, json: { type: "boolean" }, remote: { type: "boolean" } },
  allowPositionals: true,
});

const COMMANDS = {
  whoami() {
    if (state.trouble) {
      console.error(state.trouble);
      return 1;
    }
    console.log(JSON.stringify({ loggedIn: state.signedIn }));
    return state.signedIn ? 0 : 1;
  },
  "secret list"() {
    if (state.secrets) {
      console.log(JSON.stringify(Object.keys(state.secrets).map((name) => ({ name, type: "secret_text" })), null, "  "));
      return 0;
    }
    const environment = values.env ? ` (env: ${values.env})` : "";
    console.error(`✘ [ERROR] Worker "${state.worker}"${environment} not found.\n\nIf this is a new Worker, run \`wrangler deploy\` first to create it.`);
    return 1;
  },
  "d1 list"() {
    console.log(JSON.stringify(state.databases, null, 2));
    return 0;
  },
  "d1 create"([name]) {
    state.databases.push({ uuid: state.newId, name, version: "production" });
    console.log(`✅ Successfully created DB '${name}'\nCreated your new D1 database.\n`);
    return 0;
  },
  "d1 migrations"([verb, name]) {
    assert.equal(verb, "apply");
    assert.ok(state.databases.some((database) => database.name === name), `no database ${name}`);
    // Otherwise it asks, at a terminal, and ends well without them where the answer is no.
    state.migrated = Boolean(process.env.CI);
    return 0;
  },
  deploy() {
    const file = values["secrets-file"];
    if (file) {
      assert.equal(statSync(file).mode & 0o777, 0o600, "only its owner may read it");
      Object.assign((state.secrets ??= {}), JSON.parse(readFileSync(file, "utf8")));
    }
    const entry = { type: "deploy", version: 1, worker_name: state.worker, version_id: "5a7c", targets: [state.target] };
    const lines = [{ type: "wrangler-session", version: 1 }, entry].map((line) => JSON.stringify(line) + "\n");
    appendFileSync(process.env.WRANGLER_OUTPUT_FILE_PATH, lines.join(""));
    console.log(`Uploaded ${state.worker}\nDeployed ${state.worker} triggers\n  ${state.target}`);
    return 0;
  },
};

const name = Object.keys(COMMANDS).find((known) => positionals.join(" ").startsWith(known));
assert.ok(name, `wrangler would not know ${process.argv.slice(2).join(" ")}`);
state.calls = [...(state.calls ?? []), process.argv.slice(2)];
process.exitCode = COMMANDS[name](positionals.slice(name.split(" ").length));
writeFileSync(process.env.STAND_IN_STATE, JSON.stringify(state));
if (name === state.stopAt) process.kill(process.ppid, "SIGTERM");
