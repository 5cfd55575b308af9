// What a call takes of everything that Cloudflare counts for its bill, on real workerd with the real client, beside
// what `tests/counts.json` says and `cargo xtask cost` computes with.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { polled } from "./support/patience.mjs";
import { WAYS, call, joined, person } from "./support/people.mjs";
import { ROOT, startCounted } from "./support/server.mjs";
import { storedRows } from "./support/storage.mjs";

const COUNTS = JSON.parse(readFileSync(join(ROOT, "tests/counts.json"), "utf8"));
/** By how much of itself a stated number may be missed where milliseconds decide: upwards, and downwards. */
const MORE = 0.15;
const LESS = 0.3;
/** The database grows by pages of 4 KiB: so many bytes may be missed where little is added, in the table and its indexes. */
const PAGES = 3 * 4_096;
/** What has not been counted after this long of silence does not belong to what is measured. */
const QUIET_MS = 1_000;

/** What is counted from now on. */
function counter(server) {
  const before = server.counts();
  return () => {
    const pairs = Object.entries(server.counts()).map(([name, count]) => [name, count - (before[name] ?? 0)]);
    return Object.fromEntries(pairs.filter(([, count]) => count > 0));
  };
}

/** Waits until nothing more is counted. */
async function quiet(counted) {
  let [last, since] = ["", Date.now()];
  await polled(() => {
    const now = JSON.stringify(counted());
    if (now !== last) [last, since] = [now, Date.now()];
    return Date.now() - since >= QUIET_MS;
  }, "the counts to stand still");
}

/**
 * Waits for what is stated, and until nothing more is counted; then that must be all. `together` many people may have come in one burst of events, or said
 * two things in one poll, and then it is less.
 */
async function counts(t, counted, stated, { together = 0, besides = [] } = {}) {
  const names = Object.keys(stated);
  const isStated = (name) => {
    const more = (counted()[name] ?? 0) - stated[name];
    // How often a client polls while it upgrades is its own affair.
    const least = name.endsWith("Requests") ? 2 * together : 2;
    return together ? more <= Math.max(least, stated[name] * MORE) && -more <= Math.max(together, stated[name] * LESS) : more === 0;
  };
  const told = () => `stated ${JSON.stringify(stated)}, counted ${JSON.stringify(counted())}`;
  await polled(() => names.every(isStated), "the counts", 15_000).catch(() => assert.fail(told()));
  await quiet(counted);
  assert.ok(names.every(isStated), `and nothing more: ${told()}`);
  const others = Object.keys(counted()).filter((name) => !names.includes(name) && !besides.includes(name));
  assert.deepEqual(others, [], `all that is counted is stated: ${told()}`);
  t.diagnostic(JSON.stringify(counted()));
}

test("what a limit refuses costs no row", async (t) => {
  const server = await startCounted({ AUTH_LIMIT_ATTEMPTS: "2" });
  t.after(() => server.stop());
  const ann = await person(server);
  const login = () => call(server, "POST", "/api/auth/login", { body: { email: ann.email, password: ann.password } });
  assert.deepEqual([(await login()).status, (await login()).status], [200, 429]);
  await quiet(server.counts);
  const refused = counter(server);
  assert.equal((await login()).status, 429);
  await counts(t, refused, { workerRequests: 1, objectRequests: 1 });
});

test("a registration and a sign-in, each until its limits have forgotten it", async (t) => {
  const server = await startCounted({ AUTH_LIMIT_WINDOW_SECONDS: "5" });
  t.after(() => server.stop());
  // The first one makes the tables, too.
  await person(server);
  await polled(() => server.counts().objectAlarms, "the first one's limits to be forgotten");
  await quiet(server.counts);
  const registered = counter(server);
  const ann = await person(server);
  await counts(t, registered, COUNTS.registration);
  const counted = counter(server);
  const { status } = await call(server, "POST", "/api/auth/login", { body: { email: ann.email, password: ann.password } });
  assert.equal(status, 200);
  await counts(t, counted, COUNTS.signIn);
});

