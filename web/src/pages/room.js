// A room: first the lobby, then the call, then the reason it ended.

import { api } from "../api.js";
import { Call } from "../call/call.js";
import { markInCall } from "../call/in_this_browser.js";
import { LocalMedia } from "../call/media.js";
import { focusHeading, h } from "../dom.js";
import { whileBusy } from "../forms.js";
import { session } from "../session.js";
import { callView } from "./call_view.js";
import { lobbyView } from "./lobby_view.js";
import { roomName } from "./room_name.js";

export function callPage({ session: { user } }, roomId) {
  roomId = roomId.toLowerCase();
  const element = h("div", { class: "room" }, h("p", { class: "hint" }, "Looking for the room…"));
  const media = new LocalMedia();
  const find = () => findRoom(roomId);
  let call, view;
  /** Aborted when the call is over. */
  let calling;
  let leaveBrowser = () => {};
  let left = false;
  /** The room as it was found before the call. */
  let room;
  const show = (next) => {
    view?.leave?.();
    view = next;
    element.replaceChildren(view.element);
    focusHeading(view.element);
  };
  /** The camera is requested only for a room that can be joined. */
  const lobby = async () => {
    const found = await find();
    if (left) return;
    if (found.isGone) return gone();
    if (found.room) document.title = `${roomName(found.room, user.id)} · Zetra`;
    room = found.room;
    show(lobbyView({ roomId, found, me: user.id, media, find, gone, join }));
    media.start();
  };
  const gone = () => {
    media.stop();
    show(noRoom());
  };
  const join = async () => {
    await api.post(`/api/room/join/${roomId}`);
    if (left) return;
    const token = () => (session.current?.user.id === user.id ? session.current.token : undefined);
    calling = new AbortController();
    call = new Call({ roomId, room, session: { user, token }, media });
    call.addEventListener("end", ({ detail }) => over(detail));
    show(callView({ call, media, hangUp: () => (call.leave(), over({ code: "left" })) }));
    leaveBrowser = markInCall(roomId);
    await call.start();
  };
  const over = ({ code, reason }) => {
    call = undefined;
    calling.abort();
    leaveBrowser();
    media.stop();
    show(ending({ code, reason, again: lobby }));
  };
  const stopListening = session.onChange((current) => {
    if (current?.user.id === user.id && current.user.username !== user.username) call?.renamed();
    user = current?.user ?? user;
  });
  lobby();
  const leave = () => {
    left = true;
    stopListening();
    call?.leave();
    call = undefined;
    calling?.abort();
    leaveBrowser();
    view?.leave?.();
    media.stop();
  };
  return { title: "Room", element, wide: true, leave, inCall: () => call && calling.signal };
}

/**
 * `{room, isGone}`: the room if the server shows it, which it does to participants, and whether it does not exist or
 * has ended. If the answer is refused or fails, assume that it exists: joining reports the error.
 */
async function findRoom(roomId) {
  try {
    const { room } = await api.get(`/api/room/${roomId}`);
    return { room, isGone: !room.active };
  } catch ({ code }) {
    // An address that was mistyped is no room either.
    return { isGone: ["room_not_found", "invalid_input"].includes(code) };
  }
}

const back = (look) => h("a", { class: look, href: "#/" }, "Back to rooms");

function noRoom() {
  const lead = h("p", { class: "lead" }, "Ask whoever sent you the link for a new one.");
  return { element: h("section", { class: "card narrow" }, h("h1", {}, "This room doesn't exist or has ended."), lead, back("button primary")) };
}

/** Headings by the code of the reason; other reasons share one. */
const TITLES = { left: "You left the call", replaced: "You joined from another tab" };

function ending({ code, reason, again }) {
  const lead = reason && h("p", { class: "lead", id: "reason" }, reason);
  const rejoin = h("button", { class: "button primary", onclick: () => whileBusy(rejoin, again) }, "Join again");
  return { element: h("section", { class: "card narrow" }, h("h1", { "aria-describedby": reason && "reason" }, TITLES[code] ?? "The call is over"), lead, rejoin, back("button")) };
}
