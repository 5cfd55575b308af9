// The codec against the official packages as oracle: the same frames, the same verdict, the same
// content, but for the differences that we mean.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { decodePayload } from "engine.io-parser";
import { Decoder, Encoder } from "socket.io-parser";
import { ROOT } from "./support/server.mjs";

/** Where we mean to differ: what is it, and why. `[name, why, is it this one?]` */
const DIFFERENCES = [
  ["no payload", "an event without a name, an ack without arguments and an error without a reason say nothing; the reference drops them in silence", ({ official }) => official.packets.some(({ type, data }) => type >= 2 && type <= 4 && data === undefined)],
  ["binary without payload", "the same, announced with attachments", ({ frames, official }) => official.verdict !== "refused" && /^[56][^-]*-(\/[^,]*,?)?[\d\s]*$/.test(lastText(frames))],
  ["type", "nothing and white space are no packet type; Number() takes them for 0", ({ frames }) => frames.some((frame) => /^(\s|$)/.test(frame))],
  ["attachments", "their number is written in decimal digits, four at most, and nothing else that Number() takes", ({ frames }) => /^[56](?!\d{1,4}-)[^-]*-/.test(lastText(frames)) || frames.some((frame) => /^[56][^-]*[^\d-][^-]*-/.test(frame))],
  ["ack id", "white space is no digit: Number() takes it for 0", ({ frames }) => frames.some((frame) => /^[0-6](\d+-)?(\/[^,]*,)?\d*\s/.test(frame))],
  ["large ack id", "ids beyond 2^53 - 1 are not exact in JavaScript and would be answered changed", ({ frames }) => frames.some((frame) => /^[0-6](\d+-)?(\/[^,]*,)?\d{16,}/.test(frame))],
  ["placeholder", "one that points nowhere is refused when it is announced, and one with a broken number at all; the reference looks when the last attachment is there, and takes 0.5", ({ frames }) => frames.some((frame) => /_placeholder/.test(frame))],
  ["base64", "as RFC 4648 has it; Node takes any characters and any padding", ({ payload }) => payload?.split("\u001e").some((packet) => packet.startsWith("b") && !isBase64(packet.slice(1)))],
];

const lastText = (frames) => frames.filter((frame) => typeof frame === "string").at(-1) ?? "";
const isBase64 = (text) => Buffer.from(text, "base64").toString("base64") === text;

