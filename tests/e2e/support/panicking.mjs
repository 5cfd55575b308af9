// Runs in workerd, in front of the product's Worker: the same, with a path after which the WASM panics once, or several
// times, when an object's class calls a method of it. A panic ends in a trap: WASM's frames are left where they are, and
// nothing in them is released. A `RuntimeError` out of a function that WASM calls does just that, here when it asks for the
// time.

import Worker, * as exports from "./entry.mjs";

export { RateLimit, RevocationOutbox } from "./entry.mjs";

let planned;
let times = 0;
let isEntered = false;
const { now } = Date;

Date.now = () => {
  // The console asks for the time too.
  if (!isEntered || !new Error().stack.includes("wasm-function")) return now();
  isEntered = false;
  times -= 1;
  console.log(JSON.stringify({ level: "info", message: "a panic, as planned" }));
  throw new WebAssembly.RuntimeError("unreachable");
};

function panicking(name, Class) {
  const Subclass = class extends Class {};
  for (const method of ["webSocketMessage", "receiveBatch", "alarm"]) {
    Subclass.prototype[method] = function (...parameters) {
      isEntered = times > 0 && planned === `${name}.${method}`;
      try {
        return Class.prototype[method].apply(this, parameters);
      } finally {
        isEntered = false;
      }
    };
  }
  return Subclass;
}

export const Room = panicking("Room", exports.Room);
export const Session = panicking("Session", exports.Session);

// Frames that have waited for others (crates/socketio-object/js/inbox.mjs) are passed on by a timer.
const { setTimeout: original } = globalThis;
globalThis.setTimeout = (call, millis, ...rest) => {
  const entered = () => {
    isEntered = times > 0 && planned === "timer";
    try {
      call();
    } finally {
      isEntered = false;
    }
  };
  return original(millis === 0 ? entered : call, millis, ...rest);
};

export default class extends Worker {
  async fetch(request) {
    if (new URL(request.url).pathname !== "/(panic)") return super.fetch(request);
    ({ planned, times } = await request.json());
    return new Response();
  }
}
