// The call: everybody's video, the controls, the chat.

import { keepScreenOn } from "../call/wake_lock.js";
import { chime } from "../chime.js";
import { announce, focusHeading, h } from "../dom.js";
import { preferences } from "../preferences.js";
import { stopwatch } from "../time.js";
import { toast } from "../toast.js";
import { callSettings } from "./call_settings.js";
import { chatPanel } from "./chat_panel.js";
import { copyButton } from "./copy_button.js";
import { hostPanel } from "./host_panel.js";
import { invitation } from "./invitation.js";
import { cameraWords, deviceProblems, label, microphoneWords } from "./media_controls.js";
import { roomName } from "./room_name.js";
import { stage } from "./stage.js";

const BANNERS = { connecting: "Connecting…", joined: "", reconnecting: "Connection lost. Reconnecting…" };

export function callView({ call, media, hangUp }) {
  const pictures = stage(call, media, () => update());
  const playing = h("button", { class: "button", onclick: () => pictures.play() }, "Play");
  const heldBack = h("div", { class: "problems", role: "alert", hidden: true });
  const banner = h("p", { class: "banner", role: "status" });
  const count = h("span", { class: "count" });
  const timer = h("span", { class: "timer", role: "timer", "aria-live": "off" });
  const alone = invitation(call.roomId);
  const link = copyButton(call.roomId);
  const openChat = (open) => {
    if (!open && chat.element.contains(document.activeElement)) chatButton.focus();
    chat.element.hidden = !open;
    chatButton.setAttribute("aria-expanded", String(open));
    if (open) chat.read();
    update();
  };
  const chat = chatPanel(call, () => openChat(false));
  const host = hostPanel(call);
  const settings = callSettings(media);
  const name = h("h1", {});
  const problems = deviceProblems(media);

  const control = (onclick, more) => h("button", { class: "control", onclick, ...more });
  const toggleChat = () => openChat(chat.element.hidden);
  const microphone = control(() => media.toggleMicrophone());
  const camera = control(() => media.toggleCamera());
  const screen = control(() => media.toggleScreen());
  const chatButton = control(toggleChat, { "aria-expanded": "false" });
  const hostButton = control(() => host.open(), { "aria-haspopup": "dialog" });
  label(hostButton, "host", "Host");
  const settingsButton = control(() => settings.open(), { "aria-haspopup": "dialog" });
  label(settingsButton, "settings", "Settings");
  const leave = control(hangUp, { class: "control leave" });
  label(leave, "leave", "Leave");

  const title = () => roomName(call.room ?? {}, call.me);
  const showHeldBack = () => {
    if (heldBack.hidden === !pictures.heldBack) return;
    const hadFocus = heldBack.contains(document.activeElement);
    heldBack.hidden = !heldBack.hidden;
    const words = h("p", { class: "problem" }, "Your browser does not play the sound and pictures of others before you press \"Play\".");
    heldBack.replaceChildren(...(heldBack.hidden ? [] : [words, h("div", { class: "row" }, playing)]));
    if (hadFocus) focusHeading(element);
  };
  const update = () => {
    // Replacing unchanged text would make screen readers read it again.
    if (banner.textContent !== BANNERS[call.state]) banner.textContent = BANNERS[call.state];
    pictures.update();
    showHeldBack();
    const { state } = media;
    const others = call.people.size;
    const hadFocus = alone.contains(document.activeElement);
    alone.hidden = call.state !== "joined" || others > 0;
    link.hidden = !alone.hidden;
    // Whoever has just copied the link goes on from there.
    if (hadFocus && alone.hidden) link.querySelector("button, input")?.focus();
    count.textContent = others === 0 ? "Just you" : `${others + 1} people`;
    label(microphone, "microphone", microphoneWords(media), !state.audio);
    label(camera, "camera", cameraWords(media), !state.video);
    label(screen, "screen", state.screen ? "Stop sharing" : "Share screen");
    screen.hidden = !navigator.mediaDevices?.getDisplayMedia;
    name.replaceChildren(h("bdi", {}, title()), call.room?.locked ? " (locked)" : "");
    hostButton.hidden = !call.isHost;
    if (host.element.open) host.update();
    settings.update();
    label(chatButton, "chat", chat.unread ? `Chat (${chat.unread})` : "Chat");
    document.title = `${chat.unread ? `(${chat.unread}) ` : ""}${title()} · Zetra`;
    problems.update();
  };
  chat.onUnread = update;

  const told = ({ type, detail }) => {
    toast(detail);
    chime(type);
  };
  /** Nobody comes or goes, so there is no sound. */
  const moved = ({ detail }) => toast(detail);
  /** By key: the control, what it does, and what has come of it, for those who do not see it. */
  const keys = {
    m: [microphone, () => media.toggleMicrophone(), () => (media.state.audio ? "Unmuted" : "Muted")],
    v: [camera, () => media.toggleCamera(), () => (media.state.video ? "Camera is on" : "Camera is off")],
    s: [screen, () => media.toggleScreen(), () => (media.state.screen ? "You are sharing your screen" : "You are not sharing your screen")],
    c: [chatButton, toggleChat, () => (chat.element.hidden ? "Chat closed" : "Chat")],
  };
  const pressed = async (event) => {
    const { key, target, ctrlKey, metaKey, altKey, repeat } = event;
    const [control, act, outcome] = keys[key.toLowerCase()] ?? [];
    const isMeant = preferences.get("shortcuts") && !target.closest("input, textarea, select, dialog") && !ctrlKey && !metaKey && !altKey && !repeat;
    if (!control || control.hidden || !isMeant) return;
    // Otherwise the letter is written into the chat that it opens.
    event.preventDefault();
    await act();
    announce(outcome());
  };
  const began = Date.now();
  const tick = () => (timer.textContent = stopwatch(Math.floor((Date.now() - began) / 1_000)));
  const ticking = setInterval(tick, 1_000);
  const letScreenSleep = keepScreenOn();
  tick();
  call.addEventListener("joined", told);
  call.addEventListener("moved", moved);
  call.addEventListener("gone", told);
  call.addEventListener("change", update);
  media.addEventListener("change", update);
  document.addEventListener("keydown", pressed);
  update();

  const bar = h("div", { class: "bar" }, name, timer, count, link);
  const controls = h("div", { class: "controls", role: "toolbar", "aria-label": "Call" }, microphone, camera, screen, chatButton, hostButton, settingsButton, leave);
  const middle = h("div", { class: "stage" }, h("div", { class: "pictures" }, alone, pictures.element, banner), chat.element);
  const element = h("section", { class: "call" }, bar, problems.element, heldBack, middle, controls, host.element, settings.element);
  return {
    element,
    leave() {
      clearInterval(ticking);
      letScreenSleep();
      chat.leave();
      pictures.leave();
      settings.leave();
      call.removeEventListener("joined", told);
      call.removeEventListener("moved", moved);
      call.removeEventListener("gone", told);
      call.removeEventListener("change", update);
      media.removeEventListener("change", update);
      document.removeEventListener("keydown", pressed);
      document.title = `${title()} · Zetra`;
    },
  };
}
