// Who may say what: one row for each event that a client may send, one column for each kind of caller, for both ways of
// entering a room. `tests/api/authorization.rs` has the same for REST.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Client, WAYS, call, forgeToken, joined, marker, person, roomOf } from "./support/people.mjs";
import { RawSocket } from "./support/raw.mjs";
import { ROOT, startServer } from "./support/server.mjs";

/** Callers whose token is good for nothing, and what they hear. */
const WITHOUT_A_GOOD_TOKEN = {
  "no token": "auth_required",
  "bad signature": "token_invalid",
  "alg none": "token_invalid",
  "another algorithm": "token_invalid",
  "another issuer": "token_invalid",
  expired: "token_expired",
  revoked: "token_invalid",
  deleted: "token_invalid",
};
const WITH_A_GOOD_TOKEN = ["stranger", "participant", "removed", "host"];

const OF_ROOM = { stranger: "not_in_room", participant: "ok", removed: "not_in_room", host: "ok" };
/** What a caller hears who has asked to join before, except of `join-room` itself. */
const TABLE = {
  "join-room": { stranger: "not_participant", participant: "ok", removed: "removed", host: "ok" },
  "leave-room": OF_ROOM,
  offer: OF_ROOM,
  answer: OF_ROOM,
  "ice-candidate": OF_ROOM,
  "chat-message": OF_ROOM,
  "media-state": OF_ROOM,
};
/** The arguments with which somebody who may say it says it, and what somebody in the room then hears. */
const SAID = {
  "join-room": { args: (room) => [room], heard: "user-connected" },
  "leave-room": { args: (room) => [room], heard: "user-disconnected" },
  offer: { args: (room) => [room, { sdp: "v=0" }], heard: "offer" },
  answer: { args: (room) => [room, { sdp: "v=0" }], heard: "answer" },
  "ice-candidate": { args: (room) => [room, null], heard: "ice-candidate" },
  "chat-message": { args: (room) => [room, "hello"], heard: "chat-message" },
  "media-state": { args: (room) => [{ roomId: room, audio: false }], heard: "media-state" },
};
const EVENTS = Object.keys(TABLE);
/** Both ways of entering a room, each with a room of its own. */
const ENTERED = [WAYS.room, WAYS.stock].map((way) => ({ way, room: undefined }));

test("every event has a row", () => {
  // Written from the code, and a test of it fails where it is not.
  const { operations } = JSON.parse(readFileSync(join(ROOT, "web/static/asyncapi.json"), "utf8"));
  const events = Object.keys(operations).filter((name) => name.startsWith("client-"));
  assert.deepEqual(EVENTS.map((event) => `client-${event}`).sort(), events.sort());
  assert.deepEqual(Object.keys(SAID), EVENTS);
});

describe("who may say what", () => {
  let server, people, tokens;
  before(async () => {
    server = await startServer({ AUTH_LIMIT_ATTEMPTS: "10000" });
    const names = ["host", "participant", "removed", "stranger", "revoked", "deleted", "listener"];
    people = Object.fromEntries(await Promise.all(names.map(async (name) => [name, await person(server)])));
    for (const way of ENTERED) way.room = await roomWithoutTheRemoved();
    tokens = await tokensOf(people);
  });
  after(() => server.stop());

  async function roomWithoutTheRemoved() {
    const { stranger, ...participants } = people;
    const room = await roomOf(server, ...Object.values(participants));
    const body = { userId: people.removed.id };
    assert.equal((await call(server, "POST", `/api/room/${room}/kick`, { token: people.host.token, body })).status, 200);
    return room;
  }

  /** Of every caller. All that are forged claim to be the host. */
  async function tokensOf({ host, revoked, deleted, ...good }) {
    const now = Math.floor(Date.now() / 1000);
    const claims = { userId: host.id, username: host.username, iss: "zetra-api", iat: now, exp: now + 600, tokenVersion: 0 };
    const passwords = { currentPassword: revoked.password, newPassword: "Ev3nBetter" };
    const login = await call(server, "POST", "/api/auth/login", { body: { email: revoked.email, password: revoked.password } });
    const changed = await call(server, "POST", "/api/auth/change-password", { token: login.json.token, body: passwords });
    const gone = await call(server, "DELETE", "/api/user/account", { token: deleted.token, body: { password: deleted.password } });
    assert.deepEqual([changed.status, gone.status], [200, 200]);
    return {
      "no token": undefined,
      "bad signature": forgeToken(claims, "another secret of more than 32 bytes!"),
      "alg none": forgeToken(claims, undefined, "none"),
      "another algorithm": forgeToken(claims, undefined, "HS512"),
      "another issuer": forgeToken({ ...claims, iss: "somebody" }),
      expired: forgeToken({ ...claims, exp: now - 60 }),
      revoked: revoked.token,
      deleted: deleted.token,
      host: host.token,
      ...Object.fromEntries(Object.entries(good).map(([name, { token }]) => [name, token])),
    };
  }

  for (const entered of ENTERED) describe(entered.way.name, () => {
    /** Is in the room all the time. */
    let listener;
    before(async () => (listener = await joined(server, entered.room, people.listener, { way: entered.way })));
    after(() => listener.close());

    const connects = (caller) => new Client(server, entered.room, { token: tokens[caller], way: entered.way });

    /** `ok`, or the code of the refusal. */
    async function says(client, event) {
      const { ok, error } = await client.ask(event, ...SAID[event].args(entered.room));
      return ok ? "ok" : error.code;
    }

    /** What the one in the room has heard. */
    async function heard() {
      const taken = (await marker(listener, entered.room))(listener);
      return taken.map(([event]) => event);
    }

    for (const [caller, code] of Object.entries(WITHOUT_A_GOOD_TOKEN)) test(`${caller}: is not let in, whatever it says then`, async () => {
      const client = connects(caller);
      const [, refusal] = await client.next("(connect_error)");
      assert.equal(refusal.code, code);
      client.close();
      const query = entered.way.namesRoom ? `&roomId=${entered.room}` : "";
      for (const event of EVENTS) {
        const socket = new RawSocket(server, `/socket.io/?EIO=4&transport=websocket${query}`);
        await socket.opened();
        socket.send(`40${JSON.stringify({ token: tokens[caller] })}`);
        assert.match(await socket.next((frame) => frame.startsWith("4")), new RegExp(`^44\\{.*"code":"${code}"`), event);
        socket.send(`420${JSON.stringify([event, ...SAID[event].args(entered.room)])}`);
        assert.equal(await socket.closed(), 1005, `${event} without having been let in breaks the protocol`);
        assert.deepEqual(socket.heard, [], event);
      }
      assert.deepEqual(await heard(), [], "nobody in the room hears of it");
    });

    for (const caller of WITH_A_GOOD_TOKEN) test(`${caller}: as the table has it`, async () => {
      for (const event of EVENTS) {
        const client = connects(caller);
        await client.next("(connect)");
        if (event !== "join-room") {
          assert.equal(await says(client, event), "not_in_room", `${event} before it has asked to join`);
          assert.equal(await says(client, "join-room"), TABLE["join-room"][caller]);
          await heard();
        }
        const expected = TABLE[event][caller];
        assert.equal(await says(client, event), expected, event);
        assert.deepEqual(await heard(), expected === "ok" ? [SAID[event].heard] : [], `${event} as the others hear it`);
        client.close();
        // Its goodbye, if it is in the room.
        const isIn = TABLE["join-room"][caller] === "ok" && event !== "leave-room";
        if (isIn) await listener.next("user-disconnected");
      }
    });
  });
});
