// A WebSocket without a client library: frames as they are on the wire.

import { once } from "node:events";
import WebSocket from "ws";
import { Listener, within } from "./patience.mjs";

export class RawSocket extends Listener {
  /** Opens, connects with the token and joins the room. */
  static async open(server, roomId, token, { namesRoom = true, ...options } = {}) {
    const named = namesRoom ? `&roomId=${roomId}` : "";
    const socket = new this(server, `/socket.io/?EIO=4&transport=websocket${named}`, options);
    await socket.opened();
    socket.send(`40${JSON.stringify({ token })}`);
    await socket.next((frame) => frame.startsWith("40"));
    socket.send(`420["join-room","${roomId}"]`);
    await socket.next((frame) => frame.startsWith('430[{"ok":true'));
    return socket;
  }

  /** Pings are answered and not heard, unless they are what the story is about. */
  constructor(server, path, { answersPings = true, headers } = {}) {
    super();
    this.socket = new WebSocket(server.url.replace("http", "ws") + path, { headers });
    this.socket.on("message", (data, isBinary) => {
      const frame = isBinary ? data : data.toString();
      if (answersPings && frame === "2") this.send("3");
      else this.note(frame);
    });
    // A refused handshake is an error first, and then a close.
    this.socket.on("error", () => {});
    this.#closed = new Promise((resolve) => this.socket.on("close", resolve));
  }

  #closed;

  opened() {
    return within(once(this.socket, "open"), "the open");
  }

  /** The close code. */
  closed(what = "the close") {
    return within(this.#closed, what);
  }

  send(frame) {
    this.socket.send(frame);
  }

  /** The next frame that is wanted; what came before it is dropped. */
  async next(wanted = () => true) {
    const found = await this.until(() => this.heard.findIndex(wanted) + 1, "a frame");
    return this.heard.splice(0, found).at(-1);
  }

  /** The next event of that name, as it is on the wire less its offset. */
  async nextEvent(name) {
    const frame = await this.next((frame) => frame.startsWith(`42["${name}"`));
    return frame.replace(/,"[\w-]+\.[\w-]+\.\d+"\]$/, "]");
  }

  close() {
    this.socket.close();
  }
}
