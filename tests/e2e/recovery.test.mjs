// Who loses its connection comes back as it was: real clients, real workerd, hibernation and kill -9.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { Client, WAYS, call, joined, marker, person, roomOf } from "./support/people.mjs";
import { eventually, polled, within } from "./support/patience.mjs";
import { startServer } from "./support/server.mjs";
import { storedValues } from "./support/storage.mjs";

/** A client that comes back by itself, and soon. */
const COMES_BACK = { reconnection: true, reconnectionDelay: 100, reconnectionDelayMax: 200 };

for (const way of [WAYS.room, WAYS.stock, WAYS.polling]) describe(`recovery, ${way.name}`, () => {
  let server;
  before(async () => {
    server = await startServer({ AUTH_LIMIT_ATTEMPTS: "10000", RECONNECT_GRACE_SECONDS: "20" });
    server.way = way;
  });
  after(() => server.stop());

  /** Two people in a room who come back; `{people, room, ann, bob}`. */
  async function couple(options = COMES_BACK) {
    const people = [await person(server), await person(server)];
    const room = await roomOf(server, ...people);
    const ann = await joined(server, room, people[0], options);
    const bob = await joined(server, room, people[1], options);
    await marker(ann, room, bob);
    ann.taken();
    bob.taken();
    return { people, room, ann, bob };
  }

  /**
   * Waits until the client is back and has heard what the others have; whether it is as it was, and what it
   * missed, which comes after the connection, nobody says how soon.
   */
  async function returned(client, room, other) {
    const isConnect = ([event]) => event === "(connect)";
    await client.until(() => client.heard.some(isConnect), "the connection");
    const [, recovered = false] = client.heard.find(isConnect);
    await marker(other, room, client);
    return { recovered, missed: events(client).filter(([event]) => event !== "chat-message") };
  }

  const events = (client) => client.taken().filter(([event]) => !event.startsWith("("));

  test("who was cut off gets what it missed, in order, and nobody is told", async () => {
    const { people, room, ann, bob } = await couple();
    const sid = ann.socket.id;
    ann.cut();
    for (let number = 0; number < 20; number += 1) bob.emit("offer", room, number);
    bob.emit("answer", { roomId: room, answer: "for you", targetUserId: people[0].id });
    await ann.next("(disconnect)");
    const { recovered, missed } = await returned(ann, room, bob);
    assert.equal(recovered, true);
    assert.equal(ann.socket.id, sid, "the same socket id");
    const offers = Array.from({ length: 20 }, (_, number) => ["offer", number]);
    assert.deepEqual(missed, [...offers, ["answer", { answer: "for you", senderId: people[1].id }]]);
    assert.deepEqual(events(bob).filter(([event]) => event.startsWith("user-")), [], "nobody was told");
    assert.deepEqual(await ann.ask("offer", room, "back"), { ok: true }, "still in the room");
    assert.deepEqual(await bob.next("offer"), ["back"]);
    ann.close();
    bob.close();
  });

  test("again and again", async () => {
    const { room, ann, bob } = await couple();
    for (let round = 0; round < 4; round += 1) {
      ann.cut();
      await ann.next("(disconnect)");
      bob.emit("offer", room, round);
      assert.deepEqual(await returned(ann, room, bob), { recovered: true, missed: [["offer", round]] });
    }
    ann.close();
    bob.close();
  });

  test("a crash of the whole runtime is survived when the burst before it is saved", async () => {
    const { room, ann, bob } = await couple();
    bob.emit("offer", room, "before");
    await ann.next("offer");
    const logs = () => storedValues(server, "Room").filter(([key]) => key.startsWith("log:"));
    await polled(() => logs().every(([, text]) => !text.includes('"log":null')), "the burst to be saved");
    await server.kill();
    await server.start();
    await bob.until(() => bob.heard.some(([event]) => event === "(connect)"), "the connection");
    assert.deepEqual(await returned(ann, room, bob), { recovered: true, missed: [] });
    assert.deepEqual(await returned(bob, room, ann), { recovered: true, missed: [] });
    bob.emit("offer", room, "after");
    assert.deepEqual(await ann.next("offer"), ["after"]);
    ann.close();
    bob.close();
  });

  test("after a crash within a burst the server joins everybody again, and tells it in order", async () => {
    const { people, room, ann, bob } = await couple();
    bob.emit("offer", room, "said just before");
    await ann.next("offer");
    await server.kill();
    for (const client of [ann, bob]) await client.next("(disconnect)");
    await server.start();
    const isBack = (client) => client.heard.some(([event]) => event === "existing-users");
    await eventually([ann, bob], () => [ann, bob].every(isBack), "both to be joined");
    // Neither has said join-room.
    await marker(ann, room, bob);
    await marker(bob, room, ann);
    for (const [client, other] of [[ann, people[1].id], [bob, people[0].id]]) {
      const heard = client.taken();
      assert.deepEqual(heard.find(([event]) => event === "(connect)"), ["(connect)"], "not recovered");
      const ofOther = heard.filter(([event, id]) => event.startsWith("user-") && id === other).map(([event]) => event);
      const expected = ["user-connected", "user-disconnected"];
      assert.equal(ofOther.at(-1), "user-connected", "the other one is here");
      ofOther.toReversed().forEach((event, index) => assert.equal(event, expected[index % 2], ofOther.join()));
    }
    const { json } = await call(server, "GET", `/api/room/${room}`, { token: people[0].token });
    assert.deepEqual(json.room.online.toSorted(), people.map(({ id }) => id).toSorted());
    ann.close();
    bob.close();
  });

  // A client that polls has a request open, so its object does not sleep.
  if (way !== WAYS.polling) test("what was said before a sleep is still there", async () => {
    const { room, ann, bob } = await couple();
    const engines = [ann, bob].map((client) => client.socket.io.engine);
    await polled(() => engines.every(({ transport }) => transport.name === "websocket"), "the upgrades");
    // Not a sound from ann, which does not know yet that nothing reaches it.
    ann.mute();
    bob.emit("offer", room, "unheard");
    await bob.ask("offer", room, "unheard too");
    const { id: awake } = await bob.ask("chat-message", room, "still awake");
    // The room falls asleep only after that.
    await polled(() => storedValues(server, "Room").some(([key, text]) => key.startsWith("log:") && text.includes("unheard too")), "the burst to be saved");
    await server.hibernate("Room", room);
    if (!way.namesRoom) for (const { id } of engines) await server.hibernate("Session", id);
    ann.cut();
    await ann.next("(disconnect)");
    const missed = [["offer", "unheard"], ["offer", "unheard too"]];
    assert.deepEqual(await returned(ann, room, bob), { recovered: true, missed });
    const { id } = await bob.ask("chat-message", room, "awake again");
    // A marker was said since.
    assert.deepEqual([awake, id].map((id) => id.split("-").at(-1)), ["2", "2"], "it counts its messages in memory, and that was gone");
    ann.close();
    bob.close();
  });

  test("a refused join costs nobody the recovery", async () => {
    const { room, ann, bob } = await couple();
    const elsewhere = await roomOf(server, await person(server));
    ann.emit("join-room", elsewhere);
    const [refused] = await ann.next("error");
    assert.match(refused.code, /not_participant|wrong_room/);
    ann.cut();
    await ann.next("(disconnect)");
    bob.emit("offer", room, "missed");
    assert.deepEqual(await returned(ann, room, bob), { recovered: true, missed: [["offer", "missed"]] });
    ann.close();
    bob.close();
  });

  test("of two that bring one pid the newest holds it, never both", async () => {
    const { people, room, ann, bob } = await couple({ reconnection: false });
    const auth = { token: people[0].token, pid: ann.socket._pid, offset: ann.offset };
    const rivals = [new Client(server, room, { auth }), new Client(server, room, { auth })];
    const isHolder = ({ socket }) => socket.connected;
    // The loser is closed before it was told that it is connected, or after.
    const isClosed = (client) => !isHolder(client) && client.heard.some(([event]) => event === "(disconnect)" || event === "(connect_error)");
    const isOver = () => isClosed(ann) && rivals.some(isClosed) && rivals.some(isHolder);
    await eventually([ann, ...rivals], isOver, "all but one to be closed");
    const [holder, loser] = isHolder(rivals[0]) ? rivals : rivals.toReversed();
    assert.equal(holder.socket._pid, auth.pid);
    loser.taken();
    bob.emit("offer", room, "for the holder");
    assert.deepEqual(await holder.next("offer"), ["for the holder"]);
    assert.deepEqual(await holder.ask("offer", room, "from the holder"), { ok: true });
    assert.deepEqual(await bob.next("offer"), ["from the holder"]);
    await marker(bob, room, holder);
    assert.deepEqual([isHolder(holder), isHolder(loser), loser.taken()], [true, false, []], "there is one, and it stays so");
    assert.deepEqual(events(bob).filter(([event]) => event.startsWith("user-")), []);
    const { json } = await call(server, "GET", `/api/room/${room}`, { token: people[0].token });
    assert.deepEqual(json.room.online, people.map(({ id }) => id));
    holder.close();
    bob.close();
  });

  test("a pid is nothing without the same user's token, nor after a goodbye, nor with another room's offset", async () => {
    const { people, room, ann, bob } = await couple({ reconnection: false });
    const stranger = await person(server);
    const { _pid: pid } = ann.socket;
    const { offset } = ann;
    const elsewhere = `${Buffer.from(randomUUID().replaceAll("-", ""), "hex").toString("base64url")}.${offset.split(".").slice(1).join(".")}`;
    for (const auth of [
      { token: stranger.token, pid, offset },
      { token: people[0].token, pid: `${pid}x`, offset },
      { token: people[0].token, pid, offset: elsewhere },
      { token: people[0].token, pid, offset: "made up" },
      { token: people[0].token, pid },
      { token: people[0].token, pid: 7, offset },
    ]) {
      const client = new Client(server, room, { auth });
      await client.next("(connect)");
      assert.notEqual(client.socket._pid, pid, JSON.stringify(Object.keys(auth)));
      client.close();
    }
    assert.deepEqual(await ann.ask("offer", room, "still there"), { ok: true }, "none of it harmed its holder");
    ann.socket.disconnect();
    await bob.next("user-disconnected");
    const late = new Client(server, room, { auth: { token: people[0].token, pid, offset } });
    await late.next("(connect)");
    assert.notEqual(late.socket._pid, pid, "a goodbye ends it");
    late.close();
    bob.close();
  });
});

