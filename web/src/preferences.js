// What the user prefers, kept in this browser.

import { store, stored } from "./stored.js";

const KEY = "zetra.preferences";
const DEFAULTS = { sounds: true, shortcuts: true };

/** `sounds`: a soft sound when somebody comes or goes. `shortcuts`: single keys control a call. */
export const preferences = {
  get: (name) => ({ ...DEFAULTS, ...stored("localStorage", KEY) })[name],
  set(name, value) {
    store("localStorage", KEY, { ...stored("localStorage", KEY), [name]: value });
  },
};
