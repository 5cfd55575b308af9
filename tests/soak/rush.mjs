// What comes all at once: users of the REST API, floods, guesses of passwords.

import assert from "node:assert/strict";
import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { callBeside } from "../e2e/support/beside.mjs";
import { call, person } from "../e2e/support/people.mjs";
import { startDirect } from "../e2e/support/server.mjs";
import { UNLIMITED, done, numbers, people, rooms } from "./crowd.mjs";
import { millis, percentile, usage } from "./figures.mjs";

/** So many people do at the same time what a person does from the registration to the list of calls. */
export async function restAtOnce({ users }, { tell, progress }) {
  await using server = await startDirect(UNLIMITED);
  const times = { password: [], other: [] };
  const ask = async (...request) => {
    const begun = performance.now();
    const json = await done(server, ...request);
    times[request[1].startsWith("/api/auth") ? "password" : "other"].push(performance.now() - begun);
    return json;
  };
  const hub = await person(server);
  const busy = usage(server.workerds()[0]);
  let finished = 0;
  const day = async (number) => {
    const body = { username: `at_once_${number}`, email: `at_once_${number}@example.com`, password: "Sup3rSecret" };
    const { user } = await ask("POST", "/api/auth/register", { body });
    const { token } = await ask("POST", "/api/auth/login", { body });
    assert.equal((await ask("GET", "/api/user/profile", { token })).user.id, user.id);
    const { roomId } = await ask("POST", "/api/room/create", { token });
    await done(server, "POST", `/api/room/join/${roomId}`, { token: hub.token });
    const { callLog } = await ask("POST", "/api/call-logs", { token, body: { callerId: user.id, receiverId: hub.id, roomId } });
    assert.equal((await ask("PUT", `/api/call-logs/${roomId}/end`, { token })).callLog._id, callLog._id);
    const { callLogs } = await ask("GET", "/api/call-logs", { token });
    assert.deepEqual(callLogs.map(({ _id }) => _id), [callLog._id]);
    assert.equal((await ask("GET", "/api/room", { token })).rooms.length, 1);
    progress(`${(finished += 1)} of ${users} users are through`);
  };
  const begun = performance.now();
  await Promise.all(numbers(users).map(day));
  const seconds = (performance.now() - begun) / 1000;
  const count = times.password.length + times.other.length;
  tell(`${users} users at once, ${count} requests in ${seconds.toFixed(1)} s (${Math.round(count / seconds)}/s), each answered with success`);
  for (const [name, of] of Object.entries(times)) tell(`${name}: ${millis(percentile(of, 50))} (p50), ${millis(percentile(of, 99))} (p99)`);
  tell(busy());
}

/** A flood of sockets beside a quiet call: how long 99 of a hundred of its events took, and without the flood. */
export async function floodBeside({ rooms: count, seconds }, { tell, progress }) {
  await using server = await startDirect(UNLIMITED);
  const everybody = await people(server, 4);
  const made = await rooms(server, count, everybody, { progress });
  // The first calls make the runtime compile what it runs.
  await callBeside(server, () => pause(1_000));
  const quiet = await callBeside(server, () => pause(3_000));
  const busy = usage(server.workerds()[0]);
  const workerData = { url: server.url, rooms: made, tokens: everybody.map(({ token }) => token), seconds };
  const flood = async () => {
    const [flooded] = await once(new Worker(new URL("flood.mjs", import.meta.url), { workerData }), "message");
    return flooded;
  };
  let flooded;
  const beside = await callBeside(server, async () => (flooded = await flood()));
  tell(`${count * everybody.length} sockets flooded for ${seconds} s: ${flooded.events} events, ended ${flooded.ended} times`);
  tell(`99 of a hundred events of the call beside: ${millis(beside)}, quiet ${millis(quiet)}`);
  tell(busy());
  return { beside, quiet, ended: flooded.ended };
}

/** Guesses in the same moment: the limits let through exactly as many as they say, and the right password none more. */
export async function authLimit({ guesses, total, failures }, { tell }) {
  await using server = await startDirect({ AUTH_LIMIT_ACCOUNT_TOTAL: String(total), AUTH_LIMIT_ADDRESS_FAILURES: String(failures) });
  const login = (email, password, ip) =>
    call(server, "POST", "/api/auth/login", { body: { email, password }, headers: { "cf-connecting-ip": ip } });
  const count = (answers) => Object.fromEntries([401, 429].map((status) => [status, answers.filter((answer) => answer.status === status).length]));
  const atOnce = async (what, limit, guess) => {
    const begun = performance.now();
    const answers = await Promise.all(numbers(guesses).map(guess));
    assert.deepEqual(count(answers), { 401: limit, 429: guesses - limit }, what);
    tell(`${guesses} guesses at once, ${what}: ${limit} answered, ${guesses - limit} refused, in ${millis(performance.now() - begun)}`);
  };
  const ann = await person(server);
  await atOnce("one account from as many addresses", total, (guess) => login(ann.email, "wrong", `198.51.${100 + (guess >> 8)}.${guess & 255}`));
  assert.equal((await login(ann.email, ann.password, "203.0.113.9")).status, 429, "the right password too");
  await atOnce("as many accounts from one address", failures, (guess) => login(`nobody_${guess}@example.com`, "wrong", "192.0.2.77"));
}
