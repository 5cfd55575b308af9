// The client in a real browser: people register, meet by a link, see and hear each other.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { read } from "../../web/src/call/incoming.js";
import { Names } from "../../web/src/call/names.js";
import { Visitor, bundled, importsOf, inBrowser, meetAcross, meetAtOnce, meetStrangers, PEERS_IN_PAGE } from "./support/browser.mjs";
import { call, person } from "./support/people.mjs";
import { RawSocket } from "./support/raw.mjs";

/** The events that are relayed, and the name of their value where they are for one person. */
const SIGNALS = { offer: "offer", answer: "answer", "ice-candidate": "candidate" };

/** What no well-meaning client says, as JSON text. */
const HOSTILE = [
  ...["null", "true", "-1", "1e400", '""', '"\\ud800"', "[]", "[null]", "{}", '{"length":-1}'],
  ...['{"__proto__":null}', '{"__proto__":{"type":"offer","sdp":""}}', '{"constructor":{"prototype":{"name":""}}}', '{"toString":1,"valueOf":null}'],
  ...['{"name":""}', '{"name":" "}', '{"name":{"length":1}}', '{"name":null,"type":"offer","sdp":"v=0"}', '{"name":"","type":"offer","sdp":"v=0"}'],
  ...['{"type":"offer"}', '{"type":"offer","sdp":null}', '{"type":"answer","sdp":{}}', '{"type":{},"sdp":[]}', '{"type":"rollback","sdp":""}', '{"type":"pranswer","sdp":"v=0"}'],
  ...['{"candidate":null}', '{"candidate":7}', '{"candidate":"","sdpMid":{}}', '{"candidate":{"toString":1},"sdpMid":"0"}'],
  ...['{"candidate":"candidate:x","sdpMid":"0"}', '{"candidate":"x","sdpMLineIndex":1e9}', '{"candidate":"x","sdpMLineIndex":-1,"usernameFragment":[]}'],
  ...['{"senderId":null}', '{"senderId":{},"offer":{}}', '{"senderId":"__proto__","answer":null}', '{"senderId":"constructor","candidate":""}'],
  ...[`"${"x".repeat(8_000)}"`, `{"type":"offer","sdp":"${"v=0\\r\\n".repeat(30_000)}"}`, "[".repeat(100_000) + "]".repeat(100_000)],
];

