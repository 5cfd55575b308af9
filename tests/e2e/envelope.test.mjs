// What hostile clients can make the runtime hold: little, and a call beside them goes on.

import assert from "node:assert/strict";
import { request } from "node:http";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { callBeside } from "./support/beside.mjs";
import { WAYS, joined, person, roomOf } from "./support/people.mjs";
import { within } from "./support/patience.mjs";
import { watchMemory } from "./support/processes.mjs";
import { RawSocket } from "./support/raw.mjs";
import { startServer } from "./support/server.mjs";

const MIB = 2 ** 20;
/** What one story may add to the runtime's memory. */
const GROWTH = 60 * MIB;

describe("the envelope", () => {
  let server;
  /** Of a call with nothing beside it: how long 99 of a hundred events take to arrive and be acknowledged. */
  let quiet;
  before(async () => {
    server = await startServer({ AUTH_LIMIT_ATTEMPTS: "10000", PING_INTERVAL_MS: "2000", PING_TIMEOUT_MS: "10000" });
    // The first calls make the runtime compile what it runs.
    await callBeside(server, () => pause(1_000));
    quiet = await callBeside(server, () => pause(3_000));
  });
  after(() => server.stop());

  /** Runs the story beside a call and tells how much the runtime has grown at its worst. */
  async function grows(t, story) {
    const before = server.memory();
    const most = watchMemory(server.workerds()[0]);
    t.after(most);
    const beside = await callBeside(server, story);
    const growth = most() - before;
    t.diagnostic(`the runtime grew by ${(growth / MIB).toFixed(1)} MiB`);
    // How long is told, not judged: the machine has other things to do.
    t.diagnostic(`99 of a hundred events of the call beside within ${beside.toFixed(1)} ms, quiet ${quiet.toFixed(1)} ms`);
    assert.ok(growth < GROWTH, `it grew by ${Math.round(growth / MIB)} MiB`);
  }

  test("unfinished binary packets: of one user's fourteen sockets four are let in, each with 256 KiB", async (t) => {
    const someone = await person(server);
    const room = await roomOf(server, someone);
    await grows(t, async () => {
      const sockets = [];
      for (let number = 0; number < 14; number += 1) {
        const socket = new RawSocket(server, `/socket.io/?EIO=4&transport=websocket&roomId=${room}`);
        await socket.opened();
        socket.send(`40${JSON.stringify({ token: someone.token })}`);
        sockets.push([socket, await socket.next((frame) => frame.startsWith("4"))]);
      }
      const admitted = sockets.filter(([, answer]) => answer.startsWith("40{")).map(([socket]) => socket);
      assert.equal(admitted.length, 4);
      const [, refusal] = sockets.find(([, answer]) => answer.startsWith("44"));
      assert.match(refusal, /"code":"rate_limited"/);
      for (const socket of admitted) {
        socket.send(`4510-["x",${Array.from({ length: 10 }, (_, num) => `{"_placeholder":true,"num":${num}}`)}]`);
        socket.socket.send(Buffer.alloc(250 * 1024));
      }
      for (const socket of admitted.slice(1)) socket.socket.send(Buffer.alloc(10 * 1024));
      for (const socket of admitted.slice(1)) await socket.closed("an end of what exceeds 256 KiB");
      for (const [socket] of sockets) socket.close();
    });
  });

  test("who was not let in sends 64 KiB at most", async () => {
    const someone = await person(server);
    const room = await roomOf(server, someone);
    const socket = new RawSocket(server, `/socket.io/?EIO=4&transport=websocket&roomId=${room}`);
    await socket.opened();
    socket.send(`40${JSON.stringify({ token: someone.token, x: "x".repeat(64 * 1024) })}`);
    assert.equal(await socket.closed(), 1009);
    const open = await (await fetch(`${server.url}/socket.io/?EIO=4&transport=polling&roomId=${room}`)).text();
    const { sid } = JSON.parse(open.slice(1));
    const post = (body) =>
      fetch(`${server.url}/socket.io/?EIO=4&transport=polling&roomId=${room}&sid=${sid}`, { method: "POST", body });
    assert.equal((await post("x".repeat(64 * 1024 + 1))).status, 413);
    assert.equal((await post(`40${JSON.stringify({ token: someone.token })}`)).status, 200);
    const polls = async () => (await fetch(`${server.url}/socket.io/?EIO=4&transport=polling&roomId=${room}&sid=${sid}`)).text();
    assert.match(await polls(), /^40\{/);
    assert.equal((await post(`42["x","${"x".repeat(200 * 1024)}"]`)).status, 200, "and more once let in");
  });

  test("a hundred slow posts without a token: 32 of one address, and they are not waited for", async (t) => {
    const someone = await person(server);
    const room = await roomOf(server, someone);
    await grows(t, async () => {
      const opened = await Promise.all(
        Array.from({ length: 100 }, () => fetch(`${server.url}/socket.io/?EIO=4&transport=polling&roomId=${room}`)),
      );
      const statuses = opened.map(({ status }) => status);
      assert.deepEqual([statuses.filter((s) => s === 200).length, statuses.filter((s) => s === 503).length], [32, 68]);
      const refused = opened.find(({ status }) => status === 503);
      assert.equal(refused.headers.get("retry-after"), "5");
      assert.deepEqual(await refused.json(), { code: 4, message: "Too many connections" });
      const bodies = await Promise.all(opened.filter(({ ok }) => ok).map((response) => response.text()));
      const posts = bodies.map((open) => slowPost(`/socket.io/?EIO=4&transport=polling&roomId=${room}&sid=${JSON.parse(open.slice(1)).sid}`));
      await Promise.all(posts.map((post) => within(post.begun, "the body to begin")));
      const answers = await Promise.all(posts.map((post) => within(post.answered, "an answer to a post that never ends")));
      assert.deepEqual([...new Set(answers)], [400], "their sessions have timed out");
    });
  });

  /** A POST of 60 KB that never ends. */
  function slowPost(path) {
    const post = request(server.url + path, { method: "POST", headers: { "content-length": 64_000 } });
    const answered = new Promise((resolve, reject) => {
      post.on("response", (response) => {
        resolve(response.statusCode);
        post.destroy();
      });
      post.on("error", reject);
    });
    const begun = new Promise((resolve) => post.write("x".repeat(60_000), resolve));
    return { begun, answered };
  }

  test("a reader that never reads in a room that talks is ended, and nobody else", async (t) => {
    const people = [await person(server), await person(server), await person(server)];
    const room = await roomOf(server, ...people);
    const [talker, listener] = [await joined(server, room, people[0]), await joined(server, room, people[1])];
    await grows(t, async () => {
      const deaf = await RawSocket.open(server, room, people[2].token);
      deaf.socket.pause();
      await listener.next("user-connected");
      const large = "x".repeat(200 * 1024);
      const gone = listener.next("user-disconnected");
      let over = false;
      gone.finally(() => (over = true)).catch(() => {});
      let said = 0;
      for (; !over && said < 200; said += 1) {
        assert.deepEqual(await talker.ask("offer", room, large), { ok: true });
        // What is large counts as several events, of fifty a second.
        await pause(200);
      }
      assert.deepEqual(await gone, [people[2].id, "lost"]);
      t.diagnostic(`after ${said} events of 200 KiB`);
      deaf.socket.terminate();
      assert.deepEqual(await talker.ask("offer", room, "last"), { ok: true });
      await listener.until(() => listener.heard.some(([event, value]) => event === "offer" && value === "last"), "the last word");
    });
    talker.close();
    listener.close();
  });

  for (const way of [WAYS.room, WAYS.stock]) test(`a thousand times CONNECT and DISCONNECT, ${way.name}`, async (t) => {
    const someone = await person(server);
    const room = await roomOf(server, someone);
    await grows(t, async () => {
      const socket = new RawSocket(server, `/socket.io/?EIO=4&transport=websocket${way.namesRoom ? `&roomId=${room}` : ""}`);
      await socket.opened();
      for (let round = 0; round < 1_000; round += 1) {
        socket.send(`40${JSON.stringify({ token: someone.token })}`);
        await socket.next((frame) => frame.startsWith("40{"));
        socket.send("41");
      }
      socket.close();
    });
  });
});
