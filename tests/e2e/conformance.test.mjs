// Engine.IO v4 and Socket.IO v5 on the wire, row by row, against the conformance Worker on real workerd.
// Each story runs with pings in between, as often as in the official suites, and without. Nobody is timed
// out for a test that is slow: what must close at once cannot be satisfied by that.

import assert from "node:assert/strict";
import http from "node:http";
import { after, before, describe, test } from "node:test";
import { within } from "./support/patience.mjs";
import { RawSocket } from "./support/raw.mjs";
import { startConformance } from "./support/server.mjs";

const SETTINGS = {
  "a ping every 300 ms": { PING_INTERVAL_MS: "300", PING_TIMEOUT_MS: "20000" },
  "a ping every 25 s": { PING_INTERVAL_MS: "25000", PING_TIMEOUT_MS: "20000" },
};
const SEPARATOR = "\u001e";
const UNKNOWN = [400, '{"code":1,"message":"Session ID unknown"}'];
const BAD_REQUEST = [400, '{"code":3,"message":"Bad request"}'];

for (const [name, variables] of Object.entries(SETTINGS)) describe(`on the wire, ${name}`, () => {
  const pings = variables.PING_INTERVAL_MS === "300";
  let server;
  before(async () => {
    server = await startConformance({ ...variables, CONNECT_TIMEOUT_MS: "3000", UPGRADE_TIMEOUT_MS: "3000" });
  });
  after(() => server.stop());

  /** A request; `[status, body]`, or `undefined` once it was given up. */
  function request(path, { method = "GET", body, headers = {}, signal } = {}) {
    return new Promise((resolve, reject) => {
      const sent = http.request(server.url + path, { method, headers, signal }, (response) => {
        const chunks = [];
        response.on("data", (chunk) => chunks.push(chunk));
        response.on("end", () => resolve(Object.assign([response.statusCode, Buffer.concat(chunks).toString()], { headers: response.headers })));
        response.on("error", reject);
      });
      sent.on("error", (error) => (signal?.aborted ? resolve(undefined) : reject(error)));
      sent.end(body);
    });
  }

  /** A session over long-polling at `/engine.io/` or `/socket.io/`. */
  class Polling {
    static async open(path = "/engine.io/") {
      const [status, body] = await request(`${path}?EIO=4&transport=polling`);
      assert.equal(status, 200);
      const session = new Polling();
      session.path = path;
      session.sid = JSON.parse(body.slice(1)).sid;
      session.query = `EIO=4&transport=polling&sid=${session.sid}`;
      return session;
    }
    get(options) {
      return request(`${this.path}?${this.query}`, options);
    }
    post(body, options) {
      return request(`${this.path}?${this.query}`, { method: "POST", body, ...options });
    }
    probe() {
      return new RawSocket(server, `${this.path}?EIO=4&transport=websocket&sid=${this.sid}`);
    }
    /** Polls until something else than a ping comes; the answer without pings. */
    async hear() {
      const [status, payload] = await this.get();
      const packets = payload.split(SEPARATOR).filter((packet) => packet !== "2");
      return packets.length === 0 ? this.hear() : [status, packets.join(SEPARATOR)];
    }
    /** Requests of this session are refused. */
    async isGone() {
      assert.deepEqual(noHeaders(await this.get()), UNKNOWN);
    }
  }

  const noHeaders = ([status, body]) => [status, body];
  const engineSocket = (options) => new RawSocket(server, "/engine.io/?EIO=4&transport=websocket", options);

  /** A WebSocket client of Socket.IO in the main namespace. */
  async function joined(auth = "") {
    const socket = new RawSocket(server, "/socket.io/?EIO=4&transport=websocket");
    await socket.next();
    socket.send(`40${auth}`);
    assert.match(await socket.next(), /^40\{"sid":"[\w-]+"\}$/);
    await socket.next((frame) => frame.startsWith('42["auth"'));
    return socket;
  }

  describe("handshake", () => {
    for (const path of ["/engine.io/", "/socket.io/"]) {
      test(`${path}: over polling and over WebSocket`, async () => {
        const answer = await request(`${path}?EIO=4&transport=polling`);
        assert.equal(answer[0], 200);
        assert.equal(answer.headers["content-type"], "text/plain; charset=UTF-8");
        assert.equal(answer.headers["cache-control"], "no-store");
        const expected = { pingInterval: Number(variables.PING_INTERVAL_MS), pingTimeout: Number(variables.PING_TIMEOUT_MS), maxPayload: 1_000_000 };
        const { sid, ...open } = JSON.parse(answer[1].slice(1));
        assert.match(sid, /^[\w-]{20}$/);
        assert.deepEqual([answer[1][0], open], ["0", { upgrades: ["websocket"], ...expected }]);
        const socket = new RawSocket(server, `${path}?EIO=4&transport=websocket`);
        const { sid: other, ...same } = JSON.parse((await socket.next()).slice(1));
        assert.deepEqual(same, { upgrades: [], ...expected });
        assert.notEqual(other, sid);
        socket.close();
      });
    }

    test("what is refused, with which body, and what is looked at first", async () => {
      const json = (code, message) => [400, JSON.stringify({ code, message })];
      const transport = json(0, "Transport unknown");
      for (const [query, method, expected] of [
        ["EIO=4", "GET", transport],
        ["EIO=4&transport=abc", "GET", transport],
        ["transport=__proto__&sid=x", "PUT", transport],
        ["EIO=4&transport=polling&sid=__proto__", "GET", UNKNOWN],
        ["EIO=4&transport=polling&sid=unknown", "PUT", UNKNOWN],
        ["EIO=4&transport=polling", "POST", json(2, "Bad handshake method")],
        ["EIO=4&transport=polling", "PUT", json(2, "Bad handshake method")],
        ["EIO=4&transport=websocket", "GET", BAD_REQUEST],
        ["transport=polling", "GET", json(5, "Unsupported protocol version")],
        ["EIO=abc&transport=polling", "GET", json(5, "Unsupported protocol version")],
        ["EIO=3&transport=polling&sid=", "GET", json(5, "Unsupported protocol version")],
      ]) {
        const answer = await request(`/engine.io/?${query}`, { method });
        assert.deepEqual(noHeaders(answer), expected, `${method} ${query}`);
        assert.equal(answer.headers["content-type"], "application/json");
        assert.ok(answer.headers["access-control-allow-origin"], "readable across origins");
      }
      const last = await request("/engine.io/?EIO=3&EIO=4&transport=abc&transport=polling");
      assert.equal(last[0], 200, "of repeated keys the last counts");
      assert.equal((await request("/engine.io?EIO=4&transport=polling"))[0], 404, "the slash belongs to the path");
    });

    test("a WebSocket without version, transport or session does not open", async () => {
      for (const query of ["transport=websocket", "EIO=abc&transport=websocket", "EIO=4", "EIO=4&transport=abc", "EIO=4&transport=websocket&sid=x"]) {
        const socket = new RawSocket(server, `/engine.io/?${query}`);
        assert.equal(await socket.closed(query), 1006);
      }
      const headers = { connection: "Upgrade", upgrade: "websocket", "sec-websocket-version": "13", "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==" };
      const refused = await request("/engine.io/?EIO=4&transport=abc", { headers });
      assert.deepEqual([...refused, refused.headers["content-type"]], [400, "Transport unknown", "text/html"]);
    });

    test("a request of another transport or version than its session's", async () => {
      const session = await Polling.open();
      for (const query of [`EIO=4&transport=websocket&sid=${session.sid}`, `EIO=3&transport=polling&sid=${session.sid}`, `transport=polling&sid=${session.sid}`]) {
        assert.deepEqual(noHeaders(await request(`/engine.io/?${query}`)), BAD_REQUEST, query);
      }
      // The official server says 500, though nothing of the server's has failed.
      assert.deepEqual(noHeaders(await session.get({ method: "PUT" })), [400, '{"code":2,"message":"Bad handshake method"}']);
      await session.post("4still here");
      assert.deepEqual(noHeaders(await session.hear()), [200, "4still here"]);
    });
  });

  describe("messages", () => {
    test("polling: text, several, binary, each come back as one payload", async () => {
      const session = await Polling.open();
      for (const payload of ["4hello", ["4test1", "4test2", "4test3"].join(SEPARATOR), `4hello${SEPARATOR}bAQIDBA==`, "4€😀"]) {
        const posted = await session.post(payload);
        assert.deepEqual([...posted, posted.headers["content-type"]], [200, "ok", "text/html"]);
        assert.deepEqual(noHeaders(await session.hear()), [200, payload]);
      }
    });

    test("polling: a poll waits, and gets all that one post brings", async () => {
      const session = await Polling.open();
      const parked = session.hear();
      await session.post(`4a${SEPARATOR}4b`);
      assert.equal((await within(parked, "the poll"))[1], `4a${SEPARATOR}4b`);
    });

    test("WebSocket: text as text, binary as binary", async () => {
      const socket = engineSocket();
      await socket.next();
      socket.send("4hello");
      assert.equal(await socket.next(), "4hello");
      socket.send(Buffer.from([1, 2, 3, 4]));
      assert.deepEqual(await socket.next(), Buffer.from([1, 2, 3, 4]));
      socket.close();
    });

    test("polling: what cannot be read ends the session, though the post itself is answered", async () => {
      for (const body of ["abc", "", "2", "b!!", `4x${SEPARATOR}`]) {
        const session = await Polling.open();
        assert.deepEqual(noHeaders(await session.post(body)), [200, "ok"], body);
        await session.isGone();
      }
      const session = await Polling.open();
      for (const packet of ["0", "5", "6"]) assert.equal((await session.post(packet))[0], 200);
      assert.equal((await session.post("3"))[0], 200, "a pong that nobody asked for");
      await session.post("4still here");
      assert.deepEqual(noHeaders(await session.hear()), [200, "4still here"]);
    });

    test("WebSocket: what cannot be read closes without a status, what means nothing does no harm", async () => {
      for (const frame of ["abc", "2probe", "2", "", "7"]) {
        const socket = engineSocket();
        await socket.next();
        socket.send(frame);
        assert.equal(await socket.closed(frame), 1005, frame);
      }
      const socket = engineSocket();
      await socket.next();
      for (const frame of ["0", "3", "5", "6"]) socket.send(frame);
      socket.send("4still here");
      assert.equal(await socket.next(), "4still here");
      socket.close();
    });

    test("polling: a body of a million bytes is taken, a larger one is 413 and keeps the session", async () => {
      const session = await Polling.open();
      const huge = `4${"x".repeat(1_000_000)}`;
      assert.deepEqual(noHeaders(await session.post(huge)), [413, ""]);
      assert.deepEqual(noHeaders(await session.post(huge, { headers: { "transfer-encoding": "chunked" } })), [413, ""]);
      assert.deepEqual(noHeaders(await session.post(huge.slice(0, 1_000_000))), [200, "ok"]);
      assert.equal((await session.hear())[1].length, 1_000_000);
    });

    test("WebSocket: a larger frame closes with 1009", async () => {
      const socket = engineSocket();
      await socket.next();
      socket.send(`4${"x".repeat(999_999)}`);
      assert.equal((await socket.next()).length, 1_000_000);
      socket.send(`4${"x".repeat(1_000_000)}`);
      assert.equal(await socket.closed("the close"), 1009);
    });

    test("polling: octets are refused and end the session", async () => {
      const session = await Polling.open();
      const posted = await session.post("4x", { headers: { "content-type": "application/octet-stream" } });
      assert.deepEqual(noHeaders(posted), [400, ""]);
      await session.isGone();
    });
  });

  describe("polls that do not fit", () => {
    test("a second poll ends the session", async () => {
      let session, answers;
      do {
        session = await Polling.open();
        const polls = [session.get(), session.get()];
        // Where a ping was due it answers one of the two, and then there is no second: the other one waits for an answer.
        for (const poll of polls) poll.then(([, body]) => body === "2" && session.post("1"));
        answers = (await Promise.all(polls)).map(noHeaders);
      } while (answers.some(([, body]) => body === "2"));
      assert.deepEqual(answers.sort(), [[200, "1"], [400, ""]], "the first is told, whichever that was");
      await session.isGone();
    });

    test("a poll that is given up ends the session", async () => {
      const session = await Polling.open();
      let status = 200;
      // Nothing tells that a poll has arrived. One that was given up before, or answered by a ping, was none.
      for (let attempt = 0; attempt < 10 && status === 200; attempt += 1) {
        const controller = new AbortController();
        const given = session.get({ signal: controller.signal });
        await new Promise((resolve) => setTimeout(resolve, 100));
        controller.abort();
        await given;
        // Whether the runtime tells us or this is a second one: it is refused.
        [status] = await session.get();
      }
      assert.equal(status, 400);
      await session.isGone();
    });

    test("a second post while the first still comes ends the session", async () => {
      const session = await Polling.open();
      const first = http.request(`${server.url}${session.path}?${session.query}`, { method: "POST", headers: { "transfer-encoding": "chunked" } });
      first.on("error", () => {});
      first.write("4slow");
      await new Promise((resolve) => setTimeout(resolve, 100));
      let second = [200];
      // Before the first has arrived there is no second.
      for (let attempt = 0; attempt < 100 && second[0] === 200; attempt += 1) second = await session.post("4fast");
      assert.deepEqual(noHeaders(second), [400, ""]);
      first.end();
      await session.isGone();
    });
  });

  describe("close", () => {
    test("polling: the client's close gives its poll back", async () => {
      const session = await Polling.open();
      const parked = session.hear();
      // It may overtake the poll.
      assert.deepEqual(noHeaders(await session.post("1")), [200, "ok"]);
      assert.deepEqual(noHeaders(await within(parked, "the poll")), [200, "6"]);
      await session.isGone();
    });

    test("WebSocket: the client's close closes", async () => {
      const socket = engineSocket();
      await socket.next();
      socket.send("1");
      assert.equal(await socket.closed("the close"), 1005);
    });

    test("polling: the server's close tells everything else first", async () => {
      const session = await Polling.open("/socket.io/");
      await session.post("40");
      await session.hear();
      await session.post('42["disconnect-me",true]');
      assert.equal((await session.hear())[1], "41");
      assert.equal((await session.hear())[1], `6${SEPARATOR}1`);
      await session.isGone();
    });
  });

  describe("heartbeat", () => {
    if (pings) {
      test("polling: pings wait for polls, three times", async () => {
        const session = await Polling.open();
        for (let round = 0; round < 3; round += 1) {
          assert.deepEqual(noHeaders(await session.get()), [200, "2"]);
          assert.equal((await session.post("3"))[0], 200);
        }
      });

      test("WebSocket: three times; the first an interval after the open", async () => {
        const begun = performance.now();
        const socket = engineSocket({ answersPings: false });
        await socket.next();
        for (let round = 0; round < 3; round += 1) {
          assert.equal(await socket.next(), "2");
          if (round === 0) assert.ok(performance.now() - begun > 200, "not at once");
          socket.send("3");
        }
        socket.close();
      });
    } else {
      test("no ping comes before its time", async () => {
        const socket = engineSocket({ answersPings: false });
        await socket.next();
        socket.send("4x");
        assert.equal(await socket.next(), "4x");
        socket.close();
      });
    }
  });

  describe("upgrade", () => {
    test("probe, noop, upgrade; the session goes on over WebSocket and polls are refused", async () => {
      const session = await Polling.open();
      const parked = session.hear();
      const socket = session.probe();
      await socket.opened();
      socket.send("2probe");
      assert.equal(await socket.next(), "3probe");
      assert.deepEqual(noHeaders(await within(parked, "the poll")), [200, "6"]);
      await session.post("4waits");
      socket.send("2probe");
      assert.equal(await socket.next(), "3probe", "as often as it likes");
      socket.send("5");
      assert.equal(await socket.next(), "4waits", "what waited comes first");
      assert.deepEqual(noHeaders(await session.get()), BAD_REQUEST);
      socket.send("4hello");
      assert.equal(await socket.next(), "4hello");
      socket.close();
    });

    test("without a probe", async () => {
      const session = await Polling.open();
      const socket = session.probe();
      await socket.opened();
      socket.send("5");
      socket.send("4hello");
      assert.equal(await socket.next(), "4hello");
      socket.close();
    });

    test("a second WebSocket closes at once, the first is not harmed", async () => {
      const session = await Polling.open();
      const first = session.probe();
      await first.opened();
      first.send("2probe");
      await first.next();
      assert.equal(await session.probe().closed("one during the upgrade"), 1005);
      first.send("5");
      first.send("4hello");
      assert.equal(await first.next(), "4hello");
      assert.equal(await session.probe().closed("one after the upgrade"), 1005);
      first.send("4again");
      assert.equal(await first.next(), "4again");
      first.close();
    });

    test("a probe that says something else closes, and so does one that never ends; polling goes on", async () => {
      const session = await Polling.open();
      const wrong = session.probe();
      await wrong.opened();
      wrong.send("4x");
      assert.equal(await wrong.closed("the wrong one"), 1005);
      const slow = session.probe();
      await slow.opened();
      slow.send("2probe");
      await slow.next();
      let over = false;
      const closed = slow.closed("the slow one").finally(() => (over = true));
      // A client that goes on polling meanwhile, as one whose WebSocket does not get through.
      while (!over) {
        const [, payload] = await session.get();
        assert.match(payload, /^[26]$/);
        if (payload === "2") await session.post("3");
      }
      assert.equal(await closed, 1005);
      await session.post("4still here");
      assert.deepEqual(noHeaders(await session.hear()), [200, "4still here"]);
    });
  });

  describe("Socket.IO", () => {
    test("the main namespace, with and without a payload", async () => {
      const socket = new RawSocket(server, "/socket.io/?EIO=4&transport=websocket");
      await socket.next();
      socket.send('40{"token":"123"}');
      assert.match(await socket.next(), /^40\{"sid":"[\w-]+"\}$/);
      assert.equal(await socket.next(), '42["auth",{"token":"123"}]');
      socket.close();
      (await joined()).close();
    });

    test("another namespace, and one that there is not", async () => {
      const socket = await joined();
      socket.send('40/custom,{"token":"abc"}');
      assert.match(await socket.next(), /^40\/custom,\{"sid":"[\w-]+"\}$/);
      assert.equal(await socket.next(), '42/custom,["auth",{"token":"abc"}]');
      socket.send("40/random");
      assert.equal(await socket.next(), '44/random,{"message":"Invalid namespace"}');
      socket.send("41/custom,");
      socket.send('42["message","still here"]');
      assert.equal(await socket.next(), '42["message-back","still here"]');
      socket.close();
    });

    test("events and acks, text and binary, both ways", async () => {
      const socket = await joined();
      const [one, two] = ['{"_placeholder":true,"num":0}', '{"_placeholder":true,"num":1}'];
      for (const [sent, expected] of [
        [['42["message",1,"2",{"3":[true]}]'], ['42["message-back",1,"2",{"3":[true]}]']],
        [['42456["message-with-ack",1,"2",{"3":[false]}]'], ['43456[1,"2",{"3":[false]}]']],
        [[`452-["message",${one},${two}]`, Buffer.from([1]), Buffer.from([2])], [`452-["message-back",${one},${two}]`, Buffer.from([1]), Buffer.from([2])]],
        [[`452-789["message-with-ack",${one},${two}]`, Buffer.from([1]), Buffer.from([2])], [`462-789[${one},${two}]`, Buffer.from([1]), Buffer.from([2])]],
        [['42["ask-me",7]'], ['420["question",7]']],
        [["430[true]"], ['42["answered",0,[true]]']],
      ]) {
        sent.forEach((frame) => socket.send(frame));
        for (const frame of expected) assert.deepEqual(await socket.next(), frame);
      }
      socket.close();
    });

    test("what does no harm", async () => {
      const socket = await joined();
      for (const frame of ["43[]", "4399[]", '42["error"]', "42[7]", '42["nobody knows"]']) socket.send(frame);
      socket.send('42["message","still here"]');
      assert.equal(await socket.next(), '42["message-back","still here"]');
      socket.close();
    });

    for (const frames of [
      ["4abc"], ["42{}"], ['42abc["message-with-ack",1]'], ["40"], ["44{}"], ["48"], ["42[]"], ["42[null]"],
      ['42["connect"]'], ['42["disconnecting"]'], ['42[{"toString":"x"}]'], ["41", '42["message"]'],
      ['42/custom,["message"]'], ['450-["message"]'], ['4511-["message"]'], ['451.5-["message"]'],
      ['451-["message",{"_placeholder":true,"num":1}]'], [Buffer.from([1])],
      ['451-["message",{"_placeholder":true,"num":0}]', '42["message"]'], ["40/custom,[]"],
    ]) {
      test(`${frames.map((frame) => (typeof frame === "string" ? frame : "(bytes)")).join(", ")} closes`, async () => {
        const socket = await joined();
        frames.forEach((frame) => socket.send(frame));
        assert.equal(await socket.closed("the close"), 1005);
      });
    }

    test("before a CONNECT there is nothing to say, and without one no session", async () => {
      for (const frame of ['42["message"]', "41", "40[]", '40"x"', "40null", "4abc"]) {
        const socket = new RawSocket(server, "/socket.io/?EIO=4&transport=websocket");
        await socket.next();
        socket.send(frame);
        assert.equal(await socket.closed(frame), 1005, frame);
      }
      const silent = new RawSocket(server, "/socket.io/?EIO=4&transport=websocket");
      const refused = new RawSocket(server, "/socket.io/?EIO=4&transport=websocket");
      await refused.next();
      refused.send("40/random");
      await refused.next((frame) => frame.startsWith("44"));
      assert.equal(await silent.closed("the silent one"), 1005);
      assert.equal(await refused.closed("a refused CONNECT stops no clock"), 1005);
    });

    test("a namespace may be left and the session goes on, from either side", async () => {
      const socket = await joined();
      socket.send("41");
      socket.send("40");
      assert.match(await socket.next(), /^40\{/);
      await socket.next();
      socket.send('42["disconnect-me",false]');
      assert.equal(await socket.next(), "41");
      socket.send("40");
      assert.match(await socket.next(), /^40\{/);
      await socket.next();
      socket.send('42["disconnect-me",true]');
      assert.equal(await socket.next(), "41");
      assert.equal(await socket.closed("the close"), 1005);
    });

    test("volatile events are for transports that are ready", async () => {
      const session = await Polling.open("/socket.io/");
      await session.post("40");
      await session.hear();
      await session.post('42["volatile",1]');
      await session.post('42["message",1]');
      assert.equal((await session.hear())[1], '42["message-back",1]', "no poll was waiting");
      let answered = false;
      const parked = within(session.hear(), "the poll").finally(() => (answered = true));
      // Lost, like the one before, until the poll is there.
      while (!answered) await session.post('42["volatile",2]');
      assert.equal((await parked)[1], '42["volatile-back",2]');
    });
  });
});

describe("on the wire, with the heartbeat of the official suites", () => {
  test("who does not answer is closed, over either transport", async () => {
    const server = await startConformance({ PING_INTERVAL_MS: "300", PING_TIMEOUT_MS: "200" });
    const path = "/engine.io/?EIO=4&transport=";
    const { sid } = JSON.parse((await (await fetch(`${server.url}${path}polling`)).text()).slice(1));
    const socket = new RawSocket(server, `${path}websocket`, { answersPings: false });
    assert.equal(await socket.closed("the time-out"), 1005);
    let answer;
    // The ping can still be fetched, and the close.
    do answer = await fetch(`${server.url}${path}polling&sid=${sid}`);
    while (answer.status === 200);
    assert.deepEqual([answer.status, await answer.text()], UNKNOWN);
    await server.stop();
  });
});
