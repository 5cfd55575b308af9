// What survives: sleep, a crash of the runtime, a restart.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { polled } from "./support/patience.mjs";
import { Client, WAYS, call, joined, person, roomOf } from "./support/people.mjs";
import { startCounted, startServer, startUnreadable } from "./support/server.mjs";

/** Longer than the ten seconds after which the runtime lets go of an idle object's memory; five after an event it saves it. */
const SLEEP = 19_000;

describe("survival", () => {
  test("a room that slept knows everybody, though its memory is gone", async () => {
    // No heartbeat falls into the sleep, however long the rest takes.
    const server = await startServer({ PING_INTERVAL_MS: "120000" });
    const [ann, bob] = [await person(server), await person(server)];
    const room = await roomOf(server, ann, bob);
    const [first, second] = [await joined(server, room, ann), await joined(server, room, bob)];
    await first.ask("media-state", { roomId: room, audio: false });
    const before = await first.ask("chat-message", room, "before");
    const awake = await first.ask("chat-message", room, "still awake");
    assert.match(before.id, /-1$/);
    assert.match(awake.id, /-2$/, "the object counts its messages in memory");
    let after;
    // On a busy machine it may take longer to fall asleep.
    for (let attempt = 0; attempt < 3 && !after?.id.endsWith("-1"); attempt += 1) {
      // The one thing here that cannot be awaited: that nothing happens for long enough.
      await new Promise((resolve) => setTimeout(resolve, SLEEP));
      first.taken();
      second.taken();
      first.emit("offer", room, { sdp: "after the sleep" });
      assert.deepEqual(await second.next("offer"), [{ sdp: "after the sleep" }]);
      after = await first.ask("chat-message", room, "after");
    }
    assert.match(after.id, /-1$/, "it counts from one again: the memory was gone");
    const late = await joined(server, room, ann);
    assert.equal((await first.next("error"))[0].code, "replaced", "it knew who was there");
    assert.deepEqual(await second.next("user-disconnected"), [ann.id, "replaced"]);
    for (const client of [first, second, late]) client.close();
    await server.stop();
  });

  for (const way of [WAYS.room, WAYS.stock]) test(`a room that could not read its storage loses nobody, ${way.name}`, async (t) => {
    const server = await startUnreadable();
    t.after(() => server.stop());
    const [ann, bob] = [await person(server), await person(server)];
    const room = await roomOf(server, ann, bob);
    const options = { way, reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 100 };
    const clients = [await joined(server, room, ann, options), await joined(server, room, bob, options)];
    await server.unreadableOnce();
    await server.hibernate("Room", room);
    // Wakes it, and is lost with its memory.
    clients[0].emit("offer", room, "lost");
    for (const client of clients) await client.next("(connect)");
    await polled(async () => {
      const { json } = await call(server, "GET", `/api/room/${room}`, { token: ann.token });
      return json.room.online.length === 2;
    }, "both in the room");
    clients[0].emit("offer", room, "again");
    assert.deepEqual(await clients[1].next("offer"), ["again"]);
    assert.ok(server.logged.some((line) => line.includes("could not be read")), "it was");
    for (const client of clients) client.close();
  });

  test("a room whose guest was lost with the runtime, and that an alarm has woken since, is joined as before", async (t) => {
    const server = await startCounted({ PING_INTERVAL_MS: "2000" });
    t.after(() => server.stop());
    const [ann, bob] = [await person(server), await person(server)];
    const room = await roomOf(server, ann, bob);
    const guest = new Client(server, room, { token: ann.token });
    await guest.next("(connect)");
    await server.kill();
    const before = server.counts().objectAlarms ?? 0;
    await server.start();
    // Of a guest nothing is stored but the alarm, so the object does not know its room then.
    await polled(() => server.counts().objectAlarms > before, "the alarm");
    const first = await joined(server, room, bob);
    const second = await joined(server, room, ann, { way: WAYS.stock });
    assert.deepEqual(await first.next("user-connected"), [ann.id]);
    for (const client of [guest, first, second]) client.close();
  });

  test("after kill -9 of workerd the data is there and clients come back", async () => {
    const server = await startServer();
    const [ann, bob] = [await person(server), await person(server)];
    const room = await roomOf(server, ann, bob);
    const { json } = await call(server, "POST", "/api/call-logs", {
      token: ann.token,
      body: { callerId: ann.id, receiverId: bob.id, roomId: room },
    });
    const options = { reconnection: true, reconnectionDelay: 100, reconnectionDelayMax: 300 };
    const clients = [await joined(server, room, ann, options), await joined(server, room, bob, options)];
    await server.kill();
    for (const client of clients) await client.next("(disconnect)");
    await server.start();
    for (const client of clients) await client.next("(connect)");
    for (const [index, client] of clients.entries()) {
      const answer = await client.ask("join-room", room);
      assert.equal(answer.ok, true, `client ${index}: ${JSON.stringify(answer)}`);
    }
    clients[0].emit("offer", room, "again");
    assert.deepEqual(await clients[1].next("offer"), ["again"]);
    const profile = await call(server, "GET", "/api/user/profile", { token: ann.token });
    assert.equal(profile.json.user.username, ann.username);
    const logs = await call(server, "GET", "/api/call-logs", { token: bob.token });
    assert.equal(logs.json.callLogs[0]._id, json.callLog._id);
    for (const client of clients) client.close();
    await server.stop();
  });

  test("a member whose connection was lost in a sleeping room is let go in time", async () => {
    const server = await startServer({ RECONNECT_GRACE_SECONDS: "2" });
    const [ann, bob] = [await person(server), await person(server)];
    const room = await roomOf(server, ann, bob);
    const [first, second] = [await joined(server, room, ann), await joined(server, room, bob)];
    second.taken();
    first.socket.io.engine.close();
    await first.next("(disconnect)");
    assert.deepEqual(await second.next("user-disconnected"), [ann.id, "lost"], "an alarm does it, no client");
    second.close();
    await server.stop();
  });

  test("a client that stops answering pings is noticed", async () => {
    const server = await startServer({ PING_INTERVAL_MS: "1000", PING_TIMEOUT_MS: "5000", RECONNECT_GRACE_SECONDS: "0" });
    const [ann, bob] = [await person(server), await person(server)];
    const room = await roomOf(server, ann, bob);
    const [first, second] = [await joined(server, room, ann), await joined(server, room, bob)];
    second.taken();
    // A paused socket reads no ping and so sends no pong.
    first.socket.io.engine.transport.ws._socket.pause();
    assert.deepEqual(await second.next("user-disconnected"), [ann.id, "lost"]);
    assert.deepEqual(await second.ask("media-state", { roomId: room, audio: true }), { ok: true }, "who answers stays");
    second.close();
    first.close();
    await server.stop();
  });
});
