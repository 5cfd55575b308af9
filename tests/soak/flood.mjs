// A thread of its own, so that a flood keeps nobody else in the generator waiting: sockets that say as much as gets
// through, and come back when they are ended, until the time is over.

import { setTimeout as pause } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import WebSocket from "ws";
import { WireSpeaker } from "./speakers.mjs";

/** Twenty times what a connection may say. */
const AT_ONCE = 20;
const TICK = 20;
/** What the kernel and this process hold of one flood; more would only be memory here. */
const BUFFERED = 64 * 1024;

const { url, rooms, tokens, seconds } = workerData;
const until = Date.now() + seconds * 1000;
const flooded = { events: 0, ended: 0 };

await Promise.all(rooms.flatMap((room) => tokens.map(async (token) => {
  while (Date.now() < until) {
    const speaker = await WireSpeaker.join({ url }, room, { token });
    speaker.note = () => {};
    const isOpen = () => speaker.socket.readyState === WebSocket.OPEN;
    while (isOpen() && Date.now() < until) {
      for (let event = 0; event < AT_ONCE && speaker.socket.bufferedAmount < BUFFERED; event += 1) {
        speaker.say("flood");
        flooded.events += 1;
      }
      await pause(TICK);
    }
    if (!isOpen()) flooded.ended += 1;
    // It would first send what it still has.
    speaker.socket.terminate();
  }
})));
parentPort.postMessage(flooded);
