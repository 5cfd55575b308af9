// What a client hears while the database fails.

import assert from "node:assert/strict";

/** A clean refusal: an error body and nothing else, and when to come back. */
export function unavailable({ status, json, headers }, what) {
  assert.deepEqual([status, json.code, json.error], [503, "store_unavailable", "Database unavailable"], what);
  assert.deepEqual(Object.keys(json).sort(), ["code", "error", "requestId"], what);
  assert.ok(Number(headers.get("retry-after")) > 0, what);
}
