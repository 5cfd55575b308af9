// Creates DOM elements. Text stays text: nothing here parses HTML.

const SVG = "http://www.w3.org/2000/svg";

/**
 * Creates an element with properties and children. `on…` adds a listener; a name that is a property of the
 * element (`value`, `srcObject`) sets that property; all others (`class`, `aria-…`) set attributes. Children
 * that are not nodes become text; null, undefined and false are skipped.
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name !== "list" && name !== "form" && name in element) element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const ICONS = {
  microphone: "M12 3a3 3 0 0 0-3 3v5a3 3 0 0 0 6 0V6a3 3 0 0 0-3-3ZM6 11a6 6 0 0 0 12 0M12 17v4",
  camera: "M4 7h10a1 1 0 0 1 1 1v8a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V8a1 1 0 0 1 1-1ZM15 11l6-3v8l-6-3",
  screen: "M4 5h16a1 1 0 0 1 1 1v10a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V6a1 1 0 0 1 1-1ZM8 21h8M12 14V8M9 11l3-3 3 3",
  chat: "M4 5h16v11H9l-5 4Z",
  people: "M9 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM3 20a6 6 0 0 1 12 0M16 5a3 3 0 0 1 0 6M18 14a6 6 0 0 1 3 6",
  host: "M12 3l7 3v5c0 5-3 8-7 10-4-2-7-5-7-10V6ZM9 12l2 2 4-4",
  leave: "M3 14c5-5 13-5 18 0l-2 3-4-2v-3a10 10 0 0 0-6 0v3l-4 2Z",
  check: "M5 12l5 5L19 7",
  copy: "M9 9h10v11H9ZM15 9V4H5v11h4",
  share: "M12 15V4M8 8l4-4 4 4M5 12v8h14v-8",
  settings: "M4 7h9M17 7h3M4 17h3M11 17h9M13 7a2 2 0 1 0 4 0 2 2 0 0 0-4 0ZM7 17a2 2 0 1 0 4 0 2 2 0 0 0-4 0Z",
  pin: "M9 4h6l-1 7 3 3H7l3-3ZM12 14v6",
  fullscreen: "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5",
  popout: "M4 5h16v14H4ZM12 12h8v7h-8Z",
  close: "M6 6l12 12M18 6 6 18",
  send: "M4 12 20 4l-5 16-4-7Z",
};

/** An icon, hidden from screen readers; `struck` draws a line through it. */
export function icon(name, struck = false) {
  const svg = document.createElementNS(SVG, "svg");
  for (const [key, value] of Object.entries({ viewBox: "0 0 24 24", "aria-hidden": "true", class: "icon" })) svg.setAttribute(key, value);
  const path = document.createElementNS(SVG, "path");
  svg.dataset.name = name;
  svg.dataset.struck = String(struck);
  path.setAttribute("d", ICONS[name] + (struck ? "M4 4l16 16" : ""));
  svg.append(path);
  return svg;
}

/** Moves the focus to a view's heading, so that screen readers start at the top of the view. */
export function focusHeading(view) {
  const heading = view.querySelector("h1");
  heading.tabIndex = -1;
  heading.focus({ preventScroll: true });
}

/** The latest sentences to announce in the next frame, which a hidden page gets only when it is shown. */
let announcements = [];
const MOST_ANNOUNCED = 5;
let region;

/** Announces what has happened to screen readers. */
export function announce(text) {
  region ??= document.getElementById("announcements");
  // Behind a modal dialog the region is inert, and screen readers do not read it.
  const place = [...document.querySelectorAll("dialog:modal")].at(-1) ?? document.body;
  if (region.parentNode !== place) place.append(region);
  region.textContent = "";
  const isAsked = announcements.length > 0;
  announcements = [...announcements, text].slice(-MOST_ANNOUNCED);
  if (isAsked) return;
  // Clearing the region first makes screen readers read the same text again.
  requestAnimationFrame(() => {
    region.textContent = announcements.join(" ");
    announcements = [];
  });
}