describe("the client in a browser", () => {
  // The one that sends everything that can be sent needs many events.
  const suite = inBrowser({ SOCKET_EVENTS_BURST: "1000" });
  const visitors = [];

  const arrives = async (options) => {
    const visitor = await suite.arrives(options);
    visitors.push(visitor);
    return visitor;
  };
  /** Two people in one call. */
  const pair = async () => {
    const [ann, bob] = [await arrives(), await arrives()];
    await ann.register();
    const link = await ann.makeRoom();
    await bob.register(link);
    await bob.enter();
    await Promise.all([ann.sees(bob.name), bob.sees(ann.name)]);
    return { ann, bob, link };
  };
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

  test("two people, then three, meet by a link and see and hear each other", async () => {
    const { ann, bob, link } = await pair();
    await Promise.all([ann.hears(1), bob.hears(1)]);
    const cat = await arrives();
    await cat.register(link);
    await cat.enter();
    await Promise.all([ann.sees(cat.name), bob.sees(cat.name), cat.sees(ann.name), cat.sees(bob.name)]);
    await Promise.all([ann, bob, cat].map((person) => person.hears(2)));
    assert.match(await ann.page.locator(".count").textContent(), /^3 people/);
    // Leaving is told at once, and the call is in the history.
    await cat.page.getByRole("button", { name: "Leave" }).click();
    await cat.page.getByRole("heading", { name: "You left the call" }).waitFor();
    await ann.tile(cat.name).waitFor({ state: "detached" });
    await bob.page.getByRole("button", { name: "Leave" }).click();
    await bob.page.getByRole("link", { name: "History" }).click();
    await bob.page.getByText(ann.name).or(bob.page.getByText(cat.name)).first().waitFor();
    await part(ann, bob, cat);
  });

  test("chat arrives once, as text, and media states show on the other side", async () => {
    const { ann, bob } = await pair();
    for (const { page } of [ann, bob]) await page.getByRole("button", { name: /^Chat/ }).click();
    const text = "<img src=x onerror=alert(1)> hello";
    await ann.page.getByLabel("Message", { exact: true }).fill(text);
    await ann.page.getByRole("button", { name: "Send" }).click();
    for (const { page } of [ann, bob]) {
      await page.getByText(text).waitFor();
      assert.equal(await page.locator(".messages li").count(), 1);
    }
    assert.match(await bob.page.locator(".messages li").textContent(), new RegExp(ann.name));

    await ann.page.getByRole("button", { name: "Mute", exact: true }).click();
    await bob.tile(ann.name).getByText("muted", { exact: true }).waitFor();
    await ann.page.getByRole("button", { name: "Unmute" }).click();
    await bob.tile(ann.name).getByText("muted", { exact: true }).waitFor({ state: "hidden" });
    await ann.page.getByRole("button", { name: "Camera off" }).click();
    await bob.page.locator("figure.tile.dark").waitFor();
    await ann.page.getByRole("button", { name: "Camera on" }).click();
    await bob.page.locator("figure.tile.dark").waitFor({ state: "detached" });
    await bob.sees(ann.name);
    await ann.page.getByRole("button", { name: "Share screen" }).click();
    await bob.sees(`${ann.name} (screen)`);
    await ann.page.getByRole("button", { name: "Stop sharing" }).click();
    await bob.sees(ann.name);
    await part(ann, bob);
  });

  test("a killed tab is gone within the time of grace, and a cut connection comes back with the media going on", async () => {
    const { ann, bob, link } = await pair();
    const made = () => Promise.all([ann, bob].map(({ page }) => page.evaluate(() => globalThis.connectionsMade)));
    const before = await made();
    await ann.context.setOffline(true);
    await ann.page.getByText("Connection lost. Reconnecting…").waitFor({ timeout: 60_000 });
    await ann.context.setOffline(false);
    await ann.page.locator(".banner").waitFor({ state: "hidden" });
    await Promise.all([ann.sees(bob.name), bob.sees(ann.name)]);
    assert.deepEqual(await made(), before, "the media connections are the same ones");
    // A page that crashes says no goodbye.
    const session = await bob.context.newCDPSession(bob.page);
    session.send("Page.crash").catch(() => {});
    await ann.tile(bob.name).waitFor({ state: "detached", timeout: 25_000 });
    bob.page = await bob.newTab();
    await bob.page.goto(link);
    await bob.enter();
    await Promise.all([ann.sees(bob.name), bob.sees(ann.name)]);
    await part(ann, bob);
  });

  test("who opened the conversation gathers candidates anew while the media goes on", async () => {
    const { ann, bob } = await pair();
    for (let round = 0; round < 3; round += 1) {
      // Bob came to Ann, so he has offered.
      await bob.page.evaluate(() => globalThis.restartIce());
      await Promise.all([ann.sees(bob.name), bob.sees(ann.name), ann.hears(1), bob.hears(1)]);
    }
    await part(ann, bob);
  });

  test("ICE servers are asked for again before they expire", async () => {
    const ann = await arrives();
    const { page } = ann;
    await page.clock.install();
    await ann.register();
    await ann.makeRoom();
    await page.getByText("Just you").waitFor();
    const again = page.waitForRequest("**/api/ice-servers");
    await page.clock.fastForward("12:00:00");
    await again;
    await ann.leave();
  });

  test("two who offer at the same moment understand each other, whoever is heard first", async () => {
    const ann = await arrives();
    const { page } = ann;
    await page.goto("/app/");
    await page.evaluate(await bundled("web/src/call/peer.js", "peers"));
    await page.evaluate(PEERS_IN_PAGE);
    for (const delays of [[0, 0], [0, 200], [200, 0]]) {
      const frames = await page.evaluate(meetAtOnce, delays);
      assert.deepEqual(frames, [true, true], `after ${delays} ms`);
    }
    await part(ann);
  });

  test("an offer that its sender has given up is answered in vain, and both sides still find each other", async () => {
    const ann = await arrives();
    const { page } = ann;
    await page.goto("/app/");
    await page.evaluate(await bundled("web/src/call/peer.js", "peers"));
    await page.evaluate(PEERS_IN_PAGE);
    for (const opener of [0, 1]) assert.deepEqual(await page.evaluate(meetAcross, opener), [true, true], `side ${opener} came back`);
    await part(ann);
  });

  test("a restart of the runtime in the middle of a call ends in a working call", async () => {
    const { ann, bob } = await pair();
    await suite.server.kill();
    await Promise.all([ann, bob].map(({ page }) => page.locator(".banner").waitFor()));
    await suite.server.start();
    await Promise.all([ann, bob].map(({ page }) => page.locator(".banner").waitFor({ state: "hidden" })));
    await Promise.all([ann.sees(bob.name), bob.sees(ann.name), ann.hears(1), bob.hears(1)]);
    await part(ann, bob);
  });

  test("who has no camera or refuses it can join, sees the others, and is told what it means", async () => {
    const [ann, bob] = [await arrives(), await arrives()];
    await bob.context.addInitScript(() => {
      navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("", "NotAllowedError"));
    });
    await ann.register();
    const link = await ann.makeRoom();
    await bob.register(link);
    await bob.page.getByText("Camera and microphone are blocked.").waitFor();
    await bob.page.getByText("You can join anyway").waitFor();
    await bob.enter();
    await bob.sees(ann.name);
    await ann.page.locator("figure.tile.dark", { hasText: bob.name }).waitFor();
    await part(ann, bob);
  });

  test("a second tab takes the first one's place, and signing out signs out both", async () => {
    const { ann, bob, link } = await pair();
    const second = await bob.newTab();
    await second.goto(link);
    await bob.enter(second);
    await bob.page.getByRole("heading", { name: "You joined from another tab" }).waitFor();
    const first = bob.page;
    bob.page = second;
    await Promise.all([ann.sees(bob.name), bob.sees(ann.name)]);
    await second.getByRole("button", { name: "Leave", exact: true }).click();
    await second.getByRole("button", { name: "Sign out" }).click();
    await second.getByRole("heading", { name: "Video calls by link" }).waitFor();
    await first.getByRole("heading", { name: "Video calls by link" }).waitFor();
    await ann.tile(bob.name).waitFor({ state: "detached" });
    await part(ann, bob);
  });

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

  test("a peer sends on its own lines, whatever is described to it, and throws nothing", async () => {
    const ann = await arrives();
    const { page } = ann;
    await page.goto("/app/");
    await page.evaluate(await bundled("web/src/call/peer.js", "peers"));
    assert.deepEqual(await page.evaluate(meetStrangers), {
      answered: 2,
      // One of sound, and two of pictures: the second is for a screen.
      sentOn: 3,
      made: 0,
      warned: ["a peer's ice-candidate was not understood", "no connection could be made", "a peer's offer was not understood"],
      rejected: [],
    });
    await part(ann);
  });

  test("the profile is changed, errors stand beside their fields, the account is deleted", async () => {
    const [ann, bob] = [await arrives(), await arrives()];
    await bob.register();
    await ann.register();
    const { page } = ann;
    await page.getByRole("link", { name: ann.name }).click();
    await page.getByLabel("Name").fill("x");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("Username must be at least 3 characters long").waitFor();
    const described = await page.getByLabel("Name").evaluate((input) => {
      const ids = input.getAttribute("aria-describedby").split(" ");
      return ids.map((id) => document.getElementById(id).textContent).join(" ");
    });
    assert.match(described, /at least 3 characters/, "a screen reader reads it with the field");
    await page.getByLabel("Name").fill(bob.name);
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("This name is taken.").waitFor();
    ann.name += "_new";
    await page.getByLabel("Name").fill(ann.name);
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("link", { name: ann.name }).waitFor();
    await page.getByLabel("Current password").fill("wrong");
    await page.getByLabel("New password").fill("N3wPassword");
    await page.getByRole("button", { name: "Change password" }).click();
    await page.getByText("Current password is incorrect").waitFor();
    await page.getByLabel("Current password").fill("Sup3rSecret");
    await page.getByRole("button", { name: "Change password" }).click();
    await page.locator(".toast", { hasText: "Password changed" }).waitFor();
    await page.getByRole("button", { name: "Delete account…" }).click();
    await page.getByLabel("Your password").fill("N3wPassword");
    await page.getByRole("button", { name: "Permanently delete my account" }).click();
    await page.getByRole("heading", { name: "Video calls by link" }).waitFor();
    await page.getByLabel("Email").fill(ann.email);
    await page.getByLabel("Password").fill("N3wPassword");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("Email or password is wrong.").waitFor();
    await part(ann, bob);
  });

  test("no page has an accessibility fault, in light and dark", async () => {
    for (const colorScheme of ["light", "dark"]) {
      const ann = await arrives({ colorScheme });
      const { page } = ann;
      const check = async (name) => assert.deepEqual(await ann.inaccessible(), [], `${name}, ${colorScheme}`);
      await page.goto("/app/");
      await page.getByRole("heading", { name: "Video calls by link" }).waitFor();
      await check("sign in");
      await page.getByRole("button", { name: "Create an account" }).click();
      await check("sign up");
      await ann.register();
      await page.getByText("No rooms yet").waitFor();
      await check("rooms");
      await page.goto("/app/#/history");
      await page.getByText("No calls yet").waitFor();
      await check("history");
      await page.goto("/app/#/profile");
      await page.getByRole("heading", { name: "Your profile" }).waitFor();
      await check("profile");
      await page.goto("/app/#/");
      await page.getByRole("button", { name: "New room" }).click();
      await page.getByRole("heading", { name: "Ready to join?" }).waitFor();
      await check("lobby");
      await ann.enter();
      await page.getByRole("button", { name: /^Chat/ }).click();
      await check("call");
      await page.getByRole("button", { name: "Leave" }).click();
      await check("the end of a call");
      await page.goto("/app/#/nowhere");
      await page.getByRole("heading", { name: "Page not found" }).waitFor();
      await check("a wrong address");
      await part(ann);
    }
  });

  test("the whole client is less than 60 KB", async () => {
    let bytes = 0;
    for (const file of ["index.html", "app.js", "app.css", "icon.svg"]) {
      const answer = await fetch(`${suite.server.url}/app/${file}`);
      assert.equal(answer.status, 200, file);
      bytes += gzipSync(Buffer.from(await answer.arrayBuffer())).length;
    }
    assert.ok(bytes < 60_000, `${bytes} bytes gzip`);
  });

  test("the link of a room is copied, and who follows it arrives there after signing in", async () => {
    const [ann, bob] = [await arrives({ permissions: ["camera", "microphone", "clipboard-read", "clipboard-write"] }), await arrives()];
    await ann.register();
    await ann.page.getByRole("button", { name: "New room" }).click();
    await ann.page.getByRole("button", { name: "Copy link" }).click();
    await ann.page.locator(".toast", { hasText: "Link copied" }).waitFor();
    const link = await ann.page.evaluate(() => navigator.clipboard.readText());
    assert.equal(link, ann.page.url());
    await bob.register(link);
    await bob.page.getByRole("heading", { name: "Ready to join?" }).waitFor();
    assert.equal(bob.page.url(), link);
    // Pasted on the first page it leads there too; something else is told beside its field.
    await bob.page.getByRole("link", { name: "Rooms" }).click();
    await bob.page.getByLabel("Join by link").fill("no link");
    await bob.page.getByRole("button", { name: "Join", exact: true }).click();
    await bob.page.getByText("That is not a Zetra room link.").waitFor();
    await bob.page.getByLabel("Join by link").fill(`Come here: ${link}`);
    await bob.page.getByRole("button", { name: "Join", exact: true }).click();
    await bob.page.getByRole("heading", { name: "Ready to join?" }).waitFor();
    await part(ann, bob);
  });

  test("a room that never was is told as such", async () => {
    const ann = await arrives();
    await ann.register("/app/#/room/1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed");
    await ann.page.getByRole("heading", { name: "This room doesn't exist or has ended." }).waitFor();
    await part(ann);
  });

  test("a browser at the front door gets the client, with a policy that allows no foreign script", async () => {
    const ann = await arrives();
    const answer = await ann.page.goto("/");
    assert.equal(new URL(ann.page.url()).pathname, "/app/");
    const policy = answer.headers()["content-security-policy"];
    assert.match(policy, /default-src 'none'; script-src 'self'/);
    assert.doesNotMatch(policy, /unsafe/);
    await part(ann);
  });
});

