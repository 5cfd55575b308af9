// Runs in workerd, in front of the product's Worker: the same, with a path after which objects throw instead of doing what they
// are asked, as they do while they are restarted.

import Worker, * as exports from "./entry.mjs";

export * from "./entry.mjs";

/** How many times, by where. */
const throws = new Map();

function mayThrow(where) {
  const times = throws.get(where) ?? 0;
  if (times === 0) return;
  throws.set(where, times - 1);
  throw new Error("thrown by the test");
}

export class Room extends exports.Room {
  receiveBatch(name, batch) {
    mayThrow("Room.receiveBatch");
    return super.receiveBatch(name, batch);
  }
}

export class RateLimit extends exports.RateLimit {
  fetch(request) {
    mayThrow("RateLimit.fetch");
    return super.fetch(request);
  }
}

export default class extends Worker {
  async fetch(request) {
    if (new URL(request.url).pathname !== "/(throw)") return super.fetch(request);
    const { where, times } = await request.json();
    throws.set(where, times);
    return new Response();
  }
}
