// The chat of examples/chat on real workerd, with the client that its users have.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { io } from "socket.io-client";
import { Listener, polled, within } from "./support/patience.mjs";
import { Program } from "./support/program.mjs";
import { ROOT, freePort, startChat } from "./support/server.mjs";


/** Somebody in a room, who keeps what it hears. */
class Person extends Listener {
  constructor(server, room, auth, options = {}) {
    super();
    this.socket = io(server.url, { query: { room }, auth, forceNew: true, reconnectionDelay: 50, ...options });
    this.socket.onAny((...event) => this.note(event));
    this.socket.on("connect_error", (error) => this.note(["connect_error", error.message]));
  }

  /** Comes in; only what happens after that is kept. */
  static async enter(server, room, name, options) {
    const person = new Person(server, room, { name }, options);
    await person.hears("joined", name);
    person.heard.length = 0;
    return person;
  }

  /** Waits for this event, which may have come already. */
  hears(...event) {
    return this.until(() => this.heard.some((heard) => JSON.stringify(heard) === JSON.stringify(event)), JSON.stringify(event));
  }

  say(text) {
    return within(this.socket.emitWithAck("message", text), `the ack of ${text}`);
  }

  /** Waits until it is connected anew, as a client that the server does not know from before. */
  async returns(before) {
    await polled(() => this.socket.connected && this.socket.id !== before, "the client to come back");
  }
}

describe("the chat example", () => {
  let server;
  const people = [];
  const enter = async (...arguments_) => {
    const person = await Person.enter(server, ...arguments_);
    people.push(person);
    return person;
  };
  before(async () => {
    server = await startChat();
  });
  after(async () => {
    for (const { socket } of people) socket.close();
    await server.stop();
  });

  for (const transports of [["polling", "websocket"], ["websocket"], ["polling"]]) {
    test(`a message reaches everybody in the room and nobody in another one, over ${transports.join(" and ")}`, async () => {
      const room = `room over ${transports}`;
      const ann = await enter(room, "ann", { transports });
      const bob = await enter(room, "b\"ö\u2028b", { transports });
      const eve = await enter(`${room}?`, "eve", { transports });
      await ann.hears("joined", "b\"ö\u2028b");
      const text = `words, "quoted" and ünquoted ${"x".repeat(40_000)}`;
      assert.equal(await ann.say(text), true);
      await bob.hears("message", "ann", text);
      await ann.hears("message", "ann", text);
      assert.equal(await eve.say("alone"), true);
      assert.deepEqual(eve.heard, [["message", "eve", "alone"]]);
    });
  }

  test("who closes the tab is gone for the others", async () => {
    const [ann, bob] = [await enter("tabs", "ann"), await enter("tabs", "bob")];
    bob.socket.close();
    await ann.hears("left", "bob");
  });

  test("a client whose connection breaks comes back by itself, and hears and is heard again", async () => {
    const [ann, bob] = [await enter("breaks", "ann"), await enter("breaks", "bob")];
    const before = bob.socket.id;
    bob.socket.io.engine.close();
    await ann.hears("left", "bob");
    await bob.returns(before);
    await ann.hears("joined", "bob");
    await ann.say("welcome back");
    await bob.hears("message", "ann", "welcome back");
    await bob.say("thanks");
    await ann.hears("message", "bob", "thanks");
  });

  test("an object that has slept knows who is in the room", async () => {
    const [ann, bob] = [await enter("sleep", "ann"), await enter("sleep", "bob")];
    await server.hibernate("ChatRoom", "sleep");
    const before = server.constructed();
    await bob.say("awake?");
    await ann.hears("message", "bob", "awake?");
    // Its line of the log may come a little later than the message, but long before the next heartbeat.
    await polled(() => server.constructed() === before + 1, "the object to be constructed anew", 2_000);
    bob.socket.close();
    await ann.hears("left", "bob");
  });

  test("clients come back after the server has crashed", async () => {
    const [ann, bob] = [await enter("crash", "ann"), await enter("crash", "bob")];
    const ids = [ann.socket.id, bob.socket.id];
    await server.kill();
    await server.start();
    await ann.returns(ids[0]);
    await bob.returns(ids[1]);
    await ann.say("still here?");
    await bob.hears("message", "ann", "still here?");
  });

  test("who brings no usable name is told so, and may try again", async () => {
    for (const auth of [{}, { name: 7 }, { name: "" }, { name: "x".repeat(101) }]) {
      const stranger = new Person(server, "names", auth, { reconnection: false });
      people.push(stranger);
      await stranger.hears("connect_error", "auth needs a name of 1 to 100 bytes: io(url, { auth: { name } })");
      stranger.socket.auth = { name: "ann" };
      stranger.socket.connect();
      await stranger.hears("joined", "ann");
      stranger.socket.close();
    }
  });

  test("the page and its script are served, and what is neither is told how to connect", async () => {
    const [page, script, nothing] = await Promise.all(["/", "/socket.io.min.js", "/socket.io/"].map((path) => fetch(server.url + path)));
    assert.match(page.headers.get("content-type"), /^text\/html/);
    assert.match(await page.text(), /<script src="\/socket\.io\.min\.js">/);
    assert.match(script.headers.get("content-type"), /javascript/);
    assert.equal(nothing.status, 404);
    assert.match(await nothing.text(), /query: \{ room \}/);
  });

  test("a client cannot choose its session's id", async () => {
    const headers = { "x-session-id": "chosen", "x-handshake": "chosen" };
    const response = await fetch(`${server.url}/socket.io/?EIO=4&transport=polling&room=ids`, { headers });
    assert.match(JSON.parse((await response.text()).slice(1)).sid, /^[\w-]{20}$/);
  });
});

test("cargo xtask example chat serves it and ends on Ctrl-C", async (t) => {
  const port = await freePort();
  const program = await Program.start(t, ["cargo", "xtask", "example", "chat"], {
    until: "Ctrl-C ends it",
    cwd: ROOT,
    env: { ...process.env, PORT: String(port) },
  });
  const ann = await Person.enter({ url: `http://127.0.0.1:${port}` }, "lobby", "ann");
  assert.equal(await ann.say("hello"), true);
  ann.socket.close();
  assert.equal(await program.end("SIGINT"), 0);
});
