// The short form of `cargo xtask soak`: the same scenarios, small, and no duration is judged.

import { describe, test } from "node:test";
import { PARTS } from "../soak/parts.mjs";

for (const [part, scenarios] of Object.entries(PARTS)) describe(`soak, ${part}`, () => {
  for (const { name, scenario, short } of scenarios) test(name, { timeout: 180_000 }, async (t) => {
    await scenario(short, { tell: (line) => t.diagnostic(line), progress: () => {} });
  });
});
