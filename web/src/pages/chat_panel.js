// The chat of a call. Messages are kept only as long as the call lasts.

import { announce, h, icon } from "../dom.js";
import { Outbox } from "../call/outbox.js";
import { sendable } from "../call/chat_text.js";
import { bubble, date, group } from "./chat_message.js";

/** Distance in pixels from the end of the list within which it follows new messages. */
const NEAR = 40;
const LONGEST = 4_000;
/** How many messages are kept. */
const MOST = 1_000;

/** `close()` is called when the user closes the panel. */
export function chatPanel(call, close) {
  const empty = h("p", { class: "empty" }, "No messages yet");
  const list = h("ol", { class: "messages", "aria-live": "polite", "aria-relevant": "additions", "aria-label": "Messages", tabIndex: 0 });
  const entry = h("textarea", { name: "text", dir: "auto", rows: 1, "aria-label": "Message", placeholder: "Message", autocomplete: "off", maxLength: LONGEST });
  const newer = h("button", { class: "button newer", hidden: true, onclick: () => (toEnd(), entry.focus()) }, "New messages ↓");
  const write = h("form", { class: "write", noValidate: true }, entry, h("button", { type: "submit", class: "button primary", "aria-label": "Send", title: "Send" }, icon("send")));
  const head = h("div", { class: "row spread" }, h("h2", {}, "Chat"), h("button", { class: "tool", "aria-label": "Close the chat", title: "Close (Esc)", onclick: close }, icon("close")));
  const element = h("aside", { class: "chat", "aria-label": "Chat", hidden: true }, head, empty, list, newer, write);
  const panel = {
    element,
    unread: 0,
    onUnread() {},
    leave() {
      outbox.stop();
      document.removeEventListener("visibilitychange", seen);
    },
    read() {
      // A hidden list cannot be scrolled, so it is scrolled now.
      if (follows) toEnd();
      entry.focus();
      seen();
    },
  };
  const isSeen = () => !element.hidden && !document.hidden;
  const seen = () => {
    if (!isSeen()) return;
    panel.unread = 0;
    panel.onUnread();
  };
  document.addEventListener("visibilitychange", seen);

  write.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = sendable(entry.value);
    entry.focus();
    if (!text.trim()) return;
    entry.value = "";
    grow();
    showOwn(outbox.add(text));
  });
  const grow = () => {
    entry.style.height = "";
    entry.style.height = `${entry.scrollHeight + entry.offsetHeight - entry.clientHeight}px`;
  };
  entry.addEventListener("input", grow);
  entry.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || isComposing(event)) return;
    event.preventDefault();
    write.requestSubmit();
  });
  element.addEventListener("keydown", (event) => event.key === "Escape" && !isComposing(event) && close());

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
    for (const each of [item, item.nextElementSibling]) if (each) group(each);
    if (list.childElementCount > MOST) forget(list.firstElementChild);
    if (follows) toEnd();
    else newer.hidden = false;
  };

  /** A call may be long, and somebody in it may write without end. */
  const forget = (item) => {
    unnamed.delete(item.querySelector(".author"));
    item.remove();
  };

  const bubbles = new Map();
  const outbox = new Outbox({ say: (text) => call.say(text), ready: () => call.state === "joined", changed: (message) => bubbles.get(message)?.() });
  const showOwn = (message) => {
    const state = h("span", {});
    const retry = h("button", { class: "link", hidden: true, onclick: () => (entry.focus(), outbox.retry(message)) }, "Try again");
    const status = h("p", { class: "hint" }, state, " ", retry);
    const item = bubble({ userId: call.me, author: "You", text: message.text, timestamp: new Date().toISOString() });
    item.classList.add("mine", "pending");
    item.append(status);
    bubbles.set(message, () => {
      const failed = message.state === "failed";
      retry.hidden = !failed;
      state.textContent = failed ? "Not sent." : "Sending…";
      if (failed) announce(`Not sent: ${message.text}`);
      if (message.state !== "sent") return;
      status.remove();
      item.classList.remove("pending");
      date(item, message.timestamp);
      bubbles.delete(message);
      put(item);
    });
    list.append(item);
    group(item);
    empty.hidden = true;
    bubbles.get(message)();
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
    const item = bubble({ userId, author: mine ? "You" : call.names.of(userId), text: message, timestamp });
    item.classList.toggle("mine", mine);
    if (!mine && !call.names.knows(userId)) unnamed.set(item.querySelector(".author"), userId);
    put(item);
    if (!isSeen() && !mine) {
      panel.unread += 1;
      // The list is read out only while it is shown.
      announce(`${call.names.of(userId)}: ${message}`);
    }
    panel.onUnread();
  });
  return panel;
}

/** Whether the key belongs to an input method: Enter accepts a word then. Safari tells it by the code only. */
const isComposing = ({ isComposing, keyCode }) => isComposing || keyCode === 229;
