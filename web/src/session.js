// The signed-in user: kept in this browser and shared by its tabs.

import { store, stored } from "./stored.js";

const KEY = "zetra.session";
const listeners = new Set();

let current = stored("localStorage", KEY);

export const session = {
  /** `{token, user: {id, username, email}}`, or undefined. */
  get current() {
    return current;
  },
  begin(token, user) {
    current = { token, user };
    store("localStorage", KEY, current);
    tell();
  },
  /** Of the user with that id, unless somebody else has signed in meanwhile, perhaps in another tab. */
  update(userId, change) {
    if (current?.user.id === userId) session.begin(change.token ?? current.token, { ...current.user, ...change.user });
  },
  /** `why` is shown on the sign-in page that follows. */
  end(why) {
    current = undefined;
    store("localStorage", KEY, undefined);
    tell(why);
  },
  /** Calls `listener(current, why)` on every change. Returns a function that stops it. */
  onChange(listener) {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
};

function tell(why) {
  for (const listener of listeners) listener(current, why);
}

// Another tab signed in or out.
addEventListener("storage", ({ key }) => {
  if (key !== KEY) return;
  current = stored("localStorage", KEY);
  tell();
});
