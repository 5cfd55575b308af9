// The client: the part of the address after `#` decides which page is shown.

import { announce, focusHeading, h } from "./dom.js";
import { callPage } from "./pages/room.js";
import { historyPage } from "./pages/history.js";
import { homePage } from "./pages/home.js";
import { askToLeave } from "./pages/leave_question.js";
import { profilePage } from "./pages/profile.js";
import { signInPage } from "./pages/sign_in.js";
import { session } from "./session.js";

const ROUTES = [
  [/^\/$/, homePage],
  [/^\/history$/, historyPage],
  [/^\/profile$/, profilePage],
  [/^\/room\/([0-9a-fA-F-]{36})$/, callPage],
];

const main = document.getElementById("main");
const header = document.getElementById("header");
let shown = { address: "" };
/** Runs when the open leave confirmation is accepted; undefined while none is open. */
let afterCall;

/** Navigates to another page of the client. */
function go(path) {
  if (location.hash === `#${path}`) show();
  else location.hash = path;
}

function show(notice) {
  shown.leave?.();
  const path = location.hash.slice(1) || "/";
  const [page, ...parameters] = find(path);
  // Signing in leads back here: the address does not change.
  shown = session.current ? page({ go, session: session.current }, ...parameters) : signInPage({ room: path.startsWith("/room/"), notice });
  shown.address = location.hash;
  main.replaceChildren(shown.element);
  main.className = shown.wide ? "wide" : "";
  document.title = `${shown.title} · Zetra`;
  showHeader(path);
  // A page that has no heading yet moves the focus there when it has.
  if (main.querySelector("h1")) focusHeading(main);
  else main.focus({ preventScroll: true });
  if (notice) announce(notice);
  scrollTo(0, 0);
}

function find(path) {
  for (const [pattern, page] of ROUTES) {
    const match = pattern.exec(path);
    if (match) return [page, ...match.slice(1)];
  }
  return [notFoundPage];
}

function notFoundPage() {
  const element = h("section", { class: "card narrow" }, h("h1", {}, "Page not found"), h("a", { class: "button primary", href: "#/" }, "Back to rooms"));
  return { title: "Page not found", element };
}

function showHeader(path) {
  const link = (href, text) => h("a", { href: `#${href}`, "aria-current": path === href ? "page" : null }, text);
  header.replaceChildren(
    h("a", { class: "brand", href: "#/" }, h("span", { class: "mark", "aria-hidden": "true" }), "Zetra"),
    session.current
      ? h("nav", { "aria-label": "Pages" }, link("/", "Rooms"), link("/history", "History"), link("/profile", session.current.user.username),
          h("button", { class: "button quiet", onclick: () => leaveCall(() => session.end()) }, "Sign out"))
      : "",
  );
}

/** Calls `then` at once outside a call, otherwise after a confirmation. */
async function leaveCall(then) {
  if (!shown.inCall?.()) return then();
  const isAsked = Boolean(afterCall);
  afterCall = then;
  if (isAsked) return;
  const leaves = await askToLeave(shown.inCall());
  const next = afterCall;
  afterCall = undefined;
  if (!leaves) return;
  shown.leave?.();
  next();
}

let signedIn = session.current?.user.id;
session.onChange((current, why) => {
  // The same person with a new name or token stays in their call.
  if (current?.user.id === signedIn) return showHeader(location.hash.slice(1) || "/");
  signedIn = current?.user.id;
  show(why);
});
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='#']");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  if (link.hash === "#main") {
    // The hash selects the page, so it cannot also point to an element.
    event.preventDefault();
    main.focus();
  } else if (shown.inCall?.()) {
    event.preventDefault();
    if (link.hash !== shown.address) leaveCall(() => go(link.hash.slice(1)));
  }
});
addEventListener("hashchange", () => {
  const wanted = location.hash;
  if (!shown.inCall?.()) return show();
  if (wanted === shown.address) return;
  // Back, forward or a typed address: restore the call's address until the confirmation is answered.
  history.pushState(null, "", shown.address);
  leaveCall(() => go(wanted.slice(1) || "/"));
});
// A page restored from the back/forward cache has left its call but would still show it.
addEventListener("pageshow", ({ persisted }) => persisted && location.reload());
show();
