// The official client as people use it: every transport, an upgrade under load, a crowd of all kinds.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Client, WAYS, call, joined, marker, person, roomOf } from "./support/people.mjs";
import { within } from "./support/patience.mjs";
import { UNLIMITED_EVENTS, startServer } from "./support/server.mjs";

const EVENTS = 10_000;
const CROWD = 100;

describe("real clients", () => {
  let server;
  before(async () => {
    server = await startServer({
      AUTH_LIMIT_ATTEMPTS: "10000",
      ROOM_MAX_PEOPLE: "200",
      ...UNLIMITED_EVENTS,
    });
  });
  after(() => server.stop());

  const over = (way) => ({ ...server, url: server.url, way });

  for (const way of [WAYS.roomPolling, WAYS.stock]) {
    test(`${EVENTS} numbered events each way through an upgrade: none lost, doubled or out of order (${way.name})`, async () => {
      const people = [await person(server), await person(server)];
      const room = await roomOf(server, ...people);
      const steady = await joined(over(WAYS.room), room, people[0]);
      // This one starts with polling and upgrades while the events run.
      const upgrading = new Client(over(way), room, { token: people[1].token });
      const transports = [];
      const upgraded = new Promise((resolve) => {
        upgrading.socket.io.on("open", () => {
          transports.push(upgrading.socket.io.engine.transport.name);
          upgrading.socket.io.engine.on("upgrade", ({ name }) => resolve(transports.push(name)));
        });
      });
      await upgrading.next("(connect)");
      upgrading.emit("join-room", room);
      await steady.next("user-connected");
      await Promise.all([numbered(steady, upgrading, room), numbered(upgrading, steady, room)]);
      await within(upgraded, "the upgrade");
      assert.deepEqual(transports, ["polling", "websocket"]);
      steady.close();
      upgrading.close();
    });
  }

  /** Sends the numbers, a few hundred at a time, and waits until all of them are heard in order. */
  async function numbered(sender, listener, room) {
    for (let next = 0; next < EVENTS; ) {
      const until = Math.min(next + 250, EVENTS);
      while (next < until - 1) sender.emit("offer", room, next++);
      assert.deepEqual(await sender.ask("offer", room, next++), { ok: true });
    }
    await listener.until(() => heardOffers(listener).length >= EVENTS, "all numbers");
    const heard = heardOffers(listener);
    const wrong = heard.findIndex(([, number], index) => number !== index);
    assert.equal(wrong, -1, `at ${wrong}: ${JSON.stringify(heard.slice(Math.max(wrong - 2, 0), wrong + 3))}`);
    assert.equal(heard.length, EVENTS);
  }

  const heardOffers = (client) => client.heard.filter(([event]) => event === "offer");

  test("polling works across origins, for those that may ask, and a session id is good for its place only", async () => {
    const origin = "http://localhost:3000";
    const ask = (query, options) => fetch(`${server.url}/socket.io/?${query}`, options);
    const opened = await ask("EIO=4&transport=polling", { headers: { origin } });
    assert.equal(opened.headers.get("access-control-allow-origin"), origin);
    assert.equal(opened.headers.get("access-control-allow-credentials"), "true");
    assert.equal(opened.headers.get("content-type"), "text/plain; charset=UTF-8");
    const { sid } = JSON.parse((await opened.text()).slice(1));
    const preflight = await ask(`EIO=4&transport=polling&sid=${sid}`, { method: "OPTIONS", headers: { origin, "access-control-request-method": "POST" } });
    assert.deepEqual([preflight.status, preflight.headers.get("access-control-allow-origin")], [204, origin]);
    const stranger = await ask("EIO=4&transport=polling", { headers: { origin: "https://evil.example" } });
    assert.equal(stranger.headers.get("access-control-allow-origin"), null);
    const room = "a987fbc9-4bed-4078-8f07-9141ba07c9f3";
    for (const query of [`sid=${sid}&roomId=${room}`, `sid=${"A".repeat(20)}`]) {
      const refused = await ask(`EIO=4&transport=polling&${query}`, { headers: { origin } });
      assert.deepEqual([refused.status, await refused.json()], [400, { code: 1, message: "Session ID unknown" }]);
      assert.equal(refused.headers.get("access-control-allow-origin"), origin, "readable across origins");
    }
    const posted = await ask(`EIO=4&transport=polling&sid=${sid}`, { method: "POST", body: "1", headers: { origin } });
    assert.deepEqual([posted.status, await posted.text()], [200, "ok"]);
  });

  test(`${CROWD} clients of every kind in one room hear each other`, async () => {
    const people = [];
    for (let made = 0; made < CROWD; made += 10) {
      people.push(...(await Promise.all(Array.from({ length: 10 }, () => person(server)))));
    }
    const room = await roomOf(server, ...people);
    const kinds = Object.values(WAYS);
    const crowd = [];
    for (const [index, someone] of people.entries()) {
      crowd.push(await joined(over(kinds[index % kinds.length]), room, someone));
    }
    const { json } = await call(server, "GET", `/api/room/${room}`, { token: people[0].token });
    assert.deepEqual(json.room.online, people.map(({ id }) => id));
    await marker(crowd[0], room, ...crowd.slice(1));
    crowd.forEach((client) => client.taken());
    const speakers = crowd.slice(0, kinds.length * 2);
    speakers.forEach((client, index) => client.emit("offer", room, index));
    for (const [index, client] of crowd.entries()) {
      const others = speakers.map((_, speaker) => speaker).filter((speaker) => speaker !== index);
      await client.until(() => client.heard.length >= others.length, "the offers");
      assert.deepEqual(client.taken().map(([, speaker]) => speaker).sort((a, b) => a - b), others);
    }
    crowd.forEach((client) => client.close());
  });
});
