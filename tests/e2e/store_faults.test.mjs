// A D1 that fails, on the real runtime: its file is locked, its tables are away or refuse what is written, and batches of
// it fail before and after they are executed. tests/store_faults has every operation, natively.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { FAULTS, READ_ONLY, openD1 } from "./support/d1_file.mjs";
import { polled } from "./support/patience.mjs";
import { Client, WAYS, call, joined, marker, person, roomOf } from "./support/people.mjs";
import { UNLIMITED, startFaulty, startOnD1 } from "./support/server.mjs";
import { unavailable } from "./support/unavailable.mjs";

const logsOf = async (server, who) => (await call(server, "GET", "/api/call-logs", { token: who.token })).json.callLogs;

describe("a D1", () => {
  let server, d1, ann, bob, cat;

  before(async () => {
    server = await startOnD1({ ...UNLIMITED, RECONNECT_GRACE_SECONDS: "1" });
    [ann, bob, cat] = [await person(server), await person(server), await person(server)];
    d1 = openD1(server);
  });
  after(async () => {
    d1.close();
    await server.stop();
  });

  for (const [name, fault] of Object.entries(FAULTS)) test(`${name} is 503, the call goes on, and afterwards all is well`, async () => {
    const [eve, dave] = [await person(server), await person(server)];
    const room = await roomOf(server, ann, bob, cat, eve, dave);
    const inRoom = [await joined(server, room, ann), await joined(server, room, bob), await joined(server, room, cat, { way: WAYS.stock })];
    const logs = async () => (await logsOf(server, cat)).filter(({ roomId }) => roomId === room);
    const begun = await polled(async () => (await logs()).find(({ participants }) => participants.length === 3), "the call");
    const waiting = [new Client(server, room, { token: eve.token }), new Client(server, room, { token: eve.token, way: WAYS.stock })];
    for (const client of waiting) await client.next("(connect)");
    for (const client of inRoom) client.taken();

    fault.begin(d1);
    try {
      for (const [method, path, body] of [
        ["GET", "/api/user/profile"],
        ["PUT", "/api/user/profile", { username: "renamed" }],
        ["GET", "/api/room"],
        ["POST", "/api/room/create"],
        ["POST", `/api/room/join/${room}`],
        ["DELETE", `/api/room/${room}`],
        ["GET", "/api/call-logs"],
        ["GET", "/api/call-logs/stats"],
        ["POST", "/api/call-logs", { callerId: ann.id, receiverId: bob.id, roomId: room }],
        ["DELETE", "/api/user/account", { password: ann.password }],
      ]) {
        unavailable(await call(server, method, path, { token: ann.token, body }), `${method} ${path}`);
      }
      unavailable(await call(server, "POST", "/api/auth/login", { body: { email: ann.email, password: ann.password } }), "login");
      const health = await call(server, "GET", "/health");
      assert.deepEqual([health.status, health.json.database], [503, "disconnected"]);

      const refused = new Client(server, room, { token: dave.token });
      const [, { code }] = await refused.next("(connect_error)");
      assert.equal(code, "store_unavailable");
      for (const client of waiting) {
        const answer = await client.ask("join-room", room, eve.id);
        assert.deepEqual([answer.ok, answer.error.code], [false, "store_unavailable"]);
      }
      // Signals and chat need no database.
      inRoom[0].emit("offer", { roomId: room, offer: { sdp: "x" }, targetUserId: bob.id });
      assert.deepEqual(await inRoom[1].next("offer"), [{ senderId: ann.id, offer: { sdp: "x" } }]);
      const heard = await marker(inRoom[2], room, inRoom[0], inRoom[1]);
      for (const client of inRoom) {
        assert.ok(client.socket.connected);
        assert.deepEqual(heard(client).filter(([event]) => event.startsWith("(") || event.startsWith("user-")), [], "nobody came or went");
      }
      // The call ends meanwhile.
      for (const client of inRoom.slice(1)) client.close();
      const isReport = (line) => line.includes(room) && line.includes("a call is not recorded yet");
      await server.log.until(() => server.logged.some(isReport), "the report to fail");
    } finally {
      fault.end(d1);
    }

    assert.equal((await call(server, "GET", "/health")).status, 200);
    assert.equal((await call(server, "GET", "/api/user/profile", { token: ann.token })).json.user.username, ann.username, "nothing was half done");
    const ended = await polled(async () => (await logs()).find(({ endTime }) => endTime !== null), "the report");
    assert.deepEqual([ended._id, ended.startTime], [begun._id, begun.startTime]);
    assert.equal((await logs()).length, 1, "recorded once");
    for (const client of waiting) {
      assert.equal((await client.ask("join-room", room, eve.id)).ok, true);
    }
    (await joined(server, room, dave)).close();
    for (const client of [...waiting, ...inRoom]) client.close();
  });

  test("that refuses every write still reads, and its words reach nobody", async () => {
    const room = await roomOf(server, ann, bob);
    const clients = [await joined(server, room, ann)];
    READ_ONLY.begin(d1);
    try {
      for (const [method, path, body] of [
        ["POST", "/api/room/create"],
        ["POST", `/api/room/join/${room}`],
        ["PUT", `/api/room/${room}`, { name: "Ours" }],
        ["POST", `/api/room/${room}/kick`, { userId: bob.id }],
        ["POST", "/api/call-logs", { callerId: ann.id, receiverId: bob.id, roomId: room }],
        ["PUT", "/api/user/profile", { username: "renamed" }],
        ["POST", "/api/auth/change-password", { currentPassword: ann.password, newPassword: "N3wPassword" }],
        ["DELETE", "/api/user/account", { password: ann.password }],
      ]) {
        const token = path.includes("/join/") ? cat.token : ann.token;
        unavailable(await call(server, method, path, { token, body }), `${method} ${path}`);
      }
      const body = { username: "somebody_new", email: "new@example.com", password: "Sup3rSecret" };
      unavailable(await call(server, "POST", "/api/auth/register", { body }), "register");
      assert.equal((await call(server, "GET", `/api/room/${room}`, { token: bob.token })).json.room.name, null);
      assert.equal((await call(server, "POST", "/api/auth/login", { body: { email: ann.email, password: ann.password } })).status, 200);
      clients.push(await joined(server, room, bob));
    } finally {
      READ_ONLY.end(d1);
    }
    await polled(async () => (await logsOf(server, ann)).some((log) => log.roomId === room), "the call that began meanwhile");
    assert.equal((await call(server, "PUT", `/api/room/${room}`, { token: ann.token, body: { name: "Ours" } })).json.room.name, "Ours");
    for (const client of clients) client.close();
  });
});

