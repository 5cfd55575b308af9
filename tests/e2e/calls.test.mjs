// Call logs that the room keeps by itself, on the real runtime with real clients: whatever clients post, and
// whatever dies meanwhile.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { polled } from "./support/patience.mjs";
import { WAYS, call, joined, ofDatabase, person, roomOf } from "./support/people.mjs";
import { startServer } from "./support/server.mjs";

const logsOf = async (server, who) => (await call(server, "GET", "/api/call-logs", { token: who.token })).json.callLogs;
const post = (server, who, body) => call(server, "POST", "/api/call-logs", { token: who.token, body });
const end = (server, who, room) => call(server, "PUT", `/api/call-logs/${room}/end`, { token: who.token });
const seconds = (from, to) => (new Date(to) - new Date(from)) / 1_000;

/** The logs, once they are as awaited. */
const logs = (server, who, are, what) => polled(async () => {
  const found = await logsOf(server, who);
  return are(found) ? found : undefined;
}, what);
const open = (server, who) => logs(server, who, ([log]) => log?.endTime === null, "an open log");
const over = (server, who) => logs(server, who, ([log]) => log && log.endTime !== null, "a log that is over");

for (const way of ofDatabase([WAYS.room, WAYS.stock])) describe(`a call's log, ${way.name}`, () => {
  let server;
  before(async () => {
    server = await startServer({ AUTH_LIMIT_ATTEMPTS: "1000", RECONNECT_GRACE_SECONDS: "6" });
    server.way = way;
  });
  after(() => server.stop());

  async function meeting(count = 2) {
    const people = [];
    for (let made = 0; made < count; made += 1) people.push(await person(server));
    return { people, room: await roomOf(server, ...people) };
  }

  test("begins with the second person and ends when one is left, whoever posts what", async () => {
    const { people, room } = await meeting(3);
    const [ann, bob, cat] = people;
    const first = await joined(server, room, ann);
    assert.deepEqual(await logsOf(server, ann), [], "one person is no call");
    const second = await joined(server, room, bob);
    const [log] = await open(server, bob);
    assert.deepEqual([log.callerId._id, log.receiverId._id, log.roomId], [ann.id, bob.id, room]);
    const posted = await post(server, bob, { callerId: bob.id, receiverId: ann.id, roomId: room, startTime: "2020-01-01T00:00:00Z" });
    assert.deepEqual([posted.status, posted.json.callLog._id, posted.json.callLog.startTime], [200, log._id, log.startTime]);
    const early = await end(server, bob, room);
    assert.deepEqual([early.status, early.json.callLog.endTime], [200, null], "it runs: as it is");
    const third = await joined(server, room, cat);
    await logs(server, cat, ([log]) => log?.participants.length === 3, "the third person");
    for (const client of [third, second]) client.close();
    const [ended] = await over(server, cat);
    assert.deepEqual([ended._id, ended.startTime, ended.participants], [log._id, log.startTime, people.map(({ id }) => id)]);
    const again = await end(server, ann, room);
    assert.deepEqual([again.status, again.json.callLog.endTime], [200, ended.endTime], "for ten minutes");
    const late = await post(server, ann, { callerId: ann.id, receiverId: bob.id, roomId: room, startTime: log.startTime, endTime: new Date().toISOString() });
    assert.deepEqual([late.status, late.json.callLog.endTime], [200, ended.endTime]);
    assert.equal((await logsOf(server, ann)).length, 1);
    first.close();
  });

  test("takes in what a client posted before the room had its second person", async () => {
    const { people: [ann, bob], room } = await meeting();
    const first = await joined(server, room, ann);
    const posted = await post(server, ann, { callerId: ann.id, receiverId: bob.id, roomId: room });
    assert.equal(posted.status, 201);
    const second = await joined(server, room, bob);
    second.close();
    const [log] = await over(server, bob);
    assert.equal(log._id, posted.json.callLog._id, "the earliest-made id stays");
    assert.ok(new Date(log.startTime) >= new Date(posted.json.callLog.startTime), "the room's own times win");
    assert.equal((await logsOf(server, ann)).length, 1);
    first.close();
  });

  test("goes on while a lost one is held, and ends at the loss where nobody returns", async () => {
    const { people: [ann, bob], room } = await meeting();
    const [first, second] = [await joined(server, room, ann), await joined(server, room, bob)];
    const [log] = await open(server, ann);
    second.cut();
    await second.next("(disconnect)");
    const lost = Date.now();
    second.socket.connect();
    assert.deepEqual(await second.next("(connect)"), [true], "recovered");
    assert.equal((await logsOf(server, ann))[0].endTime, null);
    second.cut();
    await second.next("(disconnect)");
    assert.deepEqual(await first.next("user-disconnected"), [bob.id, "lost"]);
    const told = Date.now();
    const [ended] = await over(server, ann);
    assert.equal(ended._id, log._id);
    const at = new Date(ended.endTime).getTime();
    assert.ok(at >= lost - 1_000 && at <= told - 5_000, `${ended.endTime} is when the loss was known, six seconds before it was told`);
    first.close();
  });

  test("is one with a redial within a minute", async () => {
    const { people: [ann, bob, cat], room } = await meeting(3);
    const first = await joined(server, room, ann);
    (await joined(server, room, bob)).close();
    const [log] = await over(server, ann);
    const again = await joined(server, room, cat);
    const [reopened] = await open(server, ann);
    assert.deepEqual([reopened._id, reopened.startTime], [log._id, log.startTime]);
    again.close();
    const [ended] = await over(server, ann);
    assert.deepEqual(ended.participants, [ann.id, bob.id, cat.id]);
    assert.equal((await logsOf(server, ann)).length, 1);
    first.close();
  });

  test("begun by the room and posted by both at once is one log", async () => {
    const { people: [ann, bob], room } = await meeting();
    const first = await joined(server, room, ann);
    const body = { callerId: ann.id, receiverId: bob.id, roomId: room };
    const [second, ...posts] = await Promise.all([joined(server, room, bob), post(server, ann, body), post(server, bob, body)]);
    assert.ok(posts.every(({ status }) => status === 200 || status === 201));
    second.close();
    await over(server, ann);
    for (const who of [ann, bob]) assert.equal((await logsOf(server, who)).length, 1);
    first.close();
  });

  test("ends with the room", async () => {
    const { people: [ann, bob], room } = await meeting();
    const clients = [await joined(server, room, ann), await joined(server, room, bob)];
    await open(server, ann);
    assert.equal((await call(server, "DELETE", `/api/room/${room}`, { token: ann.token })).status, 200);
    const [ended] = await over(server, bob);
    assert.ok(seconds(ended.startTime, ended.endTime) < 10);
    clients.forEach((client) => client.close());
  });
});

