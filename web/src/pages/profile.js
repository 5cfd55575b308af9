// The profile: name, email, password, and deleting the account.

import { api } from "../api.js";
import { h } from "../dom.js";
import { field, form } from "../forms.js";
import { session } from "../session.js";

export function profilePage({ session: { user } }) {
  const password = (name, label, autocomplete, missing, hint) => field({ name, label, type: "password", autocomplete, missing, hint });
  const element = h(
    "div",
    { class: "columns profile" },
    h(
      "section",
      { class: "card" },
      h("h1", {}, "Your profile"),
      form({
        button: "Save",
        fieldOf: (code) => ({ email_taken: "email", username_taken: "username" })[code],
        fields: [
          field({ name: "username", label: "Name", value: user.username, autocomplete: "username", missing: "Enter a name.", hint: "3 to 20 letters, digits and underscores" }),
          field({ name: "email", label: "Email", type: "email", value: user.email, autocomplete: "email", missing: "Enter your email." }),
        ],
        async submit({ username, email }) {
          const { user } = await api.put("/api/user/profile", { username, email });
          session.update({ user });
          return "Saved";
        },
      }),
    ),
    h(
      "section",
      { class: "card" },
      h("h2", {}, "Password"),
      h("p", { class: "hint" }, "Changing it signs you out everywhere else."),
      passwordForm(password),
    ),
    h(
      "section",
      { class: "card grave" },
      h("h2", {}, "Delete your account"),
      h("p", { class: "hint" }, "You leave all rooms, and your name is removed from other people's call history. This cannot be undone."),
      deletion(password),
    ),
  );
  return { title: "Profile", element };
}

function passwordForm(password) {
  const element = form({
    button: "Change password",
    fieldOf: (code) => ({ wrong_password: "currentPassword" })[code],
    fields: [
      password("currentPassword", "Current password", "current-password", "Enter your current password."),
      password("newPassword", "New password", "new-password", "Enter a new password.", "8 characters or more, with uppercase and lowercase letters and a digit"),
    ],
    async submit(values) {
      const { token } = await api.post("/api/auth/change-password", values);
      session.update({ token });
      element.reset();
      return "Password changed";
    },
  });
  return element;
}

/** Deleting takes two steps: a button that shows the form, and the form. */
function deletion(password) {
  const place = h("div", {});
  const entry = password("password", "Your password", "current-password", "Enter your password.");
  const show = () => {
    place.replaceChildren(confirmation);
    entry.control.focus();
  };
  const ask = h("button", { class: "button danger", onclick: show }, "Delete account…");
  const confirmation = form({
    button: "Permanently delete my account",
    look: "danger",
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
