// @ts-check
// Keeps the screen on during a call, where the browser can do so: a phone that locks itself stops its camera.

/** Begins now. Returns a function that ends it. */
export function keepScreenOn() {
  /** @type {WakeLockSentinel | undefined} */
  let lock;
  let isOver = false;
  const request = async () => {
    if (document.hidden) return;
    // Refused where the battery is low.
    const granted = await navigator.wakeLock?.request("screen").catch(() => undefined);
    // Left meanwhile, or asked for twice.
    if (isOver || (lock && !lock.released)) granted?.release();
    else lock = granted;
  };
  // The browser takes it back whenever the page is hidden.
  document.addEventListener("visibilitychange", request);
  request();
  return () => {
    isOver = true;
    document.removeEventListener("visibilitychange", request);
    lock?.release();
  };
}
