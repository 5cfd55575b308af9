// What the server holds: many rooms that talk, one large room, many joins at once.

import assert from "node:assert/strict";
import { WAYS, joined } from "../e2e/support/people.mjs";
import { startDirect } from "../e2e/support/server.mjs";
import { memoryOf } from "../e2e/support/processes.mjs";
import { UNLIMITED, each, numbers, people, rooms } from "./crowd.mjs";
import { kib, millis, usage } from "./figures.mjs";
import { ClientSpeaker, WireSpeaker, leave } from "./speakers.mjs";
import { Traffic } from "./traffic.mjs";

const ROOM = 4;
/** One room of so many is of real clients: two that named their room, two stock ones. */
const REAL = 25;
/** Of one address fewer may be on their way into a room: ROOM_GUESTS_PER_ADDRESS. */
const AT_ONCE = 16;

/** Rooms of four in which everybody says something every second: nothing is dropped, lost, doubled or reordered. */
export async function held({ rooms: count, seconds, perSecond = 1 }, { tell, progress }) {
  await using server = await startDirect(UNLIMITED);
  const [pid] = server.workerds();
  const everybody = await people(server, ROOM, { progress });
  const made = await rooms(server, count, everybody, { progress });
  const before = memoryOf(pid);
  const crowd = await each(made, AT_ONCE, (room, index) => join(server, room, everybody, index % REAL === 0), { progress, what: "rooms full" });
  const idle = memoryOf(pid);
  const sockets = count * ROOM;
  tell(`${sockets} sockets in ${count} rooms, ${Math.ceil(count / REAL) * ROOM} of them socket.io-clients: ` +
    `${kib((idle - before) / sockets)} of workerd's memory for each`);
  const traffic = new Traffic();
  for (const speakers of crowd) traffic.add(speakers);
  const busy = usage(pid);
  await traffic.run({ seconds, perSecond, progress });
  tell(`${traffic.said} events in ${seconds} s, heard ${traffic.heard} times: none dropped, lost, doubled or reordered`);
  tell(`a relay took ${millis(traffic.within(50))} (p50), ${millis(traffic.within(99))} (p99), ${millis(traffic.within(100))} (worst)`);
  tell(busy());
  tell(`${kib((memoryOf(pid) - before) / sockets)} of memory for each socket at the end`);
  for (const speakers of crowd) leave(speakers);
  return { p99: traffic.within(99) };
}

/** One room with as many people as it lets in. */
export async function largeRoom({ people: count, seconds }, { tell, progress }) {
  await using server = await startDirect({ ...UNLIMITED, ROOM_MAX_PEOPLE: String(count) });
  const everybody = await people(server, count + 1, { progress });
  const [room] = await rooms(server, 1, everybody);
  const begun = performance.now();
  const crowd = await each(everybody.slice(0, count), AT_ONCE, (someone) => WireSpeaker.join(server, room, someone));
  tell(`${count} people in one room, the last after ${millis(performance.now() - begun)}`);
  await assert.rejects(joined(server, room, everybody[count]), /room_full/, "one more is refused");
  const traffic = new Traffic();
  traffic.add(crowd);
  const busy = usage(server.workerds()[0]);
  await traffic.run({ seconds, progress });
  tell(`${traffic.said} events, heard ${traffic.heard} times, ${millis(traffic.within(50))} (p50), ${millis(traffic.within(99))} (p99)`);
  tell(busy());
  leave(crowd);
}

/** Everybody joins in the same moment; then all pairs hear each other. */
export async function joinsAtOnce({ pairs }, { tell, progress }) {
  await using server = await startDirect(UNLIMITED);
  const everybody = await people(server, 2);
  const made = await rooms(server, pairs, everybody, { progress });
  const times = [];
  const begun = performance.now();
  const joins = made.flatMap((room) => everybody.map(async (someone) => {
    const speaker = await WireSpeaker.join(server, room, someone);
    times.push(performance.now() - begun);
    return speaker;
  }));
  const crowd = await Promise.all(joins);
  tell(`${crowd.length} joins at once: half within ${millis(times[pairs])}, all within ${millis(times.at(-1))}`);
  const traffic = new Traffic();
  for (const pair of numbers(pairs)) traffic.add(crowd.slice(pair * 2, pair * 2 + 2));
  await traffic.run({ seconds: 2 });
  leave(crowd);
}

function join(server, room, everybody, areReal) {
  return each(everybody, 1, (someone, index) =>
    areReal
      ? joined(server, room, someone, { as: ClientSpeaker, way: index < ROOM / 2 ? WAYS.room : WAYS.stock })
      : WireSpeaker.join(server, room, someone),
  );
}
