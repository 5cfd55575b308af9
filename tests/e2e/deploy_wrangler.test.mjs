// The real wrangler in `cargo xtask deploy`: its dry run; and what it makes of the commands that deploy runs, with a
// server of ours instead of Cloudflare's API, whose answers are those that wrangler's source expects.

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { unstable_readConfig as readConfig } from "wrangler";
import { configuration } from "./support/configuration.mjs";
import { outputOf } from "./support/program.mjs";
import { ROOT } from "./support/server.mjs";

const env = { ...process.env, CI: "1", WRANGLER_SEND_METRICS: "false" };

/** Somebody's domain, where docs/deploy.md says that it goes. */
const withDomain = (text) => text.replace("\n\n", '\nroutes = [{ pattern = "calls.example.com", custom_domain = true }]\n\n');

function folderWith(text) {
  const folder = mkdtempSync(join(tmpdir(), "zetra-configuration-"));
  writeFileSync(join(folder, "wrangler.toml"), text);
  return folder;
}

describe("the dry run", () => {
  for (const [options, name] of [[["--dry-run"], "zetra"], [["--env", "staging", "--dry-run"], "zetra-staging"]]) {
    test(`of ${name} needs no account and shows every binding`, async (t) => {
      const folder = folderWith(withDomain(configuration()));
      t.after(() => rmSync(folder, { recursive: true, force: true }));
      const words = ["cargo", "xtask", "deploy", "--config", join(folder, "wrangler.toml"), ...options];
      const { code, stdout, stderr } = await outputOf(words, { cwd: ROOT, env });
      const output = stdout + stderr;
      assert.equal(code, 0, output);
      for (const object of ["ROOM", "SESSION", "RATE_LIMIT", "REVOCATION_OUTBOX"]) assert.match(output, new RegExp(`env\\.${object} \\(`));
      assert.match(output, new RegExp(`env\\.DB \\(${name}\\)`));
      assert.match(output, /env\.NODE_ENV \("\(hidden\)"\)/, "what --var sets is hidden");
      assert.match(output, /Secrets it needs: JWT_SECRET\n/);
      assert.match(output, /--dry-run: exiting now/);
      assert.doesNotMatch(output, /WARNING/);
    });
  }

  test("staging does not inherit a domain of production", (t) => {
    const folder = folderWith(withDomain(configuration()));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const routes = (environment) => readConfig({ config: join(folder, "wrangler.toml"), env: environment }, { hideWarnings: true }).routes;
    assert.deepEqual(routes("").map(({ pattern }) => pattern), ["calls.example.com"]);
    assert.deepEqual(routes("staging"), []);
  });
});

