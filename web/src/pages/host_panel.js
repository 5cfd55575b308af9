// The host controls: lock the room, remove people and readmit them, end the room for all. Removing and ending
// need a confirmation.

import { h } from "../dom.js";
import { store, stored } from "../stored.js";

export function hostPanel(call) {
  const removed = new Removed(call.roomId);
  const problem = h("p", { class: "problem", role: "alert", hidden: true });
  // Screen readers ignore the page behind an open dialog.
  const status = h("p", { class: "hint", role: "status" });
  const lock = h("button", { class: "button", onclick: () => act(() => call.lock(!call.room.locked), call.room.locked ? "The room is open again." : "The room is locked.") });
  const people = h("ul", { class: "list plain" });
  const nobody = h("p", { class: "hint" }, "Nobody else is here.");
  const end = h("button", { class: "button danger", onclick: () => ask("End the room for everybody? Nobody can join it again.", "End for all", () => call.endForAll()) }, "End for all");
  const title = h("h2", { id: "host-title" }, "Host controls");
  const close = h("button", { class: "button", onclick: () => element.close() }, "Close");
  const controls = h("div", {}, lock, h("h3", {}, "People"), people, nobody, end);
  const question = h("div", { hidden: true });
  const element = h("dialog", { class: "card dialog", "aria-labelledby": "host-title", onclose: () => showControls() }, title, problem, status, controls, question, close);
  /** Rows of the list, by user id. Unchanged rows are kept, so that the focus is not lost. */
  const rows = new Map();

  const act = async (change, done) => {
    problem.hidden = true;
    status.textContent = "";
    try {
      await change();
      status.textContent = done ?? "";
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
    }
    update();
  };

  const showControls = () => {
    question.replaceChildren();
    [question.hidden, controls.hidden, close.hidden] = [true, false, false];
  };

  const ask = (words, yes, change, done) => {
    const answer = (then) => () => {
      showControls();
      close.focus();
      then();
    };
    const described = { "aria-describedby": "host-question" };
    const no = h("button", { class: "button", onclick: answer(() => {}), ...described }, "Cancel");
    const sure = h("button", { class: "button danger", onclick: answer(() => act(change, done)), ...described }, yes);
    question.replaceChildren(h("p", { id: "host-question" }, words), h("div", { class: "row" }, no, sure));
    [question.hidden, controls.hidden, close.hidden] = [false, true, true];
    no.focus();
  };

  const remove = (id, name) => ask(`Remove ${name}? They cannot rejoin until you readmit them.`, "Remove", async () => {
    await call.remove(id);
    removed.add(id, name);
  }, `${name} was removed.`);
  const readmit = (id, name) => act(async () => {
    await call.readmit(id);
    removed.delete(id);
  }, `${name} may join again.`);

  const update = () => {
    const wasAtSomebody = people.contains(document.activeElement);
    lock.textContent = call.room?.locked ? "Unlock the room" : "Lock the room";
    const here = [...call.people.keys()].map((id) => [id, call.names.of(id), "Remove", remove]);
    const gone = removed.entries().filter(([id]) => !call.people.has(id)).map(([id, name]) => [id, name, "Readmit", readmit]);
    const wanted = [...here, ...gone];
    for (const [id, row] of rows) {
      if (wanted.some(([other, name, words]) => other === id && row.says === `${words} ${name}`)) continue;
      row.element.remove();
      rows.delete(id);
    }
    for (const [id, name, words, onclick] of wanted) {
      if (rows.has(id)) continue;
      const says = `${words} ${name}`;
      const button = h("button", { class: "button", onclick: () => onclick(id, name), "aria-label": says }, words);
      rows.set(id, { says, element: h("li", { class: "row spread" }, h("span", {}, name), button) });
      people.append(rows.get(id).element);
    }
    nobody.hidden = wanted.length > 0;
    // If the focused row was removed, keep the focus in the dialog.
    if (wasAtSomebody && !people.contains(document.activeElement)) close.focus();
  };

  return {
    element,
    update,
    open() {
      problem.hidden = true;
      status.textContent = "";
      update();
      element.showModal();
    },
  };
}

/** The people removed from the room in this tab, as names by user id. The server does not list them. */
class Removed {
  constructor(roomId) {
    this.key = `zetra.removed.${roomId}`;
  }

  entries() {
    return Object.entries(this.#read());
  }

  add(id, name) {
    this.#write({ ...this.#read(), [id]: name });
  }

  delete(id) {
    const { [id]: _, ...others } = this.#read();
    this.#write(others);
  }

  #read() {
    return stored("sessionStorage", this.key) ?? {};
  }

  #write(removed) {
    store("sessionStorage", this.key, removed);
  }
}
