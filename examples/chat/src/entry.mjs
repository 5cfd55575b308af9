// The module that the runtime loads: the Worker and its Durable Object, as they are in the WASM.

import { connectedObject } from "../../../crates/socketio-object/js/durable_object.mjs";
import * as wasm from "../build/index.js";

export { default } from "../build/index.js";

export const ChatRoom = connectedObject(wasm.ChatRoom);
