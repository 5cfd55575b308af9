// JWT_SECRET changes while people are in a call.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { WAYS, call, joined, person, roomOf } from "./support/people.mjs";
import { JWT_SECRET, startServer } from "./support/server.mjs";

const NEXT = "the-next-secret-for-tests-of-more-than-32-bytes";
const RECONNECTING = { reconnection: true, reconnectionDelay: 100, reconnectionDelayMax: 300 };

/** What a deploy does: every object is dropped, and the new variables hold. */
async function redeploy(server, secrets) {
  delete server.variables.JWT_SECRET_PREVIOUS;
  Object.assign(server.variables, secrets);
  await server.kill();
  await server.start();
}

const profileStatus = async (server, token) => (await call(server, "GET", "/api/user/profile", { token })).status;

describe("rotation of JWT_SECRET", () => {
  test("with the previous secret kept nobody is signed out and calls go on; without it its tokens end", async () => {
    const server = await startServer();
    const clients = [];
    const track = (client) => (clients.push(client), client);
    try {
      const [ann, bob] = [await person(server), await person(server)];
      const rooms = [await roomOf(server, ann, bob), await roomOf(server, ann, bob)];
      const { json: page } = await call(server, "GET", "/api/room?limit=1", { token: ann.token });
      // One in the room's object, one in an object of its own that its session id names.
      const first = track(await joined(server, rooms[0], ann, { way: WAYS.room, ...RECONNECTING }));
      const second = track(await joined(server, rooms[0], bob, { way: WAYS.stock, ...RECONNECTING }));

      await redeploy(server, { JWT_SECRET: NEXT, JWT_SECRET_PREVIOUS: JWT_SECRET });
      for (const client of [first, second]) {
        await client.next("(connect)");
        assert.equal((await client.ask("join-room", rooms[0])).ok, true, "the old token is good at the socket");
      }
      first.emit("offer", rooms[0], "after the change");
      assert.deepEqual(await second.next("offer"), ["after the change"]);
      assert.equal(await profileStatus(server, ann.token), 200, "and over REST");
      const next = await call(server, "GET", `/api/room?limit=1&cursor=${page.nextCursor}`, { token: ann.token });
      assert.deepEqual(next.json.rooms.map(({ roomId }) => roomId), [rooms[0]], "an old cursor opens");
      const login = await call(server, "POST", "/api/auth/login", { body: { email: bob.email, password: bob.password } });
      assert.equal(login.status, 200);

      await redeploy(server, { JWT_SECRET: NEXT });
      assert.equal(await profileStatus(server, login.json.token), 200, "new tokens are signed by the new secret");
      const refused = await call(server, "GET", "/api/user/profile", { token: ann.token });
      assert.deepEqual([refused.status, refused.json.code], [401, "token_invalid"]);
      for (const client of [first, second]) {
        // An error without data is the transport's: the server was away.
        const isRefusal = ([event, , data]) => event === "(connect_error)" && data;
        const [, message, data] = await client.until(() => client.heard.find(isRefusal), "a refusal");
        assert.deepEqual([message, data.code], ["Invalid authentication token", "token_invalid"]);
      }
    } finally {
      for (const client of clients) client.close();
      await server.stop();
    }
  });
});
