// A database that the Node backend wrote is taken over as it is: the documents here are written by MongoDB's own
// Node driver, in the shape that Mongoose gave them.

import assert from "node:assert/strict";
import { describe, test, before, after } from "node:test";
import { ObjectId } from "mongodb";
import { Client, call, forgeToken, joined } from "./support/people.mjs";
import { startServerOnMongodb } from "./support/server.mjs";

/** bcrypt of `password` at cost 10, as the Node backend's library wrote it. */
const PASSWORD = "correct horse";
const BCRYPT = "$2b$10$0J.gLHJVfhUWpklKqsbIwe8Cj48Ux4hD8dtLzzxyyNacSjx1FGPbe";
const ROOM = "1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed";
const ENDED = "9c5b94b1-35ad-49bb-b118-8e8fc24abf80";
const DAY = 86_400_000;
const START = new Date(Date.now() - DAY);

describe("a database of the Node backend", () => {
  let server;
  const [ann, bob] = [{ id: new ObjectId() }, { id: new ObjectId() }];
  const [over, open] = [new ObjectId(), new ObjectId()];

  before(async () => {
    server = await startServerOnMongodb();
    await server.dataApi.byDriver(async (database) => {
      const user = (id, username, email) => ({ _id: id, username, email, passwordHash: BCRYPT, createdAt: START, __v: 0 });
      // A name that today's rules would refuse stays as it is.
      await database.collection("users").insertMany([user(ann.id, "ann-o'hara", "ann@example.com"), user(bob.id, "bob", "bob@example.com")]);
      const room = { participants: [ann.id, bob.id], createdAt: START, __v: 0 };
      await database.collection("rooms").insertMany([{ ...room, roomId: ROOM, active: true }, { ...room, roomId: ENDED }]);
      const log = { callerId: ann.id, receiverId: bob.id, roomId: ROOM, __v: 0 };
      await database.collection("calllogs").insertMany([
        { ...log, _id: over, startTime: START, endTime: new Date(START.getTime() + 90_000), duration: 90 },
        // Mongoose gives an array that nobody has set.
        { ...log, _id: open, participants: [], startTime: new Date(START.getTime() + DAY / 2), duration: 0 },
      ]);
    });
    for (const person of [ann, bob]) {
      person.token = forgeToken({
        userId: person.id.toHexString(),
        username: "whoever",
        iss: "zetra-api",
        iat: Math.floor(Date.now() / 1000),
        exp: Math.floor(Date.now() / 1000) + 3600,
      });
    }
  });
  after(() => server.stop());

  const users = (use) => server.dataApi.byDriver((database) => use(database.collection("users")));

  test("its users sign in with their old passwords, whose hashes are renewed", async () => {
    const { status, json } = await call(server, "POST", "/api/auth/login", { body: { email: " Ann@Example.com", password: PASSWORD } });
    assert.deepEqual([status, json.user], [200, { id: ann.id.toHexString(), username: "ann-o'hara", email: "ann@example.com" }]);
    const stored = await users((collection) => collection.findOne({ _id: ann.id }));
    assert.match(stored.passwordHash, /^\$argon2id\$/);
    assert.deepEqual([stored.createdAt, stored.username, stored.__v], [START, "ann-o'hara", 0], "the rest is as it was");
    assert.equal((await call(server, "POST", "/api/auth/login", { body: { email: "ann@example.com", password: PASSWORD } })).status, 200);
  });

  test("its tokens, which know no version, are good", async () => {
    const { status, json } = await call(server, "GET", "/api/user/profile", { token: bob.token });
    assert.deepEqual([status, json.user.createdAt], [200, START.toISOString()]);
  });

  test("its call logs are listed with their people, and an open one is ended in place", async () => {
    const { json } = await call(server, "GET", "/api/call-logs", { token: bob.token });
    assert.deepEqual(json.callLogs.map(({ _id }) => _id), [open.toHexString(), over.toHexString()]);
    assert.deepEqual(json.callLogs[0].participants, [ann.id.toHexString(), bob.id.toHexString()]);
    assert.deepEqual(json.callLogs[1], {
      _id: over.toHexString(),
      callerId: { _id: ann.id.toHexString(), username: "ann-o'hara", email: "ann@example.com" },
      receiverId: { _id: bob.id.toHexString(), username: "bob", email: "bob@example.com" },
      roomId: ROOM,
      participants: [ann.id.toHexString(), bob.id.toHexString()],
      startTime: START.toISOString(),
      endTime: new Date(START.getTime() + 90_000).toISOString(),
      duration: 90,
    });
    const stats = await call(server, "GET", "/api/call-logs/stats", { token: ann.token });
    assert.deepEqual(stats.json, { totalCalls: 2, completedCalls: 1, activeCalls: 1, totalDuration: 90, averageDuration: 45 });
    const ended = await call(server, "PUT", `/api/call-logs/${ROOM}/end`, { token: bob.token });
    assert.deepEqual([ended.status, ended.json.callLog._id], [200, open.toHexString()]);
    const stored = await server.dataApi.byDriver((database) => database.collection("calllogs").findOne({ _id: open }));
    assert.ok(stored.endTime instanceof Date && stored.callerId instanceof ObjectId);
    assert.equal(stored.duration, Math.floor((stored.endTime - stored.startTime) / 1000));
  });

  test("its rooms are open to their participants, who meet there", async () => {
    const { status, json } = await call(server, "POST", `/api/room/join/${ROOM}`, { token: bob.token });
    assert.deepEqual([status, json.room.host, json.room.locked], [200, ann.id.toHexString(), false]);
    const first = await joined(server, ROOM, { token: ann.token, id: ann.id.toHexString() });
    const second = await joined(server, ROOM, { token: bob.token, id: bob.id.toHexString() });
    first.emit("offer", ROOM, { sdp: "hello" });
    assert.deepEqual(await second.next("offer"), [{ sdp: "hello" }]);
    for (const client of [first, second]) client.close();
    const stranger = new Client(server, ROOM, { token: forgeToken({ userId: new ObjectId().toHexString(), username: "x", iss: "zetra-api", iat: 1, exp: 9999999999 }) });
    assert.equal((await stranger.next("(connect_error)"))[1].code, "token_invalid");
    stranger.close();
  });

  test("its rooms have a host, the first participant, though nobody wrote that down", async () => {
    const change = (who, method, path, body) => call(server, method, `/api/room/${ROOM}${path}`, { token: who.token, body });
    assert.equal((await change(bob, "PUT", "", { name: "mine" })).json.code, "not_host");
    const named = await change(ann, "PUT", "", { name: "Stand-up" });
    assert.deepEqual([named.status, named.json.room.name, named.json.room.host], [200, "Stand-up", ann.id.toHexString()]);
    const kicked = await change(ann, "POST", "/kick", { userId: bob.id.toHexString() });
    assert.deepEqual([kicked.status, kicked.json.room.participants], [200, [ann.id.toHexString()]]);
    assert.equal((await call(server, "POST", `/api/room/join/${ROOM}`, { token: bob.token })).json.code, "removed");
    assert.equal((await change(ann, "POST", "/readmit", { userId: bob.id.toHexString() })).status, 200);
    assert.equal((await call(server, "POST", `/api/room/join/${ROOM}`, { token: bob.token })).status, 200);
  });

  test("a room without \"active\" has ended, as the Node backend looked for rooms with it", async () => {
    const ask = (method, path, body) => call(server, method, path, { token: ann.token, body });
    const shown = await ask("GET", `/api/room/${ENDED}`);
    assert.deepEqual([shown.status, shown.json.room.active], [200, false]);
    const { json } = await ask("GET", "/api/room");
    assert.deepEqual(json.rooms.map(({ roomId, active }) => [roomId, active]).sort(), [[ROOM, true], [ENDED, false]]);
    for (const [method, path, body] of [["POST", `join/${ENDED}`], ["PUT", ENDED, { name: "mine" }], ["DELETE", ENDED], ["POST", `${ENDED}/kick`, { userId: bob.id.toHexString() }]]) {
      const refused = await ask(method, `/api/room/${path}`, body);
      assert.deepEqual([refused.status, refused.json.code], [404, "room_not_found"], `${method} ${path}`);
    }
  });

  test("what is written is what the Node backend would have written", async () => {
    const body = { username: "newcomer", email: "new@example.com", password: "Sup3rSecret" };
    const { json } = await call(server, "POST", "/api/auth/register", { body });
    const { json: made } = await call(server, "POST", "/api/room/create", { token: json.token });
    await server.dataApi.byDriver(async (database) => {
      const user = await database.collection("users").findOne({ email: "new@example.com" });
      assert.ok(user._id instanceof ObjectId && user.createdAt instanceof Date);
      assert.equal(user._id.toHexString(), json.user.id);
      const room = await database.collection("rooms").findOne({ roomId: made.roomId });
      assert.ok(room._id instanceof ObjectId && room.createdAt instanceof Date && room.active === true);
      assert.deepEqual(room.participants, [user._id]);
    });
  });

  test("an account is deleted with its traces: names in logs, places in rooms, the host's part", async () => {
    const gone = await call(server, "DELETE", "/api/user/account", { token: ann.token, body: { password: PASSWORD } });
    assert.equal(gone.status, 200, gone.text);
    const room = await call(server, "GET", `/api/room/${ROOM}`, { token: bob.token });
    assert.deepEqual([room.json.room.host, room.json.room.participants], [bob.id.toHexString(), [bob.id.toHexString()]]);
    const logs = await call(server, "GET", "/api/call-logs", { token: bob.token });
    assert.deepEqual([logs.json.callLogs[0].callerId, logs.json.callLogs[0].receiverId.username], [null, "bob"]);
    assert.equal(await users((collection) => collection.countDocuments({ _id: ann.id })), 0);
  });
});
