// The JavaScript end of the hot path: a relayed frame crosses the boundary in three calls, and none of
// them creates a handle. The relayed part is a slice of the string that arrived, so it is never copied out.

const LINK = Symbol("link");
const NOT_COPIED = -1;
const BINARY = -2;

const encoder = new TextEncoder();

/**
 * Copies a text frame into the buffer if it is ASCII and fits: each code unit is then one byte. Returns
 * their number, `NOT_COPIED` or `BINARY`.
 */
export function copy(frame, buffer) {
  if (typeof frame !== "string") return BINARY;
  const units = frame.length;
  if (units > buffer.length) return NOT_COPIED;
  const { read, written } = encoder.encodeInto(frame, buffer);
  return read === units && written === units ? units : NOT_COPIED;
}

export class Port {
  #sockets = new Map();
  #parts = [];

  add(link, socket) {
    socket[LINK] = link;
    this.#sockets.set(link, socket);
  }

  remove(link) {
    const socket = this.#sockets.get(link);
    if (socket !== undefined) delete socket[LINK];
    this.#sockets.delete(link);
  }

  /** The link of a WebSocket that was added here, or -1: one that is closing may have the mark of an earlier port. */
  link(socket) {
    const link = socket[LINK];
    return this.#sockets.get(link) === socket ? link : -1;
  }

  /** Keeps a part of frames for reuse. */
  keep(id, part) {
    this.#parts[id] = part;
  }

  /** Sends a kept part, a slice of the frame, a kept part, a number and a kept part, as one text. */
  relay(frame, head, start, end, before, number, after, links) {
    const parts = this.#parts;
    this.send(parts[head] + frame.slice(start, end) + parts[before] + number + parts[after], links);
  }

  /** Sends a text, or bytes. */
  send(message, links) {
    for (const link of links) {
      try {
        this.#sockets.get(link)?.send(message);
      } catch {
        // It is closing already; its close event does the rest.
      }
    }
  }
}
