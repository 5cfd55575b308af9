// The profile: name, email, password, and deleting the account.

import { api } from "../api.js";
import { h } from "../dom.js";
import { form } from "../forms.js";
import { session } from "../session.js";
import { accountField, emailField, nameField, newPasswordField, passwordField } from "./account_fields.js";

export function profilePage({ session: { user } }) {
  const element = h(
    "div",
    { class: "columns profile" },
    h(
      "section",
      { class: "card" },
      h("h1", {}, "Your profile"),
      form({
        button: "Save",
        fieldOf: accountField,
        fields: [nameField(user.username), emailField(user.email)],
        async submit({ username, email }) {
          const { user: changed } = await api.put("/api/user/profile", { username, email });
          session.update(user.id, { user: changed });
          return "Saved";
        },
      }),
    ),
    h(
      "section",
      { class: "card" },
      h("h2", {}, "Password"),
      h("p", { class: "hint" }, "Changing it signs you out everywhere else."),
      passwordForm(user),
    ),
    h(
      "section",
      { class: "card grave" },
      h("h2", {}, "Delete your account"),
      h("p", { class: "hint" }, "You leave all rooms, and your name is removed from other people's call history. This cannot be undone."),
      deletion(),
    ),
  );
  return { title: "Profile", element };
}

/** As it is now: it may have been changed on this page. */
const email = () => session.current?.user.email;

function passwordForm(user) {
  const element = form({
    button: "Change password",
    account: email,
    fieldOf: (code) => ({ wrong_password: "currentPassword" })[code],
    fields: [
      passwordField({ name: "currentPassword", label: "Current password", missing: "Enter your current password." }),
      newPasswordField({ name: "newPassword", label: "New password", missing: "Enter a new password." }),
    ],
    async submit(values) {
      const { token } = await api.post("/api/auth/change-password", values);
      session.update(user.id, { token });
      element.reset();
      return "Password changed";
    },
  });
  return element;
}

/** Deleting takes two steps: a button that shows the form, and the form. */
function deletion() {
  const place = h("div", {});
  const entry = passwordField({ label: "Your password" });
  const show = () => {
    place.replaceChildren(confirmation);
    entry.control.focus();
  };
  const ask = h("button", { class: "button danger", onclick: show }, "Delete account…");
  const confirmation = form({
    button: "Permanently delete my account",
    look: "danger",
    account: email,
    fieldOf: (code) => ({ wrong_password: "password" })[code],
    fields: [entry],
    async submit(values) {
      await api.delete("/api/user/account", values);
      // Signing in returns to the current address, and this profile no longer exists.
      history.replaceState(null, "", "#/");
      session.end("Your account was deleted.");
    },
  });
  place.append(ask);
  return place;
}