describe("a call", () => {
  let server;
  before(async () => {
    const limits = { AUTH_LIMIT_ATTEMPTS: "10000", ROOMS_PER_HOUR: "1000", CALL_LOGS_PER_HOUR: "10000" };
    // Longer than a burst lasts, and than it takes to make a call of eight.
    server = await startCounted({ PING_INTERVAL_MS: "8000", ...limits });
  });
  after(() => server.stop());

  const get = (someone, path) => call(server, "GET", path, { token: someone.token });
  const post = (someone, path) => call(server, "POST", path, { token: someone.token });
  const people = (count) => Promise.all(Array.from({ length: count }, () => person(server)));

  /** As the client in web/ does it: each opens the room's page, and everybody there asks for the new name. */
  async function meet(group) {
    const room = (await post(group[0], "/api/room/create")).json.roomId;
    const clients = [];
    for (const [index, someone] of group.entries()) {
      await post(someone, `/api/room/join/${room}`);
      await get(someone, "/api/ice-servers");
      clients.push(await joined(server, room, someone, { way: WAYS.roomPolling }));
      await polled(() => clients[index].socket.io.engine.transport.name === "websocket", "the upgrade");
      for (const present of group.slice(0, index + 1)) await get(present, `/api/room/${room}`);
    }
    return { room, clients };
  }

  for (const [size, stated] of Object.entries(COUNTS.call)) test(`of ${size}, from the page to the last goodbye`, async (t) => {
    const group = await people(Number(size));
    const counted = counter(server);
    const { clients } = await meet(group);
    for (const client of clients) client.close();
    await polled(() => Object.values(storedRows(server, "Room")).every((rows) => rows === 0), "the room to be forgotten");
    await counts(t, counted, stated, { together: Number(size) });
  });

  test("of two that goes on: an event after a calm, and a heartbeat", async (t) => {
    const { room, clients } = await meet(await people(2));
    // A heartbeat ends with a pong of each. Then the object sleeps, as it does by itself after ten seconds.
    const heartbeats = async (count, counted = counter(server), more = 0) => {
      for (let beat = 1; beat <= count; beat += 1) {
        await polled(() => counted().objectMessages >= 2 * beat + more, `${beat} heartbeats`, 60_000);
        await server.hibernate("Room", room);
      }
    };
    await heartbeats(2);
    const burst = counter(server);
    clients[0].emit("offer", room, { sdp: "x" });
    // The first one proves that it has arrived, and the second one empties the row.
    await heartbeats(2, burst, 1);
    const sum = (name) => (COUNTS.burst[name] ?? 0) + 2 * (COUNTS.heartbeat[name] ?? 0);
    const written = ["objectMessages", "objectAlarms", "objectRowsWritten"];
    await counts(t, burst, Object.fromEntries(written.map((name) => [name, sum(name)])), { besides: ["objectRowsRead"] });
    const heartbeat = counter(server);
    await heartbeats(1, heartbeat);
    await counts(t, heartbeat, COUNTS.heartbeat);
    for (const client of clients) client.close();
  });

  /** By how much each of a hundred makes the database larger, on average; the first thirty fill the pages that are there. */
  async function bytesOf(t, name, make) {
    let before;
    for (let made = -30; made < 100; made += 1) {
      if (made === 0) {
        // The lines of the log come later than the answers.
        await quiet(server.databaseSize);
        before = server.databaseSize();
      }
      await make();
    }
    await quiet(server.databaseSize);
    const bytes = (server.databaseSize() - before) / 100;
    t.diagnostic(`${name}: ${bytes}`);
    return bytes;
  }

  test("takes so many bytes of the database, and more for each further person; and so does an account", async (t) => {
    const [ann, ...others] = await people(4);
    const log = async (...group) => {
      const { json } = await post(ann, "/api/room/create");
      let logged;
      for (const someone of group) {
        await post(someone, `/api/room/join/${json.roomId}`);
        const body = { callerId: ann.id, receiverId: someone.id, roomId: json.roomId };
        logged = await call(server, "POST", "/api/call-logs", { token: ann.token, body });
        assert.ok([200, 201].includes(logged.status), logged.text);
      }
      const ended = await call(server, "PUT", `/api/call-logs/${json.roomId}/end`, { token: ann.token });
      assert.equal(ended.status, 200);
      assert.equal(ended.json.callLog.participants.length, group.length + 1, "one log of all");
    };
    // First, as calls leave pages that are free again.
    const account = await bytesOf(t, "an account", () => person(server));
    const ofTwo = await bytesOf(t, "a call of two", () => log(others[0]));
    const ofFour = await bytesOf(t, "a call of four", () => log(...others));
    const counted = { d1BytesPerCall: ofTwo, d1BytesPerFurtherPerson: (ofFour - ofTwo) / 2, d1BytesPerAccount: account };
    for (const [name, bytes] of Object.entries(counted)) {
      const stated = COUNTS.stored[name];
      assert.ok(Math.abs(bytes - stated) <= Math.max(stated * MORE, PAGES / 100), `stated ${stated} ${name}, counted ${bytes}`);
    }
  });
});
