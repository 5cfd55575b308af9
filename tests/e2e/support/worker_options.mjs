// What wrangler makes of a wrangler.toml, for Miniflare. Loading wrangler takes a second of CPU: `run.mjs` does it once for all
// files, a file that is run alone by itself.

import { join } from "node:path";

const ROOT = join(import.meta.dirname, "../../..");
const VARIABLE = "ZETRA_TEST_WORKER_OPTIONS";

/** `{workerOptions, main}` of the Worker in that folder. */
export async function workerOptionsOf(folder) {
  const known = JSON.parse(process.env[VARIABLE] ?? "{}");
  return known[folder] ?? (await read([folder]))[folder];
}

/** Reads the configuration of every Worker that tests start, for this process and those that it starts. */
export async function prepareWorkerOptions() {
  process.env[VARIABLE] = JSON.stringify(await read([".", "tests/conformance", "examples/chat"]));
}

async function read(folders) {
  const { unstable_getMiniflareWorkerOptions: optionsOf } = await import("wrangler");
  // Instead of .dev.vars: what somebody tries out there is none of the tests' business.
  const of = (folder) => optionsOf(join(ROOT, folder, "wrangler.toml"), undefined, { envFiles: ["/dev/null"] });
  return Object.fromEntries(folders.map((folder) => [folder, of(folder)]));
}
