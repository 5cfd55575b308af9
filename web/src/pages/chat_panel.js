// The chat of a call. Messages are kept only as long as the call lasts.

import { announce, h } from "../dom.js";
import { Outbox } from "../call/outbox.js";
import { field, form } from "../forms.js";
import { clock } from "../time.js";

/** Distance in pixels from the end of the list within which it follows new messages. */
const NEAR = 40;

export function chatPanel(call) {
  const empty = h("p", { class: "empty" }, "No messages yet");
  const list = h("ol", { class: "messages", "aria-live": "polite", "aria-relevant": "additions", "aria-label": "Messages", tabIndex: 0 });
  const entry = field({ name: "text", label: "Message", placeholder: "Message", autocomplete: "off", maxLength: 4000 });
  entry.querySelector("label").className = "visually-hidden";
  const write = form({
    button: "Send",
    fields: [entry],
    submit({ text }) {
      if (!text.trim()) return;
      entry.control.value = "";
      entry.control.focus();
      showOwn(outbox.add(text));
    },
  });
  const newer = h("button", { class: "button newer", hidden: true, onclick: () => (toEnd(), entry.control.focus()) }, "New messages ↓");
  const element = h("aside", { class: "chat", "aria-label": "Chat", hidden: true }, h("h2", {}, "Chat"), empty, list, newer, write);
  const panel = {
    element,
    unread: 0,
    onUnread() {},
    leave: () => outbox.stop(),
    read() {
      panel.unread = 0;
      // A hidden list cannot be scrolled, so it is scrolled now.
      if (follows) toEnd();
      entry.control.focus();
    },
  };

  /** Whether the list follows new messages: not while the user reads older ones. */
  let follows = true;
  const toEnd = () => {
    follows = true;
    newer.hidden = true;
    list.scrollTop = list.scrollHeight;
  };
  let size = "";
  const measure = () => `${list.clientWidth} ${list.clientHeight}`;
  list.addEventListener("scroll", () => {
    // The browser scrolls, too, when the list changes its size.
    if (element.hidden || measure() !== size) return;
    follows = list.scrollHeight - list.scrollTop - list.clientHeight <= NEAR;
    if (follows) newer.hidden = true;
  });
  const resized = () => {
    size = measure();
    if (follows) toEnd();
  };
  new ResizeObserver(resized).observe(list);

  /** Adds a message above those that are not sent yet. */
  const put = (item) => {
    empty.hidden = true;
    const before = list.querySelector("li.pending");
    if (item.nextSibling !== before || !item.isConnected) list.insertBefore(item, before);
    if (follows) toEnd();
    else newer.hidden = false;
  };

  const bubbles = new Map();
  const outbox = new Outbox({ say: (text) => call.say(text), ready: () => call.state === "joined", changed: (message) => bubbles.get(message)?.update() });
  const showOwn = (message) => {
    const state = h("span", {});
    const retry = h("button", { class: "link", hidden: true, onclick: () => (entry.control.focus(), outbox.retry(message)) }, "Try again");
    const item = h("li", { class: "mine pending" }, h("p", { class: "hint" }, "You · ", state, " ", retry), h("p", { class: "said" }, message.text));
    const update = () => {
      const failed = message.state === "failed";
      retry.hidden = !failed;
      if (message.state === "sent") {
        item.classList.remove("pending");
        state.replaceChildren(time(message.timestamp));
        bubbles.delete(message);
        put(item);
      } else {
        state.textContent = failed ? "Not sent." : "Sending…";
        if (failed) announce(`Not sent: ${message.text}`);
      }
    };
    bubbles.set(message, { update });
    list.append(item);
    empty.hidden = true;
    update();
    toEnd();
  };

  /** Author elements of messages that arrived before the author's name was known. */
  const unnamed = new Map();
  call.addEventListener("change", () => {
    outbox.flush();
    for (const [author, userId] of unnamed) {
      if (!call.names.knows(userId)) continue;
      author.textContent = call.names.of(userId);
      unnamed.delete(author);
    }
  });
  call.addEventListener("chat", ({ detail }) => {
    const { userId, message, timestamp } = detail;
    const mine = userId === call.me;
    if (mine && outbox.heard(detail)) return;
    const author = h("span", {}, mine ? "You" : call.names.of(userId));
    if (!mine && !call.names.knows(userId)) unnamed.set(author, userId);
    put(h("li", { class: mine ? "mine" : "" }, h("p", { class: "hint" }, author, " · ", time(timestamp)), h("p", { class: "said" }, message)));
    if (element.hidden && !mine) panel.unread += 1;
    panel.onUnread();
  });
  return panel;
}

const time = (timestamp) => h("time", { dateTime: timestamp }, clock(timestamp));
