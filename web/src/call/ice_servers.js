// @ts-check
// The STUN and TURN servers of a call. Their credentials expire, so they are requested anew in time.

import { api } from "../api.js";

/** Milliseconds before expiry at which new ICE servers are requested. */
const EARLY = 60_000;
const SOONEST = 10_000;
const LONGEST_TIMER = 2 ** 31 - 1;

export class IceServers {
  /** What an `RTCPeerConnection` takes.
   * @type {RTCConfiguration} */
  configuration = { iceServers: [] };
  #over = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** `changed(configuration)` is called whenever there are new ones. */
  constructor(changed) {
    this.changed = changed;
  }

  /** Requests them; resolves when there is an answer, or none. */
  async start() {
    try {
      const { iceServers, ttl } = await api.get("/api/ice-servers");
      if (this.#over) return;
      this.configuration = { iceServers };
      this.changed(this.configuration);
      // Not by the time of their end: this clock may be wrong.
      this.#again(Math.min(Math.max(ttl * 1_000 - EARLY, SOONEST), LONGEST_TIMER));
    } catch {
      // Without ICE servers a call works only within one network.
      if (!this.#over) this.#again(EARLY);
    }
  }

  stop() {
    this.#over = true;
    clearTimeout(this.#timer);
  }

  #again(milliseconds) {
    this.#timer = setTimeout(() => this.start(), milliseconds);
  }
}
