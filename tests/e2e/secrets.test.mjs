// The search for secrets in the logs of all test servers: that it would find them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { linesWithSecrets } from "./support/secrets.mjs";

test("a secret, a password, a token and a hash are found in a log, and nothing else is", () => {
  const variables = { JWT_SECRET: "a-secret-for-tests", MONGO_API_KEY: "too short", PORT: "4000", TURN_SERVER_CREDENTIAL: "a-turn-credential" };
  const leaks = [
    '{"message":"a-secret-for-tests"}',
    "login of ann with Sup3rSecret",
    "auth eyJhbGciOiJIUzI1NiJ9.eyJpZCI6IjEyMyJ9.c2lnbmF0dXJlLW9m",
    "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA",
    "$2b$10$abcdefghijklmnopqrstuv",
    "uses a-turn-credential",
  ];
  const clean = ['{"connection":"5e1f","message":"left"}', "4000 requests", "the secret is too short", "eyJ is how a token begins"];
  assert.deepEqual(linesWithSecrets([...leaks, ...clean], variables), leaks);
});
