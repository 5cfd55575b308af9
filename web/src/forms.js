// Forms that show errors beside the field they concern.

import { announce, h } from "./dom.js";

let next = 0;

/** A labelled input. `hint` describes what is expected. */
export function field({ name, label, hint, ...input }) {
  const id = `${name}-${(next += 1)}`;
  const error = h("p", { class: "field-error", id: `${id}-error`, hidden: true });
  const hintLine = hint && h("p", { class: "hint", id: `${id}-hint` }, hint);
  const described = [hint && `${id}-hint`, `${id}-error`].filter(Boolean).join(" ");
  const control = h("input", { id, name, required: true, "aria-describedby": described, ...input });
  const element = h("div", { class: "field" }, h("label", { htmlFor: id }, label), control, hintLine, error);
  element.show = (message) => {
    error.textContent = message ?? "";
    error.hidden = !message;
    control.setAttribute("aria-invalid", String(Boolean(message)));
  };
  element.control = control;
  return element;
}

/**
 * A form of fields. `submit` receives the values by name. An error it throws is shown beside a field if it
 * names one (by `fields`, or `fieldOf(code)`), otherwise above the button.
 */
export function form({ fields, button, submit, fieldOf = () => undefined, danger = false }) {
  const problem = h("p", { class: "problem", role: "alert", hidden: true });
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
  const element = h("form", { class: "form", noValidate: true }, fields, problem, action);
  element.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (action.disabled) return;
    action.disabled = true;
    action.setAttribute("aria-busy", "true");
    show(undefined);
    try {
      const values = Object.fromEntries(fields.map(({ control }) => [control.name, control.value]));
      const done = await submit(values);
      if (done) announce(done);
    } catch (error) {
      show(error);
    } finally {
      action.disabled = false;
      action.removeAttribute("aria-busy");
    }
  });
  return element;
}
