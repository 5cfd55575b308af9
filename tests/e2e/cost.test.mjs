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

/** What is counted from now on. */
function counter(server) {
  const before = server.counts();
  return () => {
    const pairs = Object.entries(server.counts()).map(([name, count]) => [name, count - (before[name] ?? 0)]);
    return Object.fromEntries(pairs.filter(([, count]) => count > 0));
  };
}

/**
 * Waits until what is counted is what is stated; `together` many people may have come in one burst of events, or said
 * two things in one poll, and then it is less.
 */
async function counts(t, counted, stated, { together = 0, besides = [] } = {}) {
  const names = Object.keys(stated);
  const isStated = (name) => {
    const more = (counted()[name] ?? 0) - stated[name];
    return together ? more <= Math.max(2, stated[name] * MORE) && -more <= Math.max(together, stated[name] * LESS) : more === 0;
  };
  const told = () => `stated ${JSON.stringify(stated)}, counted ${JSON.stringify(counted())}`;
  await polled(() => names.every(isStated), "the counts", 5_000).catch(() => assert.fail(told()));
  const others = Object.keys(counted()).filter((name) => !names.includes(name) && !besides.includes(name));
  assert.deepEqual(others, [], `all that is counted is stated: ${told()}`);
  t.diagnostic(JSON.stringify(counted()));
}

test("a sign-in, until its limits have forgotten it", async (t) => {
  const server = await startCounted({ AUTH_LIMIT_WINDOW_SECONDS: "1" });
  t.after(() => server.stop());
  const ann = await person(server);
  await polled(() => server.counts().objectAlarms === 1, "the alarm of the registration");
  const counted = counter(server);
  const { status } = await call(server, "POST", "/api/auth/login", { body: { email: ann.email, password: ann.password } });
  assert.equal(status, 200);
  await counts(t, counted, COUNTS.signIn);
});

describe("a call", () => {
  let server;
  before(async () => {
    // Long enough for an object to be taken out of memory between two heartbeats, which workerd does after ten seconds.
    server = await startCounted({ PING_INTERVAL_MS: "12000", AUTH_LIMIT_ATTEMPTS: "10000", ROOMS_PER_HOUR: "1000" });
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
    // A heartbeat ends with a pong of each.
    const heartbeats = async (count, counted = counter(server), more = 0) => {
      await polled(() => counted().objectMessages >= 2 * count + more, `${count} heartbeats`, 60_000);
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

  test("takes so many bytes of the database", async (t) => {
    const [ann, bob] = await people(2);
    const log = async () => {
      const { json } = await post(ann, "/api/room/create");
      await post(bob, `/api/room/join/${json.roomId}`);
      const body = { callerId: ann.id, receiverId: bob.id, roomId: json.roomId };
      assert.equal((await call(server, "POST", "/api/call-logs", { token: ann.token, body })).status, 201);
      assert.equal((await call(server, "PUT", `/api/call-logs/${json.roomId}/end`, { token: ann.token })).status, 200);
    };
    await log();
    const before = server.databaseSize();
    for (let made = 0; made < 100; made += 1) await log();
    const bytes = (server.databaseSize() - before) / 100;
    t.diagnostic(`${bytes} bytes`);
    const stated = COUNTS.stored.d1BytesPerCall;
    assert.ok(Math.abs(bytes - stated) <= stated * MORE, `stated ${stated}, counted ${bytes}`);
  });
});
