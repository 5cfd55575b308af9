// What a panic in the WASM costs: its own turn and what was under way, and nobody a place in the room.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { polled } from "./support/patience.mjs";
import { WAYS, joined, marker, person, roomOf } from "./support/people.mjs";
import { startPanicking } from "./support/server.mjs";
import { storedValues } from "./support/storage.mjs";

describe("a panic", () => {
  let server;
  let people;
  before(async () => {
    // The runtime repeats an alarm that has failed after two seconds.
    server = await startPanicking({ PING_INTERVAL_MS: "2000", PING_TIMEOUT_MS: "8000" });
    people = [await person(server), await person(server), await person(server)];
  });
  after(() => server.stop());

  const isFault = (line) => /panicked|out of bounds|already borrowed|Module terminated/.test(line);
  const isPanic = (line) => line.includes("a panic, as planned");

  for (const [way, places] of [
    [WAYS.room, ["Room.webSocketMessage", "timer", "Room.alarm"]],
    [WAYS.stock, ["Session.webSocketMessage", "Session.receiveBatch", "Session.alarm", "Room.receiveBatch", "Room.alarm", "timer"]],
  ]) {
    for (const place of places) {
      test(`in ${place} is followed by a new instance that knows everybody (${way.name})`, async (t) => {
        const room = await roomOf(server, ...people);
        const clients = await Promise.all(
          people.map((someone) => joined(server, room, someone, { way, reconnection: true, reconnectionDelay: 50 })),
        );
        // They would try to reconnect for ever.
        t.after(() => clients.forEach((client) => client.close()));
        const [ann, bob, eve] = clients;
        await marker(ann, room, bob, eve);
        const known = server.logged.length;
        const logged = () => server.logged.slice(known);
        await server.panics(place);
        // More than an inbox passes on at once before it tries to gather some.
        for (let number = 0; number < 20; number += 1) bob.emit("chat-message", room, `${number}`);
        await server.log.until(() => logged().some(isPanic), "the panic");
        // What is said now is heard by everybody: who may have missed something is told to reconnect, and joined again.
        await hearEachOther(room, clients);
        assert.deepEqual(logged().filter(isFault), [], "the new instance is sound");
      });
    }
  }

  /** Until no room is in a burst, after which everybody would have to reconnect. */
  const calm = () => {
    const logs = () => storedValues(server, "Room").filter(([key]) => key.startsWith("log"));
    return polled(() => logs().every(([, text]) => !text.includes('"log":null')), "the bursts to be saved");
  };

  test("in a calm room ends no connection", async (t) => {
    const room = await roomOf(server, ...people);
    const clients = await Promise.all(people.map((someone) => joined(server, room, someone)));
    t.after(() => clients.forEach((client) => client.close()));
    await calm();
    const known = server.logged.length;
    await server.panics("Room.webSocketMessage");
    clients[0].emit("chat-message", room, "it panics at this");
    await server.log.until(() => server.logged.slice(known).some(isPanic), "the panic");
    const [ann, ...others] = clients;
    await marker(ann, room, ...others);
    for (const client of clients) assert.ok(client.socket.connected);
  });

  test("in two turns in a row does not silence a room in which nothing happened between them", async (t) => {
    const [room, quiet] = [await roomOf(server, ...people), await roomOf(server, ...people)];
    const bob = await joined(server, room, people[0], { reconnection: true, reconnectionDelay: 50 });
    const [ann, eve] = await Promise.all([people[0], people[1]].map((someone) => joined(server, quiet, someone)));
    t.after(() => [ann, bob, eve].forEach((client) => client.close()));
    await calm();
    const known = server.logged.length;
    await server.panics("Room.webSocketMessage", 2);
    bob.emit("chat-message", room, "the first");
    bob.emit("chat-message", room, "the second");
    await server.log.until(() => server.logged.slice(known).filter(isPanic).length === 2, "two panics");
    await marker(ann, quiet, eve);
  });
});

/** Until each has heard everybody: who is just reconnecting hears nothing. */
async function hearEachOther(room, clients) {
  const rounds = [];
  const isHeard = (round) =>
    clients.every(({ heard }) => round.every((text) => heard.some(([event, chat]) => event === "chat-message" && chat.message === text)));
  await polled(() => {
    const round = clients.map((_, index) => `round ${rounds.length} of ${index}`);
    rounds.push(round);
    clients.forEach(({ socket }, index) => socket.volatile.emit("chat-message", room, round[index]));
    return rounds.some(isHeard);
  }, "everybody to hear everybody");
}
