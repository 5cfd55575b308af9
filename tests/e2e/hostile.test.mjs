// What hostile clients send over HTTP: every answer is as the document has it, none is a fault of ours, none is
// missing, and nothing stays in memory. `hostile_frames.test.mjs` is about sockets.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Documented, send } from "./support/document.mjs";
import { MEGABYTE, RAW_VALUES, Tcp, URL_VALUES, VALUES, assertNoFault } from "./support/hostile.mjs";
import { call, person, roomOf } from "./support/people.mjs";
import { within } from "./support/patience.mjs";
import { UNLIMITED, startWatched } from "./support/server.mjs";

const MIB = 1024 * 1024;
/** What one storm may add to the runtime's memory, which it clears when it likes. */
const GROWTH = 60 * MIB;

describe("hostile HTTP", () => {
  let server, documented, ann, roomId;
  before(async () => {
    server = await startWatched(UNLIMITED);
    documented = await Documented.of(server);
    ann = await person(server);
    roomId = await roomOf(server, ann, await person(server));
  });
  after(() => server.stop());

  /** The rooms' owner asks, or nobody where that is allowed. */
  const ask = (id, options) => {
    const token = documented.operation(id).operation.security ? ann.token : undefined;
    return documented.ask(id, { token, roomId, ...options });
  };

  /** Does it with each, several at once. */
  async function withEach(things, use) {
    const queue = [...things];
    const worker = async () => {
      while (queue.length > 0) await use(queue.shift());
    };
    await Promise.all(Array.from({ length: 6 }, worker));
  }

  test("every field of every body with values of every kind", async (t) => {
    const bodies = documented.operations.map(({ id }) => [id, documented.exampleBody(id)]).filter(([, example]) => example);
    const fields = bodies.flatMap(([id, example]) => Object.keys(example).map((field) => ({ id, example, field })));
    assert.ok(fields.length >= 20, "the document has bodies");
    let asked = 0;
    await withEach(fields.flatMap((field) => VALUES.map((value) => ({ ...field, value }))), async ({ id, example, field, value }) => {
      const { [field]: meant, ...rest } = example;
      const raw = `{"${field}":${value},${JSON.stringify(rest).slice(1)}`.replace(/,\}$/, "}");
      const { status, text } = await ask(id, { raw });
      const what = `${id}.${field} = ${value.slice(0, 60)}: ${status} ${text.slice(0, 200)}`;
      assert.ok(status < 500, what);
      if (!isLike(value, meant)) assert.equal(status, 400, what);
      asked += 1;
    });
    t.diagnostic(`${asked} requests, ${fields.length} fields`);
    assertNoFault(server);
  });

  /** Whether a field that is meant to have a value like that may have this one. */
  function isLike(value, meant) {
    let parsed;
    try {
      parsed = JSON.parse(value);
    } catch {
      return false;
    }
    return typeof parsed === typeof meant && Array.isArray(parsed) === Array.isArray(meant);
  }

  test("every body that is no object of the document's, on every operation", async () => {
    const bodies = ["", " ", "null", "0", '"x"', "[]", "{", '{"a":1,}', "{}{}", '{"a":1,"a":2}', "\u0000", "\ufeff{}", "[".repeat(60_000), "nul", RAW_VALUES, `{"name":${RAW_VALUES}`];
    await withEach(documented.operations.flatMap(({ id }) => bodies.map((raw) => ({ id, raw }))), async ({ id, raw }) => {
      const { status, text } = await ask(id, { raw });
      assert.ok(status < 500, `${id} ${raw.slice(0, 40)}: ${status} ${text.slice(0, 200)}`);
    });
    for (const bytes of [Buffer.from([0x7b, 0xff, 0xfe, 0x7d]), Buffer.from('{"name":"\xed\xa0\x80"}', "latin1"), Buffer.from([0x1f, 0x8b, 8, 0])]) {
      const { status } = await ask("createRoom", { raw: bytes });
      assert.equal(status, 400, `${bytes.toString("hex")} is no UTF-8`);
    }
    const packed = await ask("createRoom", { raw: Buffer.from([0x1f, 0x8b, 8, 0]), headers: { "content-encoding": "gzip" } });
    assert.ok([400, 415].includes(packed.status));
    assertNoFault(server);
  });

  test("a name of a megabyte is refused, wherever one can be given", async () => {
    for (const { id, method, path } of documented.operations.filter(({ id }) => documented.exampleBody(id))) {
      const [field] = Object.keys(documented.exampleBody(id));
      const body = JSON.stringify({ [field]: "x".repeat(MEGABYTE) });
      const headers = { "content-type": "application/json", authorization: `Bearer ${ann.token}` };
      // Whoever goes on writing to a server that has answered and closed may lose the answer.
      const answer = await send(server.url, method, path.replace("{roomId}", roomId), { headers, body }).catch(({ code }) => ({ code }));
      assert.ok(answer.status === 413 || ["ECONNRESET", "EPIPE"].includes(answer.code), `${id}: ${answer.status} ${answer.code}`);
    }
    assertNoFault(server);
  });

  test("every parameter of every operation, in path and query", async () => {
    const parameters = documented.operations.flatMap(({ id, path, operation }) =>
      (operation.parameters ?? []).map((parameter) => ({ id, path, ...documented.resolved(parameter) })),
    );
    assert.ok(parameters.length >= 12, "the document has parameters");
    await withEach(parameters.flatMap((parameter) => URL_VALUES.map((value) => ({ ...parameter, value }))), async ({ id, name, value, in: where }) => {
      const { method, path } = documented.operation(id);
      const url = where === "path" ? path.replace(`{${name}}`, value) : `${path}?${name}=${value}`;
      const { status, text } = await send(server.url, method, url, { headers: { authorization: `Bearer ${ann.token}` } });
      // Another path may be another operation: only that it is no fault is certain.
      assert.ok(status < 500 && status >= 200, `${method} ${url.slice(0, 100)}: ${status} ${text.slice(0, 200)}`);
      if (where === "query" && value !== "") assert.equal(status, 400, `${url.slice(0, 100)}: ${text.slice(0, 200)}`);
    });
    assertNoFault(server);
  });

  test("headers that nobody means", async () => {
    const odd = ["", " ", "\t", "x".repeat(4_000), "\u00ff", "null", "a,b", "Bearer", "Bearer  ", "Bearer a b", "bearer \u00e9", "Bearer " + ".".repeat(4_000)];
    for (const name of ["authorization", "x-request-id", "cf-connecting-ip", "origin", "content-type", "cookie", "x-forwarded-for", "accept", "if-none-match"]) {
      for (const value of odd) {
        const { status, text } = await send(server.url, "POST", "/api/room/create", { headers: { [name]: value }, body: "{}" });
        assert.ok(status >= 400 && status < 500, `${name}: ${value.slice(0, 40)}: ${status} ${text.slice(0, 200)}`);
      }
    }
    assertNoFault(server);
  });

  const head = (...lines) => `${lines.join("\r\n")}\r\n\r\n`;
  const json = "content-type: application/json";
  /** `[what, bytes, whether the client then waits]`: where it does not the request is over for it. */
  const REQUESTS = [
    ["a length that is too large", head("POST /api/auth/login HTTP/1.1", "host: x", json, "content-length: 10") + "{}", "ends"],
    ["a length that is too small", head("POST /api/auth/login HTTP/1.1", "host: x", json, "content-length: 1") + '{"email":1}', "waits"],
    ["a negative length", head("POST /api/auth/login HTTP/1.1", "host: x", json, "content-length: -1") + "{}", "waits"],
    ["a length that is no number", head("POST /api/auth/login HTTP/1.1", "host: x", json, "content-length: x") + "{}", "waits"],
    ["an endless length", head("POST /api/auth/login HTTP/1.1", "host: x", json, `content-length: ${"9".repeat(30)}`) + "{}", "waits"],
    ["two lengths", head("POST /api/auth/login HTTP/1.1", "host: x", json, "content-length: 2", "content-length: 3") + "{} ", "waits"],
    ["a length and chunks", head("POST /api/auth/login HTTP/1.1", "host: x", json, "content-length: 2", "transfer-encoding: chunked") + "2\r\n{}\r\n0\r\n\r\n", "waits"],
    ["chunks that are none", head("POST /api/auth/login HTTP/1.1", "host: x", json, "transfer-encoding: chunked") + "zz\r\n{}\r\n", "waits"],
    ["a chunk that breaks off", head("POST /api/auth/login HTTP/1.1", "host: x", json, "transfer-encoding: chunked") + "ff\r\n{}", "ends"],
    ["another encoding", head("POST /api/auth/login HTTP/1.1", "host: x", json, "transfer-encoding: gzip") + "{}", "ends"],
    ["a header of a megabyte", head("GET /health HTTP/1.1", "host: x", `x: ${"x".repeat(MEGABYTE)}`), "waits"],
    ["ten thousand headers", head("GET /health HTTP/1.1", "host: x", ...Array.from({ length: 10_000 }, (_, n) => `x-${n}: ${n}`)), "waits"],
    ["a path of a megabyte", head(`GET /${"x".repeat(MEGABYTE)} HTTP/1.1`, "host: x"), "waits"],
    ["NUL in a header", head("GET /health HTTP/1.1", "host: x", "x: a\0b"), "waits"],
    ["control characters in the path", head("GET /health\x01\x7f HTTP/1.1", "host: x"), "waits"],
    ["bytes that are no text in the path", Buffer.from(head("GET /health\xff\xfe HTTP/1.1", "host: x"), "latin1"), "waits"],
    ["no host", head("GET /health HTTP/1.1"), "waits"],
    ["a host that is none", head("GET /health HTTP/1.1", "host: [::"), "waits"],
    ["no version", "GET /health\r\n\r\n", "ends"],
    ["a version that there is not", head("GET /health HTTP/9.9", "host: x"), "waits"],
    ["a folded header", head("GET /health HTTP/1.1", "host: x", "x: a", " b"), "waits"],
    ["a method that there is not", head("HACK /health HTTP/1.1", "host: x"), "waits"],
    ["TLS", Buffer.from([0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0]), "ends"],
    ["a preface of HTTP/2", head("PRI * HTTP/2.0", "", "SM"), "ends"],
    ["half a request", "POST /api/auth/login HTTP/1.1\r\nhost:", "ends"],
  ];

  for (const [what, bytes, then] of REQUESTS) test(`${what}: is answered or refused, and the next one is answered`, async (t) => {
    // Without Miniflare's own Worker in front.
    const tcp = await Tcp.open(server.directUrl);
    tcp.send(bytes);
    if (then === "ends") tcp.socket.end();
    const status = await tcp.status(what);
    t.diagnostic(String(status));
    // The runtime has its own words for what never reaches the Worker: ours have a request id.
    assert.ok(status < 500 || !/^x-request-id:/im.test(tcp.text), `${status}: ${tcp.text.slice(0, 300)}`);
    tcp.reset();
    assert.equal((await call(server, "GET", "/api/user/profile", { token: ann.token })).status, 200);
    assertNoFault(server);
  });

  /** Bodies that never end, of clients that then go away. */
  async function slowBodies(count) {
    const slow = await Promise.all(Array.from({ length: count }, () => Tcp.open(server.directUrl)));
    const request = head("POST /api/auth/login HTTP/1.1", "host: x", json, "content-length: 60000") + "x".repeat(50_000);
    for (const tcp of slow) tcp.send(request);
    const begun = performance.now();
    assert.equal((await within(call(server, "GET", "/api/user/profile", { token: ann.token }), "an answer beside them")).status, 200);
    for (const tcp of slow) {
      assert.equal(tcp.text, "", "who sends no more is answered no sooner");
      tcp.reset();
    }
    return performance.now() - begun;
  }

  test("slow bodies hold nobody else up", async (t) => {
    t.diagnostic(`an answer beside fifty of them took ${(await slowBodies(50)).toFixed(0)} ms`);
    assertNoFault(server);
  });

  test("of a storm of all of this nothing stays in memory", async (t) => {
    const storm = async () => {
      await slowBodies(20);
      await withEach(VALUES, (value) => ask("createRoom", { raw: `{"name":${value}}` }));
      await withEach(REQUESTS, async ([what, bytes]) => {
        const tcp = await Tcp.open(server.directUrl);
        tcp.send(bytes).socket.end();
        await tcp.status(what);
        tcp.reset();
      });
    };
    // What it needs once it has then.
    for (let round = 0; round < 2; round += 1) await storm();
    const [ours, before] = [await server.wasmMemory(), server.memory()];
    await storm();
    const grown = server.memory() - before;
    for (let round = 0; round < 4; round += 1) await storm();
    t.diagnostic(`the Worker has ${ours / MIB} MiB; one more storm added ${(grown / MIB).toFixed(1)} MiB to the runtime's ${(before / MIB).toFixed(0)}`);
    assert.equal(await server.wasmMemory(), ours, "after five more storms the Worker has as much as before");
    assert.ok(grown < GROWTH, `it grew by ${Math.round(grown / MIB)} MiB`);
    assertNoFault(server);
  });
});
