// Minutes in calls per week, as bars with their weeks and values, and as a list for screen readers.

import { h } from "../dom.js";
import { shortDay } from "../time.js";

const WEEKS = 8;

/** The beginning of the first week that is shown. */
export const firstWeek = () => mondays()[0];

/** `calls`: all of the weeks that are shown, or more. */
export function callWeeks(calls) {
  const weeks = mondays();
  const minutes = weeks.map((monday, index) => {
    const within = calls.map(({ startTime, duration }) => [new Date(startTime), duration]).filter(([start]) => start >= monday && !(start >= weeks[index + 1]));
    return within.reduce((sum, [, seconds]) => sum + seconds, 0) / 60;
  });
  const most = Math.max(...minutes, 1);
  const bars = weeks.map((monday, index) => {
    const rounded = Math.ceil(minutes[index]);
    const bar = h("span", { class: "bar-of-week", "aria-hidden": "true" });
    const week = h("span", { class: "week" }, h("span", { class: "visually-hidden" }, "Week of "), shortDay(monday));
    const value = h("span", { class: "value" }, String(rounded), h("span", { class: "visually-hidden" }, rounded === 1 ? " minute" : " minutes"));
    const item = h("li", {}, week, bar, value);
    item.style.setProperty("--share", String(minutes[index] / most));
    return item;
  });
  return h("figure", { class: "chart" }, h("figcaption", {}, "Minutes in calls per week"), h("ol", { class: "weeks" }, bars));
}

/** The beginnings of the weeks that are shown, oldest first. They are days of the calendar: a week may have 167 hours. */
function mondays() {
  const today = new Date();
  const monday = today.getDate() - ((today.getDay() + 6) % 7);
  return Array.from({ length: WEEKS }, (_, index) => new Date(today.getFullYear(), today.getMonth(), monday - 7 * (WEEKS - 1 - index)));
}
