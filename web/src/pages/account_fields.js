// The fields of an account, the same wherever they are filled in.

import { field } from "../forms.js";

/** Fields by the API's error code. */
const TAKEN = { email_taken: "email", username_taken: "username" };
/** For `form`: the field that an error of the account is about. */
export const accountField = (code) => TAKEN[code];

export const nameField = (value = "") => field({ name: "username", label: "Name", value, autocomplete: "nickname", missing: "Enter a name.", hint: "3 to 20 letters, digits and underscores" });

/** With it one signs in, so it is what password managers keep. */
export const emailField = (value = "") => field({ name: "email", label: "Email", type: "email", value, autocomplete: "username", missing: "Enter your email." });

/** The password that somebody has. */
export const passwordField = ({ name = "password", label = "Password", missing = "Enter your password." } = {}) =>
  field({ name, label, type: "password", autocomplete: "current-password", missing });

/** One that is chosen now. */
export const newPasswordField = ({ name = "password", label = "Password", missing = "Enter a password." } = {}) =>
  field({ name, label, type: "password", autocomplete: "new-password", missing, hint: "8 characters or more, with uppercase and lowercase letters and a digit" });
