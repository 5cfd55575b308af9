// How an object's frames get into the WASM (crates/socketio-object/js/inbox.mjs): at once, or in a rush together; first by itself, with a
// clock that the test moves, then on workerd.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Inbox } from "../../crates/socketio-object/js/inbox.mjs";
import { polled } from "./support/patience.mjs";
import { call, person, roomOf } from "./support/people.mjs";
import { RawSocket } from "./support/raw.mjs";
import { UNLIMITED_EVENTS, startGathering } from "./support/server.mjs";

/** How many frames pass before the first try. */
const FIRST = 8;

describe("an inbox", () => {
  /** Passed frames, or how many of them; what it throws is in `reported`. */
  function inbox(pass = () => {}) {
    const [passed, timers, reported] = [[], [], []];
    const take = (_, frame) => {
      passed.push(frame);
      pass(frame);
    };
    const subject = new Inbox(take, (call) => timers.push(call), (error) => reported.push(error.message));
    const push = (...frames) => frames.forEach((frame) => subject.push(null, frame));
    const tick = () => timers.splice(0).forEach((call) => call());
    return { subject, passed, timers, reported, push, tick };
  }

  /** The same, after the frames that pass at first. */
  function trying(pass) {
    const all = inbox(pass);
    all.push(...Array(FIRST).fill("first"));
    assert.equal(all.passed.splice(0).length, FIRST);
    return all;
  }

  test("passes frames at once, and sets a timer only now and then if each is alone", () => {
    const { passed, timers, push, tick } = inbox();
    let waited = 0;
    for (let number = 0; number < 10_000; number += 1) {
      push(number);
      if (timers.length > 0) waited += 1;
      tick();
      assert.equal(passed.at(-1), number);
    }
    assert.deepEqual(passed, [...Array(10_000).keys()]);
    assert.ok(waited > 0 && waited < 20, `${waited} of 10,000 frames waited`);
  });

  test("gathers what comes within a millisecond as long as something does, and keeps its order", () => {
    const { passed, timers, push, tick } = trying();
    for (let number = 0; number < 300; number += 3) {
      push(number, number + 1, number + 2);
      assert.equal(passed.length, number, "they wait");
      assert.equal(timers.length, 1);
      tick();
    }
    assert.deepEqual(passed, [...Array(300).keys()]);
    push("alone");
    tick();
    push("next");
    assert.deepEqual(passed.slice(300), ["alone", "next"], "after a frame that was alone they pass at once");
  });

  test("passes on what waits before something else happens, and its timer then finds nothing", () => {
    const { subject, passed, push, tick } = trying();
    push("one", "two");
    subject.drain();
    assert.deepEqual(passed, ["one", "two"]);
    tick();
    subject.drain();
    assert.deepEqual(passed, ["one", "two"]);
  });

  test("holds at most 64 frames, and 64 Ki units of text or bytes and one frame", () => {
    const { passed, push } = trying();
    push(...Array(63).fill(""));
    assert.equal(passed.length, 0);
    push("");
    assert.equal(passed.splice(0).length, 64);
    push("x".repeat(65_000), new ArrayBuffer(535));
    assert.equal(passed.length, 0);
    push("x");
    assert.equal(passed.splice(0).length, 3);
    push("x".repeat(1_000_000));
    assert.equal(passed.length, 1);
  });

  test("reports what a frame throws, and passes on the next ones", () => {
    const { subject, passed, reported, push } = trying((frame) => {
      if (frame === "bad") throw new Error("bad frame");
    });
    push("good", "bad", "good");
    subject.drain();
    assert.deepEqual(passed, ["good", "bad", "good"]);
    assert.deepEqual(reported, ["bad frame"]);
  });

  test("takes the frames that come while it passes others on", () => {
    const { subject, passed, push } = trying((frame) => {
      if (frame === "one") subject.push(null, "three");
    });
    push("one", "two");
    subject.drain();
    subject.drain();
    assert.deepEqual(passed, ["one", "two", "three"]);
  });
});

