// What the host can do to the room: lock it, remove people and readmit them, end it for all. What cannot be
// undone is asked first.

import { announce, h } from "../dom.js";

export function hostPanel(call) {
  /** Whom we have removed since we came: by id, their names. */
  const removed = new Map();
  const problem = h("p", { class: "problem", role: "alert", hidden: true });
  const lock = h("button", { class: "button", onclick: () => act(() => call.lock(!call.room.locked), call.room.locked ? "The room is open again" : "The room is locked") });
  const people = h("ul", { class: "list plain" });
  const end = h("button", { class: "button danger", onclick: () => ask("End the room for everybody? Nobody can come back to it.", "End for all", () => call.endForAll()) }, "End for all");
  const title = h("h2", { id: "host-title" }, "Host controls");
  const close = h("button", { class: "button", onclick: () => element.close() }, "Close");
  const controls = h("div", {}, lock, h("h3", {}, "People"), people, end);
  const question = h("div", { hidden: true });
  const element = h("dialog", { class: "card host", "aria-labelledby": "host-title" }, title, problem, controls, question, close);

  const act = async (change, done) => {
    problem.hidden = true;
    try {
      await change();
      if (done) announce(done);
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
    }
    update();
  };

  const ask = (words, yes, change) => {
    const answer = (then) => () => {
      [question.hidden, controls.hidden, close.hidden] = [true, false, false];
      then();
    };
    const no = h("button", { class: "button", onclick: answer(() => close.focus()) }, "Cancel");
    question.replaceChildren(h("p", {}, words), h("div", { class: "row" }, h("button", { class: "button danger", onclick: answer(() => act(change)) }, yes), no));
    [question.hidden, controls.hidden, close.hidden] = [false, true, true];
    no.focus();
  };

  const entry = (id, name, words, onclick) => h("li", { class: "row spread" }, h("span", {}, name), h("button", { class: "button", onclick, "aria-label": `${words} ${name}` }, words));

  const update = () => {
    lock.textContent = call.room?.locked ? "Unlock the room" : "Lock the room";
    for (const id of call.people.keys()) removed.delete(id);
    const here = [...call.people.keys()].map((id) => {
      const name = call.names.of(id);
      const remove = async () => {
        await call.remove(id);
        removed.set(id, name);
      };
      return entry(id, name, "Remove", () => ask(`Remove ${name}? They cannot come back until you readmit them.`, "Remove", remove));
    });
    const gone = [...removed].map(([id, name]) => entry(id, name, "Readmit", () => act(async () => {
      await call.readmit(id);
      removed.delete(id);
    }, `${name} may join again`)));
    people.replaceChildren(...here, ...gone);
    if (!here.length && !gone.length) people.replaceChildren(h("li", { class: "hint" }, "Nobody else is here."));
  };

  return {
    element,
    update,
    open() {
      problem.hidden = true;
      update();
      element.showModal();
    },
  };
}
