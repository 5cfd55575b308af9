// Runs in workerd, in front of the product's Worker: the same, with a path after which a room cannot read its storage, once.

import Worker, * as exports from "./entry.mjs";

export * from "./entry.mjs";

let failures = 0;

/** The object's rows, which may throw as they are read. */
function failing(kv) {
  return new Proxy(kv, {
    get(target, name) {
      const value = target[name];
      if (typeof value !== "function") return value;
      if (name !== "list" || failures === 0) return value.bind(target);
      failures -= 1;
      return () => ({
        *[Symbol.iterator]() {
          throw new Error("thrown by the test");
        },
      });
    },
  });
}

export class Room extends exports.Room {
  constructor(state, env) {
    const { kv } = state.storage;
    Object.defineProperty(state.storage, "kv", { get: () => failing(kv) });
    super(state, env);
  }
}

export default class extends Worker {
  fetch(request) {
    if (new URL(request.url).pathname !== "/(unreadable)") return super.fetch(request);
    failures += 1;
    return new Response();
  }
}