test("of what comes from the room only what is well-formed is read, and only what is needed", () => {
  const [id, none] = ["6553f1000102030405060708", undefined];
  const hostile = [none, ...HOSTILE.map((text) => JSON.parse(text)), new ArrayBuffer(8)];
  for (const event of ["user-connected", "user-disconnected", "offer", "answer", "ice-candidate", "chat-message", "media-state", "error"]) {
    for (const content of hostile) assert.equal(read(event, content), none, event);
  }
  for (const content of hostile) {
    assert.ok([none, 0].includes(read("existing-users", content)?.length));
    assert.deepEqual([read("room-ended", content), read("removed", content)], [{}, {}]);
  }
  const candidate = { candidate: "x", sdpMid: "0", sdpMLineIndex: null, usernameFragment: null };
  for (const [event, content, expected] of [
    ["existing-users", [id, "x", null, { id }], [id]],
    ["user-connected", id, id],
    ["offer", { senderId: id, offer: { type: "offer", sdp: "v=0", name: "x" } }, { senderId: id, value: { type: "offer", sdp: "v=0" } }],
    ["answer", { senderId: id, answer: { type: "offer", sdp: "v=0" } }, none],
    ["answer", { senderId: `${id}0`, answer: { type: "answer", sdp: "v=0" } }, none],
    ["ice-candidate", { senderId: id, candidate: { candidate: "x", sdpMid: "0" } }, { senderId: id, value: candidate }],
    ["ice-candidate", { senderId: id, candidate: { candidate: "x" } }, none],
    ["chat-message", { id: "1", userId: id, username: "x", message: "hi", timestamp: "2026-11-22T10:00:00.000Z" }, { id: "1", userId: id, message: "hi", timestamp: "2026-11-22T10:00:00.000Z" }],
    ["chat-message", { id: "1", userId: id, username: "x", message: "hi", timestamp: "yesterday" }, none],
    ["media-state", { userId: id, audio: true, video: false, screen: false, x: 1 }, { userId: id, media: { audio: true, video: false, screen: false } }],
    ["media-state", { userId: id, audio: true, video: 1, screen: false }, none],
    ["error", { code: "constructor", message: "x" }, { code: "constructor" }],
  ]) {
    assert.deepEqual(read(event, content), expected, `${event} ${JSON.stringify(content)}`);
  }
  // Of what the browser has to judge only the type is known to be right.
  for (const content of hostile) {
    for (const [event, field] of Object.entries(SIGNALS)) {
      const said = read(event, { senderId: id, [field]: content });
      assert.ok(!said || typeof (said.value.sdp ?? said.value.candidate) === "string", event);
    }
  }
});