describe("a batch of D1 that fails", () => {
  const PERSISTENT = "D1_ERROR: D1 DB is overloaded. Requests queued for too long.";
  const TRANSIENT = "D1_ERROR: Network connection lost.";
  const KINDS = [
    { name: "before it is executed", plan: { times: 1, isExecuted: false, text: PERSISTENT } },
    { name: "after it is executed", plan: { times: 1, isExecuted: true, text: PERSISTENT } },
    { name: "transiently, before", plan: { times: 1, isExecuted: false, text: TRANSIENT }, isTransient: true },
    { name: "transiently, after", plan: { times: 1, isExecuted: true, text: TRANSIENT }, isTransient: true },
  ];
  const CALM = { words: "", skip: 0, times: 0 };
  /** Requests of a host with a room, their outcome, that of the same request made once more, and the row that they leave. */
  const REQUESTS = {
    register: {
      success: 201, done: "email_taken",
      request: () => ["POST", "/api/auth/register", { body: newcomer() }],
      row: ({ body }) => ["users WHERE email = ?", body.email],
    },
    "change-password": {
      success: 200, done: "wrong_password",
      request: ({ ann: { token, password } }) => [
        "POST", "/api/auth/change-password", { token, body: { currentPassword: password, newPassword: "N3wPassword" } },
      ],
      row: ({ ann }) => ["users WHERE id = ? AND token_version = 1", ann.id],
    },
    "delete account": {
      success: 200, done: "token_invalid",
      request: ({ ann: { token, password } }) => ["DELETE", "/api/user/account", { token, body: { password } }],
      row: ({ ann, room }) => [
        "rooms WHERE room_id = ? AND host = ? AND active = 1 AND NOT EXISTS (SELECT 1 FROM users WHERE id = ?)", room, bob.id, ann.id,
      ],
    },
    create: {
      success: 201, done: 201, isAnew: true,
      request: ({ ann: { token } }) => ["POST", "/api/room/create", { token }],
      row: ({ ann, room }) => ["rooms WHERE host = ? AND room_id <> ?", ann.id, room],
    },
    join: {
      success: 200, done: 200,
      request: ({ room }) => ["POST", `/api/room/join/${room}`, { token: cat.token }],
      row: ({ room }) => ["room_participants WHERE room_id = ? AND user_id = ?", room, cat.id],
    },
    kick: {
      success: 200, done: "user_not_found",
      request: ({ ann: { token }, room }) => ["POST", `/api/room/${room}/kick`, { token, body: { userId: bob.id } }],
      row: ({ room }) => ["room_removals WHERE room_id = ? AND user_id = ?", room, bob.id],
    },
    end: {
      success: 200, done: "room_not_found",
      request: ({ ann: { token }, room }) => ["DELETE", `/api/room/${room}`, { token }],
      row: ({ room }) => ["rooms WHERE room_id = ? AND active = 0", room],
    },
    "record a call": {
      success: 201, done: 200,
      request: ({ ann: { id, token }, room }) => [
        "POST", "/api/call-logs", { token, body: { callerId: id, receiverId: bob.id, roomId: room } },
      ],
      row: ({ room }) => ["call_logs WHERE room_id = ?", room],
    },
  };
  let server, d1, bob, cat, count = 0;
  const newcomer = () => ({ username: `newcomer_${(count += 1)}`, email: `newcomer_${count}@example.com`, password: "Sup3rSecret" });

  before(async () => {
    server = await startFaulty(UNLIMITED);
    [bob, cat] = [await person(server), await person(server)];
    d1 = openD1(server);
  });
  after(async () => {
    d1.close();
    await server.stop();
  });

  /** The request of somebody new in a room of its own, with the batches that it met; how to repeat it, and the rows that it left. */
  async function sent({ request, row }, plan) {
    const ann = await person(server);
    const room = await roomOf(server, ann, bob);
    const [method, path, options] = request({ ann, room });
    const send = () => call(server, method, path, options);
    const [which, ...values] = row({ ann, room, body: options.body });
    const rows = () => d1.prepare(`SELECT count(*) AS count FROM ${which}`).get(...values).count;
    await server.faults(plan);
    const answer = await send();
    const { met, seen } = await server.faults(CALM);
    return { answer, met, seen, send, rows };
  }

  /** The batches of the request alone: an object that was disturbed before may ask the database once more just then. */
  async function undisturbed(story) {
    let before = [];
    for (let attempt = 0; attempt < 5; attempt += 1) {
      const { answer, rows, seen } = await sent(story, CALM);
      assert.deepEqual([answer.status, rows()], [story.success, 1]);
      if (JSON.stringify(seen) === JSON.stringify(before)) return seen;
      before = seen;
    }
    assert.fail("the request needs other batches each time");
  }

  for (const [name, story] of Object.entries(REQUESTS)) test(`${name}: any of them, in any way, and the request succeeds when it is repeated`, async (t) => {
    const { success, done, isAnew } = story;
    const batches = (await undisturbed(story)).map((words, index, all) => ({ words, skip: all.slice(0, index).filter((other) => other === words).length }));
    assert.ok(batches.length > 0);
    for (const { name: kind, plan, isTransient } of KINDS) {
      for (const { words, skip } of batches) {
        const { answer, met, send, rows } = await sent(story, { ...plan, words, skip });
        const which = `“${words}” fails ${kind}`;
        assert.equal(met, 1, `${which}: it was not sent`);
        let isTwice = false;
        if (answer.status !== success) {
          assert.ok(!isTransient, `${which}: ${answer.text}`);
          unavailable(answer, which);
          isTwice = isAnew && rows() === 1;
          const again = await send();
          assert.ok([success, done].includes(again.status) || again.json.code === done, `${which}, repeated: ${again.status} ${again.text}`);
        }
        assert.equal(rows(), isTwice ? 2 : 1, `${which}: the rows afterwards`);
      }
    }
    t.diagnostic(`${batches.length * KINDS.length} batches failed`);
  });
});

test("what D1 could not make counts towards no hourly limit", async (t) => {
  const server = await startFaulty({ ROOMS_PER_HOUR: "1" });
  t.after(() => server.stop());
  const ann = await person(server);
  const make = async () => (await call(server, "POST", "/api/room/create", { token: ann.token })).status;
  await server.faults({ words: "INSERT INTO rooms", skip: 0, times: Number.MAX_SAFE_INTEGER, text: "D1_ERROR: Network connection lost." });
  for (let attempt = 0; attempt < 3; attempt += 1) assert.equal(await make(), 503);
  await server.faults({ words: "", skip: 0, times: 0 });
  assert.deepEqual([await make(), await make()], [201, 429]);
});
