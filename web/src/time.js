// Formats times and durations.

const WHEN = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const SHORT_DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const CLOCK = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });

export const when = (iso) => WHEN.format(new Date(iso));
export const day = (iso) => DAY.format(new Date(iso));
/** A day without its year. */
export const shortDay = (date) => SHORT_DAY.format(date);
export const clock = (iso) => CLOCK.format(new Date(iso));

/** `1 h 05 min`, `3 min 20 s`, `8 s`, not broken over lines */
export function duration(seconds) {
  const [hours, minutes, rest] = split(seconds);
  const words = hours ? `${hours} h ${two(minutes)} min` : minutes ? `${minutes} min ${two(rest)} s` : `${rest} s`;
  return words.replaceAll(" ", "\u00a0");
}

/** `0:07`, `12:34`, `1:02:03` */
export function stopwatch(seconds) {
  const [hours, minutes, rest] = split(seconds);
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

const split = (seconds) => [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
const two = (number) => String(number).padStart(2, "0");
