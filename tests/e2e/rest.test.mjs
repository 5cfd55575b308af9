// The REST API on real workerd with real D1: what memory and one thread cannot show.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, request } from "node:http";
import { json } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { within } from "./support/patience.mjs";
import { call, person, roomOf } from "./support/people.mjs";
import { freePort, startServer } from "./support/server.mjs";

describe("REST on workerd", () => {
  let server;
  before(async () => {
    server = await startServer({ AUTH_LIMIT_ATTEMPTS: "1000" });
  });
  after(() => server.stop());

  const register = (body, headers) => call(server, "POST", "/api/auth/register", { body, headers });
  const login = (email, password, headers) => call(server, "POST", "/api/auth/login", { body: { email, password }, headers });

  test("health asks the real database", async () => {
    const { status, json } = await call(server, "GET", "/health");
    assert.deepEqual([status, json.status, json.database], [200, "ok", "connected"]);
  });

  test("of ten registrations of one name at once exactly one wins", async () => {
    const attempts = Array.from({ length: 10 }, (_, number) =>
      register({ username: "same_name", email: `same${number}@example.com`, password: "Sup3rSecret" }, address(`198.51.100.${number}`)),
    );
    const statuses = (await Promise.all(attempts)).map(({ status }) => status).sort();
    assert.deepEqual(statuses, [201, ...Array(9).fill(409)]);
  });

  test("of ten joins at once one takes place", async () => {
    const [ann, bob] = [await person(server), await person(server)];
    const room = await roomOf(server, ann);
    const joins = Array.from({ length: 10 }, () => call(server, "POST", `/api/room/join/${room}`, { token: bob.token }));
    for (const { status, json } of await Promise.all(joins)) {
      assert.deepEqual([status, json.room.participants], [200, [ann.id, bob.id]]);
    }
  });

  test("two clients' posts of one call at once are one log", async () => {
    const [ann, bob] = [await person(server), await person(server)];
    const room = await roomOf(server, ann, bob);
    const post = (me, other) =>
      call(server, "POST", "/api/call-logs", { token: me.token, body: { callerId: me.id, receiverId: other.id, roomId: room } });
    const answers = await Promise.all([post(ann, bob), post(bob, ann), post(ann, bob), post(bob, ann)]);
    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 200, 200, 201]);
    assert.equal(new Set(answers.map(({ json }) => json.callLog._id)).size, 1);
    const ended = await call(server, "PUT", `/api/call-logs/${room}/end`, { token: bob.token });
    assert.equal(ended.status, 200);
    const { json } = await call(server, "GET", "/api/call-logs/stats", { token: ann.token });
    assert.deepEqual([json.totalCalls, json.completedCalls], [1, 1]);
    const list = await call(server, "GET", "/api/call-logs", { token: ann.token });
    assert.equal(list.json.callLogs[0].callerId.email.endsWith("@example.com"), true);
  });

  test("a token dies with a password change and with its account", async () => {
    const ann = await person(server);
    const other = (await login(ann.email, ann.password)).json.token;
    const change = { currentPassword: ann.password, newPassword: "N3wPassword" };
    const { json } = await call(server, "POST", "/api/auth/change-password", { token: ann.token, body: change });
    const profile = async (token) => (await call(server, "GET", "/api/user/profile", { token })).status;
    assert.deepEqual([await profile(other), await profile(ann.token), await profile(json.token)], [401, 200, 200]);
    await call(server, "DELETE", "/api/user/account", { token: json.token, body: { password: "N3wPassword" } });
    assert.deepEqual([await profile(ann.token), await profile(json.token)], [401, 401]);
  });

  test("guesses made at once learn no more than five", async () => {
    const ann = await person(server);
    const from = address("203.0.113.7");
    const guesses = Array.from({ length: 12 }, () => login(ann.email, "wrong", from));
    const statuses = (await Promise.all(guesses)).map(({ status }) => status).sort();
    assert.deepEqual(statuses, [...Array(5).fill(401), ...Array(7).fill(429)]);
    const right = await login(ann.email, ann.password, from);
    assert.equal(right.status, 429, "the right password too");
    assert.equal(Number(right.headers.get("retry-after")), right.json.retryAfter);
    assert.match(right.headers.get("ratelimit"), /"account-failures";r=0;t=\d+/);
    assert.equal((await login(ann.email, ann.password, address("203.0.113.8"))).status, 200);
  });

  test("CORS, security headers and request ids are on errors too", async () => {
    const headers = { origin: "http://localhost:3000", "x-request-id": "my-id" };
    const answer = await call(server, "GET", "/nothing", { headers });
    assert.equal(answer.status, 404);
    assert.equal(answer.headers.get("access-control-allow-origin"), "http://localhost:3000");
    assert.equal(answer.headers.get("x-request-id"), "my-id");
    assert.equal(answer.headers.get("x-frame-options"), "DENY");
    assert.equal(answer.json.requestId, "my-id");
  });

  test("a body that is too large is refused while it is being sent", async () => {
    // Each on a connection of its own: the server closes the one on which it has refused a body, perhaps just when the
    // next request uses it.
    const refusal = async (send) => {
      const options = { method: "POST", agent: false, headers: { "content-type": "application/json" } };
      const sending = request(`${server.url}/api/auth/register`, options);
      const answered = once(sending, "response");
      send(sending);
      const [answer] = await within(answered, "the refusal of a body");
      const { code } = await json(answer);
      sending.destroy();
      return [answer.statusCode, code];
    };
    const whole = JSON.stringify({ username: "x".repeat(70_000) });
    assert.deepEqual(await refusal((sending) => sending.end(whole)), [413, "body_too_large"]);
    // A body that never ends, so that the answer comes before it has; and one write, since whoever goes on writing to a
    // server that has answered and closed may lose the answer.
    assert.deepEqual(await refusal((sending) => sending.write(" ".repeat(70_000))), [413, "body_too_large"]);
  });

  test("HEAD answers without a body, OPTIONS without a token", async () => {
    assert.deepEqual([(await call(server, "HEAD", "/health")).status, (await call(server, "HEAD", "/health")).text], [200, ""]);
    assert.equal((await call(server, "OPTIONS", "/api/user/profile", { headers: { origin: "http://localhost:3000" } })).status, 204);
  });

  test("logs are JSON lines with the request id and without secrets", async () => {
    const ann = await person(server);
    await login(ann.email, "Wr0ngPassword-in-log", { "x-request-id": "in-log" });
    // The log comes by another way than the answer.
    const response = await server.log.until(
      () => server.logged.map((line) => JSON.parse(line)).find(({ message, requestId }) => message === "response" && requestId === "in-log"),
      "the line of the response",
    );
    assert.deepEqual(
      ["method", "status", "duration", "address", "requestId", "level"].filter((field) => !(field in response)),
      [],
    );
    const all = server.logged.join("\n");
    for (const secret of [ann.password, ann.token, "Wr0ngPassword-in-log", "$argon2id$", ann.email]) {
      assert.equal(all.includes(secret), false, `${secret} is in the log`);
    }
  });

  test("what a request does in an object is logged with its id", async () => {
    const [ann, bob] = [await person(server), await person(server)];
    const room = await roomOf(server, ann, bob);
    const headers = { "x-request-id": "of-the-kick" };
    const kicked = await call(server, "POST", `/api/room/${room}/kick`, { token: ann.token, body: { userId: bob.id }, headers });
    assert.equal(kicked.status, 200);
    const isOfRoom = (line) => line.includes("the host has removed somebody") && line.includes('"requestId":"of-the-kick"');
    await server.log.until(() => server.logged.some(isOfRoom), "the room's line");
  });
});

