// The operator's webhook, on the real runtime: what happens in rooms is posted as the Standard Webhooks
// specification has it, which its own library verifies, to receivers that behave and that do not.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Documented } from "./support/document.mjs";
import { WAYS, call, joined, marker, person, roomOf } from "./support/people.mjs";
import { Receiver, SECRET } from "./support/receiver.mjs";
import { startServer } from "./support/server.mjs";

async function start(variables = {}) {
  const receiver = await Receiver.start();
  const server = await startServer({ ...receiver.variables, RECONNECT_GRACE_SECONDS: "2", ...variables });
  const stop = async () => {
    await server.stop();
    await receiver.stop();
  };
  return { receiver, server, stop };
}

describe("a webhook", { concurrency: 3 }, () => {
  for (const way of [WAYS.room, WAYS.stock]) test(`is told what happens in a room, in order, ${way.name}`, async () => {
    const { receiver, server, stop } = await start();
    const [ann, bob] = [await person(server), await person(server)];
    const room = await roomOf(server, ann, bob);
    const first = await joined(server, room, ann, { way });
    const second = await joined(server, room, bob, { way });
    await marker(first, room, second);
    second.close();
    // The goodbye goes another way than the request that ends the room.
    await first.next("user-disconnected");
    assert.equal((await call(server, "DELETE", `/api/room/${room}`, { token: ann.token })).status, 200);
    const ended = await receiver.message("room.ended", room);
    assert.deepEqual(ended.data, { roomId: room, by: ann.id, reason: "ended_by_host" });
    assert.deepEqual(receiver.told(room), [
      "room.started",
      `participant.joined ${ann.id}`,
      `participant.joined ${bob.id}`,
      `participant.left ${bob.id} left`,
      `participant.left ${ann.id} room_ended`,
      "room.ended ended_by_host",
    ]);
    const { data, timestamp } = await receiver.message("participant.joined", room);
    assert.deepEqual(data, { roomId: room, userId: ann.id, username: ann.username });
    assert.match(timestamp, /^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}Z$/);
    const documented = await Documented.of(server);
    receiver.heard.forEach((message) => documented.holdMessage(message));
    first.close();
    const lines = JSON.stringify(server.logged);
    assert.ok(!lines.includes(SECRET) && !lines.includes(SECRET.slice(6)), "the secret is in no log");
    await stop();
  });

  test("learns of a call once it is certain that nobody dials again", { timeout: 120_000 }, async () => {
    const { receiver, server, stop } = await start();
    const [ann, bob] = [await person(server), await person(server)];
    const room = await roomOf(server, ann, bob);
    for (const client of [await joined(server, room, ann), await joined(server, room, bob)]) client.close();
    const message = await waitFor(receiver, "call.ended", 90_000);
    const { data } = message;
    const { json } = await call(server, "GET", "/api/call-logs", { token: ann.token });
    const [log] = json.callLogs;
    assert.deepEqual(data, { roomId: room, callLog: { ...log, callerId: log.callerId._id, receiverId: log.receiverId._id } });
    assert.ok(Date.now() - new Date(log.endTime) >= 60_000, "not before");
    (await Documented.of(server)).holdMessage(message);
    await stop();
  });

  test("that refuses, hangs, redirects or lies costs the room nothing and gets everything in order", { timeout: 120_000 }, async () => {
    const { receiver, server, stop } = await start();
    const [ann, bob] = [await person(server), await person(server)];
    const room = await roomOf(server, ann, bob);
    const misdeeds = [
      () => {},
      (response) => response.writeHead(500).end("no"),
      (response) => response.writeHead(302, { location: receiver.url }).end(),
      // A body without an end, behind a status that is good.
      (response) => response.writeHead(200).write("x".repeat(1_000)),
    ];
    receiver.behave = (response) => (misdeeds.shift() ?? ((good) => good.writeHead(204).end()))(response);
    const before = performance.now();
    const first = await joined(server, room, ann);
    const second = await joined(server, room, bob);
    await marker(first, room, second);
    assert.ok(performance.now() - before < 10_000, "the room does not wait");
    second.close();
    await waitFor(receiver, "participant.left", 90_000);
    assert.deepEqual(receiver.told(room), [
      "room.started",
      `participant.joined ${ann.id}`,
      `participant.joined ${bob.id}`,
      `participant.left ${bob.id} left`,
    ]);
    const starts = receiver.heard.filter(({ type }) => type === "room.started");
    assert.equal(starts.length, 4, "no answer, refused, redirected, taken");
    assert.equal(new Set(starts.map(({ id }) => id)).size, 1, "under one id");
    first.close();
    await stop();
  });

  test("that takes its time gets each message once", { timeout: 120_000 }, async () => {
    const { receiver, server, stop } = await start();
    receiver.behave = (response) => setTimeout(() => response.writeHead(204).end(), 4_000);
    const ann = await person(server);
    const room = await roomOf(server, ann);
    (await joined(server, room, ann)).close();
    await waitFor(receiver, "participant.left", 60_000);
    assert.deepEqual([receiver.attempts, receiver.told(room)], [3, ["room.started", `participant.joined ${ann.id}`, `participant.left ${ann.id} left`]]);
    await stop();
  });

  test("that is not there when the runtime is killed gets everything afterwards", { timeout: 120_000 }, async () => {
    const { receiver, server, stop } = await start();
    receiver.behave = () => {};
    const ann = await person(server);
    const room = await roomOf(server, ann);
    const client = await joined(server, room, ann);
    await receiver.message("room.started", room);
    client.close();
    await server.kill();
    receiver.heard.length = 0;
    receiver.behave = (response) => response.writeHead(204).end();
    await server.start();
    await waitFor(receiver, "participant.joined", 60_000);
    assert.deepEqual(receiver.told(room).slice(0, 2), ["room.started", `participant.joined ${ann.id}`]);
    await stop();
  });

  test("that nobody has set costs nothing; an address without a secret is a mistake that is named", async () => {
    const server = await startServer({ WEBHOOK_URL: "https://hooks.example.com" });
    const health = await call(server, "GET", "/health");
    assert.deepEqual([health.status, /WEBHOOK_SECRET/.test(health.text)], [503, true], health.text);
    await server.stop();
  });
});

/** As `until`, for what takes longer than a test otherwise waits. */
async function waitFor(receiver, type, millis) {
  const deadline = Date.now() + millis;
  for (;;) {
    const found = receiver.heard.find((message) => message.type === type);
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`waited for ${type} in vain; heard ${JSON.stringify(receiver.heard)}`);
    await new Promise((resolve) => {
      const timer = setTimeout(wake, 1_000);
      function wake() {
        clearTimeout(timer);
        receiver.wakes.delete(wake);
        resolve();
      }
      receiver.wakes.add(wake);
    });
  }
}
