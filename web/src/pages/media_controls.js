// Shared by lobby and call: labels of the device buttons, and the errors of missing devices.

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

/** The errors of missing devices with a button to try again, followed by `hint`; empty if there are none. */
export function deviceProblems(media, hint) {
  const element = h("div", { class: "problems", role: "status" });
  let shown = "";
  const update = () => {
    const sentences = explain(media.problems);
    // Replacing unchanged text would make screen readers read it again.
    if (sentences.join() === shown) return;
    shown = sentences.join();
    const hadFocus = element.contains(document.activeElement);
    element.replaceChildren(...sentences.map((text) => h("p", { class: "problem" }, text)));
    const again = h("button", { class: "button", onclick: () => retry(media) }, "Try again");
    if (sentences.length > 0) element.append(h("div", { class: "row" }, again, hint && h("span", { class: "hint" }, hint)));
    if (!hadFocus) return;
    if (again.isConnected) again.focus();
    else focusHeading(element.closest("section"));
  };
  update();
  return { element, update };
}

function retry(media) {
  if (media.problems.screen) media.toggleScreen();
  media.start();
}

/** One sentence per problem; a single one if both microphone and camera are blocked. */
function explain({ screen, ...problems }) {
  const sentences = explainDevices(problems);
  if (!screen) return sentences;
  const reason = screen === "NotAllowedError" ? "Allow it to this browser in your system's settings." : `Your system refused it (${screen}).`;
  return [...sentences, `Your screen could not be shared. ${reason}`];
}

function explainDevices(problems) {
  const blocked = Object.keys(problems).filter((device) => problems[device] === "NotAllowedError");
  const others = Object.keys(problems).filter((device) => problems[device] !== "NotAllowedError");
  const sentences = others.map((device) => sentence(device, problems[device]));
  if (blocked.length === 0) return sentences;
  const both = blocked.length > 1;
  const subject = both ? "Camera and microphone are" : `${blocked[0] === "camera" ? "Camera" : "Microphone"} is`;
  return [`${subject} blocked. Click the icon left of the address, allow ${both ? "both" : "it"}, then press "Try again".`, ...sentences];
}

function sentence(device, name) {
  switch (name) {
    case "SecurityError":
      return `Browsers allow the ${device} only on https:// pages and on localhost.`;
    case "NotFoundError":
    case "OverconstrainedError":
      return `No ${device} was found.`;
    case "NotReadableError":
      return `Your ${device} cannot be used: another program is using it.`;
    default:
      return `Your ${device} cannot be used (${name}).`;
  }
}
