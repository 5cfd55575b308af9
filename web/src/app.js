// The client: the part of the address after `#` decides which page is shown.

import { announce, h } from "./dom.js";
import { callPage } from "./pages/room.js";
import { historyPage } from "./pages/history.js";
import { homePage } from "./pages/home.js";
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
let shown = { leave() {} };

/** Navigates to another page of the client. */
function go(path) {
  if (location.hash === `#${path}`) show();
  else location.hash = path;
}

function show() {
  shown.leave?.();
  const path = location.hash.slice(1) || "/";
  const [page, ...parameters] = find(path);
  // Signing in leads back here: the address does not change.
  shown = session.current ? page({ go, session: session.current }, ...parameters) : signInPage({ room: path.startsWith("/room/") });
  main.replaceChildren(shown.element);
  main.className = shown.wide ? "wide" : "";
  document.title = `${shown.title} · Zetra`;
  showHeader(path);
  main.focus({ preventScroll: true });
  announce(shown.title);
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
  const element = h("section", { class: "card narrow" }, h("h1", {}, "Page not found"), h("p", {}, "There is no page at this address."), h("a", { class: "button primary", href: "#/" }, "Go to the start page"));
  return { title: "Page not found", element };
}

function showHeader(path) {
  const link = (href, text) => h("a", { href: `#${href}`, "aria-current": path === href ? "page" : null }, text);
  header.replaceChildren(
    h("a", { class: "brand", href: "#/" }, h("span", { class: "mark", "aria-hidden": "true" }), "Zetra"),
    session.current
      ? h("nav", { "aria-label": "Pages" }, link("/", "Rooms"), link("/history", "History"), link("/profile", session.current.user.username),
          h("button", { class: "button quiet", onclick: () => session.end() }, "Sign out"))
      : "",
  );
}

let signedIn = session.current?.user.id;
session.onChange((current) => {
  // The same person with a new name or token stays in their call.
  if (current?.user.id === signedIn) return showHeader(location.hash.slice(1) || "/");
  signedIn = current?.user.id;
  show();
});
addEventListener("hashchange", show);
// A page restored from the back/forward cache has left its call but would still show it.
addEventListener("pageshow", ({ persisted }) => persisted && location.reload());
show();
