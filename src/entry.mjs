// The module that the runtime loads: the Worker and its Durable Objects, as they are in the WASM.

import * as wasm from "../build/index.js";
import { connectedObject, durableObject } from "../crates/socketio-object/js/durable_object.mjs";

export { default } from "../build/index.js";

// Room and Session objects call each other (durable_objects/src/exchange). A batch has no defined place among the frames of the
// object's own clients.
export const Room = connectedObject(wasm.Room, ["receiveBatch"]);
export const Session = connectedObject(wasm.Session, ["receiveBatch"]);
export const RateLimit = durableObject(wasm.RateLimit);
export const RevocationOutbox = durableObject(wasm.RevocationOutbox);
