// Signing in and signing up on one page. The address stays, so a link to a room still leads there afterwards.

import { api } from "../api.js";
import { focusHeading, h } from "../dom.js";
import { field, form } from "../forms.js";
import { session } from "../session.js";

const EMAIL = { name: "email", label: "Email", type: "email", autocomplete: "email", missing: "Enter your email." };

/** `notice`: why the session ended, if the user did not sign out. */
export function signInPage({ room, notice }) {
  const element = h("section", { class: "card narrow" });
  const show = (registering) => element.replaceChildren(...(registering ? signUp(room, () => turn(false)) : signIn(room, () => turn(true))));
  const turn = (registering) => {
    show(registering);
    focusHeading(element);
  };
  show(false);
  if (notice) element.prepend(h("p", { class: "done" }, notice));
  return { title: "Sign in", element };
}

function signIn(room, other) {
  return [
    h("h1", {}, "Video calls by link"),
    h("p", { class: "lead" }, room ? "Sign in to join the room." : "Sign in to start and join video calls."),
    form({
      button: "Sign in",
      fields: [field(EMAIL), field({ name: "password", label: "Password", type: "password", autocomplete: "current-password", missing: "Enter your password." })],
      async submit(values) {
        const { token, user } = await api.post("/api/auth/login", values);
        session.begin(token, user);
      },
    }),
    h("p", { class: "aside" }, "New here? ", h("button", { class: "link", onclick: other }, "Create an account")),
  ];
}

function signUp(room, other) {
  return [
    h("h1", {}, "Create an account"),
    h("p", { class: "lead" }, room ? "Create an account to join the room." : "All you need is a name, an email and a password."),
    form({
      button: "Create account",
      fieldOf: (code) => ({ email_taken: "email", username_taken: "username" })[code],
      fields: [
        field({ name: "username", label: "Name", autocomplete: "username", missing: "Enter a name.", hint: "3 to 20 letters, digits and underscores" }),
        field(EMAIL),
        field({ name: "password", label: "Password", type: "password", autocomplete: "new-password", missing: "Enter a password.", hint: "8 characters or more, with uppercase and lowercase letters and a digit" }),
      ],
      async submit(values) {
        const { token, user } = await api.post("/api/auth/register", values);
        session.begin(token, user);
      },
    }),
    h("p", { class: "aside" }, "Have an account? ", h("button", { class: "link", onclick: other }, "Sign in")),
  ];
}
