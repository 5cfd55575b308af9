// A quiet call that goes on beside something louder.

import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { joined, marker, person, roomOf } from "./people.mjs";

/**
 * Two people talk in a room of their own while `story` goes on: every word arrives, in order. Gives the
 * milliseconds in which 99 of a hundred words arrived and were acknowledged.
 */
export async function callBeside(server, story) {
  const people = [await person(server), await person(server)];
  const room = await roomOf(server, ...people);
  const [ann, bob] = [await joined(server, room, people[0]), await joined(server, room, people[1])];
  await marker(ann, room, bob);
  let [over, said] = [false, 0];
  const times = [];
  const talk = (async () => {
    for (; !over || said < 20; said += 1) {
      const begun = performance.now();
      assert.deepEqual(await ann.ask("offer", room, said), { ok: true });
      assert.deepEqual(await bob.next("offer"), [said]);
      times.push(performance.now() - begun);
      // As many events a second as a connection may say.
      await pause(25);
    }
  })();
  // Whichever fails first is told.
  await Promise.all([story().finally(() => (over = true)), talk]);
  ann.close();
  bob.close();
  return times.sort((a, b) => a - b)[Math.floor(times.length * 0.99)];
}
