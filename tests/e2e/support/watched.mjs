// Runs in workerd, in front of the product's Worker: the same, with a path that tells how much memory it has. A memory
// never shrinks, so it is the most that was ever needed at once.

import { instances } from "./instances.mjs";
import Worker from "./entry.mjs";

export * from "./entry.mjs";

const bytes = () => instances.reduce((sum, { exports }) => sum + exports.memory.buffer.byteLength, 0);

export default class extends Worker {
  fetch(request) {
    return new URL(request.url).pathname === "/(wasm%20memory)" ? new Response(bytes()) : super.fetch(request);
  }
}
