// A WebSocket without a client library: frames as they are on the wire.

import { once } from "node:events";
import WebSocket from "ws";

const PATIENCE = 15_000;

export class RawSocket {
  #frames = [];
  #wake = () => {};

  /** Opens, connects with the token and joins the room. */
  static async open(server, roomId, token) {
    const socket = new RawSocket(server, `/socket.io/?EIO=4&transport=websocket&roomId=${roomId}`);
    await once(socket.socket, "open");
    socket.send(`40${JSON.stringify({ token })}`);
    await socket.next((frame) => frame.startsWith("40"));
    socket.send(`420["join-room","${roomId}"]`);
    await socket.next((frame) => frame.startsWith('430[{"ok":true'));
    return socket;
  }

  constructor(server, path) {
    this.socket = new WebSocket(server.url.replace("http", "ws") + path);
    this.socket.on("message", (data, isBinary) => {
      this.#frames.push(isBinary ? data : data.toString());
      this.#wake();
    });
    // A refused handshake is an error first, and then a close.
    this.socket.on("error", () => {});
    /** The close code. */
    this.closed = new Promise((resolve) => this.socket.on("close", resolve));
  }

  send(frame) {
    this.socket.send(frame);
  }

  /** The next frame that is wanted; what came before it is dropped. */
  async next(wanted = () => true) {
    const deadline = Date.now() + PATIENCE;
    for (;;) {
      const found = this.#frames.findIndex(wanted);
      if (found >= 0) return this.#frames.splice(0, found + 1).at(-1);
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`waited in vain; heard ${JSON.stringify(this.#frames).slice(0, 1000)}`);
      let timer;
      await new Promise((resolve) => {
        this.#wake = resolve;
        timer = setTimeout(resolve, left);
      });
      clearTimeout(timer);
    }
  }

  /** The next event of that name, as it is on the wire less its offset. */
  async nextEvent(name) {
    const frame = await this.next((frame) => frame.startsWith(`42["${name}"`));
    return frame.replace(/,"[\w-]+\.\d+"\]$/, "]");
  }

  close() {
    this.socket.close();
  }
}
