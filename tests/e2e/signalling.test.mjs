// Two and more real socket.io-clients in a room on real workerd: the same stories for each way in
// which a client can connect.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Client, WAYS, call, forgeToken, joined, marker, ofDatabase, person, roomOf } from "./support/people.mjs";
import { RawSocket } from "./support/raw.mjs";
import { startServer } from "./support/server.mjs";

for (const way of ofDatabase(Object.values(WAYS))) describe(`signalling, ${way.name}`, () => {
  let server;
  before(async () => {
    server = await startServer({ AUTH_LIMIT_ATTEMPTS: "10000", RECONNECT_GRACE_SECONDS: "3" });
    server.way = way;
  });
  after(() => server.stop());

  /** People with clients in one room: `{people, clients, room, close}`. */
  async function gathering(count) {
    const people = await Promise.all(Array.from({ length: count }, () => person(server)));
    const room = await roomOf(server, ...people);
    const clients = [];
    for (const someone of people) clients.push(await joined(server, room, someone));
    // Everybody has heard of everybody.
    await marker(clients[0], room, ...clients.slice(1));
    for (const client of clients) client.taken();
    return { people, clients, room, close: () => clients.forEach((client) => client.close()) };
  }

  test("a newcomer learns who is there, the others learn of it, and REST tells who is online", async () => {
    const [ann, bob] = [await person(server), await person(server)];
    const room = await roomOf(server, ann, bob);
    const first = new Client(server, room, { token: ann.token });
    await first.next("(connect)");
    first.emit("join-room", room, ann.id);
    assert.deepEqual(await first.next("existing-users"), [[]]);
    const second = new Client(server, room, { token: bob.token });
    await second.next("(connect)");
    second.emit("join-room", room, bob.id);
    assert.deepEqual(await second.next("existing-users"), [[ann.id]]);
    assert.deepEqual(await first.next("user-connected"), [bob.id]);
    const { json } = await call(server, "GET", `/api/room/${room}`, { token: ann.token });
    assert.deepEqual(json.room.online, [ann.id, bob.id]);
    second.close();
    assert.deepEqual(await first.next("user-disconnected"), [bob.id, "left"]);
    first.close();
  });

  test("user-connected comes before existing-users, once for each person there", async () => {
    const { people, room, close } = await gathering(2);
    const cid = await person(server);
    await call(server, "POST", `/api/room/join/${room}`, { token: cid.token });
    const late = new Client(server, room, { token: cid.token });
    await late.next("(connect)");
    late.emit("join-room", room);
    await late.until(() => late.heard.some(([event]) => event === "existing-users"), "the people there");
    assert.deepEqual(late.taken(), [
      ["user-connected", people[0].id],
      ["user-connected", people[1].id],
      ["existing-users", [people[0].id, people[1].id]],
    ]);
    late.close();
    close();
  });

  test("form A reaches everyone else as it was sent, in order", async () => {
    const { clients, room, close } = await gathering(3);
    const [sender, ...others] = clients;
    const values = [{ type: "offer", sdp: "v=0\r\n…€😀" }, null, [1, "two", { three: [true] }], "text", 0];
    for (const value of values) sender.emit("offer", room, value);
    sender.emit("ice-candidate", room, null);
    const heard = await marker(sender, room, ...others);
    for (const other of others) {
      assert.deepEqual(heard(other), [...values.map((value) => ["offer", value]), ["ice-candidate", null]]);
    }
    assert.deepEqual(heard(sender), [], "the sender hears nothing of it");
    close();
  });

  test("form B reaches its target alone, with the sender's id", async () => {
    const { people, clients, room, close } = await gathering(3);
    const [ann, bob, cid] = clients;
    ann.emit("offer", { roomId: room, offer: { sdp: "o" }, targetUserId: people[1].id });
    ann.emit("answer", { roomId: room, answer: { sdp: "a" }, targetUserId: people[1].id });
    ann.emit("ice-candidate", { roomId: room, candidate: null, targetUserId: people[1].id });
    const heard = await marker(ann, room, bob, cid);
    const senderId = people[0].id;
    assert.deepEqual(heard(bob), [
      ["offer", { senderId, offer: { sdp: "o" } }],
      ["answer", { senderId, answer: { sdp: "a" } }],
      ["ice-candidate", { senderId, candidate: null }],
    ]);
    assert.deepEqual(heard(cid), [], "a third person receives nothing");
    close();
  });

  test("values are relayed byte for byte", async () => {
    const { people, clients, room, close } = await gathering(2);
    const raw = await RawSocket.open(server, room, people[1].token);
    await clients[1].next("error");
    const value = '{ "b":1.0, "a":1e400 ,"a":2,\t"s":"\\ud800é€" }';
    const sender = await RawSocket.open(server, room, people[0].token);
    sender.send(`42["offer","${room}", ${value} ]`);
    assert.equal(await raw.nextEvent("offer"), `42["offer",${value}]`);
    const long = `{"pad":"${"x".repeat(3000)}", "n":1.0}`;
    sender.send(`42["answer",{"roomId":"${room}","answer":${long},"targetUserId":"${people[1].id}"}]`);
    const expected = `42["answer",{"senderId":"${people[0].id}","answer":${long}}]`;
    assert.equal(await raw.nextEvent("answer"), expected);
    sender.send(`42["offer","${room}",${long}]`);
    assert.equal(await raw.nextEvent("offer"), `42["offer",${long}]`);
    raw.close();
    sender.close();
    close();
  });

  test("chat reaches everyone with the token's name, the sender included", async () => {
    const { people, clients, room, close } = await gathering(2);
    const [ann, bob] = clients;
    const answer = await ann.ask("chat-message", room, "hello\n\tyou", "Impostor");
    assert.equal(answer.ok, true);
    const [mine] = await ann.next("chat-message");
    const [theirs] = await bob.next("chat-message");
    assert.deepEqual(mine, theirs);
    assert.deepEqual([mine.message, mine.username, mine.userId], ["hello\n\tyou", people[0].username, people[0].id]);
    assert.equal(mine.id, answer.id);
    assert.match(mine.timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    for (const [message, code] of [["", "invalid_payload"], ["x".repeat(4001), "too_large"], ["a\u0000", "invalid_payload"]]) {
      assert.equal((await ann.ask("chat-message", room, message)).error.code, code);
    }
    assert.equal((await ann.ask("chat-message", room, "hi", "x", people[1].id)).error.code, "user_mismatch");
    close();
  });

  test("media state is told to the others and to newcomers", async () => {
    const { people, clients, room, close } = await gathering(2);
    clients[0].emit("media-state", { roomId: room, video: false });
    const state = { userId: people[0].id, audio: true, video: false, screen: false };
    assert.deepEqual(await clients[1].next("media-state"), [state]);
    const again = await joined(server, room, people[1]);
    await again.ask("leave-room");
    again.taken();
    again.emit("join-room", room);
    assert.deepEqual(await again.next("existing-users"), [[people[0].id]]);
    assert.deepEqual(await again.next("media-state"), [state], "after who is there");
    again.close();
    close();
  });

  test("a missing target is told by ack or by error, never both", async () => {
    const { clients, room, close } = await gathering(2);
    const nobody = "6553f1000102030405060708";
    const event = { roomId: room, offer: {}, targetUserId: nobody };
    const answer = await clients[0].ask("offer", event);
    assert.deepEqual([answer.ok, answer.error.code, answer.error.targetUserId], [false, "peer_unavailable", nobody]);
    clients[0].emit("offer", event);
    const [error] = await clients[0].next("error");
    assert.deepEqual([error.code, error.event, error.targetUserId], ["peer_unavailable", "offer", nobody]);
    const heard = await marker(clients[0], room);
    assert.deepEqual(heard(clients[0]), [], "one answer each");
    close();
  });

  test("a second tab takes the place of the first", async () => {
    const { people, clients, room, close } = await gathering(2);
    const [older, other] = clients;
    const newer = await joined(server, room, people[0]);
    const [error] = await older.next("error");
    assert.equal(error.code, "replaced");
    assert.deepEqual(await other.next("user-disconnected"), [people[0].id, "replaced"]);
    assert.deepEqual(await other.next("user-connected"), [people[0].id]);
    assert.equal((await older.ask("offer", room, 1)).error.code, "not_in_room");
    newer.close();
    close();
  });

  test("strangers, other rooms and borrowed names are refused", async () => {
    const { people, clients, room, close } = await gathering(2);
    const stranger = await person(server);
    const client = new Client(server, room, { token: stranger.token });
    await client.next("(connect)");
    assert.equal((await client.ask("join-room", room)).error.code, "not_participant");
    assert.equal((await client.ask("join-room", room, people[0].id)).error.code, "user_mismatch");
    if (way.namesRoom) {
      const other = await roomOf(server, stranger);
      assert.equal((await client.ask("join-room", other)).error.code, "wrong_room");
    }
    assert.equal((await client.ask("offer", room, "x")).error.code, "not_in_room");
    const bad = await client.ask("join-room", "nonsense");
    assert.deepEqual([bad.error.code, bad.error.message], ["invalid_payload", "Invalid room or user ID"]);
    const heard = await marker(clients[0], room, clients[1]);
    assert.deepEqual(heard(clients[1]), [], "the room heard nothing of it");
    const nowhere = "a987fbc9-4bed-4078-8f07-9141ba07c9f3";
    const lost = new Client(server, nowhere, { token: stranger.token });
    await lost.next("(connect)");
    assert.equal((await lost.ask("join-room", nowhere)).error.code, "room_not_found");
    lost.close();
    client.close();
    close();
  });

  if (!way.namesRoom) test("joining another room leaves the first, a refused join leaves nothing", async () => {
    const { people, clients, room, close } = await gathering(2);
    const [ann, bob] = clients;
    const elsewhere = await roomOf(server, people[0]);
    const foreign = await roomOf(server, await person(server));
    assert.equal((await ann.ask("join-room", foreign)).error.code, "not_participant");
    assert.deepEqual(await ann.ask("offer", room, 1), { ok: true }, "still in the first");
    assert.deepEqual(await bob.next("offer"), [1]);
    assert.deepEqual(await ann.ask("join-room", elsewhere), { ok: true, users: [] });
    assert.deepEqual(await bob.next("user-disconnected"), [people[0].id, "left"]);
    assert.equal((await ann.ask("offer", room, 1)).error.code, "not_in_room");
    assert.deepEqual(await ann.ask("leave-room"), { ok: true });
    assert.deepEqual((await ann.ask("join-room", room)).users, [people[1].id]);
    assert.deepEqual(await bob.next("user-connected"), [people[0].id]);
    close();
  });

  test("what is said in one room never reaches another", async () => {
    const here = await gathering(2);
    const there = await gathering(2);
    here.clients[0].emit("offer", here.room, "secret");
    here.clients[0].emit("chat-message", there.room, "secret");
    await here.clients[1].next("offer");
    assert.equal((await here.clients[0].next("error"))[0].code, "not_in_room");
    const heard = await marker(there.clients[0], there.room, there.clients[1]);
    assert.deepEqual(heard(there.clients[1]), []);
    here.close();
    there.close();
  });

  test("bad credentials are refused, each with its text", async () => {
    const ann = await person(server);
    const room = await roomOf(server, ann);
    const now = Math.floor(Date.now() / 1000);
    const claims = { userId: ann.id, username: ann.username, iss: "zetra-api", tokenVersion: 0 };
    const cases = [
      [undefined, "Authentication required", "auth_required"],
      ["nonsense", "Invalid authentication token", "token_invalid"],
      [forgeToken({ ...claims, iat: now - 100, exp: now - 10 }), "Token has expired", "token_expired"],
      [forgeToken({ ...claims, exp: now + 100 }, "another secret of more than 32 bytes!"), "Invalid authentication token", "token_invalid"],
      [forgeToken({ ...claims, exp: now + 100, userId: "6553f1000102030405060708" }), "Invalid authentication token", "token_invalid"],
      [forgeToken({ ...claims, exp: now + 100, tokenVersion: 9 }), "Invalid authentication token", "token_invalid"],
    ];
    for (const [token, message, code] of cases) {
      const client = new Client(server, room, { token });
      assert.deepEqual(await client.next("(connect_error)"), [message, { code }], String(token));
      client.close();
    }
    const node = new Client(server, room, { token: forgeToken({ ...claims, tokenVersion: undefined, exp: now + 100 }) });
    await node.next("(connect)");
    node.close();
    const header = new Client(server, room, { extraHeaders: { Authorization: `Bearer ${ann.token}` } });
    await header.next("(connect)");
    header.close();
  });

  test("a token that expires ends its socket", async () => {
    const { people, clients, room, close } = await gathering(2);
    const exp = Math.floor(Date.now() / 1000) + 8;
    const token = forgeToken({ userId: people[0].id, username: "x", iss: "zetra-api", tokenVersion: 0, exp });
    const brief = await joined(server, room, { ...people[0], token });
    // It took the place of the first: that has been heard before the time is over.
    await marker(brief, room, clients[1]);
    clients[1].taken();
    const [error] = await brief.next("error");
    assert.equal(error.code, "token_expired");
    await brief.next("(disconnect)");
    assert.deepEqual(await clients[1].next("user-disconnected"), [people[0].id, "token_expired"]);
    close();
  });

  test("a password change ends the sockets of the other tokens", async () => {
    const { people, clients, room, close } = await gathering(2);
    const [ann] = people;
    const { json } = await call(server, "POST", "/api/auth/login", { body: { email: ann.email, password: ann.password } });
    await call(server, "POST", "/api/auth/change-password", {
      token: json.token,
      body: { currentPassword: ann.password, newPassword: "N3wPassword" },
    });
    assert.equal((await clients[0].next("error"))[0].code, "token_revoked");
    await clients[0].next("(disconnect)");
    assert.deepEqual(await clients[1].next("user-disconnected"), [ann.id, "token_revoked"]);
    const kept = await joined(server, room, { ...ann, token: json.token });
    kept.close();
    close();
  });

  test("a deleted account leaves its rooms and its sockets close", async () => {
    const { people, clients, room, close } = await gathering(2);
    await call(server, "DELETE", "/api/user/account", { token: people[0].token, body: { password: people[0].password } });
    assert.equal((await clients[0].next("error"))[0].code, "account_deleted");
    await clients[0].next("(disconnect)");
    assert.deepEqual(await clients[1].next("user-disconnected"), [people[0].id, "account_deleted"]);
    const { json } = await call(server, "GET", `/api/room/${room}`, { token: people[1].token });
    assert.deepEqual([json.room.host, json.room.online], [people[1].id, [people[1].id]]);
    close();
  });

  test("a lost connection is held, a goodbye is not", async () => {
    const { people, clients, room, close } = await gathering(3);
    clients[2].close();
    assert.deepEqual(await clients[1].next("user-disconnected"), [people[2].id, "left"]);
    const cut = performance.now();
    clients[0].cut();
    assert.deepEqual(await clients[1].next("user-disconnected"), [people[0].id, "lost"]);
    assert.ok(performance.now() - cut > 2_900, "they were held for three seconds");
    close();
  });

  test("a flood is refused and then ended", async () => {
    const { clients, room, close } = await gathering(2);
    for (let sent = 0; sent < 2000; sent += 1) clients[0].emit("offer", room, sent);
    await clients[0].next("(disconnect)");
    await clients[1].next("user-disconnected");
    close();
  });

  test("a flood is told so before it is ended", async () => {
    const { clients, room, close } = await gathering(2);
    for (let sent = 0; sent < 400; sent += 1) clients[0].emit("offer", room, sent);
    assert.equal((await clients[0].next("error"))[0].code, "rate_limited");
    close();
  });

  test("an oversized frame closes with 1009, an oversized value is refused", async () => {
    const { people, clients, room, close } = await gathering(2);
    assert.equal((await clients[0].ask("offer", room, "x".repeat(262_145))).error.code, "too_large");
    assert.equal((await clients[0].ask("ice-candidate", room, "x".repeat(8_193))).error.code, "too_large");
    const raw = await RawSocket.open(server, room, people[0].token);
    raw.send(`42["offer","${room}","${"x".repeat(1_000_001)}"]`);
    assert.equal(await raw.closed(), 1009);
    close();
  });

  test("a broken frame closes without a status", async () => {
    const { people, room, close } = await gathering(1);
    for (const frame of ["42{", "4abc", "9", "42[]", "451-[", "40"]) {
      const raw = await RawSocket.open(server, room, people[0].token);
      raw.send(frame);
      assert.equal(await raw.closed(), 1005, frame);
    }
    close();
  });

  test("acks answer every event that asks for one", async () => {
    const { clients, room, close } = await gathering(2);
    assert.deepEqual(await clients[0].ask("offer", room, 1), { ok: true });
    assert.deepEqual(await clients[0].ask("media-state", { roomId: room }), { ok: true });
    const unknown = await clients[0].ask("dance");
    assert.deepEqual([unknown.ok, unknown.error.code], [false, "invalid_payload"]);
    assert.deepEqual(await clients[0].ask("leave-room", room), { ok: true });
    assert.equal((await clients[0].ask("leave-room", room)).error.code, "not_in_room");
    close();
  });
});

describe("signalling without tokens", () => {
  let server;
  before(async () => {
    server = await startServer({ SOCKET_AUTH: "optional", ROOM_MAX_PEOPLE: "2" });
  });
  after(() => server.stop());

  test("old front ends are admitted but can pose as nobody", async () => {
    const [ann, bob, cid] = [await person(server), await person(server), await person(server)];
    const room = await roomOf(server, ann, bob, cid);
    const withToken = await joined(server, room, ann);
    const old = new Client(server, room);
    await old.next("(connect)");
    assert.equal((await old.ask("join-room", room, ann.id)).error.code, "already_in_room");
    assert.equal((await old.ask("join-room", room)).error.message, "Invalid room or user ID");
    assert.equal((await old.ask("join-room", room, bob.id)).ok, true);
    old.emit("chat-message", room, "hi", "Bob");
    const [chat] = await withToken.next("chat-message");
    assert.deepEqual([chat.username, chat.userId], ["Bob", bob.id]);
    const third = new Client(server, room, { token: cid.token });
    await third.next("(connect)");
    assert.equal((await third.ask("join-room", room)).error.code, "room_full");
    for (const client of [withToken, old, third]) client.close();
  });
});
