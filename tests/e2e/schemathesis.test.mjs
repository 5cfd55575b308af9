// Requests that nobody has thought of: schemathesis makes them from the document that the server serves, valid and
// invalid ones and whole sequences, and holds every answer to the document. All of its checks are on; what it is told
// to overlook is in schemathesis_hooks.py. It is deterministic, so a run that fails fails again.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { call, forgeToken, person } from "./support/people.mjs";
import { outputOf } from "./support/program.mjs";
import { ROOT, UNLIMITED, startServer, startUnreachable } from "./support/server.mjs";

const EXAMPLES = 10;
/** What is refused before the database is asked is the same with each: on MongoDB only what reaches it is made. */
const ON_D1 = process.env.TEST_STORE !== "mongodb";
const PHASES = ON_D1 ? "examples,coverage,fuzzing,stateful" : "examples,fuzzing,stateful";
/** How long one run may take, in milliseconds. */
const PATIENCE = 300_000;

// Each of the two has a server of its own. The runs on one server share its data, so they take turns.
describe("schemathesis finds no answer that the document does not describe", { concurrency: 2 }, () => {
  describe("where the database answers", { concurrency: 1 }, () => {
    let server;
    before(async () => {
      server = await startServer(UNLIMITED);
    });
    after(() => server.stop());

    test("to somebody who is signed in", async () => {
      // Not with the password of the document's examples, by which it would sign itself out.
      const body = { username: "signed_in", email: "signed.in@example.com", password: "An0therSecret" };
      const { status, json } = await call(server, "POST", "/api/auth/register", { body });
      assert.equal(status, 201);
      await run(server, { token: json.token });
      assert.equal((await call(server, "GET", "/api/user/profile", { token: json.token })).status, 200, "it was signed in to the end");
    });

    if (ON_D1) test("to nobody in particular", () => run(server, { phases: "examples,fuzzing,stateful" }));

    test("to somebody who changes the password", async () => {
      const ann = await person(server);
      await run(server, { token: ann.token, phases: "examples", only: "changePassword" });
      const login = await call(server, "POST", "/api/auth/login", { body: { email: ann.email, password: "Ev3nBetter" } });
      assert.equal(login.status, 200, "the example's password");
    });

    test("to somebody who deletes the account", async () => {
      const ann = await person(server);
      await run(server, { token: ann.token, phases: "examples", only: "deleteAccount" });
      assert.equal((await call(server, "GET", "/api/user/profile", { token: ann.token })).status, 401);
    });
  });

  test("where the database cannot be reached", async () => {
    const server = await startUnreachable(UNLIMITED);
    try {
      const now = Math.floor(Date.now() / 1_000);
      const token = forgeToken({ userId: "6553f1000102030405060708", username: "ann", iss: "zetra-api", iat: now, exp: now + 3_600 });
      await run(server, { token, phases: ON_D1 ? "examples,fuzzing,stateful" : "examples", env: { DATABASE_IS_AWAY: "1" } });
    } finally {
      await server.stop();
    }
  });
});

/** One run; every check of every answer has to pass, and no answer may be a 500. */
async function run(server, { token, phases = PHASES, only, env = {} }) {
  const program = process.env.ZETRA_TEST_SCHEMATHESIS;
  if (!program) throw new Error("ZETRA_TEST_SCHEMATHESIS is not set; `cargo xtask test` sets it");
  // Hypothesis writes into the folder in which it runs.
  const cwd = join(ROOT, "target/tmp");
  mkdirSync(cwd, { recursive: true });
  const options = ["--generation-deterministic", `--max-examples=${EXAMPLES}`, "--continue-on-failure", "--no-color", `--phases=${phases}`];
  if (token) options.push("--header", `Authorization: Bearer ${token}`);
  if (only) options.push("--include-operation-id", only);
  const config = ["--config-file", join(ROOT, "tests/e2e/schemathesis.toml")];
  const { code, stdout, stderr } = await outputOf([resolve(program), ...config, "run", ...options, `${server.url}/openapi.json`], {
    cwd,
    env: { PATH: process.env.PATH, PYTHONUTF8: "1", SCHEMATHESIS_HOOKS_FILE: join(ROOT, "tests/e2e/schemathesis_hooks.py"), ...env },
    timeout: PATIENCE,
  });
  assert.equal(code, 0, stdout + stderr);
  const failed = server.logged.filter((line) => line.includes('"status":500'));
  assert.deepEqual(failed, [], "no answer is a 500");
}
