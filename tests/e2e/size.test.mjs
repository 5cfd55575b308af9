// How large the Worker is that is uploaded: it is to grow on purpose only.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { OBJECTS, ROOT } from "./support/server.mjs";

/** Bytes, compressed, as it was when somebody last looked. */
const KNOWN = 770_000;

test("the Worker has not grown unnoticed", (t) => {
  const files = ["build/index_bg.wasm", "build/index.js", "src/entry.mjs"].map((file) => join(ROOT, file)).concat(OBJECTS);
  const bytes = files.map((file) => readFileSync(file)).reduce((sum, file) => sum + gzipSync(file, { level: 9 }).length, 0);
  t.diagnostic(`${bytes} bytes, compressed`);
  assert.ok(bytes <= KNOWN * 1.03, `it has grown from ${KNOWN} to ${bytes} bytes: find out why, or say so here`);
  assert.ok(bytes >= KNOWN * 0.97, `it has shrunk from ${KNOWN} to ${bytes} bytes: say so here`);
});
