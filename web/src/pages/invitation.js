// What one sees while alone in a room: its link, and the ways to send it.

import { h } from "../dom.js";
import { copyButton } from "./copy_button.js";

export function invitation(roomId) {
  const link = h("p", { class: "address" }, `${location.host}${location.pathname}#/room/${roomId}`);
  return h("div", { class: "invitation" }, h("h2", {}, "You're the only one here"), h("p", { class: "hint" }, "Send the link to invite others."), link, h("div", { class: "row" }, copyButton(roomId)));
}
