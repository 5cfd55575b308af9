// The call history: number, duration, dates and participants.

import { api } from "../api.js";
import { focusHeading, h } from "../dom.js";
import { taskButton } from "../forms.js";
import { duration, when } from "../time.js";
import { callWeeks, firstWeek } from "./call_weeks.js";
import { listed } from "./room_name.js";

const CALLS = "/api/call-logs?limit=50";
/** Pages that are loaded at most for the bars, which concern the last weeks. */
const MOST_PAGES = 10;

export function historyPage({ session }) {
  const overview = h("div", { class: "overview" });
  const list = h("div", { class: "calls" });
  const element = h("section", { class: "card" }, h("h1", {}, "Call history"), overview, list);
  const load = async () => {
    list.setAttribute("aria-busy", "true");
    list.replaceChildren(h("p", { class: "hint" }, "Loading your calls…"));
    try {
      const [stats, recent] = await Promise.all([api.get("/api/call-logs/stats"), recentCalls()]);
      overview.replaceChildren(...(recent.calls.length > 0 ? [figures(stats), callWeeks(recent.calls)] : []));
      showCalls(list, session.user.id, recent);
    } catch (error) {
      const again = () => (focusHeading(element), load());
      list.replaceChildren(problem(error), taskButton("Try again", again));
    }
    list.setAttribute("aria-busy", "false");
  };
  load();
  return { title: "History", element };
}

const page = (cursor) => api.get(cursor ? `${CALLS}&cursor=${encodeURIComponent(cursor)}` : CALLS);

/** `{calls, nextCursor}`: at least the calls of the weeks that the bars show. */
async function recentCalls() {
  const calls = [];
  let cursor;
  for (let pages = 0; pages < MOST_PAGES; pages += 1) {
    const { callLogs, nextCursor } = await page(cursor);
    calls.push(...callLogs);
    cursor = nextCursor;
    if (!cursor || new Date(calls.at(-1).startTime) < firstWeek()) break;
  }
  return { calls, nextCursor: cursor };
}

function figures(stats) {
  const figure = (value, label) => h("div", { class: "figure" }, h("strong", {}, value), h("span", {}, label));
  return h(
    "div",
    { class: "figures" },
    figure(String(stats.totalCalls), stats.totalCalls === 1 ? "call" : "calls"),
    figure(duration(stats.totalDuration), "total time"),
    figure(duration(stats.averageDuration), "average call"),
  );
}

function nothing() {
  return [
    h("p", { class: "empty" }, "No calls yet. Each of your calls will be listed here: with whom, when and how long."),
    h("p", {}, h("a", { class: "button", href: "#/" }, "Create a room")),
  ];
}

/** Shows calls, with a button for older ones. */
function showCalls(place, me, { calls, nextCursor }) {
  if (calls.length === 0) return place.replaceChildren(...nothing());
  const names = new Map();
  const list = h("ul", { class: "list" });
  const older = h("div", {});
  const add = (calls) => {
    const added = calls.map((call) => entry(call, me));
    list.append(...added);
    nameEverybody(list, calls, me, names);
    return added[0];
  };
  const offerOlder = (cursor) => older.replaceChildren(cursor ? taskButton("Older calls", () => showOlder(cursor)) : "");
  const showOlder = async (cursor) => {
    try {
      const { callLogs, nextCursor } = await page(cursor);
      offerOlder(nextCursor);
      // The button is gone, so the focus moves to the first of the calls that it has brought.
      add(callLogs)?.querySelector("a").focus();
    } catch (error) {
      older.replaceChildren(problem(error), taskButton("Try again", () => showOlder(cursor)));
    }
  };
  place.replaceChildren(list, older);
  add(calls);
  offerOlder(nextCursor);
}

const problem = (error) => h("p", { class: "problem", role: "alert" }, error.message);

/** A log contains the names of two participants; the rest are fetched from the room, while we may still read it. */
async function nameEverybody(list, calls, me, known) {
  const rooms = new Set(calls.filter(({ participants }) => participants.length > 2).map(({ roomId }) => roomId));
  for (const roomId of rooms) {
    if (!known.has(roomId)) {
      const answer = await api.get(`/api/room/${roomId}`).catch(() => undefined);
      known.set(roomId, new Map(answer?.room.people.map(({ id, username }) => [id, username])));
    }
    if (!list.isConnected) return;
    for (const call of calls.filter((call) => call.roomId === roomId)) {
      const shown = list.querySelector(`[data-call="${call._id}"]`);
      if (shown) shown.textContent = others(call, me, known.get(roomId));
    }
  }
}

/** The other participants, by name where it is known. */
function others(call, me, names = new Map()) {
  const two = new Map([call.callerId, call.receiverId].filter(Boolean).map(({ _id, username }) => [_id, username]));
  const ids = call.participants.filter((id) => id !== me);
  const known = ids.map((id) => two.get(id) ?? names.get(id)).filter(Boolean);
  return known.length > 0 ? listed(known, ids.length - known.length) : "Deleted account";
}

function entry(call, me) {
  const names = h("strong", { id: `with-${call._id}`, "data-call": call._id }, others(call, me));
  const time = h("span", { class: "hint", id: `at-${call._id}` }, `${when(call.startTime)} · ${call.endTime ? duration(call.duration) : "in progress"}`);
  const again = { class: "button", href: `#/room/${call.roomId}`, "aria-describedby": `with-${call._id} at-${call._id}` };
  return h("li", { class: "row spread" }, h("div", { class: "call-entry" }, names, time), h("a", again, "Join again"));
}
