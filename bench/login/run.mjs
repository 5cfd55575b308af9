// What a login tells by the time it takes: wrong passwords of an argon2id user, of a user who still has a
// bcrypt hash, and of nobody, in turns in one run on workerd.

import { call, person } from "../../tests/e2e/support/people.mjs";
import { startServer } from "../../tests/e2e/support/server.mjs";

const TRIES = Number(process.env.BENCH_TRIES ?? 40);
/** Of cost 10, as Node's library makes it; the password is another one. */
const BCRYPT = "$2b$10$0J.gLHJVfhUWpklKqsbIwe8Cj48Ux4hD8dtLzzxyyNacSjx1FGPbe";

const unlimited = Object.fromEntries(
  ["ACCOUNT_FAILURES", "ADDRESS_FAILURES", "ATTEMPTS", "ACCOUNT_TOTAL"].map((name) => [`AUTH_LIMIT_${name}`, "1000"]),
);
const server = await startServer(unlimited);
const [current, outdated] = [await person(server), await person(server)];
const database = await server.miniflare.getD1Database("DB");
await database.prepare("UPDATE users SET password_hash = ?1 WHERE id = ?2").bind(BCRYPT, outdated.id).run();

const subjects = { "argon2id user": current.email, "bcrypt user": outdated.email, "unknown email": "nobody@example.com" };
const times = Object.fromEntries(Object.keys(subjects).map((name) => [name, []]));
for (let time = 0; time < TRIES; time += 1) {
  for (const [name, email] of Object.entries(subjects)) {
    const begun = performance.now();
    const { status } = await call(server, "POST", "/api/auth/login", { body: { email, password: "wrong" } });
    if (status !== 401) throw new Error(`${name}: ${status}`);
    times[name].push(performance.now() - begun);
  }
}
const quantile = (name, q) => times[name].sort((a, b) => a - b)[Math.floor(TRIES * q)];
const reference = quantile("unknown email", 0.5);
console.log(`\na wrong password, ${TRIES} tries each in turns: milliseconds to the answer`);
for (const name of Object.keys(subjects)) {
  const [low, median, high] = [0.1, 0.5, 0.9].map((q) => quantile(name, q));
  console.log(`  ${name.padEnd(14)} median ${median.toFixed(1)}  (10 % ${low.toFixed(1)}, 90 % ${high.toFixed(1)})  ${(median / reference).toFixed(2)}× unknown email`);
}
await server.stop();
