// What hostile clients do to the sockets: odd queries, frames of every kind, half upgrades. Each ends its own
// connection or nothing, a room beside hears none of it, nothing is a fault of ours and nothing stays in memory.
// `conformance`, `codec` and `envelope` hold the rules of the protocol and the limits.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { send } from "./support/document.mjs";
import { MEGABYTE, RAW_VALUES, Tcp, URL_VALUES, VALUES, assertNoFault } from "./support/hostile.mjs";
import { WAYS, joined, marker, person, roomOf } from "./support/people.mjs";
import { polled } from "./support/patience.mjs";
import { RawSocket } from "./support/raw.mjs";
import { ROOT, UNLIMITED, UNLIMITED_EVENTS, startWatched } from "./support/server.mjs";

const asyncapi = JSON.parse(readFileSync(join(ROOT, "web/static/asyncapi.json"), "utf8"));
const HANDSHAKE = "/socket.io/?EIO=4&transport=polling";
const UPGRADE = ["connection: Upgrade", "upgrade: websocket", "sec-websocket-version: 13", "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="];

const deep = (depth, open = "[", close = "]") => open.repeat(depth) + close.repeat(depth);
/** Frames for a client that is let in; what is no text is sent as such. */
const FRAMES = [
  // socketioxide #794: a slice in the middle of a character.
  ...["é", "4é", "42é", "42é[]", "💥", "4💥", "42💥💥", "b", "bAQI=", "b💥", "\u0000", "4\u0000", "\u001e", "4\u001e4"],
  ...["", "0", "1x", "2", "2probe", "3probe", "5", "6", "7", "9", "-1", "40", "4", "41/x", "42/x", "4 2[]", "42 []", "042[]"],
  ...["42[", "42]", "42{}", "42null", "42[]", "42[null]", "42[true]", "42[{}]", '42[{"toString":"x"}]', '42["\\ud800"]', '42["x",1e999]'],
  ...['42["__proto__"]', '42["constructor",{}]', '42["hasOwnProperty"]', '42["error"]', '42["connect"]', '42["disc\\u006fnnect"]', "42[-1]", "42[0.5]"],
  ...['4299999999999999999999["x"]', '42-1["x"]', '42007["x"]', "43[]", "4399[]", "43", "44{}", "45", "46", "47", "48"],
  ...['450-["x"]', '451-["x"]', '4511-["x"]', '4551000000-["x"]', '451e0-["x"]', '45-1-["x"]', '451-["x",{"_placeholder":true,"num":1e9}]'],
  ...['451-["x",{"_placeholder":true,"num":"0"}]', `451-["x",${deep(5_000)}]`, `451-["x",${deep(5_000, '{"a":[', "]}")}]`],
  ...[`42["x",${deep(100_000)}]`, `42["x",${deep(50_000, '{"a":[', "]}")}]`, `42["x",${"[".repeat(400_000)}`, `42["${"x".repeat(900_000)}"]`],
  ...[`42/${"x".repeat(900_000)},["x"]`, `42${"9".repeat(900_000)}["x"]`, `45${"1".repeat(900_000)}-["x"]`, `40/${"x".repeat(60_000)},{}`, "x".repeat(MEGABYTE + 1)],
  ...[Buffer.alloc(0), Buffer.from([0xff]), Buffer.alloc(MEGABYTE + 1), Object.assign(Buffer.from([0x34, 0xff, 0xfe]), { isText: true })],
];