/** Pseudo-random numbers, the same each time (mulberry32). */
function random(seed) {
  return (below) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const pick = (below, list) => list[below(list.length)];

function value(below, depth = 0) {
  const simple = [0, 1.5, -3, 1e21, "x", "é€😀", "", "\u2028\"\\", true, false, null, "connect"];
  if (depth > 2 || below(3) > 0) return pick(below, simple);
  if (below(4) === 0) return Buffer.from([below(256), below(256)]);
  const inner = Array.from({ length: below(3) }, () => value(below, depth + 1));
  return below(2) ? inner : Object.fromEntries(inner.map((item, index) => [pick(below, ["a", "num", "_x", String(index)]), item]));
}

/** Packets as the official encoder makes them. */
function encoded(below) {
  const type = pick(below, [0, 1, 2, 2, 2, 2, 3, 3, 4]);
  const nsp = pick(below, ["/", "/", "/admin", "/a-b_c?x=1"]);
  const args = Array.from({ length: below(4) }, () => value(below));
  const data = { 0: below(2) ? { token: "t" } : undefined, 1: undefined, 2: [pick(below, ["message", "error", 7, "é"]), ...args], 3: args, 4: { message: "no" } }[type];
  const id = type === 3 ? below(1000) : type === 2 && below(2) ? below(1000) : undefined;
  return new Encoder().encode({ type, nsp, data, id });
}

/** One frame with a character changed, added, taken away, or cut. */
function mutated(below, frames) {
  const index = below(frames.length);
  return frames.map((frame, at) => {
    if (at !== index || typeof frame !== "string") return frame;
    const place = below(frame.length + 1);
    const character = pick(below, [..."0123456789-/,[]{}\":_. etrufalsnplchod\\x+"]);
    return pick(below, [
      () => frame.slice(0, place) + character + frame.slice(place),
      () => frame.slice(0, place) + character + frame.slice(place + 1),
      () => frame.slice(0, place) + frame.slice(place + 1),
      () => frame.slice(0, place),
    ])().toWellFormed(); // half a surrogate pair cannot be on a wire of UTF-8
  });
}

/** Frames that somebody thought of. */
const THOUGHT_OF = [
  "", "0", "1", "2", "3", "4", "5", "6", "7", "9", "a", "€", "-", "2/nsp", "2/nsp,", "31", "3[]", "30[]", "4\"no\"", "4[]", "0[]", "0null", "0\"x\"", "1{}",
  "2[]", "2{}", "2[null]", "2[[]]", "2[true]", "2[{\"toString\":\"x\"}]", "2[\"connect\"]", "2[\"connect_error\"]", "2[\"disconnect\"]", "2[\"disconnecting\"]",
  "2[\"newListener\"]", "2[\"removeListener\"]", "2[\"error\"]", "2[\"dis\\u0063onnect\"]", "2[1]", "2[-1.5]", "2[\"\\ud800\"]", "2[\"a\",1e400]", "2[\"a\",-0]", "2[\"a\",01]",
  "2 [\"a\"]", "2007[\"a\"]", "29007199254740991[\"a\"]", "29007199254740993[\"a\"]", "2100000000000000000000[\"a\"]", "2/,[\"a\"]", "2//,[\"a\"]", "2/a/b,7[\"a\"]", "2[\"a\"]x", "2[\"a\"",
  "51-", "50-[\"a\"]", "51-[\"a\"]", "51e0-[\"a\"]", "50x1-[\"a\"]", "5 1-[\"a\"]", "501-[\"a\"]", "5+1-[\"a\"]", "5-[\"a\"]", "511-[\"a\"]", "51.0-[\"a\"]", "51.5-[\"a\"]", "5-1-[\"a\"]", "51000000-[\"a\"]", "5[\"a\"]",
  " [\"a\"]", "2[\"a\",{\"_placeholder\":true,\"num\":0}]", "0{\"token\":\"x\"}", "0/a", "0/a,{}", "40/a", "61-7[{\"_placeholder\":true,\"num\":0}]",
].map((frame) => [frame]);
const BINARY = Buffer.from([1, 2]);
for (const num of ["0", "1", "-1", "0.5", "\"0\"", "null", "1e0", "{}"]) THOUGHT_OF.push([`51-["a",{"_placeholder":true,"num":${num}}]`, BINARY]);
THOUGHT_OF.push([BINARY], ["51-[\"a\"]", "2[\"a\"]"], ["51-[\"a\"]", BINARY, BINARY], ["52-[\"a\",{\"_placeholder\":true,\"num\":1},{\"_placeholder\":true,\"num\":1}]", BINARY, BINARY]);

/** What the official decoder makes of frames. */
function official(frames) {
  const packets = [];
  const decoder = new Decoder();
  decoder.on("decoded", (packet) => packets.push(packet));
  try {
    for (const frame of frames) decoder.add(frame);
  } catch {
    return { verdict: "refused", packets };
  }
  return { verdict: decoder.reconstructor ? "pending" : "accepted", packets };
}

function officialPayload(payload) {
  const packets = decodePayload(payload, "nodebuffer");
  const good = packets.filter(({ type }) => type !== "error");
  const types = ["open", "close", "ping", "pong", "message", "upgrade", "noop"];
  const told = good.map(({ type, data }) => (Buffer.isBuffer(data) ? { base64: data.toString("base64") } : { text: types.indexOf(type) + (data ?? "") }));
  return { verdict: good.length === packets.length ? "accepted" : "refused", packets: told };
}

/** Asks the codec, by way of `crates/socketio/examples/decode.rs`. */
async function ours(questions) {
  const codec = spawn("cargo", ["run", "--quiet", "--package", "zetra-socketio", "--example", "decode"], { cwd: ROOT, stdio: ["pipe", "pipe", "inherit"] });
  const chunks = [];
  codec.stdout.on("data", (chunk) => chunks.push(chunk));
  const ended = new Promise((resolve) => codec.on("close", resolve));
  codec.stdin.end(questions.map((question) => `${JSON.stringify(question)}\n`).join(""));
  assert.equal(await ended, 0);
  return Buffer.concat(chunks).toString().trim().split("\n").map((line) => JSON.parse(line));
}

/** A packet of ours with its attachments in their places, as the official decoder gives it. */
function assembled({ type, nsp, id, json, attachments }) {
  const binary = type === "5" || type === "6";
  const data = json === null ? undefined : JSON.parse(json);
  const place = (item) => {
    if (binary && item?._placeholder === true) return Buffer.from(attachments[item.num], "base64");
    if (Array.isArray(item)) return item.map(place);
    if (item && typeof item === "object") return Object.fromEntries(Object.entries(item).map(([key, inner]) => [key, place(inner)]));
    return item;
  };
  return { type: binary ? Number(type) - 3 : Number(type), nsp, id: id ?? undefined, data: place(data) };
}

const plain = ({ type, nsp, id, data }) => ({ type, nsp, id, data });

function compare(cases) {
  const differed = new Map();
  const unmeant = [];
  for (const { mine, theirs, ...about } of cases) {
    if (isDeepStrictEqual(mine, theirs)) continue;
    const row = DIFFERENCES.find(([, , matches]) => matches({ frames: [], official: theirs, ...about }));
    if (row) differed.set(row[0], (differed.get(row[0]) ?? 0) + 1);
    else unmeant.push(`${JSON.stringify(about)}: official ${JSON.stringify(theirs)}, ours ${JSON.stringify(mine)}`);
  }
  assert.deepEqual(unmeant.slice(0, 20), [], `${unmeant.length} differences that we do not mean`);
  return differed;
}

const COUNT = 6_000;

test(`${COUNT} generated packets and ${THOUGHT_OF.length} that somebody thought of are read as socket.io-parser reads them`, async (t) => {
  const below = random(20261122);
  const sequences = [...THOUGHT_OF];
  for (let made = 0; made < COUNT; made += 1) {
    let frames = encoded(below);
    // A third as they are, the others broken in up to three places.
    for (let breaks = below(3) ? 1 + below(3) : 0; breaks > 0; breaks -= 1) frames = mutated(below, frames);
    sequences.push(frames);
  }
  const base64 = (frame) => (typeof frame === "string" ? frame : { base64: frame.toString("base64") });
  const answers = await ours(sequences.map((frames) => ({ frames: frames.map(base64) })));
  const cases = sequences.map((frames, index) => {
    const theirs = official(frames);
    const { verdict, packets } = answers[index];
    return { frames, mine: { verdict, packets: packets.map(assembled) }, theirs: { ...theirs, packets: theirs.packets.map(plain) } };
  });
  const accepted = cases.filter(({ theirs }) => theirs.verdict === "accepted").length;
  assert.ok(accepted > COUNT / 4 && accepted < COUNT * 0.75, `${accepted} were accepted: a fair mixture`);
  const differed = compare(cases);
  t.diagnostic(`accepted by the official parser: ${accepted} of ${cases.length}; we differ: ${JSON.stringify(Object.fromEntries(differed))}`);
});

test("3,000 generated payloads are read as engine.io-parser reads them", async (t) => {
  const below = random(7);
  const packet = () => pick(below, [
    () => `${below(7)}${pick(below, ["", "x", "é€😀", "[1]"])}`,
    () => `b${Buffer.from([below(256), below(256), below(256)].slice(0, below(4))).toString("base64")}`,
    () => pick(below, ["b!!", "bAQIDBA", "bAQ==x", "b A==", "7", "x", "", "bAQI_", "b="]),
  ])();
  const payloads = Array.from({ length: 3_000 }, () => Array.from({ length: 1 + below(4) }, packet).join("\u001e"));
  const answers = await ours(payloads.map((payload) => ({ payload })));
  const differed = compare(payloads.map((payload, index) => ({ payload, mine: answers[index], theirs: officialPayload(payload) })));
  t.diagnostic(`we differ: ${JSON.stringify(Object.fromEntries(differed))}`);
});
