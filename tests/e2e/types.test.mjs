// The TypeScript types: made from today's documents, and good for the clients that take them.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import Ajv from "ajv";
import addFormats from "ajv-formats";
import openapiTS, { astToString } from "openapi-typescript";
import { ROOT } from "./support/server.mjs";

const read = (path) => readFileSync(join(ROOT, path), "utf8");

/** Compiles the project of that folder; what is wrong is the failure's text. */
async function compiles(folder) {
  const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
  const run = promisify(execFile)(process.execPath, [tsc, "--project", join(ROOT, folder), "--pretty", "false"], { cwd: ROOT });
  await run.catch(({ stdout, message }) => assert.fail(stdout || message));
}

describe("types", { concurrency: true }, () => {
  test("socket.io-client and openapi-fetch take them as they are", () => compiles("tests/types"));

  test("our own client's call keeps to them", () => compiles("tests/types/client"));

  test("those of REST are made from today's document", async () => {
    const { default: document } = await import(join(ROOT, "web/static/openapi.json"), { with: { type: "json" } });
    const made = astToString(await openapiTS(document));
    const found = read("packages/client-types/rest.d.ts");
    assert.ok(found.endsWith(made), "packages/client-types/rest.d.ts is stale: run `cargo xtask api`");
  });

  test("asyncapi.json obeys the schema of AsyncAPI 3.0", () => {
    const schema = JSON.parse(read("node_modules/@asyncapi/specs/schemas/3.0.0-without-$id.json"));
    const ajv = new Ajv({ strict: false, allErrors: true });
    addFormats(ajv);
    const validate = ajv.compile(schema);
    assert.ok(validate(JSON.parse(read("web/static/asyncapi.json"))), JSON.stringify(validate.errors?.slice(0, 5), null, 1));
  });
});
