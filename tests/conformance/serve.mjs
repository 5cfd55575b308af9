// Serves the conformance Worker on http://localhost:3000, where the official suites look for it, until
// Ctrl-C. PING_INTERVAL_MS and the other variables of wrangler.toml may be set in the environment.

import { startConformance } from "../e2e/support/server.mjs";

const NAMES = ["PING_INTERVAL_MS", "PING_TIMEOUT_MS", "UPGRADE_TIMEOUT_MS", "CLOSE_TIMEOUT_MS", "CONNECT_TIMEOUT_MS"];
const variables = Object.fromEntries(NAMES.filter((name) => process.env[name]).map((name) => [name, process.env[name]]));

const server = await startConformance(variables, 3000);
console.log(`
  The conformance Worker listens on http://localhost:3000/engine.io/ and /socket.io/
  The official suites: https://github.com/socketio/socket.io, docs/engine.io-protocol/v4-test-suite
  and docs/socket.io-protocol/v5-test-suite; in each \`npm ci && npm test\`. Ctrl-C ends it.
`);
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, async () => {
    await server.stop();
    process.exit(0);
  });
}
