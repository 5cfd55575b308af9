// One message of the chat, as an item of its list.

import { h } from "../dom.js";
import { withLinks } from "../links.js";
import { clock } from "../time.js";

/** Milliseconds within which messages of one person stand under one name. */
const TOGETHER = 300_000;

/** A list item with the message. Its text is somebody else's: it stays text, but addresses in it become links. */
export function bubble({ userId, author, text, timestamp }) {
  const link = ({ text, href }) => (href ? h("a", { href, target: "_blank", rel: "noopener noreferrer" }, text) : text);
  const item = h("li", {}, h("p", { class: "hint head" }, h("bdi", { class: "author" }, author), " · ", h("time")), h("p", { class: "said", dir: "auto" }, withLinks(text).map(link)));
  item.dataset.author = userId;
  date(item, timestamp);
  return item;
}

/** Sets when the message was sent. */
export function date(item, timestamp) {
  item.title = clock(timestamp);
  Object.assign(item.querySelector("time"), { dateTime: timestamp, textContent: clock(timestamp) });
}

/** Hides the name and the time of a message that follows another one of the same person closely. */
export function group(item) {
  const before = item.previousElementSibling;
  const time = (message) => Date.parse(message.querySelector("time").dateTime);
  item.classList.toggle("more", before?.dataset.author === item.dataset.author && time(item) - time(before) < TOGETHER);
}
