// Runs in workerd, in front of the product's Worker: the same, with a timer that takes longer, or for ever, so that
// frames that wait for others (crates/socketio-object/js/inbox.mjs) surely do when something else happens, and paths that
// tell how many frames came and how many of them waited.

import Worker, * as exports from "./entry.mjs";

export { RateLimit, RevocationOutbox } from "./entry.mjs";

const { setTimeout: original } = globalThis;
const { now } = Date;
const FOR_EVER = 3_600_000;
let [came, waited] = [0, 0];
let asked = 0;
let isHeld = false;

// Only an inbox sets a timer that is due at once.
globalThis.setTimeout = (call, millis, ...rest) => original(call, millis === 0 ? (isHeld ? FOR_EVER : 50) : millis, ...rest);
Date.now = () => {
  asked += 1;
  return now();
};

const watched = (Class) =>
  class extends Class {
    webSocketMessage(socket, message) {
      came += 1;
      const before = asked;
      super.webSocketMessage(socket, message);
      // The WASM asks for the time in each turn.
      if (asked === before) waited += 1;
    }
  };

export const Room = watched(exports.Room);
export const Session = watched(exports.Session);

export default class extends Worker {
  fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === "/(hold)") isHeld = true;
    else if (pathname !== "/(frames)") return super.fetch(request);
    return Response.json({ came, waited });
  }
}
