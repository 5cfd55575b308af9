// What the people of a room are called, as the server has it: nobody is called what another client says.

/** Milliseconds in which further newcomers may come, to be asked for in one request. */
const TOGETHER = 100;
/** Milliseconds from an answer to the next request, however often somebody comes and goes. */
const APART = 1_000;
/** Milliseconds until it is asked again where there was no answer. */
const AGAIN = 5_000;

export class Names {
  #known = new Map();
  #wanted = false;
  #asking = false;
  #over = false;

  /** `fetchPeople()` resolves to `[{id, username}…]`; `changed()` is called when names have come. */
  constructor({ fetchPeople, changed }) {
    Object.assign(this, { fetchPeople, changed });
  }

  /** A person's name, or a word for somebody whose name is not known yet. */
  of(id) {
    return this.#known.get(id) ?? "Somebody";
  }

  knows(id) {
    return this.#known.has(id);
  }

  /** Somebody has come: asks for their name, and for those that have changed. */
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
      // Who comes from now on may be missing in this answer.
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
