// The real client as a page uses it: it connects again by itself, never says join-room again, and numbers what it says.
//
// Of each other one in its room it must hear rising numbers, and of what the server has acknowledged it may miss something
// only where it was told so: where it came back without having been recovered.

import { Client } from "../e2e/support/people.mjs";

const EVENT = "offer";

export class Returning extends Client {
  /** How often it came back, as it was or joined again. */
  returns = { recovered: 0, rejoined: 0 };
  #wasHere = false;
  wrong = [];
  /** Numbers that the server has acknowledged. */
  acknowledged = new Set();
  said = 0;
  /** The number that was last heard of each other one, and how often this one had been joined again by then. */
  last = new Map();
  /** Stretches of numbers that were not heard between two that were, with no rejoin between. */
  gaps = [];

  constructor(server, room, options) {
    super(server, room, { reconnection: true, ...options });
    this.room = room;
  }

  say() {
    const number = this.said++;
    this.emit(EVENT, this.room, [this.name, number], (answer) => {
      if (answer.ok) this.acknowledged.add(number);
      else this.wrong.push(`word ${number}: ${JSON.stringify(answer)}`);
    });
  }

  note(thing) {
    const [event, value] = thing;
    if (event === EVENT) return this.#hears(value);
    if (event === "(connect)") {
      if (this.#wasHere) this.returns[value ? "recovered" : "rejoined"] += 1;
      this.#wasHere = true;
    }
    if (event === "error") this.wrong.push(JSON.stringify(thing));
    super.note(thing);
  }

  #hears([name, number]) {
    const { rejoined } = this.returns;
    const last = this.last.get(name);
    if (last && number <= last.number) this.wrong.push(`${name}'s word ${number} after ${last.number}`);
    if (last && last.rejoined === rejoined && number > last.number + 1) this.gaps.push({ name, from: last.number + 1, to: number });
    this.last.set(name, { number, rejoined });
  }

  /** What this one missed of the others in its room without having been told. */
  missed(others) {
    const ofName = new Map(others.map((other) => [other.name, other]));
    return this.gaps.flatMap(({ name, from, to }) => {
      const numbers = Array.from({ length: to - from }, (_, index) => from + index);
      return numbers.filter((number) => ofName.get(name).acknowledged.has(number)).map((number) => `${name}'s word ${number}`);
    });
  }
}
