// What ends many connections: silence, a deploy, and the database going away under a call.

import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { polled } from "../e2e/support/patience.mjs";
import { OwnDatabase } from "../e2e/support/own_database.mjs";
import { WAYS, joined } from "../e2e/support/people.mjs";
import { startDirect, startServerOnMongodb } from "../e2e/support/server.mjs";
import { UNLIMITED, done, each, numbers, people, rooms } from "./crowd.mjs";
import { millis, percentile } from "./figures.mjs";
import { Returning } from "./returning.mjs";
import { WireSpeaker, leave } from "./speakers.mjs";
import { Traffic } from "./traffic.mjs";
import { Writer } from "./writers.mjs";

/** For as many as come back at once more than a test otherwise waits. */
const RETURN = 150_000;

/** In each room one goes silent without an end; the other one is told, and nobody who answers is. */
export async function halfOpen({ rooms: count, variables = {} }, { tell, progress }) {
  await using server = await startDirect({ ...UNLIMITED, ...variables });
  const everybody = await people(server, 2);
  const made = await rooms(server, count, everybody, { progress });
  const pairs = await each(made, 16, (room) => each(everybody, 1, (someone) => WireSpeaker.join(server, room, someone)), { progress, what: "rooms full" });
  const begun = performance.now();
  // A paused socket reads no ping and so sends no pong.
  for (const [silent] of pairs) silent.socket.pause();
  const times = [];
  await Promise.all(pairs.map(async ([, other]) => {
    const told = (frame) => frame.startsWith(`42["user-disconnected","${everybody[0].id}","lost"`);
    // Two heartbeats and the time in which a lost one may come back.
    await polled(() => other.heard.some(told), "the silent one to be found", 150_000);
    times.push(performance.now() - begun);
    progress(`${times.length} of ${count} silent connections found`);
  }));
  tell(`${count} half-open connections: the first was told of after ${millis(Math.min(...times))}, the last after ${millis(Math.max(...times))}`);
  const traffic = new Traffic();
  for (const [, other] of pairs) traffic.add([other]);
  await traffic.run({ seconds: 1 });
  leave(pairs.flat());
}

/** All objects and connections are gone in one moment, as when a new version is deployed, and stock clients come back. */
export async function deploy({ calls }, { tell, progress }) {
  await using server = await startDirect(UNLIMITED);
  const everybody = await people(server, 2);
  const made = await rooms(server, calls, everybody, { progress });
  const pairs = await each(made, 8, (room, index) => join(server, room, everybody, index % 2 ? WAYS.stock : WAYS.room), { progress, what: "calls begun" });
  const clients = pairs.flat();
  const requests = [];
  const count = () => requests.push(performance.now());
  const back = [];
  const attempts = new Map(clients.map((client) => [client, 0]));
  for (const client of clients) {
    client.socket.io.on("reconnect_attempt", () => attempts.set(client, attempts.get(client) + 1));
    client.socket.once("connect", () => back.push(performance.now()));
  }
  subscribe("http.client.request.start", count);
  await server.kill();
  const gone = performance.now();
  await server.start();
  const there = performance.now();
  // Until they come, the rooms keep their places and report them as there.
  await polled(() => back.length === clients.length, "everybody to connect", RETURN);
  await allAreIn(server, made, everybody);
  unsubscribe("http.client.request.start", count);
  const all = performance.now() - there;
  const perSecond = Map.groupBy(requests, (time) => Math.floor((time - gone) / 1000));
  const worst = Math.max(...[...perSecond.values()].map(({ length }) => length));
  tell(`${calls} calls of two: gone for ${millis(there - gone)}; then half connected after ${millis(percentile(back, 50) - there)}, ` +
    `99 of a hundred after ${millis(percentile(back, 99) - there)}, all back in their rooms after ${millis(all)}`);
  tell(`${requests.length} requests, ${worst} in the worst second; ` +
    `attempts of one client: ${percentile([...attempts.values()], 50)} (median), ${Math.max(...attempts.values())} at most`);
  for (const client of clients) assert.deepEqual(client.wrong, []);
  assert.ok(Math.max(...attempts.values()) <= 4 + (there - gone + all) / 1_000, "no client tries more often than once a second");
  for (const client of clients) client.close();
  return { all };
}

