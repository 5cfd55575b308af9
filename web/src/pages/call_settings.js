// The settings of a call: devices, sounds, and the keyboard's shortcuts.

import { h } from "../dom.js";
import { preferences } from "../preferences.js";
import { deviceMenus } from "./device_menus.js";

const SHORTCUTS = { m: "Mute or unmute", v: "Camera on or off", s: "Share the screen or stop", c: "Open or close the chat" };

export function callSettings(media) {
  const devices = deviceMenus(media);
  const option = (name, words) =>
    h("label", { class: "option" }, h("input", { type: "checkbox", checked: preferences.get(name), onchange: ({ target }) => preferences.set(name, target.checked) }), words);
  const keys = Object.entries(SHORTCUTS).map(([key, words]) => [h("dt", {}, h("kbd", {}, key.toUpperCase())), h("dd", {}, words)]);
  const close = h("button", { class: "button", onclick: () => element.close() }, "Close");
  const element = h("dialog", { class: "card dialog settings", "aria-labelledby": "settings-title", onclose: devices.leave },
    h("h2", { id: "settings-title" }, "Settings"),
    devices.element,
    option("sounds", "Play a sound when somebody joins or leaves"),
    option("shortcuts", "Single keys control the call"),
    h("dl", { class: "shortcuts" }, keys.flat()),
    close,
  );
  return {
    element,
    open() {
      element.showModal();
      close.focus();
      devices.update();
    },
    update: () => element.open && devices.update(),
    leave: devices.leave,
  };
}
