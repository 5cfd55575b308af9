// The user's open rooms, newest first, with who is in each of them now.

import { api } from "../api.js";
import { h } from "../dom.js";
import { taskButton } from "../forms.js";
import { day } from "../time.js";
import { whileVisible } from "../while_visible.js";
import { listed, othersOf, roomName, whoIsHere } from "./room_name.js";

const ROOMS = "/api/room?limit=10";
/** Pages without an open room that are passed over at once. */
const MOST_EMPTY = 20;
/** How many of the newest rooms are looked into again, and after how many milliseconds. Each costs a request. */
const WATCHED = 10;
const AGAIN = 120_000;

/** `{element, leave()}` */
export function roomList(me) {
  const list = h("ul", { class: "list" });
  const after = h("div", {}, h("p", { class: "hint" }, "Loading your rooms…"));
  const element = h("div", { class: "rooms", "aria-busy": "true" }, list, after);
  let entries = [];
  let isLeft = false;

  /** Shows the next open rooms, and then a button for more, or why there is none. */
  const load = async (cursor) => {
    element.setAttribute("aria-busy", "true");
    try {
      const { rooms, nextCursor } = await openRooms(cursor);
      const added = rooms.map((room) => entry(room, me));
      list.append(...added.map((shown) => shown.element));
      entries.push(...added);
      // The button goes, so the focus moves to the first of the rooms that it has brought.
      if (cursor) added[0]?.element.querySelector("a").focus();
      after.replaceChildren(...end(nextCursor));
      lookInto(added);
    } catch (error) {
      const again = taskButton("Try again", () => load(cursor));
      after.replaceChildren(h("p", { class: "problem", role: "alert" }, error.message), again);
    }
    element.setAttribute("aria-busy", "false");
  };
  const end = (nextCursor) => {
    if (nextCursor) return [taskButton("Show more", () => load(nextCursor))];
    return entries.length > 0 ? [] : [h("p", { class: "empty" }, "No rooms yet. Create one and share its link: it stays here until you end it.")];
  };

  const forget = (ended) => {
    const hadFocus = ended.element.contains(document.activeElement);
    ended.element.remove();
    entries = entries.filter((room) => room !== ended);
    if (hadFocus) list.querySelector("a")?.focus();
  };

  /** One after the other: the list is usable without it. */
  const lookInto = async (rooms) => {
    for (const room of rooms) {
      if (isLeft || document.hidden) return;
      if (await room.hasEnded()) forget(room);
    }
  };
  load();
  const stop = whileVisible(AGAIN, () => lookInto(entries.slice(0, WATCHED)));
  const leave = () => {
    isLeft = true;
    stop();
  };
  return { element, leave };
}

/** The next page that has open rooms, without those that have ended. */
async function openRooms(cursor) {
  for (let passed = 0; ; passed += 1) {
    const { rooms, nextCursor } = await api.get(cursor ? `${ROOMS}&cursor=${encodeURIComponent(cursor)}` : ROOMS);
    const open = rooms.filter((room) => room.active);
    if (open.length > 0 || !nextCursor || passed === MOST_EMPTY) return { rooms: open, nextCursor };
    cursor = nextCursor;
  }
}

function entry(room, me) {
  const name = h("strong", { dir: "auto" }, roomName(room, me));
  const here = h("span", { class: "presence" });
  const element = h("li", {}, h("a", { href: `#/room/${room.roomId}` }, name, here));
  const show = (room) => {
    const title = roomName(room, me);
    const others = room.name ? othersOf(room, me) : [];
    const facts = [others.length > 0 && `With ${listed(others)}`, !title.startsWith("Room of ") && `Created ${day(room.createdAt)}`, room.locked && "Locked"];
    const who = room.online && whoIsHere(room, me);
    name.textContent = title;
    here.dataset.here = String(Boolean(who));
    here.textContent = who ?? facts.filter(Boolean).join(" · ");
  };
  /** Looks who is there now. */
  const hasEnded = async () => {
    const answer = await api.get(`/api/room/${room.roomId}`).catch(() => undefined);
    if (answer?.room.active) show(answer.room);
    return answer?.room.active === false;
  };
  show(room);
  return { element, hasEnded };
}
