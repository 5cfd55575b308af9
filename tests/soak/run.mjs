// Runs parts of the soak, as `cargo xtask soak --help` says. A scenario that fails does not keep the others from running.

import { parseArgs } from "node:util";
import { PARTS } from "./parts.mjs";

/** A line of progress is written so often: on a terminal over the last one, in a log below it. */
const EVERY = process.stdout.isTTY ? 1_000 : 10_000;

const { values: { only = "", seed, short: isShort }, positionals: parts } = parseArgs({
  options: { only: { type: "string" }, seed: { type: "string" }, short: { type: "boolean" } },
  allowPositionals: true,
});
const failures = [];
let ran = 0;
for (const part of parts) {
  console.log(`\n── ${part}`);
  for (const { name, scenario, full, short, judge = () => {} } of PARTS[part].filter(({ name }) => name.includes(only))) {
    const size = isShort ? short : full;
    console.log(`\n• ${name} ${JSON.stringify(size)}`);
    ran += 1;
    const begun = Date.now();
    try {
      const figures = await scenario(seed ? { ...size, seed: Number(seed) } : size, scene(begun));
      if (!isShort) judge(figures);
      tell(`✓ in ${seconds(begun)} s`);
    } catch (error) {
      failures.push(name);
      tell(`✗ after ${seconds(begun)} s: ${error.stack}`);
    }
  }
}
if (failures.length > 0) console.error(`\n${failures.length} failed: ${failures.join("; ")}`);
if (ran === 0) console.error(`no scenario's name contains “${only}”`);
// What a failed scenario left is not waited for.
process.exit(failures.length > 0 || ran === 0 ? 1 : 0);

function scene(begun) {
  let last = begun;
  const progress = (doing) => {
    if (Date.now() - last < EVERY) return;
    last = Date.now();
    const line = `  ${seconds(begun)} s  ${doing}`;
    process.stdout.write(process.stdout.isTTY ? `\r\x1b[2K${line.slice(0, 100)}` : `${line}\n`);
  };
  return { tell, progress };
}

function tell(line) {
  if (process.stdout.isTTY) process.stdout.write("\r\x1b[2K");
  console.log(`  ${line}`);
}

function seconds(begun) {
  return Math.round((Date.now() - begun) / 1000);
}
