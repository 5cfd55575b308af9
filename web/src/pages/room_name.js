// What a room is called, and who is in it, in words.

import { day } from "../time.js";

const AND = new Intl.ListFormat("en-GB");
/** How many people are named; further ones are counted. */
const MOST_NAMED = 3;

/** A room's name; without one the people it was shared with, if they are known; else the day of its creation. */
export function roomName(room, me) {
  if (room.name) return room.name;
  const others = othersOf(room, me);
  if (others.length > 0) return listed(others);
  return room.createdAt ? `Room of ${day(room.createdAt)}` : "Room";
}

/** The names of a room's participants other than `me`; none where `me` or they are not known. */
export const othersOf = ({ people = [] }, me) => people.filter(({ id }) => me && id !== me).map(({ username }) => username);

/** Who of the others is in a room's call now, or undefined if nobody is. */
export function whoIsHere({ online, people }, me) {
  const names = new Map(people.map(({ id, username }) => [id, username]));
  const others = online.filter((id) => id !== me);
  if (others.length === 0) return undefined;
  const known = others.map((id) => names.get(id)).filter(Boolean);
  return `${listed(known, others.length - known.length)} ${others.length === 1 ? "is" : "are"} in the call`;
}

/** `ann`, `ann and bob`, `ann, bob, cat and 2 more`; `unnamed` counts people without a name here. */
export function listed(names, unnamed = 0) {
  const more = Math.max(names.length - MOST_NAMED, 0) + unnamed;
  const shown = names.slice(0, MOST_NAMED);
  if (shown.length === 0) return more === 1 ? "1 person" : `${more} people`;
  return AND.format(more > 0 ? [...shown, `${more} more`] : shown);
}
