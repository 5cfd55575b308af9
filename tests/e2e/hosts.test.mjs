// What a host does to its room, on the real runtime: by REST, on live sockets, on those who come later, and
// in a race with what others do.

import assert from "node:assert/strict";
import { once } from "node:events";
import { request as httpRequest } from "node:http";
import { after, before, describe, test } from "node:test";
import { eventually } from "./support/patience.mjs";
import { Client, WAYS, call, joined, marker, ofDatabase, person, roomOf } from "./support/people.mjs";
import { startServer } from "./support/server.mjs";

/** How often each race is run. */
const RACES = 5;

const host = (server, who, method, path, body) => call(server, method, `/api/room/${path}`, { token: who.token, body });
const kick = (server, who, room, user) => host(server, who, "POST", `${room}/kick`, { userId: user.id });
const online = async (server, room, who) => (await host(server, who, "GET", room)).json.room.online;

for (const way of ofDatabase(Object.values(WAYS))) describe(`a host, ${way.name}`, () => {
  let server;
  before(async () => {
    server = await startServer({ AUTH_LIMIT_ATTEMPTS: "1000" });
    server.way = way;
  });
  after(() => server.stop());

  async function gathering(count) {
    const people = [];
    for (let made = 0; made < count; made += 1) people.push(await person(server));
    const room = await roomOf(server, ...people);
    const clients = [];
    for (const who of people) clients.push(await joined(server, room, who));
    await marker(clients.at(-1), room, ...clients.slice(0, -1));
    clients.forEach((client) => client.taken());
    return { people, room, clients, close: () => clients.forEach((client) => client.close()) };
  }

  test("removes somebody, who stays out until it is readmitted", async () => {
    const { people, room, clients, close } = await gathering(3);
    const [ann, bob] = people;
    assert.equal((await kick(server, ann, room, bob)).status, 200);
    assert.deepEqual(await clients[1].next("removed"), [{ roomId: room, by: ann.id, reason: "removed_by_host" }]);
    for (const client of [clients[0], clients[2]]) {
      assert.deepEqual(await client.next("user-disconnected"), [bob.id, "removed"]);
    }
    assert.equal((await clients[1].ask("offer", room, 1)).error.code, "not_in_room");
    assert.equal((await clients[1].ask("join-room", room)).error.code, "removed", "by the same connection");
    const late = new Client(server, room, { token: bob.token });
    await late.next("(connect)");
    assert.equal((await late.ask("join-room", room)).error.code, "removed", "nor by a new one");
    const rest = await host(server, bob, "POST", `join/${room}`);
    assert.deepEqual([rest.status, rest.json.code], [403, "removed"]);
    assert.equal((await host(server, ann, "POST", `${room}/readmit`, { userId: bob.id })).status, 200);
    assert.equal((await late.ask("join-room", room)).error.code, "not_participant", "REST join comes first");
    assert.equal((await host(server, bob, "POST", `join/${room}`)).status, 200);
    assert.equal((await late.ask("join-room", room)).ok, true);
    assert.deepEqual(await clients[0].next("user-connected"), [bob.id]);
    late.close();
    close();
  });

  test("removes somebody whose connection is lost, who is told so on return and has nothing to come back to", async () => {
    const { people, room, clients, close } = await gathering(2);
    const [ann, bob] = people;
    clients[1].cut();
    await clients[1].next("(disconnect)");
    assert.equal((await kick(server, ann, room, bob)).status, 200);
    assert.deepEqual(await clients[0].next("user-disconnected"), [bob.id, "removed"]);
    clients[1].socket.connect();
    assert.deepEqual(await clients[1].next("removed"), [{ roomId: room, by: ann.id, reason: "removed_by_host" }]);
    assert.deepEqual(await clients[1].next("(connect)"), [], "not recovered, and it knew before");
    assert.equal((await clients[1].ask("join-room", room)).error.code, "removed");
    assert.deepEqual(await online(server, room, ann), [ann.id]);
    close();
  });

  test("removes somebody whose connection is dead, and nobody has noticed, who is told so on return", async () => {
    const { people, room, clients, close } = await gathering(2);
    const [ann, bob] = people;
    const { _pid: pid } = clients[1].socket;
    const { offset } = clients[1];
    assert.equal((await kick(server, ann, room, bob)).status, 200);
    await clients[1].next("removed");
    // As if that had not arrived.
    const again = new Client(server, room, { auth: { token: bob.token, pid, offset }, way: clients[1].way });
    assert.deepEqual(await again.next("removed"), [{ roomId: room, by: ann.id, reason: "removed_by_host" }]);
    assert.deepEqual(await again.next("(connect)"), []);
    again.close();
    close();
  });

  test("of a user who has moved on to another device the first is told so when it returns", async () => {
    const { people, room, clients, close } = await gathering(2);
    const [, bob] = people;
    clients[1].cut();
    await clients[1].next("(disconnect)");
    const laptop = await joined(server, room, bob);
    clients[1].socket.connect();
    assert.equal((await clients[1].next("error"))[0].code, "replaced");
    assert.deepEqual(await clients[1].next("(connect)"), []);
    laptop.close();
    close();
  });

  test("locks: those already in stay and come back, nobody else comes", async () => {
    const { people, room, clients, close } = await gathering(2);
    const [ann, bob] = people;
    const cat = await person(server);
    assert.equal((await host(server, ann, "POST", `${room}/lock`)).json.room.locked, true);
    const rest = await host(server, cat, "POST", `join/${room}`);
    assert.deepEqual([rest.status, rest.json.code], [403, "room_locked"]);
    const late = new Client(server, room, { token: cat.token });
    await late.next("(connect)");
    assert.equal((await late.ask("join-room", room)).error.code, "room_locked");
    clients[1].close();
    assert.deepEqual(await clients[0].next("user-disconnected"), [bob.id, "left"]);
    const again = await joined(server, room, bob);
    assert.equal((await host(server, ann, "POST", `${room}/unlock`)).json.room.locked, false);
    assert.equal((await host(server, cat, "POST", `join/${room}`)).status, 200);
    assert.equal((await late.ask("join-room", room)).ok, true);
    late.close();
    again.close();
    close();
  });

  test("ends the room: everybody is told and leaves, nobody comes any more", async () => {
    const { people, room, clients, close } = await gathering(3);
    const [ann, bob] = people;
    clients[2].cut();
    await clients[2].next("(disconnect)");
    const ended = await host(server, ann, "DELETE", room);
    assert.deepEqual([ended.status, ended.json.room.active], [200, false]);
    for (const [client, other] of [[clients[0], bob], [clients[1], ann]]) {
      assert.deepEqual(await client.next("room-ended"), [{ roomId: room, by: ann.id, reason: "ended_by_host" }]);
      await client.until(() => client.heard.some(([event, id]) => event === "user-disconnected" && id === other.id), "the others to go");
      assert.equal((await client.ask("join-room", room)).error.code, "room_not_found");
    }
    assert.equal((await host(server, bob, "POST", `join/${room}`)).status, 404);
    assert.deepEqual(await online(server, room, ann), []);
    clients[2].socket.connect();
    assert.deepEqual(await clients[2].next("room-ended"), [{ roomId: room, by: ann.id, reason: "ended_by_host" }]);
    assert.deepEqual(await clients[2].next("(connect)"), [], "not recovered");
    assert.equal((await clients[2].ask("join-room", room)).error.code, "room_not_found");
    close();
  });

  test("leaves and comes back with its rights; when its account goes the oldest other one has them", async () => {
    const { people, room, clients, close } = await gathering(3);
    const [ann, bob, cat] = people;
    clients[0].close();
    assert.deepEqual(await clients[1].next("user-disconnected"), [ann.id, "left"]);
    assert.equal((await host(server, ann, "PUT", room, { name: "Stand-up" })).json.room.name, "Stand-up");
    const again = await joined(server, room, ann);
    assert.equal((await host(server, bob, "POST", `${room}/lock`)).json.code, "not_host");
    await call(server, "DELETE", "/api/user/account", { token: ann.token, body: { password: ann.password } });
    await again.next("(disconnect)");
    const locked = await host(server, bob, "POST", `${room}/lock`);
    assert.deepEqual([locked.status, locked.json.room.host, locked.json.room.name], [200, bob.id, "Stand-up"]);
    assert.equal((await host(server, cat, "POST", `${room}/unlock`)).json.code, "not_host");
    close();
  });

  test("of a newcomer and a lock at once, either it is in or the room was locked", async () => {
    for (let run = 0; run < RACES; run += 1) {
      const [ann, cat] = [await person(server), await person(server)];
      const room = await roomOf(server, ann);
      const acts = [() => host(server, cat, "POST", `join/${room}`), () => host(server, ann, "POST", `${room}/lock`)];
      const [joining, locked] = run % 2 ? await Promise.all(acts.map((act) => act())) : (await Promise.all(acts.toReversed().map((act) => act()))).toReversed();
      assert.equal(locked.status, 200);
      const { json } = await host(server, ann, "GET", room);
      assert.deepEqual([joining.status, json.room.participants.length], joining.status === 200 ? [200, 2] : [403, 1], joining.text);
      const client = new Client(server, room, { token: cat.token });
      await client.next("(connect)");
      const answer = await client.ask("join-room", room);
      assert.equal(answer.ok ? "in" : answer.error.code, joining.status === 200 ? "in" : "room_locked");
      client.close();
    }
  });

  test("clicks of two tabs of the host at once, and a leave in the middle of the end, come to one thing", async () => {
    const { people, room, clients, close } = await gathering(3);
    const [ann, bob] = people;
    const kicks = await Promise.all([kick(server, ann, room, bob), kick(server, ann, room, bob)]);
    assert.deepEqual(kicks.map(({ status }) => status).toSorted(), [200, 404]);
    await clients[1].next("removed");
    assert.deepEqual(await clients[2].next("user-disconnected"), [bob.id, "removed"]);
    const end = () => host(server, ann, "DELETE", room);
    const [left, ...ends] = await Promise.all([clients[2].ask("leave-room"), end(), end()]);
    assert.deepEqual(ends.map(({ status }) => status).toSorted(), [200, 404]);
    await clients[0].next("room-ended");
    assert.ok(left.ok || left.error.code === "not_in_room", JSON.stringify(left));
    assert.deepEqual(await online(server, room, ann), []);
    assert.equal((await clients[2].ask("join-room", room)).error.code, "room_not_found");
    close();
  });

  test("of a join and a removal, a lock or the end at once, what the store says last holds", async () => {
    for (let run = 0; run < RACES; run += 1) {
      const [ann, bob] = [await person(server), await person(server)];
      for (const change of ["kick", "lock", "end"]) {
        const room = await roomOf(server, ann, bob);
        const watcher = await joined(server, room, ann);
        const comer = new Client(server, room, { token: bob.token });
        await comer.next("(connect)");
        const acts = {
          kick: () => kick(server, ann, room, bob),
          // Who was let in before stays; whoever is not in yet finds the door open or shut.
          lock: () => host(server, ann, "POST", `${room}/lock`),
          end: () => host(server, ann, "DELETE", room),
        };
        // Both at once, and now the one, now the other is asked for first.
        const [first, second] = [() => comer.ask("join-room", room), acts[change]];
        const [join, changed] = run % 2 ? await Promise.all([first(), second()]) : (await Promise.all([second(), first()])).toReversed();
        assert.equal(changed.status, 200, changed.text);
        const present = await online(server, room, ann);
        if (change === "lock") {
          assert.deepEqual([join.ok, present], [true, [ann.id, bob.id]], "who was let in before stays");
        } else {
          assert.deepEqual(present, change === "kick" ? [ann.id] : [], `${change}: ${JSON.stringify(join)}`);
          const code = change === "kick" ? "removed" : "room_not_found";
          if (join.ok) await comer.until(() => comer.heard.some(([event]) => event === (change === "kick" ? "removed" : "room-ended")), "to be told");
          else assert.equal(join.error.code, code);
          assert.equal((await comer.ask("join-room", room)).error.code, code);
        }
        comer.close();
        watcher.close();
      }
    }
  });
});

