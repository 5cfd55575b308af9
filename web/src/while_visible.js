// Repeats a task while the page is visible.

/**
 * Runs `task` now, then each time `milliseconds` after it has finished, and at once when the page becomes visible
 * again. Returns a function that stops it. The task must not reject.
 */
export function whileVisible(milliseconds, task) {
  let timer;
  let runs = false;
  let stopped = false;
  const run = async () => {
    clearTimeout(timer);
    if (runs || stopped || document.hidden) return;
    runs = true;
    try {
      await task();
    } finally {
      runs = false;
    }
    if (!stopped) timer = setTimeout(run, milliseconds);
  };
  document.addEventListener("visibilitychange", run);
  run();
  return () => {
    stopped = true;
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", run);
  };
}
