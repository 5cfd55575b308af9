// The chat of a call. Messages are kept only as long as the call lasts.

import { h } from "../dom.js";
import { field, form } from "../forms.js";
import { clock } from "../time.js";

export function chatPanel(call) {
  const empty = h("p", { class: "empty" }, "No messages yet.");
  const list = h("ol", { class: "messages", "aria-live": "polite", "aria-label": "Messages", tabIndex: 0 });
  const entry = field({ name: "text", label: "Message", autocomplete: "off", maxLength: 4000 });
  const write = form({
    button: "Send",
    fields: [entry],
    async submit({ text }) {
      if (!text.trim()) return;
      await call.say(text);
      entry.control.value = "";
      entry.control.focus();
    },
  });
  const element = h("aside", { class: "chat", "aria-label": "Chat", hidden: true }, h("h2", {}, "Chat"), empty, list, write);
  const panel = {
    element,
    unread: 0,
    onUnread() {},
    read() {
      panel.unread = 0;
      entry.control.focus();
    },
  };
  /** Author elements of messages that arrived before the author's name was known. */
  const unnamed = new Map();
  call.addEventListener("change", () => {
    for (const [author, userId] of unnamed) {
      if (!call.names.knows(userId)) continue;
      author.textContent = call.names.of(userId);
      unnamed.delete(author);
    }
  });
  call.addEventListener("chat", ({ detail: { userId, message, timestamp } }) => {
    empty.hidden = true;
    const mine = userId === call.me;
    const author = h("span", {}, mine ? "You" : call.names.of(userId));
    if (!mine && !call.names.knows(userId)) unnamed.set(author, userId);
    const head = h("p", { class: "hint" }, author, " · ", h("time", { dateTime: timestamp }, clock(timestamp)));
    list.append(h("li", { class: mine ? "mine" : "" }, head, h("p", { class: "said" }, message)));
    list.scrollTop = list.scrollHeight;
    if (element.hidden) panel.unread += 1;
    panel.onUnread();
  });
  return panel;
}
