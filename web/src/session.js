// The signed-in user: kept in this browser and shared by its tabs.

const KEY = "zetra.session";
const listeners = new Set();

let current = read();

function read() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? undefined;
  } catch {
    return undefined;
  }
}

export const session = {
  /** `{token, user: {id, username, email}}`, or undefined. */
  get current() {
    return current;
  },
  begin(token, user) {
    current = { token, user };
    localStorage.setItem(KEY, JSON.stringify(current));
    tell();
  },
  update(change) {
    session.begin(change.token ?? current.token, { ...current.user, ...change.user });
  },
  end() {
    current = undefined;
    localStorage.removeItem(KEY);
    tell();
  },
  onChange(listener) {
    listeners.add(listener);
  },
};

function tell() {
  for (const listener of listeners) listener(current);
}

// Another tab signed in or out.
addEventListener("storage", ({ key }) => {
  if (key !== KEY) return;
  current = read();
  tell();
});
