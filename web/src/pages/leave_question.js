// The confirmation shown before navigation ends a call.

import { h } from "../dom.js";

/** Resolves to true if the user chooses to leave the call, and to false if they stay, or `over` says that it has ended. */
export function askToLeave(over) {
  return new Promise((resolve) => {
    // At once, not on the dialog's `close`, which comes later: another navigation may be between.
    const answer = (leaves) => () => {
      element.close();
      element.remove();
      resolve(leaves);
    };
    const stay = h("button", { class: "button primary", onclick: answer(false) }, "Stay");
    const leave = h("button", { class: "button danger", onclick: answer(true) }, "Leave the call");
    const title = h("h2", { id: "leave-title" }, "Leave the call?");
    const words = h("p", { id: "leave-words" }, "The others stay in the call. You can join again by its link.");
    const labels = { "aria-labelledby": "leave-title", "aria-describedby": "leave-words" };
    // Browsers may close it by Escape without asking whether it may be cancelled.
    const closes = { oncancel: answer(false), onclose: answer(false) };
    const element = h("dialog", { class: "card dialog", ...labels, ...closes }, title, words, h("div", { class: "row spread" }, stay, leave));
    over.addEventListener("abort", answer(false));
    document.body.append(element);
    element.showModal();
    stay.focus();
  });
}
