// A room: first the lobby, then the call, then the reason it ended.

import { api } from "../api.js";
import { Call } from "../call/call.js";
import { LocalMedia } from "../call/media.js";
import { h } from "../dom.js";
import { callView } from "./call_view.js";
import { lobbyView } from "./lobby_view.js";

export function callPage({ session }, roomId) {
  roomId = roomId.toLowerCase();
  const element = h("div", { class: "room" });
  const media = new LocalMedia();
  let call, view;
  const show = (next) => {
    view?.leave?.();
    view = next;
    element.replaceChildren(view.element);
  };
  const lobby = () => show(lobbyView({ roomId, media, join }));
  const join = async () => {
    await api.post(`/api/room/join/${roomId}`);
    call = new Call({ roomId, session, media });
    call.addEventListener("end", ({ detail }) => over(detail));
    show(callView({ call, media, hangUp: () => (call.leave(), over("You have left the room.")) }));
    await call.start();
  };
  const over = (reason) => {
    media.stop();
    const again = h("button", { class: "button primary", onclick: () => (lobby(), media.start()) }, "Join again");
    const card = h("section", { class: "card narrow" }, h("h1", {}, "The call is over"), h("p", { class: "lead" }, reason), again, h("a", { class: "button", href: "#/" }, "Back to your rooms"));
    show({ element: card });
  };
  lobby();
  media.start();
  const leave = () => {
    call?.leave();
    view?.leave?.();
    media.stop();
  };
  return { title: `Room ${roomId.slice(0, 8)}`, element, wide: true, leave };
}
