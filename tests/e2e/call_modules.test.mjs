// The parts of the browser client's call that know no browser: what is read of the room's events, names, the layout, the
// connection's quality, what is sent, links.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { sendable } from "../../web/src/call/chat_text.js";
import { read } from "../../web/src/call/incoming.js";
import { arrange, gapOf, tiles } from "../../web/src/call/layout.js";
import { Names } from "../../web/src/call/names.js";
import { Outbox } from "../../web/src/call/outbox.js";
import { QualityMeter } from "../../web/src/call/quality.js";
import { cameraEncoding } from "../../web/src/call/send_limits.js";
import { withLinks } from "../../web/src/links.js";
import { HOSTILE, SIGNALS } from "./support/hostile_signals.mjs";

const AREAS = [[1264, 680], [900, 680], [374, 700], [374, 330], [836, 280], [304, 400], [120, 60]].map(([width, height]) => ({ x: 0, y: 0, width, height }));
const NEARLY = 1e-6;

const overlap = (a, b) =>
  a.x < b.x + b.width - NEARLY && b.x < a.x + a.width - NEARLY && a.y < b.y + b.height - NEARLY && b.y < a.y + a.height - NEARLY;
const within = (inner, outer) =>
  inner.x >= outer.x - NEARLY && inner.y >= outer.y - NEARLY && inner.x + inner.width <= outer.x + outer.width + NEARLY && inner.y + inner.height <= outer.y + outer.height + NEARLY;

describe("the layout of a call", () => {
  test("up to 64 pictures are equal, 16:9, inside the stage, and never overlap", () => {
    for (const area of AREAS) {
      for (let count = 1; count <= 64; count += 1) {
        const places = tiles(count, area);
        assert.equal(places.length, count);
        for (const [index, place] of places.entries()) {
          const where = `${index} of ${count} in ${area.width} × ${area.height}`;
          assert.ok(within(place, area), where);
          assert.ok(Math.abs(place.width / place.height - 16 / 9) < NEARLY, where);
          assert.equal(place.width, places[0].width, where);
          for (const other of places.slice(0, index)) assert.ok(!overlap(place, other), where);
        }
      }
    }
  });

  test("no other number of columns makes larger pictures", () => {
    for (const area of AREAS) {
      for (let count = 1; count <= 64; count += 1) {
        const [{ width }] = tiles(count, area);
        for (let columns = 1; columns <= count; columns += 1) {
          const rows = Math.ceil(count / columns);
          const gap = gapOf(count, area);
          const fits = Math.min((area.width - gap * (columns - 1)) / columns, ((area.height - gap * (rows - 1)) / rows) * (16 / 9));
          assert.ok(fits <= width + NEARLY, `${count} in ${area.width} × ${area.height}: ${columns} columns give ${fits}, not ${width}`);
        }
      }
    }
  });

  test("where most pictures are upright, they get upright places", () => {
    const phone = AREAS[2];
    for (let others = 3; others < 64; others += 1) {
      const { places } = arrange({ others, area: phone, upright: true });
      for (const place of places) assert.ok(within(place, phone) && Math.abs(place.width / place.height - 3 / 4) < NEARLY);
    }
    const sizes = [true, false].map((upright) => arrange({ others: 3, area: phone, upright }).places[0].height);
    assert.ok(sizes[0] > sizes[1], `${sizes}: a picture that is upright is seen larger`);
  });

  test("the last row is centred", () => {
    const places = tiles(5, { x: 10, y: 0, width: 1264, height: 680 });
    const last = places.filter(({ y }) => y === places.at(-1).y);
    assert.equal(last.length, 2);
    const [left, right] = [last[0].x, last[1].x + last[1].width];
    assert.ok(Math.abs((left + right) / 2 - (10 + 632)) < NEARLY);
  });

  test("one other person fills the stage with oneself in a corner, on a phone two do, and more share it", () => {
    const [desktop, phone] = [AREAS[0], AREAS[2]];
    for (const [area, others, floats] of [[desktop, 1, true], [desktop, 2, false], [phone, 1, true], [phone, 2, true], [phone, 3, false]]) {
      const scene = arrange({ others, area });
      const what = `${others} in ${area.width} × ${area.height}`;
      assert.equal(scene.floats, floats, what);
      assert.equal(scene.places.length, others + 1, what);
      if (!floats) continue;
      const covered = scene.places.slice(0, -1).reduce((sum, { width, height }) => sum + width * height, 0);
      assert.ok(covered > 0.97 * area.width * area.height, what);
      assert.ok(within(scene.places.at(-1), area), what);
    }
    assert.equal(arrange({ others: 1, area: phone }).places[1].width, phone.width * 0.28);
  });

  test("a spotlight takes four fifths, and everybody else stands in a strip that it does not cover", () => {
    for (const area of AREAS) {
      for (let others = 0; others < 64; others += 1) {
        const { spotlight, places } = arrange({ others, area, spotlight: true });
        assert.ok(within(spotlight, area) && spotlight.width * spotlight.height > 0.6 * area.width * area.height);
        for (const place of places) assert.ok(within(place, area) && !overlap(place, spotlight));
      }
    }
  });
});

