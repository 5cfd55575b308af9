// The product's configuration as it is in the repository, whatever somebody who deploys from here has made of theirs: the
// id of a database, no database, a domain, a relay, webhooks.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./server.mjs";

export const NO_DATABASE = "00000000-0000-0000-0000-000000000000";
/** What names something outside. */
const OWN = ["MONGO_URI", "MONGO_DATA_SOURCE", "MONGO_DATABASE", "TURN_SERVER_URL", "TURN_SERVER_USERNAME", "TURN_KEY_ID", "TURN_API_URL", "WEBHOOK_URL"];

/** The text of a wrangler.toml that may lie anywhere, with these variables in every environment. */
export function configuration({ variables = {}, text = readFileSync(join(ROOT, "wrangler.toml"), "utf8") } = {}) {
  let own = text
    .replaceAll(/^\[\[(env\.staging\.)?(d1_databases|routes)\]\]\n(.+\n)+\n?/gm, "")
    .replace(/^name = .*$/m, 'name = "zetra"')
    .replaceAll(/^(routes?|workers_dev|account_id) = (\[\n(?:.*\n)*?\]|.*)\n/gm, (line, name, value) => (value === "[]" ? line : ""))
    .replaceAll(/^(main|directory) = "(?!\/)(.*)"$/gm, (_, name, path) => `${name} = "${join(ROOT, path)}"`);
  for (const [environment, name] of [["", "zetra"], ["env.staging.", "zetra-staging"]]) {
    const objects = `[[${environment}durable_objects.bindings]]`;
    const database = ['binding = "DB"', `database_name = "${name}"`, `database_id = "${NO_DATABASE}"`];
    const migrations = `migrations_dir = "${join(ROOT, "crates/store/migrations")}"`;
    assert.ok(own.includes(`\n${objects}\n`), `wrangler.toml has no ${objects}`);
    own = own.replace(objects, [`[[${environment}d1_databases]]`, ...database, migrations, "", objects].join("\n"));
  }
  const names = [...OWN, ...Object.keys(variables)];
  own = own.replaceAll(new RegExp(`^(${names.join("|")}) = .*\\n`, "gm"), "");
  for (const name of Object.keys(variables)) assert.ok(text.includes(name), `wrangler.toml does not know ${name}`);
  const lines = Object.entries(variables).map(([name, value]) => `${name} = "${value}"\n`);
  const headings = /^\[(env\.staging\.)?vars\]\n/gm;
  assert.equal(own.match(headings)?.length, 2, "wrangler.toml has variables, and others for staging");
  own = own.replaceAll(headings, (heading) => heading + lines.join(""));
  return own;
}
