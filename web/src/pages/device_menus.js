// The choice of microphone, camera and speaker, in the lobby and during the call.

import { h } from "../dom.js";
import { levelMeter } from "./level_meter.js";

const LABELS = { microphone: "Microphone", camera: "Camera", speaker: "Speaker" };

/**
 * `{element, update(), leave()}`: a menu for each kind of device of which there is more than one, and the level of the
 * microphone. Call `update` on every `change` of `media` while the element is shown, and `leave` when it is no longer.
 */
export function deviceMenus(media) {
  const meter = levelMeter(media);
  const menus = Object.keys(LABELS).map((device) => menu(media, device));
  const [microphone, ...others] = menus.map((shown) => shown.element);
  const picker = speakerPicker(media);
  const element = h("div", { class: "devices" }, h("div", { class: "microphone" }, microphone, meter.element), others, picker.element);
  let updates = 0;
  const update = async () => {
    const own = (updates += 1);
    meter.update();
    const devices = await media.devices();
    // Of several listings only the latest counts.
    if (own !== updates) return;
    picker.update(devices.speaker);
    if (!picker.element.hidden) devices.speaker = [];
    for (const shown of menus) shown.update(devices[shown.device]);
  };
  const leave = () => {
    updates += 1;
    meter.leave();
  };
  return { element, update, leave };
}

function menu(media, device) {
  const select = h("select", { onchange: () => media.choose(device, select.value) });
  const element = h("label", { class: "field", hidden: true }, LABELS[device], select);
  let listed = "";
  const update = (list) => {
    const names = list.map(({ deviceId, label }) => `${deviceId} ${label}`).join();
    // Options are replaced only if the devices have changed: an open menu would close.
    if (names !== listed) select.replaceChildren(...list.map(option));
    listed = names;
    element.hidden = list.length < 2;
    const current = media.current(device);
    if (list.some(({ deviceId }) => deviceId === current)) select.value = current;
  };
  const option = ({ deviceId, label }, index) => h("option", { value: deviceId }, label || `${LABELS[device]} ${index + 1}`);
  return { device, element, update };
}

/** A button for the browser's own list of speakers, where the browser tells a page only of speakers chosen in it. */
function speakerPicker(media) {
  const pick = async () => {
    try {
      const { deviceId } = await navigator.mediaDevices.selectAudioOutput();
      await media.devices();
      await media.choose("speaker", deviceId);
    } catch {
      // Dismissed, which is no error, or without a speaker, which the browser has said.
    }
  };
  const element = h("button", { type: "button", class: "button", hidden: true, onclick: pick });
  const update = (speakers) => {
    const chosen = speakers.find(({ deviceId }) => deviceId === media.speaker);
    element.textContent = chosen ? `Speaker: ${chosen.label}` : "Choose speaker…";
    element.hidden = !navigator.mediaDevices?.selectAudioOutput;
  };
  return { element, update };
}