describe("the quality of a connection", () => {
  const route = (currentRoundTripTime) => ({ type: "candidate-pair", nominated: true, state: "succeeded", currentRoundTripTime });
  const counted = (packetsReceived, packetsLost) => ({ type: "inbound-rtp", packetsReceived, packetsLost });

  test("it is told in bars and words, by the round trip and by what was lost since the last measurement", () => {
    const meter = new QualityMeter();
    assert.equal(meter.read([counted(10, 0)]), undefined, "no route yet");
    for (const [stats, bars] of [
      [[route(0.05), counted(1_000, 0)], 3],
      [[route(0.05), counted(2_000, 40)], 2],
      [[route(0.05), counted(3_000, 240)], 1],
      [[route(0.05), counted(4_000, 240)], 3],
      [[route(0.3), counted(5_000, 240)], 2],
      [[route(1.5), counted(6_000, 240)], 1],
      // A connection made anew counts from zero.
      [[route(0.01), counted(50, 0)], 3],
    ]) {
      assert.equal(meter.read(stats).bars, bars, JSON.stringify(stats));
    }
    assert.deepEqual([meter.read([route(0.01)]).words, meter.read([route(9)]).words], ["Good connection", "Poor connection"]);
  });
});

test("the more people a picture is sent to, the smaller it is, and it is never enlarged", () => {
  const bits = [1, 2, 3, 4, 6, 8, 12, 20, 63].map((others) => others * cameraEncoding(others, 720).maxBitrate);
  assert.ok(Math.max(...bits) < 8_000_000, `at most 8 Mbit/s leave a browser: ${bits}`);
  let last = cameraEncoding(1, 720);
  for (let others = 2; others < 64; others += 1) {
    const next = cameraEncoding(others, 720);
    assert.ok(next.maxBitrate <= last.maxBitrate && next.maxFramerate <= last.maxFramerate && next.scaleResolutionDownBy >= last.scaleResolutionDownBy);
    last = next;
  }
  assert.equal(cameraEncoding(1, 720).scaleResolutionDownBy, 1);
  assert.equal(cameraEncoding(63, 720).scaleResolutionDownBy, 4);
  assert.equal(cameraEncoding(63, 90).scaleResolutionDownBy, 1);
  assert.equal(cameraEncoding(2, undefined).scaleResolutionDownBy, 1);
});

test("addresses in a message become links, with nothing of the sentence around them; other schemes stay text", () => {
  const links = (text) => withLinks(text).filter(({ href }) => href).map(({ href }) => href);
  for (const [text, expected] of [
    ["nothing here", []],
    ["see https://example.com/a?b=c#d, then (http://example.org).", ["https://example.com/a?b=c#d", "http://example.org/"]],
    ["https://en.wikipedia.org/wiki/Room_(disambiguation)", ["https://en.wikipedia.org/wiki/Room_(disambiguation)"]],
    ["HTTPS://EXAMPLE.COM", ["https://example.com/"]],
    ["javascript:alert(1) data:text/html,x file:///etc/passwd xhttps://example.com", []],
    ["https:// https://[ http://%", []],
    ["<https://example.com/\">", ["https://example.com/"]],
  ]) {
    assert.deepEqual(links(text), expected, text);
    assert.equal(withLinks(text).map((piece) => piece.text).join(""), text, "nothing is lost");
  }
});

test("pasted text is sent without the control characters that the server refuses", () => {
  assert.equal(sendable("one\vtwo\fthree\u0085four"), "one\ntwo\nthree\nfour");
  assert.equal(sendable("\0a\u0007b\u007fc\u009fd\te\nf\u00a0g\u200dh😀"), "abcd\te\nf\u00a0g\u200dh😀");
});

describe("messages that are on their way", () => {
  const echo = (id, message) => ({ id, message, timestamp: "2026-11-30T10:00:00.000Z" });
  /** An outbox, and for each message said what answers it. */
  const outbox = () => {
    const answers = [];
    const say = () => new Promise((resolve, reject) => answers.push({ resolve, reject }));
    return { box: new Outbox({ say, ready: () => true, changed() {} }), answers };
  };
  const settled = () => new Promise(setImmediate);

  test("the same words, written again, are not taken for those that were lost", async () => {
    const { box, answers } = outbox();
    const lost = box.add("ok");
    answers[0].reject(new Error("no acknowledgement in time"));
    await settled();
    const again = box.add("ok");
    assert.equal(box.heard(echo("1", "ok")), again);
    answers[1].resolve(echo("1"));
    await settled();
    assert.deepEqual([lost.state, again.state], ["failed", "sent"]);
    // The first one has arrived after all.
    assert.equal(box.heard(echo("2", "ok")), lost);
    assert.equal(lost.state, "sent");
  });

  test("a refused message has not arrived, whatever is heard", async () => {
    const { box, answers } = outbox();
    const refused = box.add("ok");
    answers[0].reject(Object.assign(new Error("Too many events"), { code: "rate_limited" }));
    await settled();
    // From another tab.
    assert.equal(box.heard(echo("1", "ok")), undefined);
    assert.equal(refused.state, "failed");
    box.retry(refused);
    answers[1].resolve(echo("2"));
    await settled();
    assert.equal(refused.state, "sent");
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

test("a page goes on where the browser blocks its storage, or what is there is no JSON", async () => {
  const { store, stored } = await import("../../web/src/stored.js");
  const before = Object.getOwnPropertyDescriptor(globalThis, "localStorage");
  const is = (descriptor) => Object.defineProperty(globalThis, "localStorage", { configurable: true, ...descriptor });
  try {
    is({ get: () => { throw new DOMException("blocked", "SecurityError"); } });
    assert.equal(stored("localStorage", "key"), undefined);
    store("localStorage", "key", { a: 1 });
    is({ value: { getItem: () => "{" } });
    assert.equal(stored("localStorage", "key"), undefined);
  } finally {
    if (before) Object.defineProperty(globalThis, "localStorage", before);
    else delete globalThis.localStorage;
  }
});