test("newcomers who come together are asked for by one request, again where there was no answer", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const passes = async (milliseconds) => {
    context.mock.timers.tick(milliseconds);
    for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
  };
  const answers = [[{ id: "a", username: "ann" }], undefined, [{ id: "a", username: "anna" }, { id: "b", username: "bob" }]];
  let [asked, changes] = [0, 0];
  const fetchPeople = async () => answers[(asked += 1) - 1] ?? Promise.reject(new Error("offline"));
  const names = new Names({ fetchPeople, changed: () => (changes += 1) });
  for (let newcomer = 0; newcomer < 5; newcomer += 1) names.ask();
  assert.deepEqual([names.of("a"), names.knows("a")], ["Somebody", false]);
  await passes(100);
  assert.deepEqual([asked, changes, names.of("a"), names.of("b")], [1, 1, "ann", "Somebody"]);
  // Who comes and goes all the time makes no request each time.
  for (let turn = 0; turn < 9; turn += 1) {
    names.ask();
    await passes(100);
  }
  assert.equal(asked, 1);
  await passes(100);
  assert.deepEqual([asked, names.of("b")], [2, "Somebody"]);
  await passes(5_000);
  assert.deepEqual([asked, changes, names.of("a"), names.of("b")], [3, 2, "anna", "bob"]);
  names.ask();
  names.stop();
  await passes(60_000);
  assert.equal(asked, 3);
});

test("no module of the client imports itself by way of others", async () => {
  const imports = await importsOf("web/src/app.js");
  const circles = [];
  const follow = (module, way) => {
    if (way.includes(module)) circles.push([...way.slice(way.indexOf(module)), module].join(" → "));
    else for (const imported of imports.get(module)) follow(imported, [...way, module]);
  };
  follow("web/src/app.js", []);
  assert.deepEqual([...new Set(circles)], []);
});
