// workerd is killed again and again while rooms talk and people write. Nobody says join-room twice.

import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { polled } from "../e2e/support/patience.mjs";
import { WAYS, joined } from "../e2e/support/people.mjs";
import { Receiver } from "../e2e/support/receiver.mjs";
import { startDirect } from "../e2e/support/server.mjs";
import { UNLIMITED, done, each, numbers, people, rooms } from "./crowd.mjs";
import { millis, percentile } from "./figures.mjs";
import { Returning } from "./returning.mjs";
import { Writer } from "./writers.mjs";

const ROOM = 4;
/** Milliseconds between two words of one person. */
const BETWEEN = 500;
/** One room of so many is silent, so that what was said in it is saved and everybody is recovered. */
const SILENT = 3;
/** A client gives up an attempt to connect after 20 seconds. */
const RETURN = 90_000;
/** A minute after its end nobody can dial again, and the webhook is told. */
const CALL_IS_OVER = 120_000;

/** `crashes` times, at moments that `seed` decides. */
export async function crashes(size, { tell, progress }) {
  const { rooms: count, writers: writing, crashes: times, untilCallsAreTold, seed = Date.now() % 1_000_000 } = size;
  tell(`seed ${seed}`);
  const random = seeded(seed);
  await using receiver = await Receiver.start();
  await using server = await startDirect({ ...UNLIMITED, ...receiver.variables });
  const everybody = await people(server, ROOM, { progress });
  const made = await rooms(server, count, everybody);
  const enter = (room, index) => join(server, room, everybody, index % 2 ? WAYS.stock : WAYS.room);
  const crowd = await each(made, 8, enter, { progress, what: "rooms full" });
  const clients = crowd.flat();
  const begun = await logsOf((logs) => logs.length === count, "the rooms' call logs");
  const writers = await each(numbers(writing), writing, () => Writer.start(server, everybody[0], { isRefusal: () => false }));
  const talk = setInterval(() => {
    for (const speakers of crowd.filter((_, index) => index % SILENT)) for (const client of speakers) client.say();
  }, BETWEEN);

  const back = [];
  for (let crash = 1; crash <= times; crash += 1) {
    await pause(random() * 3_000);
    await server.kill();
    await server.start();
    const from = performance.now();
    // One in four comes before everybody is back.
    if (crash < times && random() < 0.25) continue;
    await polled(() => areBack(server, crowd, everybody), "everybody to be back", RETURN).catch(async (error) => {
      throw new Error(`${error.message}: ${JSON.stringify(await whoIsNot(server, crowd, everybody))}`);
    });
    back.push(performance.now() - from);
    await each(writers, writing, (writer) => writer.check());
    progress(`${crash} of ${times} crashes`);
  }
  clearInterval(talk);
  await Promise.all(writers.map((writer) => writer.stop()));
  await each(writers, writing, (writer) => writer.check({ all: true }));
  await allHear(crowd);
  const sum = (counts) => counts.reduce((total, count) => total + count, 0);
  const [recovered, rejoined] = ["recovered", "rejoined"].map((how) => sum(clients.map(({ returns }) => returns[how])));
  tell(`${times} crashes: ${clients.length} clients came back, ${recovered} times as they were, ${rejoined} times joined again`);
  tell(`all were back ${millis(percentile(back, 50))} after the restart (median), ${millis(Math.max(...back))} at worst`);
  const [answered, refused] = ["answered", "refused"].map((what) => sum(writers.map((writer) => writer[what])));
  tell(`${answered} writes were answered and are there, ${refused} were not answered`);
  for (const speakers of crowd) for (const client of speakers) {
    assert.deepEqual(client.missed(speakers), [], "nothing was missed in silence");
    assert.deepEqual(client.wrong, [], "no error, nothing twice, nothing out of order");
  }

  for (const client of clients) client.close();
  const ended = await logsOf((logs) => logs.every(({ endTime }) => endTime), "the calls to end");
  const ids = (logs) => logs.map(({ _id, startTime }) => `${_id} ${startTime}`).sort();
  assert.deepEqual(ids(ended), ids(begun), "each room had one call, from its begin to its end");
  for (const log of ended) assert.deepEqual(log.participants.toSorted(), everybody.map(({ id }) => id).sort());
  const areTold = () => made.every((room) => receiver.told(room).at(-1) === "call.ended");
  if (untilCallsAreTold) await polled(areTold, "the webhook to be told of each call", CALL_IS_OVER);
  for (const room of made) isStory(receiver.messages(room), everybody);
  tell(`${receiver.attempts} posts to the webhook, ${made.flatMap((room) => receiver.messages(room)).length} messages, each room's in order`);

  /** Of somebody whom no writer calls. */
  function logsOf(are, what) {
    return polled(async () => {
      const { callLogs } = await done(server, "GET", "/api/call-logs?limit=100", { token: everybody[1].token });
      return are(callLogs) && callLogs;
    }, what);
  }
}