/**
 * The Data API server is killed, and then its database, while rooms talk and people write: nobody in a room notices, calls that
 * end meanwhile are recorded as they ended, and what was answered is there.
 */
export async function databaseAway({ rooms: count, writers: writing, outages }, { tell, progress }) {
  await using database = await OwnDatabase.start();
  await using server = await startServerOnMongodb(UNLIMITED, { mongodbUri: database.uri });
  const everybody = await people(server, 2);
  const talking = await each(await rooms(server, count, everybody), 8, (room) => each(everybody, 1, (someone) => WireSpeaker.join(server, room, someone)));
  const isRefusal = ({ status, json }) => status === 503 && json.code === "store_unavailable";
  const writers = await each(numbers(writing), writing, () => Writer.start(server, everybody[0], { isRefusal }));
  const answered = () => writers.reduce((sum, writer) => sum + writer.answered, 0);
  const logsOf = async (made) => {
    const { callLogs } = await done(server, "GET", "/api/call-logs?limit=100", { token: everybody[1].token });
    return callLogs.filter(({ roomId }) => made.includes(roomId));
  };
  const traffic = new Traffic();
  for (const pair of talking) traffic.add(pair);

  for (let outage = 1; outage <= outages; outage += 1) {
    for (const [what, end, restart] of [
      ["the Data API server", () => server.dataApi.kill(), () => server.dataApi.restart()],
      ["the database", () => database.end("SIGKILL"), () => database.restart()],
    ]) {
      progress(`${what} is killed, time ${outage} of ${outages}`);
      const made = await rooms(server, count, everybody);
      const calls = await each(made, 8, (room) => each(everybody, 1, (someone) => WireSpeaker.join(server, room, someone)));
      const begun = await polled(async () => {
        const logs = await logsOf(made);
        return logs.length === count && logs;
      }, "the calls' logs");
      await end();
      const away = Date.now();
      leave(calls.flat());
      await traffic.run({ seconds: 3, progress });
      const before = Date.now();
      await restart();
      const from = answered();
      await polled(() => answered() >= from + writing, "writes to be answered again");
      tell(`${what} was away for ${millis(Date.now() - away)}; writes were answered ${millis(Date.now() - before)} after its start began`);
      const ended = await polled(async () => {
        const logs = await logsOf(made);
        return logs.every(({ endTime }) => endTime) && logs;
      }, "the ends of the calls", 120_000);
      assert.deepEqual(ended.map(({ _id }) => _id).sort(), begun.map(({ _id }) => _id).sort(), "no call is lost or doubled");
      for (const { endTime } of ended) {
        const at = new Date(endTime).getTime();
        assert.ok(at >= away - 1_000 && at <= before, `it ended at ${endTime}, while ${what} was away`);
      }
      tell(`the ends of ${count} calls were recorded ${millis(Date.now() - before)} after it, with their times`);
    }
  }
  await Promise.all(writers.map((writer) => writer.stop()));
  await each(writers, writing, (writer) => writer.check({ all: true }));
  const refused = writers.reduce((sum, writer) => sum + writer.refused, 0);
  tell(`${answered()} writes were answered and are there once, ${refused} were refused with 503`);
  tell(`${traffic.said} events were relayed meanwhile: none lost, doubled or reordered`);
  leave(talking.flat());
}

async function join(server, room, everybody, way) {
  const clients = await each(everybody, 1, (someone) => joined(server, room, someone, { as: Returning, way }));
  for (const [index, client] of clients.entries()) client.name = index;
  return clients;
}

function allAreIn(server, made, everybody) {
  return polled(async () => {
    const online = await each(made, 8, async (room) => (await done(server, "GET", `/api/room/${room}`, { token: everybody[0].token })).room.online.length);
    return online.every((present) => present === everybody.length);
  }, "everybody to be in their rooms", RETURN);
}
