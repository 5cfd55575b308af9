// Messages between Session and Room objects when the other object does not accept them.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { WAYS, joined, marker, person, roomOf } from "./support/people.mjs";
import { startServer, startThrowing } from "./support/server.mjs";

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

describe("a call that throws", () => {
  let server;
  before(async () => {
    server = await startThrowing();
  });
  after(() => server.stop());

  test("costs the client its connection, and it is back in its room with everything that it has missed", async () => {
    const people = [await person(server), await person(server)];
    const room = await roomOf(server, ...people);
    const ann = await joined(server, room, people[0]);
    const bob = await joined(server, room, people[1], { way: WAYS.stock, reconnection: true, reconnectionDelay: 50 });
    await marker(ann, room, bob);
    await server.throws("Room.receiveBatch");
    bob.emit("chat-message", room, "it throws at this");
    await bob.next("(disconnect)");
    ann.emit("chat-message", room, "are you there?");
    const heard = (name) => bob.heard.find(([event]) => event === name)?.[1];
    await bob.until(() => heard("(connect)") && heard("chat-message"), "the way back and the message");
    assert.equal(heard("(connect)"), true, "recovered");
    assert.equal(heard("chat-message").message, "are you there?");
    await marker(bob, room, ann);
    const isReason = (line) => line.includes("a batch was not accepted") && line.includes("thrown by the test");
    await server.log.until(() => server.logged.some(isReason), "the reason in the log");
    // It would try to reconnect for ever.
    bob.close();
  });
});
