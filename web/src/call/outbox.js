// @ts-check
// Outgoing chat messages. They are sent in the order they were written, which Socket.IO keeps, and wait while there is
// no connection. A message without an acknowledgement may still have arrived, so it is never resent automatically.

/**
 * `state` is `sending`, `sent` or `failed`. The server assigns the id and the timestamp.
 * @typedef {{ text: string, state: string, id?: string, timestamp?: string }} Message
 */

export class Outbox {
  /** @type {Message[]} */
  #waiting = [];
  /** Messages in flight, or without an acknowledgement in time: the room may still echo them.
   * @type {Set<Message>} */
  #unsure = new Set();
  /** By id.
   * @type {Map<string, Message>} */
  #sent = new Map();

  /**
   * `say(text)` sends a message and resolves to `{id, timestamp}`; an error with a `code` is a refusal. `ready()` returns whether
   * messages can be sent now; `changed(message)` is called when a message's state changes.
   */
  constructor({ say, ready, changed }) {
    this.say = say;
    this.ready = ready;
    this.changed = changed;
  }

  /** @returns {Message} */
  add(text) {
    const message = { text, state: "sending" };
    this.#waiting.push(message);
    this.flush();
    return message;
  }

  retry(message) {
    if (message.state !== "failed") return;
    this.#unsure.delete(message);
    message.state = "sending";
    this.#waiting.push(message);
    this.changed(message);
    this.flush();
  }

  /** Sends waiting messages. Call it when `ready()` may have become true. */
  flush() {
    while (this.#waiting.length > 0 && this.ready()) this.#send(this.#waiting.shift());
  }

  /** Ends sending and reporting when the call is over. */
  stop() {
    this.ready = () => false;
    this.changed = () => {};
  }

  /** Matches the room's echo of one of our messages. Returns undefined if another tab sent it. */
  heard({ id, message: text, timestamp }) {
    const known = this.#sent.get(id);
    if (known) return known;
    // The same words may have been written again instead of tried again.
    const same = [...this.#unsure].filter((message) => message.text === text);
    const message = same.find(({ state }) => state === "sending") ?? same[0];
    if (message) this.#arrived(message, { id, timestamp });
    return message;
  }

  async #send(message) {
    this.#unsure.add(message);
    try {
      this.#arrived(message, await this.say(message.text));
    } catch (error) {
      if (message.state === "sent") return;
      if (/** @type {{ code?: string }} */ (error).code) this.#unsure.delete(message);
      message.state = "failed";
      this.changed(message);
    }
  }

  /** The echo and the acknowledgement arrive in either order. */
  #arrived(message, { id, timestamp }) {
    if (message.state === "sent") return;
    this.#unsure.delete(message);
    this.#sent.set(id, message);
    Object.assign(message, { state: "sent", id, timestamp });
    this.changed(message);
  }
}
