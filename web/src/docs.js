// The page at /docs/: shows /openapi.json with openapi-explorer, in the colours of the app. The viewer wants its
// colours as attributes, so they are read from the style sheet, again whenever the scheme changes.

import "openapi-explorer";

/** The viewer's attributes, and the colour of colours.css that each has. */
const COLOURS = {
  "primary-color": "--accent",
  "secondary-color": "--accent",
  "bg-color": "--card",
  "text-color": "--text",
  "header-bg-color": "--line",
  "nav-bg-color": "--ground",
  "nav-text-color": "--soft",
  "nav-hover-bg-color": "--card",
  "nav-hover-text-color": "--text",
};

const viewer = document.querySelector("openapi-explorer");
const dark = matchMedia("(prefers-color-scheme: dark)");
/** The viewer computes shades, for which it needs `#rrggbb`. */
const hex = (rgb) => `#${rgb.match(/\d+/g).map((part) => Number(part).toString(16).padStart(2, "0")).join("")}`;
const colour = () => {
  const { style } = viewer;
  for (const [attribute, name] of Object.entries(COLOURS)) {
    style.color = `var(${name})`;
    viewer.setAttribute(attribute, hex(getComputedStyle(viewer).color));
  }
  style.color = "";
};
dark.addEventListener("change", colour);
colour();
viewer.setAttribute("spec-url", "/openapi.json");
