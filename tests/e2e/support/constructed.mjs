// Runs in workerd, in front of the chat example's Worker: the same Worker and object, with a line of the log,
// `{"constructed":"<id>"}`, whenever an object is brought into memory. The example does not notice.

import Worker, * as exports from "./entry.mjs";

export class ChatRoom extends exports.ChatRoom {
  constructor(state, env) {
    super(state, env);
    console.log(JSON.stringify({ constructed: state.id.toString() }));
  }
}

export default Worker;