describe("recovery from one kind of connection to another", () => {
  let server;
  before(async () => (server = await startServer({ AUTH_LIMIT_ATTEMPTS: "10000" })));
  after(() => server.stop());

  const ways = Object.values(WAYS);
  for (const was of ways) for (const becomes of ways) test(`from “${was.name}” to “${becomes.name}”`, async () => {
    const people = [await person(server), await person(server)];
    const room = await roomOf(server, ...people);
    const ann = await joined(server, room, people[0], { way: was });
    const bob = await joined(server, room, people[1]);
    await marker(bob, room, ann);
    const auth = { token: people[0].token, pid: ann.socket._pid, offset: ann.offset };
    ann.cut();
    bob.emit("offer", room, "missed");
    bob.taken();
    const again = new Client(server, room, { auth, way: becomes });
    await again.next("(connect)");
    assert.equal(again.socket._pid, auth.pid, "recovered");
    again.emit("offer", room, "back");
    assert.deepEqual(await bob.next("offer"), ["back"]);
    assert.deepEqual(bob.taken(), [], "nobody was told");
    again.close();
    bob.close();
  });

  for (const way of [WAYS.stock, WAYS.roomPolling]) test(`who loses its place in the middle of an upgrade hears of it, ${way.name}`, async () => {
    const people = [await person(server), await person(server)];
    const room = await roomOf(server, ...people);
    const ann = await joined(server, room, people[0], { way });
    const bob = await joined(server, room, people[1]);
    await marker(bob, room, ann);
    const auth = { token: people[0].token, pid: ann.socket._pid, offset: ann.offset };
    const again = new Client(server, room, { auth, way });
    const upgrade = heldUpgrade(again.socket.io.engine);
    await again.next("(connect)");
    await upgrade.untilPaused();
    const newest = new Client(server, room, { auth, way });
    await newest.next("(connect)");
    await marker(bob, room, newest);
    await upgrade.goOn();
    // A client that the server forgot just then would wait for the next ping, in vain.
    assert.deepEqual(await again.next("(disconnect)"), ["transport close"]);
    assert.deepEqual(await newest.ask("offer", room, "here"), { ok: true });
    for (const client of [ann, newest, bob]) client.close();
  });

  /** Holds an upgrade where its client polls no longer, as the answer to its last poll is late, and does not use its WebSocket yet. */
  function heldUpgrade(engine) {
    const [offered, answered, probed] = Array.from({ length: 3 }, () => Promise.withResolvers());
    const { transport } = engine;
    const [probe, onData] = [engine._probe.bind(engine), transport.onData.bind(transport)];
    engine._probe = (name) => offered.resolve(name);
    // The polls after the handshake take it from here.
    let read = onData;
    transport.onData = (data) => read(data);
    engine.once("upgrading", probed.resolve);
    return {
      async untilPaused() {
        const name = await within(offered.promise, "the offer of an upgrade");
        read = answered.resolve;
        probe(name);
        await within(Promise.all([answered.promise, probed.promise]), "the answers to the poll and to the probe");
      },
      goOn: async () => onData(await answered.promise),
    };
  }
});