async function join(server, room, everybody, way) {
  const options = { as: Returning, way, reconnectionDelay: 100, reconnectionDelayMax: 500 };
  const speakers = await each(everybody, 1, (someone) => joined(server, room, someone, options));
  for (const [index, speaker] of speakers.entries()) speaker.name = index;
  return speakers;
}

async function areBack(server, crowd, everybody) {
  return (await whoIsNot(server, crowd, everybody)).length === 0;
}

/** In each room that is not full: who is missing, and how each client sees itself. */
async function whoIsNot(server, crowd, everybody) {
  const states = await each(crowd, 8, async (clients) => {
    const [{ room }] = clients;
    const { online } = (await done(server, "GET", `/api/room/${room}`, { token: everybody[0].token })).room;
    const missing = everybody.flatMap(({ id }, index) => (online.includes(id) ? [] : [index]));
    const seen = clients.map(({ socket, returns, wrong }) => ({ connected: socket.connected, ...returns, wrong: wrong.slice(0, 3) }));
    return { room, missing, seen };
  });
  return states.filter(({ missing, seen }) => missing.length > 0 || seen.some(({ connected }) => !connected));
}

/** One more word of each, which everybody else in its room hears. */
async function allHear(crowd) {
  for (const client of crowd.flat()) client.say();
  const hears = (client, other) => client === other || client.last.get(other.name)?.number === other.said - 1;
  const deaf = () => crowd.flatMap((speakers) => speakers.flatMap((client) => speakers.filter((other) => !hears(client, other)).map((other) => ({
    room: client.room, who: client.name, ofWhom: other.name, heard: client.last.get(other.name)?.number, said: other.said - 1,
    acknowledged: other.acknowledged.has(other.said - 1), wrong: other.wrong.slice(0, 3), returns: [client.returns, other.returns],
  }))));
  await polled(() => deaf().length === 0, "the last word of everybody").catch((error) => {
    throw new Error(`${error.message}: ${JSON.stringify(deaf())}`);
  });
}

/** Somebody joins who is not there, and leaves who is; it starts with the first one. */
function isStory(messages, everybody) {
  const present = new Set();
  const told = JSON.stringify(messages.map(({ type, data }) => [type, data.userId, data.reason]));
  for (const { type, data: { userId } } of messages) {
    if (type === "room.started") assert.equal(present.size, 0, told);
    if (type === "participant.joined") assert.ok(!present.has(userId) && present.add(userId), told);
    if (type === "participant.left") assert.ok(present.delete(userId), told);
  }
  const times = messages.map(({ timestamp }) => timestamp);
  assert.deepEqual(times, times.toSorted(), told);
  for (const { id } of everybody) assert.ok(messages.some(({ type, data }) => type === "participant.joined" && data.userId === id), told);
}

/** The same numbers from 0 to 1 for the same seed (mulberry32). */
function seeded(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
