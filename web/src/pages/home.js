// Create a room, join one by its link, or return to an earlier one.

import { api } from "../api.js";
import { h } from "../dom.js";
import { field, form } from "../forms.js";
import { when } from "../time.js";
import { roomName } from "./room_name.js";

const ROOM_ID = /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/i;

export function homePage({ go, session }) {
  const rooms = h("div", { class: "rooms", "aria-busy": "true" }, h("p", { class: "hint" }, "Loading your rooms…"));
  const element = h(
    "div",
    { class: "columns" },
    h(
      "section",
      { class: "card" },
      h("h1", {}, `Hello, ${session.user.username}`),
      h("p", { class: "lead" }, "Create a room, share its link, and meet there."),
      form({
        button: "New room",
        fields: [field({ name: "name", label: "Name of the room (optional)", autocomplete: "off" })],
        async submit({ name }) {
          const { roomId } = await api.post("/api/room/create", { name: name.trim() || null });
          go(`/room/${roomId}`);
        },
      }),
      h("hr"),
      form({
        button: "Join",
        fields: [field({ name: "link", label: "Join by link", missing: "Paste a room's link or id.", placeholder: "Paste a room's link or id", autocomplete: "off" })],
        async submit({ link }) {
          const [roomId] = ROOM_ID.exec(link) ?? [];
          if (!roomId) throw Object.assign(new Error(), { fields: { link: "That is not a Zetra room link." } });
          go(`/room/${roomId.toLowerCase()}`);
        },
      }),
    ),
    h("section", { class: "card" }, h("h2", {}, "Your rooms"), rooms),
  );
  listRooms(rooms);
  return { title: "Rooms", element };
}

async function listRooms(list) {
  try {
    const answer = await api.get("/api/room?limit=10");
    const open = answer.rooms.filter((room) => room.active);
    const empty = h("p", { class: "empty" }, "No rooms yet. Create one and share its link.");
    list.replaceChildren(open.length ? h("ul", { class: "list" }, open.map(entry)) : empty);
  } catch (error) {
    list.replaceChildren(h("p", { class: "problem", role: "alert" }, error.message), h("button", { class: "button", onclick: () => listRooms(list) }, "Try again"));
  }
  list.setAttribute("aria-busy", "false");
}

function entry(room) {
  const people = room.participants.length === 1 ? "1 person" : `${room.participants.length} people`;
  return h("li", {}, h("a", { href: `#/room/${room.roomId}` }, h("strong", {}, roomName(room)), h("span", { class: "hint" }, `${people} · created ${when(room.createdAt)}`)));
}
