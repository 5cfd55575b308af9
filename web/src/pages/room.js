// A room: first the lobby, then the call, then the reason it ended.

import { api } from "../api.js";
import { Call } from "../call/call.js";
import { LocalMedia } from "../call/media.js";
import { focusHeading, h } from "../dom.js";
import { session } from "../session.js";
import { callView } from "./call_view.js";
import { lobbyView } from "./lobby_view.js";

export function callPage({ session: { user, token } }, roomId) {
  roomId = roomId.toLowerCase();
  const element = h("div", { class: "room" }, h("p", { class: "hint" }, "Looking for the room…"));
  const media = new LocalMedia();
  let call, view;
  let left = false;
  const show = (next) => {
    view?.leave?.();
    view = next;
    element.replaceChildren(view.element);
    focusHeading(view.element);
  };
  /** The camera is requested only for a room that can be joined. */
  const lobby = async () => {
    const there = await exists(roomId);
    if (left) return;
    if (!there) return show(noRoom());
    show(lobbyView({ roomId, media, join }));
    media.start();
  };
  const join = async () => {
    await api.post(`/api/room/join/${roomId}`);
    if (left) return;
    call = new Call({ roomId, session: { user, token }, media });
    call.addEventListener("end", ({ detail }) => over(detail));
    show(callView({ call, media, hangUp: () => (call.leave(), over({ code: "left" })) }));
    await call.start();
  };
  const over = ({ code, reason }) => {
    call = undefined;
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
    view?.leave?.();
    media.stop();
  };
  return { title: `Room ${roomId.slice(0, 8)}`, element, wide: true, leave, inCall: () => Boolean(call) };
}

/** Whether a room exists and is open. If the answer is refused or fails, assume so: joining reports the error. */
async function exists(roomId) {
  try {
    const { room } = await api.get(`/api/room/${roomId}`);
    return room.active;
  } catch ({ code }) {
    return code !== "room_not_found";
  }
}

const back = (look) => h("a", { class: look, href: "#/" }, "Back to rooms");

function noRoom() {
  return { element: h("section", { class: "card narrow" }, h("h1", {}, "This room doesn't exist or has ended."), back("button primary")) };
}

/** Headings by the code of the reason; other reasons share one. */
const TITLES = { left: "You left the call", replaced: "You joined from another tab" };

function ending({ code, reason, again }) {
  const lead = reason && h("p", { class: "lead", id: "reason" }, reason);
  const rejoin = h("button", { class: "button primary", onclick: again }, "Join again");
  return { element: h("section", { class: "card narrow" }, h("h1", { "aria-describedby": reason && "reason" }, TITLES[code] ?? "The call is over"), lead, rejoin, back("button")) };
}
