// Which calls the tabs of this browser are in, told by Web Locks: a tab holds its call's lock until it leaves or closes.

const nameOf = (roomId) => `zetra.call.${roomId}`;

/** Marks this tab as in a call. Returns a function that ends it. */
export function markInCall(roomId) {
  const waiting = new AbortController();
  let release;
  const left = new Promise((resolve) => (release = resolve));
  // Granted when the tab that this one replaces has left. Not granted at all if this one leaves first.
  navigator.locks?.request(nameOf(roomId), { signal: waiting.signal }, () => left).catch(() => {});
  return () => {
    waiting.abort();
    release();
  };
}

/** Whether a tab of this browser is in that call; not where the browser does not tell. */
export async function isInCall(roomId) {
  const { held = [] } = (await navigator.locks?.query().catch(() => undefined)) ?? {};
  return held.some(({ name }) => name === nameOf(roomId));
}