for (const way of [WAYS.room, WAYS.stock]) describe(`who comes back too late to recover, ${way.name}`, () => {
  test("is joined again by the server", async () => {
    const server = await startServer({ RECONNECT_GRACE_SECONDS: "1" });
    server.way = way;
    const people = [await person(server), await person(server)];
    const room = await roomOf(server, ...people);
    const options = { reconnection: true, reconnectionDelay: 4_000, reconnectionDelayMax: 4_000, randomizationFactor: 0 };
    const ann = await joined(server, room, people[0], options);
    const bob = await joined(server, room, people[1]);
    await marker(bob, room, ann);
    bob.taken();
    ann.cut();
    await ann.next("(disconnect)");
    assert.deepEqual(await bob.next("user-disconnected"), [people[0].id, "lost"]);
    assert.deepEqual(await bob.next("user-connected"), [people[0].id]);
    assert.deepEqual(await ann.next("(connect)"), [], "not recovered");
    assert.deepEqual(await ann.next("existing-users"), [[people[1].id]]);
    assert.deepEqual(await ann.ask("offer", room, "back"), { ok: true });
    assert.deepEqual(await bob.next("offer"), ["back"]);
    assert.equal((await ann.ask("join-room", room)).ok, true, "who says it gets the ack");
    ann.close();
    bob.close();
    await server.stop();
  });
});
