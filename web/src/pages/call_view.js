// The call: everybody's video, the controls, the chat.

import { announce, h } from "../dom.js";
import { chatPanel } from "./chat_panel.js";
import { copyButton } from "./copy_button.js";
import { hostPanel } from "./host_panel.js";
import { cameraWords, deviceProblems, label, microphoneWords } from "./media_controls.js";
import { roomName } from "./room_name.js";
import { tile } from "./tile.js";

const STATES = { connecting: "Connecting…", joined: "", reconnecting: "Connection lost. Reconnecting…" };

export function callView({ call, media, hangUp }) {
  const own = tile({ own: true });
  const tiles = new Map();
  /** People whose arrival is announced once their names are known. */
  const unnamed = new Set();
  const grid = h("div", { class: "grid" }, own.element);
  const banner = h("p", { class: "banner", role: "status" });
  const count = h("span", { class: "count" });
  const waiting = h("p", { class: "empty" }, "You're the first one here. Send the link to invite others.");
  const chat = chatPanel(call);
  const host = hostPanel(call);
  const name = h("h1", {});
  const problems = deviceProblems(media);

  const control = (onclick, more) => h("button", { class: "control", onclick, ...more });
  const microphone = control(() => media.toggleMicrophone());
  const camera = control(() => media.toggleCamera());
  const screen = control(() => media.toggleScreen());
  const chatButton = control(() => openChat(chat.element.hidden), { "aria-expanded": "false" });
  const hostButton = control(() => host.open(), { "aria-haspopup": "dialog" });
  label(hostButton, "host", "Host");
  const leave = control(hangUp, { class: "control leave" });
  label(leave, "leave", "Leave");

  const openChat = (open) => {
    chat.element.hidden = !open;
    chatButton.setAttribute("aria-expanded", String(open));
    if (open) chat.read();
    update();
  };

  const update = () => {
    banner.textContent = STATES[call.state];
    banner.hidden = !STATES[call.state];
    for (const [id, shown] of tiles) {
      if (call.people.has(id)) continue;
      shown.element.remove();
      tiles.delete(id);
    }
    for (const person of call.people.values()) {
      const name = call.names.of(person.id);
      if (!tiles.has(person.id)) {
        tiles.set(person.id, tile());
        grid.append(tiles.get(person.id).element);
        unnamed.add(person.id);
      }
      tiles.get(person.id).show({ name, media: person.media, stream: person.peer.stream, state: person.peer.state });
    }
    const named = [...unnamed].filter((id) => call.names.knows(id) || !call.people.has(id));
    for (const id of named) unnamed.delete(id);
    const names = named.filter((id) => call.people.has(id)).map((id) => call.names.of(id));
    if (names.length) announce(`${names.join(", ")} ${names.length === 1 ? "has" : "have"} joined`);
    const { tracks, state } = media;
    own.show({ name: "You", media: state, stream: tracks.video && new MediaStream([tracks.video]), state: "connected" });
    waiting.hidden = call.state !== "joined" || call.people.size > 0;
    count.textContent = call.people.size === 0 ? "Just you" : `${call.people.size + 1} people`;
    const people = call.people.size + 1;
    grid.dataset.people = String(people);
    grid.dataset.columns = String(people === 4 ? 2 : Math.min(people, people > 6 ? 4 : 3));
    label(microphone, "microphone", microphoneWords(media), !state.audio);
    label(camera, "camera", cameraWords(media), !media.cameraOn);
    label(screen, "screen", state.screen ? "Stop sharing" : "Share screen");
    screen.hidden = !navigator.mediaDevices?.getDisplayMedia;
    const room = call.room ?? { roomId: call.roomId };
    name.textContent = roomName(room) + (room.locked ? " (locked)" : "");
    hostButton.hidden = !call.isHost;
    if (host.element.open) host.update();
    label(chatButton, "chat", chat.unread ? `Chat (${chat.unread})` : "Chat");
    problems.update();
  };
  chat.onUnread = update;
  const gone = ({ detail }) => announce(detail);
  call.addEventListener("gone", gone);
  call.addEventListener("change", update);
  media.addEventListener("change", update);
  update();

  const bar = h("div", { class: "bar" }, name, count, copyButton(call.roomId));
  const controls = h("div", { class: "controls", role: "toolbar", "aria-label": "Call" }, microphone, camera, screen, chatButton, hostButton, leave);
  const element = h("section", { class: "call" }, bar, banner, problems.element, h("div", { class: "stage" }, h("div", { class: "pictures" }, grid, waiting), chat.element), controls, host.element);
  return {
    element,
    leave() {
      chat.leave();
      call.removeEventListener("gone", gone);
      call.removeEventListener("change", update);
      media.removeEventListener("change", update);
    },
  };
}
