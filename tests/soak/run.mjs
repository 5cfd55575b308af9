// Runs parts of the soak at full size: `node run.mjs [part…]`. A scenario that fails does not keep the others from running.

import { PARTS } from "./parts.mjs";

/** A line of progress is written so often: on a terminal over the last one, in a log below it. */
const EVERY = process.stdout.isTTY ? 1_000 : 10_000;

const chosen = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(PARTS);
const failures = [];
for (const part of chosen) {
  console.log(`\n── ${part}`);
  for (const { name, scenario, full, judge = () => {} } of PARTS[part]) {
    console.log(`\n• ${name} ${JSON.stringify(full)}`);
    const begun = Date.now();
    try {
      judge(await scenario(full, scene(begun)));
      tell(`✓ in ${seconds(begun)} s`);
    } catch (error) {
      failures.push(name);
      tell(`✗ after ${seconds(begun)} s: ${error.stack}`);
    }
  }
}
if (failures.length > 0) console.error(`\n${failures.length} failed: ${failures.join("; ")}`);
// What a failed scenario left is not waited for.
process.exit(failures.length > 0 ? 1 : 0);

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
