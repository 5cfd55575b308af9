// The call history: number, duration, dates and participants.

import { api } from "../api.js";
import { focusHeading, h, s } from "../dom.js";
import { duration, when } from "../time.js";

const WEEKS = 8;
const CALLS = "/api/call-logs?limit=50";
const WEEK = 7 * 86_400_000;

export function historyPage({ session }) {
  const figures = h("div", { class: "figures", hidden: true });
  const chart = h("div", { class: "chart" });
  const list = h("div", {});
  const element = h("section", { class: "card" }, h("h1", {}, "Call history"), figures, chart, list);
  const load = async () => {
    list.setAttribute("aria-busy", "true");
    list.replaceChildren(h("p", { class: "hint" }, "Loading your calls…"));
    try {
      const [stats, page] = await Promise.all([api.get("/api/call-logs/stats"), api.get(CALLS)]);
      showFigures(figures, stats);
      showCalls(list, chart, session.user.id, page);
    } catch (error) {
      const again = () => (focusHeading(element), load());
      list.replaceChildren(problem(error), h("button", { class: "button", onclick: again }, "Try again"));
    }
    list.setAttribute("aria-busy", "false");
  };
  load();
  return { title: "History", element };
}

function showFigures(place, stats) {
  const figure = (value, label) => h("div", { class: "figure" }, h("strong", {}, value), h("span", {}, label));
  place.replaceChildren(
    figure(String(stats.totalCalls), stats.totalCalls === 1 ? "call" : "calls"),
    figure(duration(stats.totalDuration), "total time"),
    figure(duration(stats.averageDuration), "average call"),
  );
  place.hidden = stats.totalCalls === 0;
}

/** Appends a page of calls to those already `known`, with a button for older ones. */
function showCalls(place, chart, me, { callLogs, nextCursor }, known = { calls: [], names: new Map() }) {
  const calls = known.calls.concat(callLogs);
  if (calls.length === 0) return place.replaceChildren(h("p", { class: "empty" }, "No calls yet. ", h("a", { href: "#/" }, "Create a room"), " and invite somebody."));
  chart.replaceChildren(weeks(calls));
  const older = h("div", {});
  const showOlder = async () => {
    try {
      const page = await api.get(`${CALLS}&cursor=${encodeURIComponent(nextCursor)}`);
      showCalls(place, chart, me, page, { ...known, calls });
    } catch (error) {
      older.replaceChildren(problem(error), h("button", { class: "button", onclick: showOlder }, "Try again"));
    }
  };
  if (nextCursor) older.append(h("button", { class: "button", onclick: showOlder }, "Older calls"));
  place.replaceChildren(h("ul", { class: "list" }, calls.map((call) => entry(call, me))), older);
  nameEverybody(place, calls, me, known.names);
}

const problem = (error) => h("p", { class: "problem", role: "alert" }, error.message);

/** A log contains the names of two participants; the rest are fetched from the room, while we may still read it. */
async function nameEverybody(place, calls, me, known) {
  const rooms = new Set(calls.filter(({ participants }) => participants.length > 2).map(({ roomId }) => roomId));
  for (const roomId of rooms) {
    if (!known.has(roomId)) {
      const answer = await api.get(`/api/room/${roomId}`).catch(() => undefined);
      known.set(roomId, new Map(answer?.room.people.map(({ id, username }) => [id, username])));
    }
    if (!place.isConnected) return;
    for (const call of calls.filter((call) => call.roomId === roomId)) {
      const shown = place.querySelector(`[data-call="${call._id}"]`);
      if (shown) shown.textContent = others(call, me, known.get(roomId));
    }
  }
}

/** The other participants, by name where it is known. */
function others(call, me, names = new Map()) {
  const two = new Map([call.callerId, call.receiverId].filter(Boolean).map(({ _id, username }) => [_id, username]));
  const ids = call.participants.filter((id) => id !== me);
  const known = ids.map((id) => two.get(id) ?? names.get(id)).filter(Boolean);
  const unknown = ids.length - known.length;
  if (known.length === 0) return "Deleted account";
  const all = unknown > 0 ? [...known, `${unknown} more`] : known;
  return all.length === 1 ? all[0] : `${all.slice(0, -1).join(", ")} and ${all.at(-1)}`;
}

function entry(call, me) {
  const length = call.endTime ? duration(call.duration) : "in progress";
  return h("li", {}, h("a", { href: `#/room/${call.roomId}` }, h("strong", { "data-call": call._id }, others(call, me)), h("span", { class: "hint" }, `${when(call.startTime)} · ${length}`)));
}

/** A bar chart of minutes per week, with a text alternative for screen readers. */
function weeks(calls) {
  const monday = new Date();
  monday.setHours(0, 0, 0, 0);
  monday.setDate(monday.getDate() - ((monday.getDay() + 6) % 7));
  const minutes = Array(WEEKS).fill(0);
  for (const { startTime, duration } of calls) {
    const ago = Math.ceil((monday - new Date(startTime)) / WEEK);
    if (ago < WEEKS) minutes[WEEKS - 1 - Math.max(ago, 0)] += duration / 60;
  }
  const most = Math.max(...minutes, 1);
  const bars = minutes.map((value, index) => {
    const height = Math.max((value / most) * 80, 1);
    return s("rect", { x: 4 + index * 40, y: 90 - height, width: 32, height, rx: 3 });
  });
  const words = `Minutes in calls per week over the last ${WEEKS} weeks: ${minutes.map((value) => Math.round(value)).join(", ")}`;
  const picture = s("svg", { viewBox: `0 0 ${WEEKS * 40} 92`, role: "img", "aria-label": words }, ...bars);
  return h("figure", {}, picture, h("figcaption", { class: "hint" }, "Minutes per week"));
}
