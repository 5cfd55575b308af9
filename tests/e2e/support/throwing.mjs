// Runs in workerd, in front of the product's Worker: the same, with a path after which rooms throw at the calls of Session
// objects, once each time.

import Worker, * as exports from "./entry.mjs";

export * from "./entry.mjs";

let throws = 0;

export class Room extends exports.Room {
  receiveBatch(name, batch) {
    if (throws > 0) {
      throws -= 1;
      throw new Error("thrown by the test");
    }
    return super.receiveBatch(name, batch);
  }
}

export default class extends Worker {
  fetch(request) {
    if (new URL(request.url).pathname !== "/(throw)") return super.fetch(request);
    throws += 1;
    return new Response();
  }
}
