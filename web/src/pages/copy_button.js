// A button that copies a room's link, or shows it if the browser does not allow copying; beside it one for the device's
// own share sheet, where there is one.

import { h, icon } from "../dom.js";
import { toast } from "../toast.js";

/** Milliseconds for which the button shows that it has copied. */
const DONE_FOR = 2_000;

export function copyButton(roomId) {
  const url = `${location.origin}${location.pathname}#/room/${roomId}`;
  const place = h("span", { class: "copy" });
  let timer;
  // The label stays: screen readers would read a new one besides the notice.
  const mark = (name) => button.replaceChild(icon(name), button.firstChild);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(url);
    } catch {
      const shown = h("input", { value: url, readOnly: true, "aria-label": "The room's link" });
      button.replaceWith(shown);
      return shown.select();
    }
    toast("Link copied");
    mark("check");
    clearTimeout(timer);
    timer = setTimeout(() => mark("copy"), DONE_FOR);
  };
  // Dismissing the share sheet is not an error.
  const share = () => navigator.share({ title: document.title, url }).catch(() => {});
  const button = h("button", { type: "button", class: "button", onclick: copy }, icon("copy"), h("span", {}, "Copy link"));
  place.append(button);
  if (navigator.share) place.append(h("button", { type: "button", class: "button", onclick: share }, icon("share"), h("span", {}, "Share link")));
  return place;
}
