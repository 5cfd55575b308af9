// The relay, side by side in one run: ours on workerd, with the room named at the handshake and without
// (then through Session objects), the official socket.io on Node, and the floors of the runtime: JavaScript
// Durable Objects that forward frames untouched, in one object and through Session objects.
//
// Load: rooms of raw WebSocket clients that answer pings. In each one sends a 2 KB offer and another answers
// it with a 2 KB answer, everybody else listens: one round trip in a room of n is 2 (n - 1) deliveries. CPU
// is the server process's own, from /proc. Rooms are open for all of a load. The subjects take turns in short slices, and medians are told
// with the range: whatever else the machine does hits all alike.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import WebSocket from "ws";
import { person, roomOf } from "../../tests/e2e/support/people.mjs";
import { UNLIMITED_EVENTS, freePort, startServer } from "../../tests/e2e/support/server.mjs";
import { descendantsOf, memoryOf } from "../../tests/e2e/support/processes.mjs";
import { cpuSecondsOf } from "../../tests/e2e/support/usage.mjs";
import { startFloor } from "./floor.mjs";
import { Traffic } from "./traffic.mjs";

const SECONDS = Number(process.env.BENCH_SECONDS ?? 2);
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 7);
const IDLE_SOCKETS = 500;
const SDP = "v=0\\r\\na=candidate:".repeat(110).slice(0, 2000);

const loads = [
  { name: "1 pair, window 1", rooms: 1, people: 2, window: 1 },
  { name: "20 pairs, window 8", rooms: 20, people: 2, window: 8 },
  { name: "5 rooms of 8, window 4", rooms: 5, people: 8, window: 4 },
  { name: "a room of 64, window 4", rooms: 1, people: 64, window: 4 },
];

const our = await ours();
const their = await official();
const least = await floor();
const subjects = [our.named, their, least.named, our.unnamed, least.unnamed];
Object.assign(our.named, { floor: least.named });
Object.assign(our.unnamed, { floor: least.unnamed });

for (const load of loads) {
  console.log(`\n${load.name}, 2 KB, medians of ${ROUNDS} slices of ${SECONDS} s`);
  const results = new Map(subjects.map((subject) => [subject, []]));
  const traffic = new Map();
  for (const subject of subjects) traffic.set(subject, new Traffic(await subject.open(load.rooms, load.people), load));
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const subject of subjects) results.get(subject).push(await measure(subject, traffic.get(subject), load));
  }
  for (const { rooms } of traffic.values()) for (const { sockets } of rooms) for (const socket of sockets) socket.terminate();
  const medians = new Map([...results].map(([subject, slices]) => [subject, { rate: median(slices, "rate"), cpu: median(slices, "cpu") }]));
  for (const [subject, { rate, cpu }] of medians) {
    const rates = results.get(subject).map((slice) => Math.round(slice.rate));
    const range = `(${Math.min(...rates)}–${Math.max(...rates)})`.padEnd(15);
    const bottom = medians.get(subject.floor);
    const ratios = bottom ? `${(rate / bottom.rate).toFixed(2)}× its floor, CPU ${(cpu / bottom.cpu).toFixed(2)}×` : "";
    console.log(`  ${subject.name.padEnd(25)} ${rate.toFixed(0).padStart(6)} ${range} round trips/s  ${cpu.toFixed(1).padStart(6)} µs CPU/delivery  ${ratios}`);
  }
}

