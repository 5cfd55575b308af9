// The strict limits on the real runtime: what they count across objects, and what they leave behind.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { call, person, roomOf } from "./support/people.mjs";
import { RawSocket } from "./support/raw.mjs";
import { startServer, startThrowing } from "./support/server.mjs";
import { storedRows } from "./support/storage.mjs";

/** As if the request came from there: locally the runtime takes this header as it is sent. */
const address = (ip) => ({ "cf-connecting-ip": ip });

describe("the strict limits", () => {
  let server;
  before(async () => {
    server = await startServer({ AUTH_LIMIT_ATTEMPTS: "1000", AUTH_LIMIT_ACCOUNT_TOTAL: "10" });
  });
  after(() => server.stop());

  const login = (someone, password, ip) =>
    call(server, "POST", "/api/auth/login", { body: { email: someone.email, password }, headers: address(ip) });

  test("an account is guessed so often whatever the addresses, and its own address is let in", async () => {
    const ann = await person(server);
    assert.equal((await login(ann, ann.password, "192.0.2.200")).status, 200);
    const guesses = Array.from({ length: 15 }, (_, guess) => login(ann, "wrong", `198.51.100.${guess}`));
    const statuses = (await Promise.all(guesses)).map(({ status }) => status).sort();
    assert.deepEqual(statuses, [...Array(10).fill(401), ...Array(5).fill(429)]);
    const stranger = await login(ann, ann.password, "203.0.113.1");
    assert.deepEqual([stranger.status, stranger.json.code], [429, "rate_limited"], "the right password too");
    assert.match(stranger.headers.get("ratelimit"), /"account-total";r=0;t=\d+/);
    assert.equal((await login(ann, ann.password, "192.0.2.200")).status, 200, "it had signed in from there");
  });

  test("of names that are tried at once no more are told apart than one by one", async () => {
    const [ann, bob] = [await person(server), await person(server)];
    const rename = (username) =>
      call(server, "PUT", "/api/user/profile", { token: ann.token, body: { username }, headers: address("203.0.113.9") });
    const mine = `ann_${randomBytes(4).toString("hex")}`;
    const tries = Array.from({ length: 40 }, (_, number) => (number % 2 ? bob.username : `${mine}_${number}`));
    const answers = await Promise.all(tries.map(rename));
    const known = answers.filter(({ status }) => status !== 429);
    const taken = answers.filter(({ status }) => status === 409);
    assert.ok(taken.length <= 5 && answers.every(({ status }) => [200, 409, 429].includes(status)), `${answers.map(({ status }) => status)}`);
    // The others were refused before anybody looked: half of them were free.
    const refusedFree = answers.filter(({ status }, number) => number % 2 === 0 && status === 429);
    assert.ok(refusedFree.length > 0 && known.length < 40, `${known.length} of 40 were told apart`);
  });

  test("an IPv6 client is its /64", async () => {
    const ann = await person(server);
    const statuses = [];
    for (let guess = 1; guess <= 6; guess += 1) statuses.push((await login(ann, "wrong", `2001:db8:7:7:${guess}::1`)).status);
    assert.deepEqual(statuses, [401, 401, 401, 401, 401, 429]);
    assert.equal((await login(ann, "wrong", "2001:db8:7:8::1")).status, 401, "the next /64 is somebody else");
  });
});

test("whoever has taken all places of a room for those who have not joined gives one to somebody from elsewhere", async (t) => {
  const server = await startServer({ ROOM_GUESTS: "4", ROOM_GUESTS_PER_USER: "10" });
  t.after(() => server.stop());
  const [ann, mallory] = [await person(server), await person(server)];
  const roomId = await roomOf(server, ann);
  const opens = (ip) => new RawSocket(server, `/socket.io/?EIO=4&transport=websocket&roomId=${roomId}`, { headers: address(ip) });
  const connects = async ({ token }, ip) => {
    const socket = opens(ip);
    await socket.opened();
    socket.send(`40${JSON.stringify({ token })}`);
    await socket.next((frame) => frame.startsWith("40"));
    return socket;
  };
  const taken = [];
  // One site has many /64s.
  for (let place = 0; place < 4; place += 1) taken.push(await connects(mallory, `2001:db8:1:${place}::1`));
  const refused = opens("2001:db8:1:9::1");
  await refused.closed("the refusal of one more of the same site");
  const socket = await connects(ann, "192.0.2.1");
  await taken[0].closed("the end of the oldest");
  socket.send(`420["join-room","${roomId}"]`);
  await socket.next((frame) => frame.startsWith('430[{"ok":true'));
  for (const open of [socket, ...taken.slice(1)]) open.socket.close();
});

test("an object that is restarted just then answers the next attempt", async (t) => {
  const server = await startThrowing();
  t.after(() => server.stop());
  const ann = await person(server);
  const login = () => call(server, "POST", "/api/auth/login", { body: { email: ann.email, password: ann.password } });
  await server.throws("RateLimit.fetch", 2);
  assert.equal((await login()).status, 200);
  await server.throws("RateLimit.fetch", 3);
  const { status, json } = await login();
  assert.deepEqual([status, json.code], [500, "internal"]);
});

test("a count that is over leaves nothing in its object's storage", async () => {
  const server = await startServer({ AUTH_LIMIT_WINDOW_SECONDS: "1" });
  try {
    const body = { email: "nobody@example.com", password: "wrong" };
    assert.equal((await call(server, "POST", "/api/auth/login", { body })).status, 401);
    const rows = () => Object.values(storedRows(server, "RateLimit"));
    assert.equal(rows().length, 2, "one object for the address, one for the account");
    const deadline = Date.now() + 15_000;
    while (rows().some((count) => count > 0)) {
      assert.ok(Date.now() < deadline, `still stored: ${rows()}`);
      await pause(50);
    }
  } finally {
    await server.stop();
  }
});
