// The way of an object's frames into the WASM: one by one, or in a rush all that come within a millisecond at once.
//
// Turns of the WASM that follow each other directly take much less time than turns between which the runtime runs code of
// its own (ARCHITECTURE, "What it costs"), most likely because of the processor's caches.
//
// Whether there is a rush is found out by trying: a frame waits for the next millisecond, and if another one came
// meanwhile, so does the next. If none came, that many frames pass at once before the next try, so a frame that
// is alone seldom waits. Frames keep their order. While some wait, a timer keeps the object from sleeping.

/** How many frames pass before the next try: after a rush, and at most. */
const FEWEST_BETWEEN_TRIES = 8;
const MOST_BETWEEN_TRIES = 1024;

/** What waits is bounded: this many frames, with this many units of text (of one or two bytes) or bytes. */
const MOST_FRAMES = 64;
const MOST_UNITS = 64 * 1024;

export class Inbox {
  #pass;
  #later;
  #report;
  #frames = [];
  #units = 0;
  /** How many frames came since the timer was set; 0 if it is not. */
  #gathered = 0;
  #untilTry = FEWEST_BETWEEN_TRIES;
  #betweenTries = FEWEST_BETWEEN_TRIES;

  /**
   * `pass` takes a frame's WebSocket and the frame; `later` calls a function at the next millisecond; `report` takes what
   * `pass` throws, which is no concern of whoever drains.
   */
  constructor(pass, later = (call) => setTimeout(call, 0), report = (error) => reportError(error)) {
    this.#pass = pass;
    this.#later = later;
    this.#report = report;
  }

  /** Passes the frame on, now or at the next millisecond. */
  push(socket, frame) {
    if (this.#untilTry > 0) {
      this.#untilTry -= 1;
      this.#pass(socket, frame);
      return;
    }
    if (this.#gathered === 0) this.#later(() => this.#endTry());
    this.#gathered += 1;
    this.#frames.push({ socket, frame });
    this.#units += frame.length ?? frame.byteLength;
    if (this.#frames.length >= MOST_FRAMES || this.#units >= MOST_UNITS) this.drain();
  }

  /** Passes on what waits, so that what is about to happen happens after it. */
  drain() {
    const frames = this.#frames;
    this.#frames = [];
    this.#units = 0;
    for (const { socket, frame } of frames) {
      try {
        this.#pass(socket, frame);
      } catch (error) {
        this.#report(error);
      }
    }
  }

  #endTry() {
    if (this.#gathered > 1) {
      this.#betweenTries = FEWEST_BETWEEN_TRIES;
    } else {
      this.#untilTry = this.#betweenTries;
      this.#betweenTries = Math.min(2 * this.#betweenTries, MOST_BETWEEN_TRIES);
    }
    this.#gathered = 0;
    this.drain();
  }
}
