// Forms that show errors beside the field they concern.

import { h } from "./dom.js";
import { EMAIL_WORDS } from "./error_words.js";
import { toast } from "./toast.js";

let next = 0;

/**
 * A labelled input; a password can be shown. `hint` describes what is expected; a field with `missing` is required, and
 * that is its error when empty.
 */
export function field({ name, label, hint, missing, ...input }) {
  const id = `${name}-${(next += 1)}`;
  const error = h("p", { class: "field-error", id: `${id}-error`, hidden: true });
  const hintLine = hint && h("p", { class: "hint", id: `${id}-hint` }, hint);
  const described = [hint && `${id}-hint`, `${id}-error`].filter(Boolean).join(" ");
  const control = h("input", { id, name, required: Boolean(missing), "aria-describedby": described, ...input });
  const entry = input.type === "password" ? revealable(control) : control;
  const element = h("div", { class: "field" }, h("label", { htmlFor: id }, label), entry, hintLine, error);
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
  /** Hides a password again: a browser saves only what is submitted as a password. */
  element.conceal = () => entry.conceal?.();
  element.control = control;
  return element;
}

/** A password and a button that shows it. Because the button's label changes, it has no `aria-pressed`. */
function revealable(control) {
  const action = h("span", {});
  const show = (shown) => {
    control.type = shown ? "text" : "password";
    action.textContent = shown ? "Hide" : "Show";
  };
  const button = h("button", { type: "button", class: "reveal", onclick: () => show(control.type === "password") }, action, h("span", { class: "visually-hidden" }, " password"));
  const element = h("div", { class: "revealable" }, control, button);
  show(false);
  element.conceal = () => show(false);
  return element;
}

/**
 * A form of fields. `submit` receives the values by name and may return a message to show on success. An error it
 * throws is shown beside a field if it names one (by `fields`, or `fieldOf(code)`), otherwise above the button. `look`:
 * `primary`, `secondary` or `danger`. `account()`: the email of whoever's password is asked for, if no field holds
 * it: password managers look for it in the same form.
 */
export function form({ fields, button, submit, account, fieldOf = () => undefined, look = "primary" }) {
  const problem = h("p", { class: "problem", role: "alert", hidden: true });
  const action = h("button", { type: "submit", class: `button ${look}` }, button);
  const show = (error) => {
    const errors = { ...error?.fields };
    const named = error && fieldOf(error.code);
    if (named) errors[named] ??= error.message;
    for (const item of fields) item.show(errors[item.control.name]);
    const first = fields.find((item) => errors[item.control.name]);
    // Whoever has gone on to something else meanwhile is not called back.
    if (element.contains(document.activeElement) || document.activeElement === document.body) first?.control.focus();
    problem.textContent = error && !first ? error.message : "";
    problem.hidden = !error || Boolean(first);
  };
  const check = () => {
    const faults = fields.map((item) => [item.control.name, item.fault()]).filter(([, fault]) => fault);
    if (faults.length) throw Object.assign(new Error(), { fields: Object.fromEntries(faults) });
  };
  const owner = account && h("input", { type: "email", autocomplete: "username", defaultValue: account(), readOnly: true, hidden: true });
  const element = h("form", { class: "form", noValidate: true }, owner, fields, problem, action);
  element.addEventListener("submit", async (event) => {
    event.preventDefault();
    await whileBusy(action, async () => {
      show(undefined);
      if (owner) owner.defaultValue = account() ?? "";
      for (const item of fields) item.conceal();
      try {
        check();
        const values = Object.fromEntries(fields.map(({ control }) => [control.name, control.value]));
        const done = await submit(values);
        if (done) toast(done);
      } catch (error) {
        show(error);
      }
    });
  });
  return element;
}

/** Runs a button's task, unless it runs already. A disabled button would lose the focus, so it is only marked as busy. */
export async function whileBusy(button, task) {
  if (button.getAttribute("aria-busy") === "true") return;
  button.setAttribute("aria-busy", "true");
  try {
    await task();
  } finally {
    button.setAttribute("aria-busy", "false");
  }
}

/** A button with a task of its own that takes a while. */
export const taskButton = (words, task) => h("button", { class: "button", onclick: ({ currentTarget }) => whileBusy(currentTarget, task) }, words);
