// Forms that show errors beside the field they concern.

import { h } from "./dom.js";
import { EMAIL_WORDS } from "./error_words.js";

let next = 0;

/** A labelled input. `hint` describes what is expected; a field with `missing` is required, and that is its error when empty. */
export function field({ name, label, hint, missing, ...input }) {
  const id = `${name}-${(next += 1)}`;
  const error = h("p", { class: "field-error", id: `${id}-error`, hidden: true });
  const hintLine = hint && h("p", { class: "hint", id: `${id}-hint` }, hint);
  const described = [hint && `${id}-hint`, `${id}-error`].filter(Boolean).join(" ");
  const control = h("input", { id, name, required: Boolean(missing), "aria-describedby": described, ...input });
  const element = h("div", { class: "field" }, h("label", { htmlFor: id }, label), control, hintLine, error);
  element.show = (message) => {
    error.textContent = message ?? "";
    error.hidden = !message;
    control.setAttribute("aria-invalid", String(Boolean(message)));
  };
  // An error describes the value that was submitted, not the one being typed.
  control.addEventListener("input", () => element.show());
  /** The error that the browser's own validation finds, if any. */
  element.fault = () => {
    if (control.validity.valueMissing) return missing;
    return control.validity.typeMismatch ? EMAIL_WORDS : undefined;
  };
  element.control = control;
  return element;
}

/**
 * A form of fields. `submit` receives the values by name and may return a message to show on success. An error it
 * throws is shown beside a field if it names one (by `fields`, or `fieldOf(code)`), otherwise above the button.
 */
export function form({ fields, button, submit, fieldOf = () => undefined, danger = false }) {
  const problem = h("p", { class: "problem", role: "alert", hidden: true });
  const done = h("p", { role: "status" });
  const action = h("button", { type: "submit", class: danger ? "button danger" : "button primary" }, button);
  const show = (error) => {
    const errors = { ...error?.fields };
    const named = error && fieldOf(error.code);
    if (named) errors[named] ??= error.message;
    for (const item of fields) item.show(errors[item.control.name]);
    const first = fields.find((item) => errors[item.control.name]);
    first?.control.focus();
    problem.textContent = error && !first ? error.message : "";
    problem.hidden = !error || Boolean(first);
  };
  const showDone = (words) => {
    done.textContent = words ?? "";
    done.className = words ? "done" : "";
  };
  const check = () => {
    const faults = fields.map((item) => [item.control.name, item.fault()]).filter(([, fault]) => fault);
    if (faults.length) throw Object.assign(new Error(), { fields: Object.fromEntries(faults) });
  };
  const element = h("form", { class: "form", noValidate: true }, fields, problem, done, action);
  element.addEventListener("input", () => showDone());
  element.addEventListener("submit", async (event) => {
    event.preventDefault();
    // A disabled button would lose the focus, so it is only marked as busy.
    if (action.getAttribute("aria-busy") === "true") return;
    action.setAttribute("aria-busy", "true");
    show(undefined);
    showDone();
    try {
      check();
      const values = Object.fromEntries(fields.map(({ control }) => [control.name, control.value]));
      showDone(await submit(values));
    } catch (error) {
      show(error);
    } finally {
      action.setAttribute("aria-busy", "false");
    }
  });
  return element;
}