describe("a rush of frames on workerd", () => {
  const EVENTS = 1_000;
  let server;
  before(async () => {
    server = await startGathering({
      ...UNLIMITED_EVENTS,
      RECONNECT_GRACE_SECONDS: "1",
    });
  });
  after(() => server.stop());

  for (const namesRoom of [true, false]) {
    const place = namesRoom ? "to a room" : "to Session objects";
    test(`${place} is gathered, and arrives once, in order and to the last word before its sender's goodbye or loss`, async () => {
      const people = [await person(server), await person(server), await person(server)];
      const room = await roomOf(server, ...people);
      const [listener, ...senders] = await Promise.all(people.map(({ token }) => RawSocket.open(server, room, token, { namesRoom })));
      const before = await server.frames();
      for (let number = 0; number < EVENTS; number += 1) {
        senders.forEach((sender) => sender.send(`42["chat-message","${room}","${number}"]`));
      }
      senders[0].send("41");
      senders.forEach((sender) => sender.close());
      const events = () => listener.heard.filter((frame) => frame.startsWith("42")).map((frame) => JSON.parse(frame.slice(2)));
      const isGone = (id) => events().some(([name, who]) => name === "user-disconnected" && who === id);
      await listener.until(() => people.slice(1).every(({ id }) => isGone(id)), "both senders to be gone");
      const numbers = Object.fromEntries(people.slice(1).map(({ id }) => [id, []]));
      for (const [name, first, reason] of events()) {
        if (name === "chat-message") numbers[first.userId].push(Number(first.message));
        if (name !== "user-disconnected") continue;
        assert.equal(numbers[first].length, EVENTS, "all was said before the end was told");
        assert.equal(reason, first === people[1].id ? "left" : "lost");
      }
      for (const heard of Object.values(numbers)) assert.deepEqual(heard, [...Array(EVENTS).keys()]);
      const waited = (await server.frames()).waited - before.waited;
      assert.ok(waited > EVENTS, `of ${2 * EVENTS} frames only ${waited} waited for others`);
      listener.close();
    });
  }
});

describe("what waits in an inbox on workerd", () => {
  const SAID = 20;

  /** Two people in a room, of whom one has said something that waits. */
  const waiting = async (server) => {
    await server.hold();
    const [ann, bob] = [await person(server), await person(server)];
    const room = await roomOf(server, ann, bob);
    const [listener, sender] = [await RawSocket.open(server, room, ann.token), await RawSocket.open(server, room, bob.token)];
    const { came } = await server.frames();
    for (let number = 0; number < SAID; number += 1) sender.send(`42["chat-message","${room}","${number}"]`);
    const said = () => listener.heard.filter((frame) => frame.startsWith('42["chat-message"')).map((frame) => Number(JSON.parse(frame.slice(2))[1].message));
    await polled(async () => (await server.frames()).came >= came + SAID, "all frames to come");
    return { ann, room, listener, sender, said };
  };
  const ALL = [...Array(SAID).keys()];

  test("goes ahead of a request", async () => {
    await using server = await startGathering();
    const { ann, room, listener, said } = await waiting(server);
    assert.equal((await call(server, "DELETE", `/api/room/${room}`, { token: ann.token })).status, 200);
    await listener.until(() => listener.heard.some((frame) => frame.startsWith('42["room-ended"')), "the room to end");
    assert.deepEqual(said(), ALL);
  });

  test("goes ahead of the end of a connection that breaks", async () => {
    await using server = await startGathering({ RECONNECT_GRACE_SECONDS: "1" });
    const { listener, sender, said } = await waiting(server);
    sender.socket.terminate();
    await listener.until(() => listener.heard.some((frame) => frame.startsWith('42["user-disconnected"')), "its sender to be gone");
    assert.deepEqual(said(), ALL);
    listener.close();
  });

  test("goes with an alarm", async () => {
    await using server = await startGathering({ PING_INTERVAL_MS: "2000" });
    const { listener, sender, said } = await waiting(server);
    await listener.until(() => said().length === SAID, "everything");
    assert.deepEqual(said(), ALL);
    for (const socket of [listener, sender]) socket.close();
  });
});
