// Many people and many rooms, made as fast as the server makes them.

import { call, person, roomOf } from "../e2e/support/people.mjs";

/** Lets everything through that is not what a scenario is about. */
export const UNLIMITED = {
  NODE_ENV: "production",
  AUTH_LIMIT_ATTEMPTS: "100000",
  ROOMS_PER_HOUR: "100000",
  CALL_LOGS_PER_HOUR: "100000",
};

/** Does it for each, so many at a time; the results in order. */
export async function each(things, atOnce, act, { progress = () => {}, what = "done" } = {}) {
  const results = [];
  let [next, done] = [0, 0];
  const work = async () => {
    while (next < things.length) {
      const index = next++;
      results[index] = await act(things[index], index);
      progress(`${++done} of ${things.length} ${what}`);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return results;
}

export const numbers = (count) => Array.from({ length: count }, (_, index) => index);

export function people(server, count, scene = {}) {
  return each(numbers(count), 8, () => person(server), { ...scene, what: "people registered" });
}

/** So many rooms of all these people. */
export function rooms(server, count, everybody, scene = {}) {
  return each(numbers(count), 16, () => roomOf(server, ...everybody), { ...scene, what: "rooms made" });
}

/** A request that must succeed. */
export async function done(server, ...request) {
  const answer = await call(server, ...request);
  if (answer.status >= 300) throw new Error(`${request.slice(0, 2).join(" ")}: ${answer.status} ${answer.text}`);
  return answer.json;
}
