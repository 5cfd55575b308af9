// Tokens that die while their sockets are open or about to join, on the real runtime with real clients.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Client, WAYS, call, joined, person, roomOf } from "./support/people.mjs";
import { startServer } from "./support/server.mjs";

const NEW_PASSWORD = "N3wPassword";

/** Changes the password from another browser; gives the token that it has now. */
async function changesPassword(server, someone) {
  const { json } = await call(server, "POST", "/api/auth/login", { body: { email: someone.email, password: someone.password } });
  const body = { currentPassword: someone.password, newPassword: NEW_PASSWORD };
  const changed = await call(server, "POST", "/api/auth/change-password", { token: json.token, body });
  assert.equal(changed.status, 200, changed.text);
  return changed.json.token;
}

for (const way of Object.values(WAYS)) describe(`a token that died does not join, ${way.name}`, () => {
  let server;
  before(async () => {
    server = await startServer({ AUTH_LIMIT_ATTEMPTS: "1000" });
    server.way = way;
  });
  after(() => server.stop());

  test("before the room had ever heard of its user", async () => {
    const [host, ann] = [await person(server), await person(server)];
    const room = await roomOf(server, host);
    const old = new Client(server, room, { token: ann.token });
    await old.next("(connect)");
    const token = await changesPassword(server, ann);
    assert.equal((await call(server, "POST", `/api/room/join/${room}`, { token })).status, 200);
    const answer = await old.ask("join-room", room, ann.id);
    assert.deepEqual([answer.ok, answer.error?.code], [false, "token_revoked"]);
    await old.next("(disconnect)");
    const { json } = await call(server, "GET", `/api/room/${room}`, { token });
    assert.deepEqual(json.room.online, [], "nobody came in");
    const fresh = await joined(server, room, { ...ann, token });
    fresh.close();
  });

  test("nor one whose account was deleted", async () => {
    const [host, ann] = [await person(server), await person(server)];
    const room = await roomOf(server, host);
    const old = new Client(server, room, { token: ann.token });
    await old.next("(connect)");
    await call(server, "DELETE", "/api/user/account", { token: ann.token, body: { password: ann.password } });
    const answer = await old.ask("join-room", room, ann.id);
    assert.deepEqual([answer.ok, answer.error?.code], [false, "account_deleted"]);
    await old.next("(disconnect)");
  });

  test("and leaves the room that it was in when it tries another", async () => {
    const [host, ann] = [await person(server), await person(server)];
    const [first, second] = [await roomOf(server, host, ann), await roomOf(server, host)];
    const watcher = await joined(server, first, host);
    const old = await joined(server, first, ann);
    await watcher.next("user-connected");
    await changesPassword(server, ann);
    if (!way.namesRoom) old.emit("join-room", second, ann.id);
    await old.next("(disconnect)");
    assert.deepEqual((await watcher.next("user-disconnected"))[0], ann.id);
    watcher.close();
  });
});

describe("a password change", () => {
  let server;
  before(async () => {
    server = await startServer({ AUTH_LIMIT_ATTEMPTS: "1000", ROOMS_PER_HOUR: "1000" });
  });
  after(() => server.stop());

  test("reaches every room, however many they are", async () => {
    const ann = await person(server);
    const rooms = [];
    for (let made = 0; made < 130; made += 1) rooms.push(await roomOf(server, ann));
    // The oldest, the newest, and some in between.
    const chosen = [0, 45, 89, 129].map((index) => rooms[index]);
    const clients = [];
    for (const room of chosen) clients.push(await joined(server, room, ann));
    await changesPassword(server, ann);
    for (const client of clients) {
      assert.equal((await client.next("error"))[0].code, "token_revoked");
      await client.next("(disconnect)");
    }
  });
});
