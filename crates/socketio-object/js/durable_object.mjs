// Durable Objects whose classes are in the WASM, as the runtime is to see them.
//
// An object goes on after a panic, its frames come through an inbox, and other objects can call it (RPC), which the runtime
// allows only for classes that extend its `DurableObject`; classes exported from WASM cannot do that.

import { DurableObject } from "cloudflare:workers";
import { Inbox } from "./inbox.mjs";

/**
 * An object in the WASM, also after a panic. worker-build's proxy of the object makes a new instance of the WASM when a method is
 * called, but may have to construct the object first in order to find the method. If that is in an instance that is lost
 * as well, it fails. Whoever constructs an object, on the other hand, gets a new instance.
 */
class WasmObject {
  #construct;
  #object;

  constructor(construct) {
    this.#construct = construct;
    this.#object = construct();
  }

  get current() {
    if (globalThis.__worker_init_state.criticalError) this.#object = this.#construct();
    return this.#object;
  }
}

/** The class of objects without WebSockets. */
export function durableObject(WasmClass) {
  return class extends DurableObject {
    #object = new WasmObject(() => new WasmClass(this.ctx, this.env));

    fetch(request) {
      return this.#object.current.fetch(request);
    }

    alarm() {
      return this.#object.current.alarm();
    }
  };
}

/**
 * The class of objects that have WebSockets (`handlers!` in the crate). `callable` names the methods that other objects call.
 * What else happens to an object happens after the frames that came before it, but for these calls.
 */
export function connectedObject(WasmClass, callable = []) {
  return class extends DurableObject {
    #object = new WasmObject(() => new WasmClass(this.ctx, this.env));
    #inbox = new Inbox((socket, frame) => this.#object.current.webSocketMessage(socket, frame));

    static {
      for (const method of callable) {
        this.prototype[method] = function (...parameters) {
          return this.#object.current[method](...parameters);
        };
      }
    }

    fetch(request) {
      this.#inbox.drain();
      return this.#object.current.fetch(request);
    }

    webSocketMessage(socket, message) {
      this.#inbox.push(socket, message);
    }

    webSocketClose(socket, code) {
      this.#inbox.drain();
      this.#object.current.webSocketClose(socket, code);
    }

    webSocketError(socket) {
      this.#inbox.drain();
      this.#object.current.webSocketError(socket);
    }

    alarm() {
      this.#inbox.drain();
      this.#object.current.alarm();
    }
  };
}
