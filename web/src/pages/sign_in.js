// Signing in and signing up on one page. The address stays, so a link to a room still leads there afterwards.

import { api } from "../api.js";
import { focusHeading, h } from "../dom.js";
import { form } from "../forms.js";
import { session } from "../session.js";
import { accountField, emailField, nameField, newPasswordField, passwordField } from "./account_fields.js";

const NEEDED = "All you need is a name, an email and a password.";
const FACTS = [
  ["Nothing to install.", "It runs in the browser, on a computer or a phone."],
  ["One link is enough.", "Whoever has it can join after signing in."],
  ["Between you.", "Video and sound go encrypted from browser to browser; the server sees neither."],
];

/** `notice`: why the session ended, if the user did not sign out. */
export function signInPage({ room, notice }) {
  const intro = h("div", { class: "intro" });
  const card = h("section", { class: "card" });
  const facts = h("ul", { class: "facts" }, FACTS.map(([what, more]) => h("li", {}, h("strong", {}, what), " ", more)));
  const element = h("div", { class: "welcome" }, intro, card, facts);
  const show = (registering) => {
    const { title, lead, content } = registering ? signUp(room, () => turn(false)) : signIn(room, () => turn(true));
    intro.replaceChildren(h("h1", {}, title), h("p", { class: "lead" }, lead));
    card.replaceChildren(...content);
  };
  const turn = (registering) => {
    show(registering);
    focusHeading(element);
  };
  show(false);
  if (notice) card.prepend(h("p", { class: "done" }, notice));
  return { title: "Sign in", element };
}

function signIn(room, other) {
  return {
    title: "Video calls by link",
    lead: room ? "Sign in to join the room." : "Start a room, send its link, and talk.",
    content: [
      entrance({ button: "Sign in", path: "login", fields: [emailField(), passwordField()] }),
      h("hr"),
      h("p", { class: "aside" }, `New here? ${NEEDED}`),
      h("button", { class: "button", onclick: other }, "Create an account"),
    ],
  };
}

function signUp(room, other) {
  return {
    title: "Create an account",
    lead: room ? "Create an account to join the room." : NEEDED,
    content: [
      entrance({ button: "Create account", path: "register", fields: [nameField(), emailField(), newPasswordField()] }),
      h("hr"),
      h("p", { class: "aside" }, "Have an account?"),
      h("button", { class: "button", onclick: other }, "Sign in"),
    ],
  };
}

/** A form that begins a session. */
function entrance({ button, path, fields }) {
  const submit = async (values) => {
    const { token, user } = await api.post(`/api/auth/${path}`, values);
    session.begin(token, user);
  };
  return form({ button, fields, fieldOf: accountField, submit });
}
