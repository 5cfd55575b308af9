// The client in a real browser in one room with a client that says anything: the view goes on, and nobody is taken for
// somebody else.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Visitor, inBrowser } from "./support/browser.mjs";
import { HOSTILE, SIGNALS } from "./support/hostile_signals.mjs";
import { call, person } from "./support/people.mjs";
import { RawSocket } from "./support/raw.mjs";

describe("a browser among strangers", () => {
  // The one that sends everything that can be sent needs many events.
  const suite = inBrowser({ SOCKET_EVENTS_BURST: "1000" });

  const { arrives, pair } = suite;
  /** Somebody in the call without a browser, who says what they like. */
  const intruder = async (link) => {
    const roomId = link.split("/room/")[1];
    const mallory = await person(suite.server, "mallory");
    await call(suite.server, "POST", `/api/room/join/${roomId}`, { token: mallory.token });
    const raw = await RawSocket.open(suite.server, roomId, mallory.token);
    raw.socket.on("message", (data) => String(data) === "2" && raw.send("3"));
    let said = 0;
    /** Says an event whose arguments are JSON text; gives the answer. */
    const says = (event, ...args) => {
      said += 1;
      raw.send(`42${said}[${[`"${event}"`, ...args].join(",")}]`);
      return raw.next((frame) => frame.startsWith(`43${said}[`));
    };
    return { mallory, raw, says, roomId: `"${roomId}"` };
  };
  const part = (...people) => Visitor.part(people);

  test("whatever another client says, everybody's view goes on", async () => {
    const { ann, bob, link } = await pair();
    const { raw, says, roomId } = await intruder(link);
    const targets = await Promise.all([ann, bob].map((visitor) => visitor.id()));
    const answers = [];
    for (const [index, value] of HOSTILE.entries()) {
      for (const [event, field] of Object.entries(SIGNALS)) {
        answers.push(await says(event, roomId, value));
        answers.push(await says(event, `{"roomId":${roomId},"${field}":${value},"targetUserId":"${targets[index % 2]}"}`));
      }
      answers.push(await says("chat-message", roomId, value));
      answers.push(await says("media-state", `{"roomId":${roomId},"audio":${value}}`));
    }
    assert.deepEqual(answers.filter((answer) => answer.includes("rate_limited")), []);
    await says("chat-message", roomId, '"the last word"');
    const cat = await arrives();
    await cat.register(link);
    await cat.enter();
    const everybody = [ann, bob, cat];
    await Promise.all(everybody.flatMap((one) => everybody.filter((other) => other !== one).map((other) => one.sees(other.name))));
    for (const { page } of everybody) {
      await page.getByText("4 people").waitFor();
      await page.getByRole("button", { name: /^Chat/ }).click();
    }
    for (const { page } of [ann, bob]) await page.getByText("the last word", { exact: true }).waitFor();
    await ann.page.getByLabel("Message", { exact: true }).fill("still here");
    await ann.page.getByRole("button", { name: "Send" }).click();
    for (const { page } of everybody) await page.getByText("still here", { exact: true }).waitFor();
    await ann.page.getByRole("button", { name: "Mute", exact: true }).click();
    await cat.tile(ann.name).getByText("muted", { exact: true }).waitFor();
    raw.close();
    // What the browser itself cannot read is said in the console.
    for (const visitor of everybody) visitor.forgive(/^a peer's (offer|answer|ice-candidate) was not understood/);
    await part(...everybody);
  });

  test("who signals in somebody else's name is refused, and nobody hears of it", async () => {
    const { ann, bob, link } = await pair();
    const { raw, says, roomId } = await intruder(link);
    const id = await bob.id();
    for (const [event, field] of Object.entries(SIGNALS)) {
      for (const value of ['{"type":"offer","sdp":"v=0"}', '{"type":"answer","sdp":"v=0"}', '{"candidate":"x","sdpMid":"0"}']) {
        const answer = await says(event, roomId, `{"senderId":"${id}","${field}":${value}}`);
        assert.match(answer, /"ok":false.*"code":"invalid_payload"/, `${event} ${value}`);
      }
    }
    await says("chat-message", roomId, '"the last word"');
    await ann.page.getByRole("button", { name: "Chat (1)" }).waitFor();
    await Promise.all([ann.sees(bob.name), bob.sees(ann.name), ann.hears(1), bob.hears(1)]);
    raw.close();
    await part(ann, bob);
  });

  test("people are called what the server calls them, in their pictures and in the chat, after a new name too", async () => {
    const { ann, bob, link } = await pair();
    const { mallory, raw, says, roomId } = await intruder(link);
    const names = async (visitor) => (await visitor.page.locator("figcaption .name").allTextContents()).sort();
    const value = `{"type":"offer","sdp":"v=0","name":"${ann.name}"}`;
    await says("offer", `{"roomId":${roomId},"offer":${value},"targetUserId":"${await bob.id()}"}`);
    await says("chat-message", roomId, '"I am Ann"', `"${ann.name}"`);
    for (const { page } of [ann, bob]) await page.getByRole("button", { name: "Chat (1)" }).click();
    await bob.tile(mallory.username).waitFor();
    assert.deepEqual(await names(bob), ["You", ann.name, mallory.username].sort());
    await bob.page.locator(".messages li", { hasText: "I am Ann" }).getByText(mallory.username, { exact: true }).waitFor();

    const username = `${mallory.username.slice(0, 15)}_new`;
    const renamed = await call(suite.server, "PUT", "/api/user/profile", { token: mallory.token, body: { username } });
    assert.equal(renamed.status, 200, renamed.text);
    await says("leave-room");
    await ann.tile(mallory.username).waitFor({ state: "detached" });
    await says("join-room", roomId);
    await Promise.all([ann.tile(username).waitFor(), bob.tile(username).waitFor()]);
    assert.deepEqual(await names(ann), ["You", bob.name, username].sort());
    raw.close();
    for (const visitor of [ann, bob]) visitor.forgive(/^a peer's offer was not understood/);
    await part(ann, bob);
  });
});
