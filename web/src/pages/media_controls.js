// Shared by lobby and call: labels of the device buttons, and the errors of missing devices.

import { BLOCKED_BY_SYSTEM } from "../call/media.js";
import { focusHeading, h, icon } from "../dom.js";

/**
 * Labels a button with its current action. Because the label changes, the button has no `aria-pressed`. `struck`: the
 * icon is struck through.
 */
export function label(button, name, words, struck = false) {
  if (button.textContent === words && button.firstChild.dataset.struck === String(struck)) return;
  button.replaceChildren(icon(name, struck), h("span", {}, words));
}

export const microphoneWords = (media) => (media.state.audio ? "Mute" : "Unmute");
export const cameraWords = (media) => (media.state.video ? "Camera off" : "Camera on");

/** Shows one's own camera as a mirror does, unless it looks away from the user: what it shows may have to be read. */
export function mirror(video, track) {
  video.classList.toggle("mirrored", track.getSettings().facingMode !== "environment");
}

/** The errors of missing devices with a button to try again, followed by `hint`; empty if there are none. */
export function deviceProblems(media, hint) {
  const element = h("div", { class: "problems", role: "status" });
  let shown = "";
  const update = () => {
    const sentences = explain(media);
    // Replacing unchanged text would make screen readers read it again.
    if (sentences.join() === shown) return;
    shown = sentences.join();
    const hadFocus = element.contains(document.activeElement);
    element.replaceChildren(...sentences.map((text) => h("p", { class: "problem" }, text)));
    const again = h("button", { class: "button", onclick: () => media.retry() }, "Try again");
    if (sentences.length > 0) element.append(h("div", { class: "row" }, again, hint && h("span", { class: "hint" }, hint)));
    if (!hadFocus) return;
    if (again.isConnected) again.focus();
    else focusHeading(element.closest("section"));
  };
  update();
  return { element, update };
}

/** One sentence per problem; a single one if both microphone and camera are blocked. */
function explain({ problems: { screen, ...problems }, tracks }) {
  const sentences = explainDevices(problems, tracks);
  if (!screen) return sentences;
  const reason = screen.name === BLOCKED_BY_SYSTEM ? "Allow it to this browser in your system's settings." : `Your system refused it (${screen.name}).`;
  return [...sentences, `Your screen could not be shared. ${reason}`];
}

function explainDevices(problems, tracks) {
  const devices = Object.keys(problems);
  const missing = (name) => devices.filter((device) => problems[device].name === name && !tracks[device]);
  const [blocked, ofSystem] = [missing("NotAllowedError"), missing(BLOCKED_BY_SYSTEM)];
  const others = devices.filter((device) => !blocked.includes(device) && !ofSystem.includes(device));
  const sentences = others.map((device) => sentence(device, problems[device].name, Boolean(tracks[device])));
  if (ofSystem.length > 0) sentences.unshift(blockedBySystem(ofSystem));
  if (blocked.length > 0) sentences.unshift(blockedByBrowser(blocked));
  return sentences;
}

function blockedByBrowser(devices) {
  const both = devices.length > 1;
  const subject = both ? "Camera and microphone are" : `${devices[0] === "camera" ? "Camera" : "Microphone"} is`;
  return `${subject} blocked. Click the icon left of the address, allow ${both ? "both" : "it"}, then press "Try again".`;
}

function blockedBySystem(devices) {
  const both = devices.length > 1;
  const object = both ? "camera and microphone" : `the ${devices[0]}`;
  return `Your system blocks ${object}. Allow ${both ? "them" : "it"} to this browser in your system's settings, then press "Try again".`;
}

/** `isInUse`: there is one, and the error is of another one that was chosen. */
function sentence(device, name, isInUse) {
  const which = isInUse ? `The ${device} that you chose` : `Your ${device}`;
  switch (name) {
    case "SecurityError":
      return `Browsers allow the ${device} only on https:// pages and on localhost.`;
    case "NotFoundError":
    case "OverconstrainedError":
      return isInUse ? `${which} was not found.` : `No ${device} was found.`;
    case "NotReadableError":
      return `${which} cannot be used: another program is using it.`;
    default:
      return `${which} cannot be used (${name}).`;
  }
}
