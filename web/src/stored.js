// What the browser keeps for this client, as JSON.

/**
 * The value kept under that key in the storage of that name, `localStorage` or `sessionStorage`; undefined if there is none,
 * if it is not JSON, or if the browser blocks the storage.
 */
export function stored(storage, key) {
  try {
    return JSON.parse(globalThis[storage].getItem(key)) ?? undefined;
  } catch {
    return undefined;
  }
}

/** Keeps a value, or nothing where it is undefined. Where the browser blocks the storage or it is full, this page goes on without. */
export function store(storage, key, value) {
  try {
    if (value === undefined) globalThis[storage].removeItem(key);
    else globalThis[storage].setItem(key, JSON.stringify(value));
  } catch {
    // It is known until the page is left.
  }
}
