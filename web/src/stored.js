// What the browser keeps for this client, as JSON.

/** The value kept under that key in `localStorage` or `sessionStorage`; undefined if there is none or it is not JSON. */
export function stored(storage, key) {
  try {
    return JSON.parse(storage.getItem(key)) ?? undefined;
  } catch {
    return undefined;
  }
}
