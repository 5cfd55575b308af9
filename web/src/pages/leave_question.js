// The confirmation shown before navigation ends a call.

import { h } from "../dom.js";

/** Resolves to true if the user chooses to leave the call. */
export function askToLeave() {
  return new Promise((resolve) => {
    const stay = h("button", { class: "button primary", onclick: () => element.close() }, "Stay");
    const leave = h("button", { class: "button danger", onclick: () => element.close("leave") }, "Leave the call");
    const title = h("h2", { id: "leave-title" }, "Leave the call?");
    const words = h("p", { id: "leave-words" }, "The others stay in the call. You can join again by its link.");
    const answered = () => {
      element.remove();
      resolve(element.returnValue === "leave");
    };
    const labels = { "aria-labelledby": "leave-title", "aria-describedby": "leave-words" };
    const element = h("dialog", { class: "card dialog", ...labels, onclose: answered }, title, words, h("div", { class: "row spread" }, stay, leave));
    document.body.append(element);
    element.showModal();
    stay.focus();
  });
}
