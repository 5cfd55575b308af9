// The parts of the soak: each one a list of scenarios, with their size in `cargo xtask soak` and their short form in
// `cargo xtask test`. A scenario asserts what must never fail; what a busy machine can make slow only `judge` does,
// which the short form leaves out.

import assert from "node:assert/strict";
import { isMissing } from "../e2e/support/own_database.mjs";
import { crashes } from "./crashes.mjs";
import { roomsLeft, sleeps } from "./leaks.mjs";
import { held, joinsAtOnce, largeRoom } from "./load.mjs";
import { databaseAway, deploy, halfOpen } from "./outages.mjs";
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
    { name: "one large room", scenario: largeRoom, full: { people: 64, seconds: 60 }, short: { people: 20, seconds: 2 } },
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
  faults: [
    {
      name: "workerd killed under load",
      scenario: crashes,
      full: { rooms: 12, writers: 4, crashes: 20, untilCallsAreTold: true },
      short: { rooms: 3, writers: 2, crashes: 2 },
    },
    {
      name: "half-open connections",
      scenario: halfOpen,
      full: { rooms: 200 },
      short: { rooms: 4, variables: { PING_INTERVAL_MS: "1000", PING_TIMEOUT_MS: "5000", RECONNECT_GRACE_SECONDS: "1" } },
    },
    {
      name: "a deploy under calls",
      scenario: deploy,
      full: { calls: 200 },
      short: { calls: 6 },
      judge: ({ all }) => assert.ok(all < 30_000, `all were back after ${all} ms`),
    },
  ],
  database: [
    {
      name: "the database away under calls",
      scenario: databaseAway,
      skip: isMissing,
      full: { rooms: 10, writers: 6, outages: 5 },
      short: { rooms: 2, writers: 2, outages: 1 },
    },
  ],
  leaks: [
    { name: "rooms used and left", scenario: roomsLeft, full: { rooms: 200, rounds: 5 }, short: { rooms: 8, rounds: 2 }, judge: isBack },
    { name: "a room asleep and awake", scenario: sleeps, full: { times: 50 }, short: { times: 2 }, judge: isBack },
  ],
};

/**
 * The runtime's memory at last is within a fifth of what it was when a fifth was done: by then what it runs is compiled
 * (docs/reliability.md tells what else it keeps).
 */
function isBack({ memory }) {
  const [early, last] = [memory[Math.floor(memory.length / 5)], memory.at(-1)];
  assert.ok(last <= early * 1.2, `from ${early} bytes to ${last}`);
}
