// Runs test files in the order in which they are given (`node --test` sorts them), shows the results as they come, and writes them
// as TAP: `node tests/e2e/run.mjs <how many files at once> <TAP file> <file>…`

import { createWriteStream } from "node:fs";
import { basename } from "node:path";
import { run } from "node:test";
import { spec as Spec, tap } from "node:test/reporters";
import { prepareWorkerOptions } from "./support/worker_options.mjs";

/** Milliseconds after which a test or hook fails that is still waiting: more than any waits for by itself, such as a program's start. */
const TIME_LIMIT = 420_000;
const [atOnce, tapFile, ...files] = process.argv.slice(2);
const stopping = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.once(signal, () => {
    stopping.abort();
    // By itself it would wait for the pipes of what the files had started.
    setTimeout(() => process.exit(1), 2_000);
  });
}
await prepareWorkerOptions();
// What has failed by the limit may still hold its browser or server: the file's process ends all the same.
const execArgv = [`--test-timeout=${TIME_LIMIT}`, "--test-force-exit"];
const results = run({ files, concurrency: Number(atOnce), signal: stopping.signal, execArgv });
results.on("test:fail", () => (process.exitCode = 1));
const took = [];
results.on("test:summary", ({ file, duration_ms }) => file && took.push([Math.round(duration_ms / 1_000), basename(file, ".test.mjs")]));
results.on("end", () => {
  const longest = took.sort(([one], [other]) => other - one).map(([seconds, name]) => `${name} ${seconds} s`);
  console.log(`\nThe longest files: ${longest.slice(0, 12).join(", ")}`);
});
results.compose(new Spec()).pipe(process.stdout);
results.compose(tap).pipe(createWriteStream(tapFile));