describe("wrangler before an API of ours", () => {
  const script = "/accounts/a/workers/scripts/zetra";
  const published = { enabled: true, previews_enabled: true };
  const ANSWERS = {
    [`GET ${script}/secrets`]: [{ name: "JWT_SECRET", type: "secret_text" }],
    "GET /accounts/a/d1/database": [{ uuid: "5e1f0000-0000-4000-8000-000000000001", name: "zetra" }],
    [`POST ${script}/assets-upload-session`]: { jwt: "j", buckets: [] },
    [`PUT ${script}`]: { id: "zetra", tag: "t", deployment_id: "0123456789abcdef0123456789abcdef", startup_time_ms: 1 },
    [`PATCH ${script}/script-settings`]: {},
    [`GET ${script}/deployments`]: { deployments: [] },
    [`POST ${script}/subdomain`]: published,
    "GET /accounts/a/workers/workers/zetra": { id: "t", name: "zetra", subdomain: published },
    "GET /accounts/a/workers/subdomain": { subdomain: "example" },
  };
  let api, home, uploaded;
  before(async () => {
    home = folderWith(configuration());
    api = createServer(async (request, response) => {
      const body = [];
      for await (const chunk of request) body.push(chunk);
      const asked = `${request.method} ${new URL(request.url, "http://api").pathname}`;
      if (asked === `PUT ${script}`) {
        const form = await new Response(Buffer.concat(body), { headers: request.headers }).formData();
        uploaded = JSON.parse(form.get("metadata"));
      }
      const result = ANSWERS[asked];
      const errors = result ? [] : [{ code: 10007, message: "This Worker does not exist on your account." }];
      response.writeHead(result ? 200 : 404, { "content-type": "application/json" });
      response.end(JSON.stringify({ success: Boolean(result), errors, messages: [], result: result ?? null }));
    }).listen(0, "127.0.0.1");
    await once(api, "listening");
  });
  after(() => {
    api.close();
    rmSync(home, { recursive: true, force: true });
  });

  function wrangler(...words) {
    // cargo, which wrangler runs to build, has its folders below the real home.
    const { HOME } = process.env;
    const rust = { CARGO_HOME: env.CARGO_HOME ?? join(HOME, ".cargo"), RUSTUP_HOME: env.RUSTUP_HOME ?? join(HOME, ".rustup") };
    // Whoever runs this, nothing reaches their account.
    const account = { HOME: home, XDG_CONFIG_HOME: home, CLOUDFLARE_API_TOKEN: "t", CLOUDFLARE_ACCOUNT_ID: "a" };
    const url = { CLOUDFLARE_API_BASE_URL: `http://127.0.0.1:${api.address().port}`, WRANGLER_OUTPUT_FILE_PATH: join(home, "report") };
    const command = [join(ROOT, "node_modules/.bin/node"), join(ROOT, "node_modules/wrangler/bin/wrangler.js")];
    return outputOf([...command, ...words, "--config", join(home, "wrangler.toml")], { cwd: ROOT, env: { ...env, ...rust, ...account, ...url } });
  }

  test("lists secrets and databases as JSON, and says that a Worker does not exist", async () => {
    const secrets = await wrangler("secret", "list", "--format", "json", "--env=");
    assert.deepEqual(JSON.parse(secrets.stdout), ANSWERS[`GET ${script}/secrets`]);
    const missing = await wrangler("secret", "list", "--format", "json", "--env=staging");
    assert.equal(missing.code, 1);
    assert.match(missing.stdout + missing.stderr, /Worker "zetra-staging" \(env: staging\) not found/);
    const databases = await wrangler("d1", "list", "--json", "--env=staging");
    assert.deepEqual(JSON.parse(databases.stdout), ANSWERS["GET /accounts/a/d1/database"]);
  });

  test("uploads the secrets with the version, production, and what the dashboard has, and reports the address", async () => {
    const secrets = join(home, "secrets.json");
    writeFileSync(secrets, JSON.stringify({ JWT_SECRET: "hush $HOME" }));
    const { code, stdout, stderr } = await wrangler("deploy", "--env=", "--var", "NODE_ENV:production", "--secrets-file", secrets);
    assert.equal(code, 0, stdout + stderr);
    const binding = (name) => uploaded.bindings.filter((binding) => binding.name === name);
    assert.deepEqual(binding("JWT_SECRET"), [{ name: "JWT_SECRET", type: "secret_text", text: "hush $HOME" }]);
    assert.deepEqual(binding("NODE_ENV"), [{ name: "NODE_ENV", type: "plain_text", text: "production" }]);
    for (const kept of ["plain_text", "secret_text"]) assert.ok(uploaded.keep_bindings.includes(kept));
    assert.ok(!(stdout + stderr).includes("hush"), "the secret is not shown");
    const report = readFileSync(join(home, "report"), "utf8").trim().split("\n").map((line) => JSON.parse(line));
    const { version_id: version, targets } = report.find(({ type }) => type === "deploy");
    assert.deepEqual(targets, ["https://zetra.example.workers.dev"]);
    assert.match(version, /^01234567-/);
  });
});
