// The parts of the soak: each one a list of scenarios, with their size in `cargo xtask soak` and their short form in
// `cargo xtask test`. A scenario asserts what must never fail; what a busy machine can make slow only `judge` does,
// which the short form leaves out.

import assert from "node:assert/strict";
import { held, joinsAtOnce, largeRoom } from "./load.mjs";
import { authLimit, floodBeside, restAtOnce } from "./rush.mjs";

export const PARTS = {
  load: [
    {
      name: "rooms of four in which everybody talks",
      scenario: held,
      full: { rooms: 500, seconds: 300 },
      short: { rooms: 25, seconds: 3 },
      judge: ({ p99 }) => assert.ok(p99 < 1_000, `the p99 of a relay is ${p99} ms`),
    },
    { name: "one room with 64 people", scenario: largeRoom, full: { people: 64, seconds: 60 }, short: { people: 20, seconds: 2 } },
    { name: "joins all at once", scenario: joinsAtOnce, full: { pairs: 250 }, short: { pairs: 25 } },
    { name: "users of the REST API all at once", scenario: restAtOnce, full: { users: 200 }, short: { users: 20 } },
    {
      name: "a flood beside a quiet call",
      scenario: floodBeside,
      full: { rooms: 25, seconds: 20 },
      short: { rooms: 2, seconds: 2 },
      judge: ({ beside }) => assert.ok(beside < 10_000, `the call beside took ${beside} ms for an event`),
    },
    {
      name: "guesses of a password all at once",
      scenario: authLimit,
      full: { guesses: 200, total: 100, failures: 20 },
      short: { guesses: 12, total: 6, failures: 4 },
    },
  ],
};
