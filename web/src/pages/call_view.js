// The call: everybody's video, the controls, the chat.

import { announce, h, icon } from "../dom.js";
import { chatPanel } from "./chat_panel.js";
import { copyButton } from "./copy_button.js";
import { hostPanel } from "./host_panel.js";
import { roomName } from "./room_name.js";
import { tile } from "./tile.js";

const STATES = { connecting: "Connecting …", joined: "", reconnecting: "The connection was lost. Reconnecting …" };

export function callView({ call, media, hangUp }) {
  const own = tile({ own: true });
  const tiles = new Map();
  const grid = h("div", { class: "grid" }, own.element);
  const banner = h("p", { class: "banner", role: "status" });
  const count = h("span", { class: "count" });
  const waiting = h("p", { class: "empty" }, "Nobody else is here yet. Share the link with the people you want to meet.");
  const chat = chatPanel(call);
  const host = hostPanel(call);
  const name = h("h1", {});
  const problem = h("p", { class: "problem", role: "alert", hidden: true });

  const toggle = (name, onclick, ...more) => h("button", { class: "control", onclick, ...more[0] }, icon(name), h("span", {}));
  const microphone = toggle("microphone", () => media.toggleMicrophone());
  const camera = toggle("camera", () => media.toggleCamera());
  const screen = toggle("screen", () => media.toggleScreen());
  const chatButton = toggle("chat", () => openChat(chat.element.hidden), { "aria-expanded": "false" });
  const hostButton = toggle("host", () => host.open(), { "aria-haspopup": "dialog" });
  hostButton.lastChild.textContent = "Host";
  const leave = toggle("leave", hangUp, { class: "control leave" });
  leave.lastChild.textContent = "Leave";

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
        announce(`${name} has joined`);
      }
      tiles.get(person.id).show({ name, media: person.media, stream: person.peer.stream, state: person.peer.state });
    }
    const { tracks, state } = media;
    own.show({ name: "You", media: state, stream: tracks.video && new MediaStream([tracks.video]), state: "connected" });
    waiting.hidden = call.state !== "joined" || call.people.size > 0;
    count.textContent = call.people.size === 0 ? "Only you are here" : `${call.people.size + 1} people`;
    const people = call.people.size + 1;
    grid.dataset.people = String(people);
    grid.dataset.columns = String(people === 4 ? 2 : Math.min(people, people > 6 ? 4 : 3));
    press(microphone, "microphone", state.audio, state.audio ? "Mute" : "Unmute");
    press(camera, "camera", Boolean(tracks.video) && !state.screen, tracks.video && !state.screen ? "Camera off" : "Camera on");
    press(screen, "screen", state.screen, state.screen ? "Stop sharing" : "Share screen", true);
    screen.hidden = !navigator.mediaDevices?.getDisplayMedia;
    const room = call.room ?? { roomId: call.roomId };
    name.textContent = roomName(room) + (room.locked ? " (locked)" : "");
    hostButton.hidden = !call.isHost;
    if (host.element.open) host.update();
    chatButton.lastChild.textContent = chat.unread ? `Chat (${chat.unread})` : "Chat";
    const problems = Object.values(media.problems);
    problem.textContent = problems.join(" ");
    problem.hidden = problems.length === 0;
  };
  chat.onUnread = update;
  const gone = ({ detail }) => announce(detail);
  call.addEventListener("gone", gone);
  call.addEventListener("change", update);
  media.addEventListener("change", update);
  update();

  const bar = h("div", { class: "bar" }, name, count, copyButton(call.roomId));
  const controls = h("div", { class: "controls", role: "toolbar", "aria-label": "Call" }, microphone, camera, screen, chatButton, hostButton, leave);
  const element = h("section", { class: "call" }, bar, banner, problem, h("div", { class: "stage" }, h("div", { class: "pictures" }, grid, waiting), chat.element), controls, host.element);
  return {
    element,
    leave() {
      call.removeEventListener("gone", gone);
      call.removeEventListener("change", update);
      media.removeEventListener("change", update);
    },
  };
}

/** Sets a control on or off. Its icon is struck through when off, unless it is usually off. */
function press(button, name, on, words, usuallyOff = false) {
  button.setAttribute("aria-pressed", String(on));
  button.firstChild.replaceWith(icon(name, !on && !usuallyOff));
  button.lastChild.textContent = words;
}
