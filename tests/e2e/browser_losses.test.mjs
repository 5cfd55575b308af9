// A call in a real browser while what a page sends is lost without its knowledge, as into a WebSocket that is dead and not yet
// known to be: Socket.IO's recovery brings back what the server has sent, not what the client has.

import { describe, test } from "node:test";
import { Visitor, inBrowser } from "./support/browser.mjs";
import { Line } from "./support/line.mjs";
import { MediaLine } from "./support/media_line.mjs";
import { polled, within } from "./support/patience.mjs";

describe("a call in a browser that loses what it sends", () => {
  const suite = inBrowser({ RECONNECT_GRACE_SECONDS: "20" });
  const part = (...people) => Visitor.part(people);

  /** Ann, and Bob, who comes to her and so opens their media connection. Each is behind a line that can fail. */
  const meeting = async () => {
    const [ann, bob] = [await suite.arrives(), await suite.arrives()];
    for (const visitor of [ann, bob]) Object.assign(visitor, { line: await Line.lay(visitor), media: await MediaLine.lay(visitor) });
    await bob.page.clock.install();
    await ann.register();
    await bob.register(await ann.makeRoom());
    await bob.enter();
    for (const { line } of [ann, bob]) await within(line.upgraded, "the upgrade");
    await meet(ann, bob);
    return { ann, bob };
  };
  const meet = (ann, bob) => Promise.all([ann.sees(bob.name), bob.sees(ann.name), ann.hears(1), bob.hears(1)]);
  /** What this page sends is lost from now on; `until` it was something of that kind. */
  const losing = ({ line }) => {
    line.loses = true;
    line.lost = [];
    return { until: (event) => polled(() => line.lost.some((frame) => frame.includes(`["${event}"`)), `a lost ${event}`) };
  };
  /** The connection is known to be dead, and is recovered. */
  const recovers = async ({ page, line }) => {
    await line.cut();
    await page.getByText("Connection lost. Reconnecting…").waitFor();
    line.loses = false;
    line.restore();
    await page.locator(".banner").waitFor({ state: "hidden" });
  };

  test("media that were interrupted flow again after the offer or the answer that should have mended them was lost", async () => {
    const { ann, bob } = await meeting();
    for (const [loser, signal] of [[bob, "offer"], [ann, "answer"]]) {
      const { until } = losing(loser);
      for (const { media } of [ann, bob]) media.cut();
      await until(signal);
      await recovers(loser);
      await bob.page.clock.fastForward(15_000);
      await meet(ann, bob);
    }
    await part(ann, bob);
  });

  test("who is muted while it is lost is so for the others as soon as the connection is recovered", async () => {
    const { ann, bob } = await meeting();
    const { until } = losing(ann);
    await ann.page.getByRole("button", { name: "Mute", exact: true }).click();
    await until("media-state");
    await recovers(ann);
    await bob.tile(ann.name).getByText("muted", { exact: true }).waitFor();
    await part(ann, bob);
  });
});
