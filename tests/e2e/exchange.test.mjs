// Messages between Session and Room objects when the other object does not accept them.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { WAYS, joined, marker, person, roomOf } from "./support/people.mjs";
import { startServer } from "./support/server.mjs";

describe("messages between objects", () => {
  let server;
  before(async () => {
    server = await startServer({ RECONNECT_GRACE_SECONDS: "1" });
  });
  after(() => server.stop());

  test("a client that its Session object has lost is lost to its room, and nobody else", async () => {
    const people = [await person(server), await person(server), await person(server)];
    const room = await roomOf(server, ...people);
    const [ann, bob, eve] = [
      await joined(server, room, people[0]),
      await joined(server, room, people[1], { way: WAYS.stock }),
      await joined(server, room, people[2], { way: WAYS.stock }),
    ];
    await marker(ann, room, bob, eve);
    await server.miniflare.unsafeEvictDurableObject("", "Session", { name: bob.socket.io.engine.id, webSockets: "close" });
    await ann.ask("chat-message", room, "are you there?");
    const isRefusal = (line) => line.includes("a Session object did not take what its client was told");
    await server.log.until(() => server.logged.some(isRefusal), "the room to be told that its message was refused");
    assert.deepEqual(await ann.next("user-disconnected"), [people[1].id, "lost"]);
    const again = await joined(server, room, people[1], { way: WAYS.stock });
    await marker(ann, room, eve, again);
  });
});
