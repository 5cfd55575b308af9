// Create a room, join one by its link, or return to an earlier one.

import { api } from "../api.js";
import { h } from "../dom.js";
import { field, form } from "../forms.js";
import { roomList } from "./room_list.js";

const ROOM_ID = /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/i;

export function homePage({ go, session }) {
  const rooms = roomList(session.user.id);
  let isLeft = false;
  const create = h(
    "section",
    { class: "card" },
    h("h1", {}, `Hello, ${session.user.username}`),
    h("p", { class: "lead" }, "Create a room, share its link, and meet there."),
    form({
      button: "New room",
      fields: [field({ name: "name", label: "Name of the room (optional)", autocomplete: "off" })],
      async submit({ name }) {
        const { roomId } = await api.post("/api/room/create", { name: name.trim() || null });
        // Whoever has gone on to another page is not called back: the room is in their list.
        if (!isLeft) go(`/room/${roomId}`);
      },
    }),
  );
  const join = h(
    "section",
    { class: "card" },
    form({
      button: "Join",
      look: "secondary",
      fields: [field({ name: "link", label: "Join by link", missing: "Paste a room's link or id.", placeholder: "Paste a room's link or id", autocomplete: "off" })],
      async submit({ link }) {
        const [roomId] = ROOM_ID.exec(link) ?? [];
        if (!roomId) throw Object.assign(new Error(), { fields: { link: "That is not a Zetra room link." } });
        go(`/room/${roomId.toLowerCase()}`);
      },
    }),
  );
  const earlier = h("section", { class: "card" }, h("h2", {}, "Your rooms"), rooms.element);
  const element = h("div", { class: "columns" }, h("div", { class: "stack" }, create, join), earlier);
  const leave = () => {
    isLeft = true;
    rooms.leave();
  };
  return { title: "Rooms", element, leave };
}