describe("configuration on workerd", () => {
  test("without a secret everything but health is 500, and health says why", async () => {
    const server = await startServer({ JWT_SECRET: "too short" });
    const health = await call(server, "GET", "/health");
    assert.deepEqual([health.status, health.json.message.includes("JWT_SECRET")], [503, true]);
    const other = await call(server, "GET", "/api/user/profile");
    assert.deepEqual([other.status, other.json.code], [500, "misconfigured"]);
    await server.stop();
  });

  test("Cloudflare's TURN service is asked with its token, and not again for the same user", async () => {
    const asked = [];
    const turn = await turnService((request, body, response) => {
      asked.push([request.method, request.url, request.headers.authorization, JSON.parse(body)]);
      response.setHeader("content-type", "application/json");
      response.writeHead(201).end(JSON.stringify({ iceServers: [{ urls: ["turn:turn.example"], username: "u", credential: "c" }] }));
    });
    const server = await startServer(turn.variables);
    const ann = await person(server);
    for (let time = 0; time < 3; time += 1) {
      const { json } = await call(server, "GET", "/api/ice-servers", { token: ann.token });
      assert.deepEqual(json.iceServers[1], { urls: ["turn:turn.example"], username: "u", credential: "c" });
    }
    assert.deepEqual(asked, [["POST", "/v1/turn/keys/key/credentials/generate-ice-servers", "Bearer hush", { ttl: 43_200 }]]);
    await server.stop();
    turn.close();
  });

  test("a TURN service that does not answer costs three seconds and no call", async () => {
    const turn = await turnService(() => {});
    const own = { TURN_SERVER_URL: "turn:own.example:3478", TURN_SHARED_SECRET: "a shared secret" };
    const server = await startServer({ ...turn.variables, ...own });
    const ann = await person(server);
    const begun = performance.now();
    const { status, json } = await call(server, "GET", "/api/ice-servers", { token: ann.token });
    const waited = performance.now() - begun;
    assert.ok(waited > 2_500, "not before its time");
    assert.equal(status, 200);
    assert.deepEqual(json.iceServers.map(({ urls }) => urls.at(-1)), ["stun:stun.l.google.com:19302", "turn:own.example:3478"]);
    await server.stop();
    turn.close();
  });
});

/** A TURN service on loopback, and the variables that name it. */
async function turnService(answer) {
  const turn = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => (body += chunk));
    request.on("end", () => answer(request, body, response));
  });
  const port = await freePort();
  await new Promise((resolve) => turn.listen(port, "127.0.0.1", resolve));
  return {
    variables: { TURN_KEY_ID: "key", TURN_KEY_API_TOKEN: "hush", TURN_API_URL: `http://127.0.0.1:${port}/v1/turn` },
    close() {
      turn.closeAllConnections();
      turn.close();
    },
  };
}

/** As if the request came from there: locally the runtime takes this header as it is sent. */
function address(ip) {
  return { "cf-connecting-ip": ip };
}
