// Short notices at the bottom of the window: each is seen for some seconds, and heard once by screen readers.

import { announce, h } from "./dom.js";

const SHOWN_FOR = 5_000;
const MOST = 3;
/** Pixels between the notices and the window's edge or a control. */
const GAP = 12;
const CONTROLS = "a[href], button, input, select, textarea";

/** The timers that remove the notices, by text, oldest first. */
const timers = new Map();
/** A popover, to be above dialogs and full-screen videos. Hidden from screen readers, which have the live region. */
let stack;

/** Shows a sentence and announces it. One that is already shown moves to the end; of more than three the oldest goes. */
export function toast(text) {
  announce(text);
  stack ??= h("div", { class: "toasts", popover: "manual", "aria-hidden": "true" });
  if (!stack.isConnected) document.body.append(stack);
  if (timers.has(text)) remove(text);
  else if (timers.size === MOST) remove(timers.keys().next().value);
  stack.append(h("p", { class: "toast" }, text));
  timers.set(text, setTimeout(() => remove(text), SHOWN_FOR));
  // Shown anew, it is above a dialog that has opened since.
  if (stack.matches(":popover-open")) stack.hidePopover();
  stack.showPopover();
  place();
  layout.observe(document.body, { childList: true, subtree: true, attributeFilter: ["hidden", "open"] });
}

function remove(text) {
  clearTimeout(timers.get(text));
  timers.delete(text);
  [...stack.children].find((notice) => notice.textContent === text).remove();
  if (timers.size > 0) return;
  layout.disconnect();
  stack.hidePopover();
}

/** Moves the notices up until they cover no control; if they cannot avoid all of them, down to the edge. */
function place() {
  const dialog = [...document.querySelectorAll("dialog:modal")].at(-1);
  const controls = [...(dialog ?? document).querySelectorAll(CONTROLS)].map((control) => control.getBoundingClientRect());
  stack.style.bottom = `${GAP}px`;
  const { left, right, height } = stack.getBoundingClientRect();
  let bottom = innerHeight - GAP;
  const inTheWay = ({ left: start, right: end, top, bottom: low, width }) =>
    width > 0 && start < right && end > left && top < bottom + GAP / 2 && low > bottom - height - GAP / 2;
  for (let control; (control = controls.find(inTheWay)); ) bottom = control.top - GAP;
  if (bottom - height >= 0) stack.style.bottom = `${innerHeight - bottom}px`;
}

/** Whenever controls may have come or moved while notices are shown, they make room. */
const layout = new MutationObserver(place);
addEventListener("resize", () => timers.size > 0 && place());
