// For addresses below these a redirect response is returned as it is, instead of being followed.

const BASES = Symbol.for("zetra: bases of which no redirect is followed");

/** True once the runtime's `fetch` follows no redirects for addresses below `base`. */
export function answerRedirects(base) {
  if (!globalThis.fetch[BASES]) {
    const bases = new Set();
    const inner = globalThis.fetch;
    const fetch = (input, init) =>
      inner.call(globalThis, input, isBelow(bases, input) ? { ...init, redirect: "manual" } : init);
    fetch[BASES] = bases;
    globalThis.fetch = fetch;
  }
  globalThis.fetch[BASES]?.add(base);
  return globalThis.fetch[BASES]?.has(base) === true;
}

function isBelow(bases, input) {
  const url = input instanceof Request ? input.url : String(input);
  for (const base of bases) if (url.startsWith(`${base}/`)) return true;
  return false;
}
