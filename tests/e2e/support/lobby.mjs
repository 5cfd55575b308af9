// Somebody in the lobby of a room, and what it shows of their devices.

import { WATCH_DEVICES } from "./devices.mjs";
import { polled } from "./patience.mjs";

/** `inLobby(prepare)`: somebody of that suite in the lobby of their room; `prepare` runs in their pages before their own scripts. */
export const lobbyOf = (suite) => async (prepare = () => {}) => {
  const ann = await suite.arrives();
  await ann.context.addInitScript(WATCH_DEVICES);
  await ann.context.addInitScript(prepare);
  await ann.register();
  await ann.page.getByRole("button", { name: "New room" }).click();
  await ann.heading("Ready to join?").waitFor();
  return { ann, page: ann.page };
};

export const menu = (page, name) => page.getByRole("combobox", { name });

/** Waits until the own picture is shown. */
export const picture = (page) => page.locator(".no-picture").waitFor({ state: "hidden" });

/** Waits until the only live track of that kind comes from the device of that name. Playwright itself does not wait for a promise. */
export function isUsed(page, kind, label) {
  const used = () =>
    page.evaluate(async (kind) => {
      const live = globalThis.tracks.filter((track) => track.kind === kind && track.readyState === "live");
      const list = await navigator.mediaDevices.enumerateDevices();
      return live.map((track) => list.find(({ deviceId }) => deviceId === track.getSettings().deviceId)?.label).join();
    }, kind);
  return polled(async () => (await used()) === label, `${label} in use`);
}
