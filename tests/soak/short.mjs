// The short form of a part for `cargo xtask test`: the same scenarios, small, and no duration is judged.

import { describe, test } from "node:test";
import { PARTS } from "./parts.mjs";

export function short(part) {
  describe(`soak, ${part}`, () => {
    for (const { name, scenario, short: size, skip = false } of PARTS[part]) test(name, { timeout: 240_000, skip }, async (t) => {
      await scenario(size, { tell: (line) => t.diagnostic(line), progress: () => {} });
    });
  });
}
