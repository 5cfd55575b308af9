// The call history: number, duration, dates and participants.

import { api } from "../api.js";
import { h, s } from "../dom.js";
import { duration, when } from "../time.js";

const WEEKS = 8;
const WEEK = 7 * 86_400_000;

export function historyPage({ session }) {
  const figures = h("div", { class: "figures", "aria-busy": "true" });
  const chart = h("div", { class: "chart" });
  const list = h("div", { "aria-busy": "true" }, h("p", { class: "hint" }, "Loading your calls …"));
  const element = h("section", { class: "card" }, h("h1", {}, "Call history"), figures, chart, list);
  showFigures(figures);
  showCalls(list, chart, session.user.id);
  return { title: "History", element };
}

async function showFigures(place) {
  try {
    const stats = await api.get("/api/call-logs/stats");
    const figure = (value, label) => h("div", { class: "figure" }, h("strong", {}, value), h("span", {}, label));
    place.replaceChildren(
      figure(String(stats.totalCalls), stats.totalCalls === 1 ? "call" : "calls"),
      figure(duration(stats.totalDuration), "in total"),
      figure(duration(stats.averageDuration), "on average"),
    );
  } catch (error) {
    place.replaceChildren(h("p", { class: "problem", role: "alert" }, error.message));
  }
  place.setAttribute("aria-busy", "false");
}

async function showCalls(place, chart, me, calls = [], cursor = "", known = new Map()) {
  try {
    const page = await api.get(`/api/call-logs?limit=50${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
    calls = calls.concat(page.callLogs);
    if (calls.length === 0) {
      place.replaceChildren(h("p", { class: "empty" }, "No calls yet. ", h("a", { href: "#/" }, "Create a room"), " and invite somebody."));
    } else {
      chart.replaceChildren(weeks(calls));
      const more = page.nextCursor && h("button", { class: "button", onclick: () => showCalls(place, chart, me, calls, page.nextCursor, known) }, "Older calls");
      place.replaceChildren(h("ul", { class: "list" }, calls.map((call) => entry(call, me))), more || "");
      nameEverybody(place, calls, me, known);
    }
  } catch (error) {
    place.append(h("p", { class: "problem", role: "alert" }, error.message));
  }
  place.setAttribute("aria-busy", "false");
}

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
  if (known.length === 0) return "Somebody who left";
  const all = unknown > 0 ? [...known, `${unknown} more`] : known;
  return all.length === 1 ? all[0] : `${all.slice(0, -1).join(", ")} and ${all.at(-1)}`;
}

function entry(call, me) {
  const length = call.endTime ? duration(call.duration) : "not ended";
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
  return h("figure", {}, picture, h("figcaption", { class: "hint" }, `Minutes per week over the last ${WEEKS} weeks; at most ${Math.round(most)}`));
}