describe("a call's log is right", () => {
  test("when workerd is killed in the middle of the call and nobody comes back", async () => {
    const server = await startServer({ RECONNECT_GRACE_SECONDS: "2", PING_INTERVAL_MS: "1000" });
    const [ann, bob] = [await person(server), await person(server)];
    const room = await roomOf(server, ann, bob);
    const clients = [await joined(server, room, ann), await joined(server, room, bob)];
    const [log] = await open(server, ann);
    await server.kill();
    await server.start();
    // No client comes back: the object's alarm does it.
    const [ended] = await over(server, ann);
    assert.equal(ended._id, log._id);
    clients.forEach((client) => client.close());
    await server.stop();
  });

  test("when workerd is killed and everybody comes back: it is the same call", async () => {
    const server = await startServer();
    const [ann, bob] = [await person(server), await person(server)];
    const room = await roomOf(server, ann, bob);
    const options = { reconnection: true, reconnectionDelay: 100, reconnectionDelayMax: 300 };
    const clients = [await joined(server, room, ann, options), await joined(server, room, bob, options)];
    const [log] = await open(server, ann);
    await server.kill();
    for (const client of clients) await client.next("(disconnect)");
    await server.start();
    for (const client of clients) await client.next("(connect)");
    for (const client of clients) assert.equal((await client.ask("join-room", room)).ok, true);
    clients[1].close();
    const ended = await logs(server, ann, ([log]) => log?.endTime, "the end");
    assert.deepEqual(ended.map(({ _id, startTime }) => [_id, startTime]), [[log._id, log.startTime]]);
    clients[0].close();
    await server.stop();
  });
});
