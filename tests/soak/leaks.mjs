// Nothing stays of rooms that were left, and nothing grows in a room that sleeps and wakes.

import assert from "node:assert/strict";
import { polled } from "../e2e/support/patience.mjs";
import { WAYS, joined } from "../e2e/support/people.mjs";
import { startDirect } from "../e2e/support/server.mjs";
import { storedRows, storedValues } from "../e2e/support/storage.mjs";
import { memoryOf } from "../e2e/support/processes.mjs";
import { UNLIMITED, each, people, rooms } from "./crowd.mjs";
import { millis, mib } from "./figures.mjs";
import { ClientSpeaker, WireSpeaker, leave } from "./speakers.mjs";
import { Traffic } from "./traffic.mjs";

const QUICK = { PING_INTERVAL_MS: "2000", PING_TIMEOUT_MS: "20000", RECONNECT_GRACE_SECONDS: "1", REJOIN_SECONDS: "2" };
/**
 * V8 collects its garbage wholly, and often. Otherwise it leaves it while its own heaps are small, though it holds memory of
 * the runtime's: most of it is of Miniflare's D1.
 */
const COLLECTING = "--gc-global --max-semi-space-size=1";
/** For the ends of so many rooms more than a test otherwise waits. */
const FORGOTTEN = 120_000;

/** Rooms are used and left, again and again: by goodbyes and by losses, by clients in their rooms and in sessions of their own. */
export async function roomsLeft({ rooms: count, rounds }, { tell, progress }) {
  await using server = await startDirect({ ...UNLIMITED, ...QUICK }, { v8Flags: COLLECTING });
  const [pid] = server.workerds();
  const everybody = await people(server, 2);
  const memory = [];
  for (let round = 1; round <= rounds; round += 1) {
    const made = await rooms(server, count, everybody, { progress });
    const crowd = await each(made, 16, (room, index) => pair(server, room, everybody, index), { progress, what: "rooms full" });
    const traffic = new Traffic();
    for (const speakers of crowd) traffic.add(speakers);
    await traffic.run({ seconds: 2, progress });
    const most = memoryOf(pid);
    assert.ok(rowsOf(server, "Room") >= count * 4, "two members, the log and the call of each");
    const begun = performance.now();
    for (const [index, speakers] of crowd.entries()) {
      if (index % 4 < 2) leave(speakers);
      else for (const speaker of speakers) lose(speaker);
    }
    await polled(() => rowsOf(server, "Room") + rowsOf(server, "Session") === 0, "the objects to store nothing", FORGOTTEN);
    memory.push(memoryOf(pid));
    tell(`${count} rooms used and left, time ${round}: no row after ${millis(performance.now() - begun)}; ` +
      `workerd's memory ${mib(most)} in use, ${mib(memory.at(-1))} after`);
  }
  return { memory };
}

/** A room sleeps and wakes: it knows everybody and everything, and stores as much as before. */
export async function sleeps({ times }, { tell, progress }) {
  await using server = await startDirect({ ...UNLIMITED, PING_INTERVAL_MS: "2000" });
  const [pid] = server.workerds();
  const everybody = await people(server, 3);
  const [room] = await rooms(server, 1, everybody);
  const [ann, bob] = await each(everybody.slice(0, 2), 1, (someone) => WireSpeaker.join(server, room, someone));
  const traffic = new Traffic();
  traffic.add([ann, bob]);
  const stored = () => storedValues(server, "Room");
  // The burst is over and has arrived everywhere: nothing of it is kept.
  const isQuiet = () => stored().every(([key, text]) => !key.startsWith("log:") || !/"log":null|candidate|awake/.test(text));
  const states = [];
  for (let time = 1; time <= times; time += 1) {
    // Somebody else comes and goes in each time, whom nothing may remember.
    const guest = await WireSpeaker.join(server, room, everybody[2]);
    await traffic.run({ seconds: 1, perSecond: 4 });
    leave([guest]);
    await bob.nextEvent("user-disconnected");
    await polled(isQuiet, "the burst to be over");
    const values = stored();
    states.push({ keys: values.map(([key]) => key).sort(), bytes: values.reduce((sum, [, text]) => sum + text.length, 0), memory: memoryOf(pid) });
    await server.hibernate("Room", room);
    await traffic.run({ seconds: 1 });
    assert.equal(await chatNumber(ann, room), 1, "it counts its messages in memory, and that was gone");
    progress(`${time} of ${times} times asleep and awake`);
  }
  const [first, last] = [states[0], states.at(-1)];
  assert.deepEqual(last.keys, first.keys, "the rows are the same");
  tell(`${times} times asleep and awake: ${last.keys.length} rows, ${first.bytes} bytes at first, ${last.bytes} at last; ` +
    `workerd's memory ${mib(first.memory)} at first, ${mib(last.memory)} at last; ${traffic.heard} events, none lost`);
  // Numbers have more digits than they had.
  assert.ok(last.bytes <= first.bytes + 20, "and hold as much");
  leave([ann, bob]);
  return { memory: states.map(({ memory }) => memory) };
}

async function pair(server, room, everybody, index) {
  if (index % 2 === 0) return each(everybody, 1, (someone) => WireSpeaker.join(server, room, someone));
  return each(everybody, 1, (someone) => joined(server, room, someone, { as: ClientSpeaker, way: WAYS.stock }));
}

function lose(speaker) {
  speaker.fails = () => {};
  if (speaker instanceof WireSpeaker) speaker.socket.terminate();
  else speaker.cut();
}

function rowsOf(server, className) {
  return Object.values(storedRows(server, className)).reduce((sum, count) => sum + count, 0);
}

/** A chat message's number in its id. */
async function chatNumber(speaker, room) {
  speaker.send(`429["chat-message","${room}","awake?"]`);
  const answer = await speaker.next((frame) => frame.startsWith("439["));
  return Number(/-(\d+)"/.exec(answer)[1]);
}
