// One person's video or initial, their name, and the state of the connection to them.

import { h, icon } from "../dom.js";

const STATES = { new: "Connecting…", connecting: "Connecting…", disconnected: "Interrupted…", failed: "Reconnecting…" };

export function tile({ own = false } = {}) {
  const video = h("video", { autoplay: true, playsInline: true, muted: own, class: own ? "mirrored" : "" });
  const initial = h("span", { class: "initial", "aria-hidden": "true" });
  const label = h("span", { class: "name" });
  const muted = h("span", { class: "muted", title: "Muted" }, icon("microphone", true), h("span", { class: "visually-hidden" }, "muted"));
  const status = h("span", { class: "state" });
  const element = h("figure", { class: "tile" }, video, initial, status, h("figcaption", {}, label, muted));
  const shown = {
    element,
    name: "",
    show({ name, media, stream, state }) {
      shown.name = name;
      label.textContent = name + (media.screen ? " (screen)" : "");
      video.setAttribute("aria-label", media.screen ? `Screen of ${name}` : `Video of ${name}`);
      // A name from an older database may be any string.
      const [first = "?"] = name.trim();
      initial.textContent = first.toUpperCase();
      muted.hidden = media.audio;
      const picture = stream?.getVideoTracks()[0];
      // A new stream with the same track would make the video flicker.
      if (!own) {
        if (video.srcObject !== stream) video.srcObject = stream;
      } else if (video.srcObject?.getVideoTracks()[0] !== picture) {
        video.srcObject = stream ?? null;
      }
      element.classList.toggle("dark", !media.video);
      element.classList.toggle("screen", media.screen);
      if (own) video.classList.toggle("mirrored", !media.screen);
      status.textContent = STATES[state] ?? "";
      element.dataset.state = state;
    },
  };
  return shown;
}