describe("hostile frames", () => {
  let server, people, room;
  /** Is in the room all the time. */
  let listener;
  before(async () => {
    // The storm goes on before the object has heard of the end of the connection before.
    const guests = { ROOM_GUESTS_PER_ADDRESS: "1000", ROOM_GUESTS_PER_USER: "1000", ROOM_GUESTS: "10000" };
    server = await startWatched({ ...UNLIMITED, ...UNLIMITED_EVENTS, ...guests, PING_INTERVAL_MS: "2000", PING_TIMEOUT_MS: "10000" });
    people = [await person(server), await person(server)];
    room = await roomOf(server, ...people);
    listener = await joined(server, room, people[0]);
  });
  after(() => {
    listener.close();
    return server.stop();
  });

  /** Nobody in the room hears anything but who came and went, and the server is as before. */
  async function isUnharmed() {
    const taken = (await marker(listener, room))(listener);
    const heard = taken.map(([event]) => event).filter((event) => !["user-connected", "user-disconnected"].includes(event));
    assert.deepEqual(heard, []);
    assertNoFault(server);
  }

  test("queries that nobody means are refused with a code of the protocol", async () => {
    const names = ["EIO", "transport", "sid", "roomId"];
    const meant = { EIO: "4", transport: "polling" };
    for (const name of names) for (const value of URL_VALUES) for (const method of ["GET", "POST", "PUT"]) {
      const query = new URLSearchParams({ ...meant, [name]: "" }).toString().replace(new RegExp(`\\b${name}=[^&]*`), `${name}=${value}`);
      const { status, text } = await send(server.url, method, `/socket.io/?${query}`);
      const what = `${method} ${query.slice(0, 100)}: ${status} ${text.slice(0, 100)}`;
      // Without a value there is no session and no room.
      const opens = method === "GET" && value === "" && ["sid", "roomId"].includes(name);
      if (opens) assert.equal(status, 200, what);
      else assert.ok(status === 400 && JSON.parse(text).code !== undefined, what);
    }
    for (const [path, expected] of [["/socket.io/?EIO=3&EIO=4&transport=x&transport=polling&sid=x&sid=", 200], [`${HANDSHAKE}&j=0&b64=1`, 200], ["/socket.io/?", 400]]) {
      assert.equal((await send(server.url, "GET", path)).status, expected, path);
    }
    await isUnharmed();
  });

  test("a method that a session does not have is refused, and the session goes on", async () => {
    const sid = await handshake();
    for (const method of ["PUT", "DELETE", "PATCH"]) assert.equal((await send(server.url, method, `${HANDSHAKE}&sid=${sid}`)).status, 400, method);
    assert.equal((await send(server.url, "POST", `${HANDSHAKE}&sid=${sid}`, { body: "40" })).text, "ok");
  });

  test("what only the Worker tells an object is not taken from a client", async () => {
    const handshakes = { "x-handshake": JSON.stringify({ bearer: people[1].token, address: "a", connection: "" }), "x-session-id": "mine" };
    const { text } = await send(server.url, "GET", `${HANDSHAKE}&roomId=${room}`, { headers: handshakes });
    const { sid } = JSON.parse(text.slice(1));
    assert.notEqual(sid, "mine");
    const url = `${HANDSHAKE}&roomId=${room}&sid=${sid}`;
    await send(server.url, "POST", url, { headers: handshakes, body: "40" });
    assert.match((await send(server.url, "GET", url, { headers: handshakes })).text, /^44\{.*"auth_required"/);
    await isUnharmed();
  });

  for (const way of [WAYS.room, WAYS.stock]) test(`credentials of every kind are refused or ignored, ${way.name}`, async () => {
    const token = JSON.stringify(people[1].token);
    for (const value of [...VALUES, RAW_VALUES].filter((value) => value.length < 60_000)) {
      for (const auth of [`{"token":${value}}`, `{"token":${token},"pid":${value},"offset":${value}}`, value]) {
        const socket = new RawSocket(server, `/socket.io/?EIO=4&transport=websocket${way.namesRoom ? `&roomId=${room}` : ""}`);
        await socket.opened();
        socket.send(`40${auth}`);
        const what = `an answer to ${auth.slice(0, 60)}`;
        // Or the end, where it is no JSON.
        const answered = socket.until(() => socket.heard.some((heard) => /^4[04]\{/.test(String(heard))), what);
        answered.catch(() => {});
        await Promise.race([socket.closed(what), answered]);
        socket.close();
      }
    }
    await isUnharmed();
  });

  for (const way of [WAYS.room, WAYS.stock]) test(`frames of every kind, ${way.name}`, async (t) => {
    let survived = 0;
    for (const frame of FRAMES) {
      const socket = new RawSocket(server, `/socket.io/?EIO=4&transport=websocket${way.namesRoom ? `&roomId=${room}` : ""}`);
      await socket.opened();
      socket.send(`40${JSON.stringify({ token: people[1].token })}`);
      await socket.next((heard) => heard.startsWith("40{"));
      socket.socket.send(frame, { binary: Buffer.isBuffer(frame) && !frame.isText });
      // Either it is the end, or the next event is answered.
      socket.socket.send('427["nobody knows"]');
      const what = `the end of, or an answer after ${String(frame).slice(0, 60)}`;
      const ended = socket.closed(what);
      const answered = socket.until(() => socket.heard.some((heard) => String(heard).startsWith("437[")), what);
      answered.catch(() => {});
      const code = await Promise.race([ended, answered.then(() => "answered")]);
      assert.ok(["answered", 1005, 1006, 1007, 1009].includes(code), `${what}: ${code}`);
      survived += Number(code === "answered");
      socket.close();
    }
    t.diagnostic(`${FRAMES.length} frames; after ${survived} of them the connection went on`);
    await isUnharmed();
  });

  /** Sets of arguments as JSON texts, each with one value that it is not meant to have. */
  function hostileArguments({ anyOf, items }) {
    if (anyOf) return anyOf.flatMap(hostileArguments);
    const good = (schema) => {
      const { properties, $ref, type } = schema.allOf?.[0] ?? schema;
      if (properties) return `{${Object.entries(properties).map(([name, inner]) => `"${name}":${good(inner)}`)}}`;
      if ($ref?.endsWith("RoomId")) return `"${room}"`;
      if ($ref?.endsWith("UserId")) return `"${people[1].id}"`;
      return type === "boolean" ? "true" : '"x"';
    };
    return items.flatMap((schema, index) => {
      const before = items.slice(0, index).map(good);
      const whole = VALUES.map((value) => [...before, value]);
      const members = Object.keys(schema.allOf?.[0].properties ?? {}).flatMap((name) =>
        VALUES.map((value) => [...before, good(schema).replace(new RegExp(`"${name}":("[^"]*"|true)`), () => `"${name}":${value}`)]),
      );
      return [...whole, ...members];
    });
  }

  for (const way of [WAYS.room, WAYS.stock]) test(`every argument of every event with values of every kind, ${way.name}`, async (t) => {
    let said = 0;
    for (const [name, { payload }] of Object.entries(asyncapi.channels.events.messages)) {
      const event = /^client-(.*)$/.exec(name)?.[1];
      if (!event) continue;
      const socket = new RawSocket(server, `/socket.io/?EIO=4&transport=websocket${way.namesRoom ? `&roomId=${room}` : ""}`);
      await socket.opened();
      socket.send(`40${JSON.stringify({ token: people[1].token })}`);
      await socket.next((heard) => heard.startsWith("40{"));
      const sets = hostileArguments(payload);
      for (const [id, args] of sets.entries()) {
        const frame = `42${id}["${event}",${args}]`;
        socket.send(frame);
        const answer = JSON.parse((await socket.next((heard) => heard.startsWith(`43${id}[`))).slice(`43${id}`.length));
        const { ok, error } = answer[0];
        assert.ok(ok === true || (typeof error.code === "string" && !["internal", "store_unavailable"].includes(error.code)), `${frame.slice(0, 200)}: ${JSON.stringify(answer)}`);
      }
      said += sets.length;
      socket.close();
    }
    t.diagnostic(`${said} events`);
    assert.ok(said > 700, "the document has events with arguments");
    assertNoFault(server);
    await marker(listener, room);
    listener.taken();
  });

  /** A session id. Of one address 32 may wait at a time, until they time out. */
  function handshake(query = "") {
    return polled(async () => {
      const { status, text } = await send(server.url, "GET", HANDSHAKE + query);
      assert.ok(status === 200 || status === 503, `${status}: ${text}`);
      return status === 200 && JSON.parse(text.slice(1)).sid;
    }, "a place for one more");
  }

  /** The head of an upgrade, as bytes of one's own. */
  const upgrade = (query, headers = UPGRADE) => `GET /socket.io/?EIO=4&transport=websocket${query} HTTP/1.1\r\nhost: x\r\n${headers.join("\r\n")}\r\n\r\n`;

  test("upgrades that are none are refused", async () => {
    for (const [what, headers] of [
      ["no key", UPGRADE.slice(0, 3)],
      ["another version", UPGRADE.with(2, "sec-websocket-version: 9")],
      ["another protocol", UPGRADE.with(1, "upgrade: h2c")],
      ["no connection header", UPGRADE.slice(1)],
      ["a key that is none", UPGRADE.with(3, "sec-websocket-key: x")],
    ]) {
      const tcp = await Tcp.open(server.directUrl);
      const status = await tcp.send(upgrade(`&roomId=${room}`, headers)).status(what);
      assert.ok(status === 101 || (status >= 400 && status < 500), `${what}: ${tcp.text}`);
      tcp.reset();
    }
    await isUnharmed();
  });

  test("bytes that are no frames end their own connection", async () => {
    for (const [what, bytes] of [
      ["a frame without a mask", [0x81, 1, 0x32]],
      ["a reserved opcode", [0x83, 0x80, 0, 0, 0, 0]],
      ["reserved bits", [0xf1, 0x80, 0, 0, 0, 0]],
      ["a control frame that is too large", [0x89, 0xfe, 0, 200, 0, 0, 0, 0]],
      ["a control frame in parts", [0x09, 0x80, 0, 0, 0, 0]],
      ["a continuation of nothing", [0x80, 0x80, 0, 0, 0, 0]],
      ["a length of 2^63", [0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]],
      ["a close frame of one byte", [0x88, 0x81, 0, 0, 0, 0, 1]],
      ["a reset in the middle of a frame", [0x81, 0xfe, 0x10]],
    ]) {
      const tcp = await Tcp.open(server.directUrl);
      assert.equal(await tcp.send(upgrade(`&roomId=${room}`)).status(what), 101);
      const closed = tcp.send(Buffer.from(bytes)).closed(what);
      if (what.startsWith("a reset")) tcp.reset();
      await closed;
      tcp.reset();
    }
    await isUnharmed();
  });

  /** Sessions that begin an upgrade and go no further, in as many ways as there are. */
  async function halfUpgrades() {
    for (let round = 0; round < 10; round += 1) {
      const sid = await handshake(`&roomId=${room}`);
      const tcp = await Tcp.open(server.directUrl);
      await tcp.send(upgrade(`&roomId=${room}&sid=${sid}`)).status("an upgrade");
      if (round % 3 === 0) tcp.send(Buffer.from([0x81, 0x86, 0, 0, 0, 0, ...Buffer.from("2probe")]));
      if (round % 3 === 1) tcp.send(Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0x35]));
      tcp.reset();
    }
  }

  test("half upgrades do no harm, and leave room for others", async () => {
    for (let round = 0; round < 4; round += 1) await halfUpgrades();
    await handshake(`&roomId=${room}`);
    const other = await RawSocket.open(server, room, people[1].token);
    other.close();
    await isUnharmed();
  });

  test("a body that is still coming when its session is upgraded is not waited for", async () => {
    const sid = await handshake(`&roomId=${room}`);
    const query = `&roomId=${room}&sid=${sid}`;
    const slow = await Tcp.open(server.directUrl);
    slow.send(`POST ${HANDSHAKE}${query} HTTP/1.1\r\nhost: x\r\ncontent-length: 60000\r\n\r\n${"x".repeat(50_000)}`);
    const socket = new RawSocket(server, `/socket.io/?EIO=4&transport=websocket${query}`);
    await socket.opened();
    socket.send("2probe");
    assert.equal(await socket.next(), "3probe");
    socket.send("5");
    assert.equal(await slow.status("the post"), 400);
    socket.close();
    slow.reset();
    await isUnharmed();
  });

  test("of a storm of all of this nothing stays in memory", async (t) => {
    const storm = async () => {
      await halfUpgrades();
      for (const frame of FRAMES) {
        const socket = new RawSocket(server, `/socket.io/?EIO=4&transport=websocket&roomId=${room}`);
        await socket.opened();
        socket.send(`40${JSON.stringify({ token: people[1].token })}`);
        await socket.next((heard) => heard.startsWith("40{"));
        socket.send(frame);
        socket.close();
        await socket.closed();
      }
    };
    for (let round = 0; round < 2; round += 1) await storm();
    const ours = await server.wasmMemory();
    for (let round = 0; round < 5; round += 1) await storm();
    t.diagnostic(`the Worker has ${ours / 1024 / 1024} MiB`);
    assert.equal(await server.wasmMemory(), ours, "after five more storms the Worker has as much as before");
    await isUnharmed();
  });
});
