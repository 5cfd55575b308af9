// The module that the runtime loads: the Worker and its Durable Objects, as they are in the WASM.
//
// Room and Session objects call each other's `receiveBatch` (RPC; see durable_objects/src/exchange). The runtime allows
// that only for classes that extend its `DurableObject`, which classes exported from WASM cannot do.

import { DurableObject } from "cloudflare:workers";
import * as wasm from "../build/index.js";

export { default, RateLimit, RevocationOutbox } from "../build/index.js";

export const Room = withBatches(wasm.Room);
export const Session = withBatches(wasm.Session);

function withBatches(WasmClass) {
  return class extends DurableObject {
    #object;

    constructor(state, env) {
      super(state, env);
      this.#object = new WasmClass(state, env);
    }

    receiveBatch(name, batch) {
      return this.#object.receiveBatch(name, batch);
    }

    fetch(request) {
      return this.#object.fetch(request);
    }

    webSocketMessage(socket, message) {
      this.#object.webSocketMessage(socket, message);
    }

    webSocketClose(socket, code) {
      this.#object.webSocketClose(socket, code);
    }

    webSocketError(socket) {
      this.#object.webSocketError(socket);
    }

    alarm() {
      this.#object.alarm();
    }
  };
}
