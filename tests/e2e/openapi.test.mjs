// The OpenAPI document against the real Worker: its own examples succeed, every answer is as described, and every
// error that it names can be provoked.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Documented } from "./support/document.mjs";
import { call, forgeToken, person, roomOf } from "./support/people.mjs";
import { startServer, startUnreachable } from "./support/server.mjs";

/** Codes that no request alone can provoke. */
const NOT_BY_A_REQUEST = {
  internal: "a fault of the server's own",
  room_full: "a thousand participants; the router's tests have them",
};
const UNKNOWN_ROOM = "a987fbc9-4bed-4078-8f07-9141ba07c9f3";
const UNKNOWN_USER = "6553f1000102030405060708";
const now = () => Math.floor(Date.now() / 1_000);
/** As if the request came from there: locally the runtime takes this header as it is sent. */
const address = (ip) => ({ "cf-connecting-ip": ip });

describe("the OpenAPI document", () => {
  let server, documented;
  before(async () => {
    server = await startServer({ AUTH_LIMIT_ATTEMPTS: "1000", AUTH_LIMIT_ADDRESS_FAILURES: "1000" });
    documented = await Documented.of(server);
  });
  after(() => server.stop());

  /** The answer, which has to have that status. */
  const ask = async (status, id, options) => {
    const answer = await documented.ask(id, options);
    assert.equal(answer.status, status, `${id}: ${answer.text}`);
    return answer;
  };
  const refused = async (code, id, options) => {
    const { json } = await documented.ask(id, options);
    assert.equal(json.code, code, `${id}: ${JSON.stringify(json)}`);
  };

  test("every operation does what its own examples ask of it", async () => {
    const examples = documented.answered;
    const { token, user: ann } = (await ask(201, "register")).json;
    await ask(200, "login");
    await ask(200, "getProfile", { token });
    await ask(200, "updateProfile", { token });
    const bob = await person(server);

    const { roomId } = (await ask(201, "createRoom", { token })).json;
    await ask(200, "joinRoom", { token: bob.token, roomId });
    await ask(200, "getRoom", { token, roomId });
    await ask(200, "renameRoom", { token, roomId });
    await ask(200, "lockRoom", { token, roomId });
    await ask(200, "unlockRoom", { token, roomId });

    // The people, the room and the times of the examples were never there.
    const time = () => new Date().toISOString();
    const change = { callerId: ann.id, receiverId: bob.id, roomId, participants: [ann.id, bob.id], startTime: time(), endTime: null };
    await ask(201, "recordCall", { token, change });
    await ask(200, "recordCall", { token: bob.token, change });
    await ask(200, "endCall", { token, roomId, change: { endTime: time() } });
    const other = await roomOf(server, bob, { token });
    await ask(201, "recordCall", { token, change: { ...change, roomId: other, endTime: time() } });
    for (const [list, items] of [["listCallLogs", "callLogs"], ["listRooms", "rooms"]]) {
      const first = (await ask(200, list, { token, query: "?limit=1" })).json;
      assert.equal(first[items].length, 1);
      const second = (await ask(200, list, { token, query: `?limit=1&cursor=${encodeURIComponent(first.nextCursor)}` })).json;
      assert.deepEqual([second[items].length, second.nextCursor], [1, null]);
    }
    await ask(200, "getCallStats", { token });

    await ask(200, "removeUser", { token, roomId, change: { userId: bob.id } });
    await ask(200, "readmitUser", { token, roomId, change: { userId: bob.id } });
    await ask(200, "endRoom", { token, roomId });

    await ask(200, "getIceServers");
    await ask(200, "getIceServers", { token });
    await ask(200, "getHealth");
    await ask(200, "getIndex");
    await ask(307, "getIndex", { headers: { accept: "text/html" } });
    await ask(200, "getOpenApi");
    await ask(200, "getAsyncApi");
    await ask(200, "changePassword", { token });
    await ask(200, "deleteAccount", { token: bob.token });
    const { callLogs } = (await ask(200, "listCallLogs", { token })).json;
    assert.ok(callLogs.every(({ callerId, receiverId }) => callerId && receiverId === null), "the deleted one has no name");

    for (const { id, operation } of documented.operations) {
      const successes = Object.keys(operation.responses).filter((status) => status < 400);
      assert.ok(successes.length > 0, id);
      assert.deepEqual(successes.filter((status) => !examples.has(`${id} ${status}`)), [], `${id} was not asked for it`);
    }
  });

  test("HEAD is answered as described wherever GET is", async () => {
    const ann = await person(server);
    const roomId = await roomOf(server, ann);
    for (const { id } of documented.operations.filter(({ method }) => method === "GET")) {
      await ask(200, id, { token: ann.token, roomId, method: "HEAD" });
    }
  });

  test("every error that an operation names is answered as described", async () => {
    const [ann, bob, cyd] = [await person(server), await person(server), await person(server)];
    const roomId = await roomOf(server, ann, bob);
    const expired = forgeToken({ userId: ann.id, username: ann.username, iss: "zetra-api", iat: 1, exp: 2 });
    const headers = address("192.0.2.1");

    for (const { id, operation } of documented.operations) {
      const known = { roomId, token: operation.security && ann.token, headers };
      await refused("malformed_json", id, { ...known, raw: "{" });
      await refused("invalid_input", id, { ...known, raw: "[]" });
      await refused("body_too_large", id, { ...known, raw: JSON.stringify({ name: "x".repeat(65_536) }) });
      await refused("unsupported_media_type", id, { ...known, raw: "{}", headers: { ...headers, "content-type": "text/plain" } });
      if (!operation.security) continue;
      const isOptional = operation.security.some((scheme) => Object.keys(scheme).length === 0);
      if (!isOptional) await refused("token_missing", id, { roomId, headers });
      await refused("token_malformed", id, { roomId, headers: { ...headers, authorization: "Basic YW5uOmFubg==" } });
      await refused("token_expired", id, { roomId, token: expired, headers });
      await refused("token_invalid", id, { roomId, token: `${ann.token}x`, headers });
    }

    const { token } = ann;
    const user = ({ username, email }) => ({ username, email });
    await refused("email_taken", "register", { change: { ...user(ann), username: "nobody_1" } });
    await refused("username_taken", "register", { change: { ...user(ann), email: "nobody@example.com" } });
    await refused("email_taken", "updateProfile", { token, change: { ...user(ann), email: bob.email } });
    await refused("username_taken", "updateProfile", { token, change: { ...user(ann), username: bob.username } });
    await refused("invalid_credentials", "login", { change: { email: "nobody@example.com" } });
    await refused("wrong_password", "changePassword", { token, change: { currentPassword: "Wr0ngPassword" } });
    await refused("wrong_password", "deleteAccount", { token, change: { password: "Wr0ngPassword" } });

    const onlyHost = ["endRoom", "renameRoom", "removeUser", "readmitUser", "lockRoom", "unlockRoom"];
    for (const id of [...onlyHost, "joinRoom", "getRoom"]) await refused("room_not_found", id, { token, roomId: UNKNOWN_ROOM });
    for (const id of onlyHost) await refused("not_host", id, { token: bob.token, roomId });
    for (const id of ["removeUser", "readmitUser"]) await refused("user_not_found", id, { token, roomId, change: { userId: UNKNOWN_USER } });
    await refused("not_participant", "getRoom", { token: cyd.token, roomId });

    const report = { callerId: ann.id, receiverId: bob.id, roomId, participants: null, startTime: null, endTime: null };
    await refused("call_log_not_found", "endCall", { token, roomId });
    await ask(201, "recordCall", { token, change: report });
    await refused("not_in_call", "recordCall", { token: cyd.token, change: report });
    await refused("not_in_call", "endCall", { token: cyd.token, roomId });
    await refused("room_not_found", "recordCall", { token, change: { ...report, roomId: UNKNOWN_ROOM } });

    await ask(200, "lockRoom", { token, roomId });
    await refused("room_locked", "joinRoom", { token: cyd.token, roomId });
    await ask(200, "removeUser", { token, roomId, change: { userId: bob.id } });
    await refused("removed", "joinRoom", { token: bob.token, roomId });
  });

  test("a limit that is reached is answered as described", async () => {
    const limited = await startServer({ AUTH_LIMIT_ATTEMPTS: "1", ROOMS_PER_HOUR: "1", CALL_LOGS_PER_HOUR: "1" });
    try {
      const [ann, bob] = [await person(limited), await registered(limited, "bob_limited", "192.0.2.2")];
      const { token } = ann;
      for (const [index, id] of ["register", "login", "changePassword", "updateProfile", "deleteAccount"].entries()) {
        const attempt = { token, headers: address(`198.51.100.${index}`), raw: "{}", server: limited };
        await refused("invalid_input", id, attempt);
        await refused("rate_limited", id, attempt);
      }
      const { roomId } = (await ask(201, "createRoom", { token, server: limited })).json;
      await refused("rate_limited", "createRoom", { token, server: limited });
      await call(limited, "POST", `/api/room/join/${roomId}`, { token: bob.token });
      const change = { callerId: ann.id, receiverId: bob.id, roomId, participants: null, startTime: null, endTime: null };
      await ask(201, "recordCall", { token, change, server: limited });
      await refused("rate_limited", "recordCall", { token, change, server: limited });
    } finally {
      await limited.stop();
    }
  });

  test("a server without its secret answers as described", async () => {
    const unconfigured = await startServer({ JWT_SECRET: "too short" });
    try {
      for (const { id } of documented.operations) {
        const options = { roomId: UNKNOWN_ROOM, server: unconfigured };
        if (id === "getHealth") await ask(503, id, options);
        else await refused("misconfigured", id, options);
      }
    } finally {
      await unconfigured.stop();
    }
  });

  test("a server without its database answers as described", async () => {
    const unreachable = await startUnreachable();
    try {
      const token = forgeToken({ userId: UNKNOWN_USER, username: "ann", iss: "zetra-api", iat: now(), exp: now() + 60 });
      for (const { id, operation } of documented.operations) {
        const options = { token, roomId: UNKNOWN_ROOM, server: unreachable };
        if (documented.codesOf(operation).includes("store_unavailable")) await refused("store_unavailable", id, options);
        else await ask(id === "getHealth" ? 503 : 200, id, options);
      }
    } finally {
      await unreachable.stop();
    }
  });

  test("no error is named that was not seen", () => {
    for (const { id, operation } of documented.operations) {
      const unseen = documented.codesOf(operation).filter((code) => !documented.answered.has(`${id} ${code}`));
      assert.deepEqual(unseen.filter((code) => !(code in NOT_BY_A_REQUEST)), [], `${id} has never answered so`);
    }
  });
});

async function registered(server, username, ip) {
  const body = { username, email: `${username}@example.com`, password: "Sup3rSecret" };
  const { status, json, text } = await call(server, "POST", "/api/auth/register", { body, headers: address(ip) });
  assert.equal(status, 201, text);
  return { id: json.user.id, token: json.token };
}
