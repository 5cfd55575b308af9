// A button that copies a room's link, or shows it if the browser does not allow copying.

import { announce, h, icon } from "../dom.js";

export function copyButton(roomId) {
  const link = `${location.origin}${location.pathname}#/room/${roomId}`;
  const place = h("span", { class: "copy" });
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(link);
      announce("The link is copied");
      button.lastChild.textContent = "Link copied";
    } catch {
      const shown = h("input", { value: link, readOnly: true, "aria-label": "The room's link" });
      place.replaceChildren(shown);
      shown.select();
    }
  };
  const button = h("button", { class: "button", onclick: copy }, icon("copy"), "Copy link");
  place.append(button);
  return place;
}
