// What an object stores while it is needed, and that nothing is left of it afterwards.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { Client, WAYS, joined, marker, person, roomOf } from "./support/people.mjs";
import { polled } from "./support/patience.mjs";
import { RawSocket } from "./support/raw.mjs";
import { startServer } from "./support/server.mjs";
import { storedRows, storedValues } from "./support/storage.mjs";

describe("the life of an object", () => {
  let server;
  before(async () => {
    const quick = { PING_INTERVAL_MS: "1000", RECONNECT_GRACE_SECONDS: "1", REJOIN_SECONDS: "2" };
    server = await startServer({ ...quick, AUTH_LIMIT_ATTEMPTS: "10000" });
  });
  after(() => server.stop());

  const rows = (className) => Object.values(storedRows(server, className)).reduce((sum, count) => sum + count, 0);
  const nothingLeft = (className) => polled(() => rows(className) === 0, `${className} objects to store nothing`);

  for (const way of Object.values(WAYS)) for (const [how, end] of [
    ["said goodbye", (client) => client.close()],
    ["were lost and did not come back", (client) => client.cut()],
  ]) test(`nothing is left where all ${how}, ${way.name}`, async () => {
    const people = [await person(server), await person(server)];
    const room = await roomOf(server, ...people);
    const clients = [await joined(server, room, people[0], { way }), await joined(server, room, people[1], { way })];
    await marker(clients[0], room, clients[1]);
    assert.ok(rows("Room") >= 4, "two members, the log and the call");
    if (!way.namesRoom) assert.equal(rows("Session"), 2, "one for each client in a room");
    clients.forEach(end);
    await nothingLeft("Room");
    await nothingLeft("Session");
  });

  test("what was said rests in the storage no longer than until it has arrived", async () => {
    const people = [await person(server), await person(server)];
    const room = await roomOf(server, ...people);
    const [ann, bob] = [await joined(server, room, people[0]), await joined(server, room, people[1], { way: WAYS.stock })];
    const keys = () => storedValues(server, "Room").map(([key]) => key.replace(/^call:.*/, "call")).sort();
    const log = () => storedValues(server, "Room").find(([key]) => key === "log:0")[1];
    await ann.ask("chat-message", room, "a word between us");
    assert.deepEqual(keys(), ["call", "log:0", "peer:0", "peer:1"]);
    assert.match(log(), /"log":null/, "a burst goes on");
    await polled(() => !log().includes('"log":null'), "the burst to be saved");
    await polled(() => !log().includes("a word between us"), "the next heartbeat");
    assert.deepEqual(keys(), ["call", "log:0", "peer:0", "peer:1"]);
    ann.close();
    bob.close();
    await nothingLeft("Room");
  });

  test("nothing is stored of who only connects, to a room that nobody made or to none", async () => {
    const someone = await person(server);
    const clients = [WAYS.room, WAYS.roomPolling, WAYS.stock, WAYS.polling].map(
      (way) => new Client(server, randomUUID(), { token: someone.token, way }),
    );
    for (const client of clients) await client.next("(connect)");
    assert.deepEqual([rows("Room"), rows("Session")], [0, 0]);
    for (const client of clients) client.close();
  });

  test("who leaves the room as the last one is still pinged", async () => {
    const someone = await person(server);
    const room = await roomOf(server, someone);
    const socket = await RawSocket.open(server, room, someone.token, { answersPings: false });
    assert.equal(rows("Room"), 2);
    socket.send('421["leave-room"]');
    await socket.next((frame) => frame === '431[{"ok":true}]');
    await nothingLeft("Room");
    for (let beat = 0; beat < 3; beat += 1) {
      await socket.next((frame) => frame === "2");
      socket.send("3");
    }
    socket.send('422["chat-message","x"]');
    await socket.next((frame) => frame.startsWith('432[{"ok":false'));
    socket.send(`423["join-room","${room}"]`);
    await socket.next((frame) => frame.startsWith('433[{"ok":true'));
    socket.close();
    await nothingLeft("Room");
  });
});