describe("a room of a host", () => {
  test("is over for everybody or for nobody when the host's browser goes away in the middle", async () => {
    const server = await startServer({ ROOMS_PER_HOUR: "1000" });
    const [ann, bob] = [await person(server), await person(server)];
    const runs = [];
    for (let run = 0; run < 20; run += 1) {
      const room = await roomOf(server, ann, bob);
      const client = await joined(server, room, bob);
      const request = httpRequest(`${server.url}/api/room/${room}`, { method: "DELETE", headers: { authorization: `Bearer ${ann.token}` } });
      request.on("error", () => {});
      request.end();
      await once(request, "finish");
      // Sooner and later: before it is read, while the database is asked, afterwards.
      await new Promise((resolve) => setTimeout(resolve, run));
      request.destroy();
      runs.push({ room, client });
    }
    let ended = 0;
    for (const { room, client } of runs) {
      const { json } = await host(server, ann, "GET", room);
      if (!json.room.active) {
        ended += 1;
        await client.until(() => client.heard.some(([event]) => event === "room-ended"), "the end of the room");
      }
      client.close();
    }
    assert.ok(ended > 0, "some got through");
    await server.stop();
  });

  test("is as the host left it after a crash", async () => {
    const server = await startServer();
    const [ann, bob, cat] = [await person(server), await person(server), await person(server)];
    const [kicked, ended] = [await roomOf(server, ann, bob, cat), await roomOf(server, ann, bob)];
    const clients = [];
    for (const room of [kicked, ended]) for (const who of [ann, bob]) clients.push(await joined(server, room, who));
    assert.equal((await kick(server, ann, kicked, bob)).status, 200);
    assert.equal((await host(server, ann, "DELETE", ended)).status, 200);
    await clients[1].next("removed");
    await clients[3].next("room-ended");
    await server.kill();
    await eventually(clients, () => clients.every((client) => !client.socket.connected), "everybody to notice");
    await server.start();
    for (const client of clients) client.socket.connect();
    await eventually(clients, () => clients.every((client) => client.socket.connected), "everybody to be back");
    assert.equal((await clients[1].ask("join-room", kicked)).error.code, "removed");
    assert.equal((await clients[3].ask("join-room", ended)).error.code, "room_not_found");
    assert.equal((await clients[0].ask("join-room", kicked)).ok, true);
    assert.deepEqual(await online(server, kicked, ann), [ann.id]);
    clients.forEach((client) => client.close());
    await server.stop();
  });
});