function median(slices, key) {
  const sorted = slices.map((slice) => slice[key]).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

console.log(`\nMemory per idle socket, ${IDLE_SOCKETS} sockets in rooms of two`);
for (const subject of [our.named, their, least.named]) {
  const before = memoryOf(subject.pid());
  const rooms = await subject.open(IDLE_SOCKETS / 2, 2);
  const bytes = (memoryOf(subject.pid()) - before) / IDLE_SOCKETS;
  console.log(`  ${subject.name.padEnd(25)} ${(bytes / 1024).toFixed(1).padStart(6)} KiB`);
  for (const { sockets } of rooms) for (const socket of sockets) socket.terminate();
}

for (const subject of [our.named, their, least.named]) await subject.stop();
process.exit(0);

async function measure(subject, traffic, { people }) {
  traffic.begin();
  await pause(500); // warm-up
  const [trips, cpu, time] = [traffic.roundTrips, cpuSecondsOf(subject.pid()), performance.now()];
  await pause(SECONDS * 1000);
  const elapsed = (performance.now() - time) / 1000;
  const done = traffic.roundTrips - trips;
  const used = cpuSecondsOf(subject.pid()) - cpu;
  if (done === 0) throw new Error(`${subject.name} relayed nothing`);
  await traffic.end();
  return { rate: done / elapsed, cpu: (used * 1e6) / (done * 2 * (people - 1)) };
}

async function ours() {
  const server = await startServer({
    ...UNLIMITED_EVENTS,
    AUTH_LIMIT_ATTEMPTS: "100000",
    ROOMS_PER_HOUR: "1000000",
    NODE_ENV: "production",
    SOCKET_AUTH: "required",
  });
  const everybody = [];
  for (let known = 0; known < Math.max(...loads.map(({ people }) => people)); known += 1) everybody.push(await person(server));
  const subject = (name, namesRoom) => ({
    name,
    pid: () => workerdOf(process.pid)[0],
    open: (count, people) =>
      openRooms(count, async () => {
        const members = everybody.slice(0, people);
        const room = await roomOf(server, ...members);
        const sockets = [];
        for (const who of members) sockets.push(await joinOurs(server, room, who, namesRoom));
        return { sockets, ...payloads(room) };
      }),
    stop: () => server.stop(),
  });
  return { named: subject("ours", true), unnamed: subject("ours, by Session objects", false) };
}

async function joinOurs(server, room, who, namesRoom) {
  const named = namesRoom ? `&roomId=${room}` : "";
  const socket = await connect(`${server.directUrl}/socket.io/?EIO=4&transport=websocket${named}`);
  socket.send(`40${JSON.stringify({ token: who.token })}`);
  await message(socket, (text) => text.startsWith("40"));
  socket.send(`420["join-room","${room}"]`);
  await message(socket, (text) => text.startsWith("430"));
  return socket;
}

async function official() {
  const port = await freePort();
  const server = spawn(process.execPath, [fileURLToPath(new URL("socketio.mjs", import.meta.url)), String(port)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(server.stdout, "data");
  let rooms = 0;
  return {
    name: "socket.io on Node",
    pid: () => server.pid,
    open: (count, people) =>
      openRooms(count, async () => {
        const room = `00000000-0000-4000-8000-${String((rooms += 1)).padStart(12, "0")}`;
        const sockets = [];
        for (let number = 0; number < people; number += 1) {
          const socket = await connect(`http://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`);
          socket.send("40");
          await message(socket, (text) => text.startsWith("40"));
          socket.send(`420["join-room","${room}"]`);
          await message(socket, (text) => text.startsWith("430"));
          sockets.push(socket);
        }
        return { sockets, ...payloads(room) };
      }),
    stop: async () => {
      server.kill("SIGTERM");
      await once(server, "exit");
    },
  };
}

async function floor() {
  const known = workerdOf(process.pid);
  const server = await startFloor(await freePort());
  let rooms = 0;
  const subject = (name, namesRoom) => ({
    name,
    pid: () => workerdOf(process.pid).find((pid) => !known.includes(pid)),
    open: (count, people) =>
      openRooms(count, async () => {
        const room = `room-${(rooms += 1)}`;
        const sockets = [];
        for (let number = 0; number < people; number += 1) {
          const session = namesRoom ? "" : `&session=${room}-${number}`;
          sockets.push(await connect(`${server.url}/?room=${room}${session}`));
        }
        return { sockets, ...payloads("00000000-0000-4000-8000-000000000000") };
      }),
    stop: () => server.stop(),
  });
  return { named: subject("floor", true), unnamed: subject("floor, by Session objects", false) };
}

async function openRooms(count, open) {
  const rooms = [];
  for (let opened = 0; opened < count; opened += 1) rooms.push(await open());
  return rooms;
}

function payloads(room) {
  return {
    offer: `42["offer","${room}",{"type":"offer","sdp":"${SDP}"}]`,
    answer: `42["answer","${room}",{"type":"answer","sdp":"${SDP}"}]`,
  };
}

async function connect(url) {
  const socket = new WebSocket(url.replace("http", "ws"), { perMessageDeflate: false });
  socket.on("message", (data) => {
    if (data.length === 1 && data[0] === 0x32) socket.send("3"); // a ping
  });
  await once(socket, "open");
  return socket;
}

function message(socket, wanted) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("no answer within 10 s")), 10_000);
    socket.on("message", function listen(data) {
      const text = data.toString();
      if (!wanted(text)) return;
      clearTimeout(timer);
      socket.off("message", listen);
      resolve(text);
    });
  });
}

/** Child processes that are workerd, oldest first. */
function workerdOf(pid) {
  return descendantsOf(pid).filter(({ parent, command }) => parent === pid && command.includes("workerd")).map((child) => child.pid);
}

function pause(millis) {
  return new Promise((resolve) => setTimeout(resolve, millis));
}
