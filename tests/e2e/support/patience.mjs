// How a test waits: for something that must come, and not for ever. How long matters only when it fails.

export const PATIENCE = 30_000;

/** The promise's value, or a failure that says what did not come. */
export async function within(promise, what, millis = PATIENCE) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing within ${millis} ms`)), millis);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Keeps what it hears, in order. */
export class Listener {
  heard = [];
  /** Are called when it hears something. */
  wakes = new Set();

  note(thing) {
    this.heard.push(thing);
    for (const wake of this.wakes) wake();
  }

  /** Waits until `condition` gives something, and gives it. */
  until(condition, what = "a condition") {
    return eventually([this], condition, what);
  }
}

/** Waits until `condition` gives something; it is looked at whenever one of the listeners hears something. */
export async function eventually(listeners, condition, what) {
  const deadline = Date.now() + PATIENCE;
  for (;;) {
    const value = condition();
    if (value) return value;
    const left = deadline - Date.now();
    const heard = () => JSON.stringify(listeners.map((listener) => listener.heard)).slice(0, 2000);
    if (left <= 0) throw new Error(`waited for ${what} in vain; heard ${heard()}`);
    await new Promise((resolve) => {
      const timer = setTimeout(wake, left);
      function wake() {
        clearTimeout(timer);
        for (const listener of listeners) listener.wakes.delete(wake);
        resolve();
      }
      for (const listener of listeners) listener.wakes.add(wake);
    });
  }
}

/** Waits until `condition` gives something that nobody tells of, a file for instance: by looking again and again. */
export async function polled(condition, what, millis = PATIENCE) {
  const deadline = Date.now() + millis;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`waited for ${what} in vain`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
