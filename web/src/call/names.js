// The names of the people in a room, as the server has them. A name sent by another client is never used.

/** Milliseconds to wait for further newcomers, so that one request covers them all. */
const TOGETHER = 100;
/** Minimum milliseconds from a response to the next request, however often people come and go. */
const APART = 1_000;
/** Milliseconds until the next attempt after a failed request. */
const AGAIN = 5_000;

export class Names {
  #known = new Map();
  #wanted = false;
  #asking = false;
  #over = false;

  /** `fetchPeople()` resolves to `[{id, username}…]`; `changed()` is called when names arrive. */
  constructor({ fetchPeople, changed }) {
    Object.assign(this, { fetchPeople, changed });
  }

  /** A person's name, or "Somebody" until it is known. */
  of(id) {
    return this.#known.get(id) ?? "Somebody";
  }

  knows(id) {
    return this.#known.has(id);
  }

  /** Fetches everybody's names; call it when somebody arrives or a name may have changed. */
  ask() {
    this.#wanted = true;
    if (!this.#asking) this.#keepAsking();
  }

  stop() {
    this.#over = true;
  }

  async #keepAsking() {
    this.#asking = true;
    await passed(TOGETHER);
    while (this.#wanted && !this.#over) {
      // This response may miss people who arrive from now on.
      this.#wanted = false;
      const people = await this.fetchPeople().catch(() => undefined);
      if (people && !this.#over) this.#learn(people);
      this.#wanted ||= !people;
      await passed(people ? APART : AGAIN);
    }
    this.#asking = false;
  }

  #learn(people) {
    for (const { id, username } of people) this.#known.set(id, username);
    this.changed();
  }
}

const passed = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
