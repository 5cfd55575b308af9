// Numbered traffic in rooms: everybody hears each word of each other once and in order, or it is told.

import assert from "node:assert/strict";
import { createHistogram } from "node:perf_hooks";
import { setTimeout as pause } from "node:timers/promises";
import { polled } from "../e2e/support/patience.mjs";

/** Makes an event about as long as an ICE candidate. */
const PADDING = "candidate ".repeat(12);
/** Milliseconds between two looks at what is due. */
const TICK = 5;

export class Traffic {
  /** Microseconds from when a word was due until it was heard, so that a generator that is late does not hide it. */
  delays = createHistogram();
  said = 0;
  heard = 0;
  /** What must not be: drops, errors, words that came twice, too late, to the wrong room, or not. */
  wrong = [];
  #speakers = [];
  #expected = 0;

  /** These are in a room, and hear each other. */
  add(speakers) {
    const first = this.#speakers.length;
    const ids = speakers.map((_, index) => first + index);
    for (const [index, speaker] of speakers.entries()) {
      const next = new Map(ids.filter((id) => id !== first + index).map((id) => [id, 0]));
      speaker.hears = (word) => this.#hears(first + index, next, word);
      speaker.fails = (why) => this.wrong.push(`speaker ${first + index}: ${why}`);
      this.#speakers.push({ speaker, id: first + index, others: speakers.length - 1, number: 0, index });
    }
  }

  /** Everybody speaks so often a second, evenly spread; then waits until all of it is heard. */
  async run({ seconds, perSecond = 1, progress = () => {} }) {
    // Those of a room not one after the other.
    const order = this.#speakers.toSorted((a, b) => a.index - b.index);
    const rate = order.length * perSecond;
    const total = Math.floor(rate * seconds);
    const begun = performance.now();
    for (let turn = 0; turn < total; ) {
      const now = performance.now();
      for (; turn < total && begun + (turn * 1000) / rate <= now; turn += 1) {
        this.#say(order[turn % order.length], begun + (turn * 1000) / rate);
      }
      progress(`${this.heard} heard of ${this.#expected}, ${this.wrong.length} wrong`);
      await pause(TICK);
    }
    await polled(() => this.heard >= this.#expected || this.wrong.length > 0, "all that was said to be heard").catch(() => {});
    this.#check();
  }

  /** Milliseconds within which so many of a hundred words were heard. */
  within(percentile) {
    return this.delays.percentile(percentile) / 1000;
  }

  #say(by, due) {
    by.speaker.say([by.id, by.number, due, PADDING]);
    by.number += 1;
    this.said += 1;
    this.#expected += by.others;
  }

  #hears(listener, next, [sender, number, due]) {
    this.delays.record(Math.max(1, Math.round((performance.now() - due) * 1000)));
    this.heard += 1;
    const expected = next.get(sender);
    if (number !== expected) this.wrong.push(`${listener} heard word ${number} of ${sender}, expected ${expected}`);
    next.set(sender, number + 1);
  }

  #check() {
    const { wrong, heard } = this;
    assert.deepEqual(wrong.slice(0, 10), [], `${wrong.length} things went wrong`);
    assert.equal(heard, this.#expected, "every word is heard by everybody else in its room, once");
  }
}
