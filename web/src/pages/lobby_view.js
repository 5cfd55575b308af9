// The lobby before a call: which room it is and who is there, a camera preview, the choice of devices.

import { isInCall } from "../call/in_this_browser.js";
import { h } from "../dom.js";
import { form } from "../forms.js";
import { whileVisible } from "../while_visible.js";
import { copyButton } from "./copy_button.js";
import { deviceMenus } from "./device_menus.js";
import { cameraWords, deviceProblems, label, microphoneWords, mirror } from "./media_controls.js";
import { roomName, whoIsHere } from "./room_name.js";

/** Milliseconds between two looks at who is in the room. */
const AGAIN = 10_000;

/**
 * `find` resolves to `{room, isGone}`: the room, if it may be read, and whether it does not exist or has ended. `gone`
 * is called when it has ended meanwhile.
 */
export function lobbyView({ roomId, found, me, media, find, gone, join }) {
  const preview = previewOf(media);
  const presence = presenceOf(me);
  const elsewhere = h("p", { role: "status" });
  const menus = deviceMenus(media);

  const update = () => {
    preview.update();
    menus.update();
  };
  let known = found;
  let isLeft = false;
  const look = async () => {
    const [now, isElsewhere] = await Promise.all([known ?? find(), isInCall(roomId)]);
    known = undefined;
    if (isLeft) return;
    if (now.isGone) return gone();
    // Where the answer failed, what is known stays.
    if (now.room) presence.show(now.room);
    const words = isElsewhere ? "You are in this call in another tab. Joining here ends it there." : "";
    // Replacing unchanged text would make screen readers read it again.
    if (elsewhere.textContent !== words) elsewhere.textContent = words;
    elsewhere.className = words ? "notice" : "";
  };

  const enter = h("div", { class: "enter" }, elsewhere, form({ button: "Join the call", fields: [], submit: join }), copyButton(roomId), menus.element);
  const element = h("section", { class: "card lobby" }, h("div", { class: "intro" }, h("h1", {}, "Ready to join?"), presence.element), preview.element, enter);
  presence.show(found.room);
  update();
  media.addEventListener("change", update);
  const stopLooking = whileVisible(AGAIN, look);
  return {
    element,
    leave() {
      isLeft = true;
      stopLooking();
      menus.leave();
      media.removeEventListener("change", update);
    },
  };
}

/** The camera's picture, the buttons of the devices, and what is wrong with them. */
function previewOf(media) {
  const video = h("video", { autoplay: true, muted: true, playsInline: true, "aria-label": "Your camera" });
  const noPicture = h("p", { class: "no-picture" });
  const problems = deviceProblems(media, "You can join anyway and see and hear the others.");
  const microphone = h("button", { class: "button", onclick: () => media.toggleMicrophone() });
  const camera = h("button", { class: "button", onclick: () => media.toggleCamera() });
  const element = h("div", { class: "devices-now" }, h("div", { class: "preview" }, video, noPicture), h("div", { class: "row" }, microphone, camera), problems.element);
  const update = () => {
    const track = media.tracks.camera;
    if (video.srcObject?.getVideoTracks()[0] !== track) video.srcObject = track && new MediaStream([track]);
    if (track) mirror(video, track);
    noPicture.hidden = Boolean(track);
    noPicture.textContent = media.isOpening("camera") ? "Waiting for your camera…" : "Your camera is off";
    label(microphone, "microphone", microphoneWords(media), !media.state.audio);
    label(camera, "camera", cameraWords(media), !media.state.video);
    problems.update();
  };
  return { element, update };
}

/** The room's name, and who is in its call; of a room that may not be read yet, that one sees it later. */
function presenceOf(me) {
  const name = h("strong", {});
  const here = h("span", { class: "presence" });
  const element = h("p", { class: "lead" }, name, here);
  const show = (room) => {
    name.textContent = room ? roomName(room, me) : "";
    name.hidden = !room;
    const who = room && whoIsHere(room, me);
    here.dataset.here = String(Boolean(who));
    here.textContent = who ?? (room ? "Nobody else is in the call yet" : "You see who is in the call when you have joined.");
  };
  return { element, show };
}
