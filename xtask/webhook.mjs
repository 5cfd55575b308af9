// `cargo xtask webhook`: a receiver for trying webhooks out. It prints what the local Worker posts, once the
// official library has verified the signature.

import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { Webhook } from "standardwebhooks";

const PORT = 4010;
const FILE = join(import.meta.dirname, "../.dev.vars");

const variables = existsSync(FILE) ? parseEnv(readFileSync(FILE, "utf8")) : {};
const secret = variables.WEBHOOK_SECRET || `whsec_${randomBytes(32).toString("base64")}`;
const url = `http://127.0.0.1:${PORT}/`;
const webhook = new Webhook(secret);

const server = createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  try {
    webhook.verify(body, request.headers);
  } catch (error) {
    console.log(`✗ refused, ${error.message}: is WEBHOOK_SECRET in .dev.vars the one of this receiver?`);
    return response.writeHead(401).end();
  }
  const { type, timestamp, data } = JSON.parse(body);
  console.log(`✓ ${timestamp} ${type.padEnd(18)} ${JSON.stringify(data)}`);
  response.writeHead(204).end();
});
server.on("error", (error) => {
  console.error(error.code === "EADDRINUSE" ? `port ${PORT} is taken: is another receiver running?` : error.message);
  process.exit(1);
});
server.listen(PORT, "127.0.0.1", () => {
  const missing = [
    ...(variables.WEBHOOK_URL === url ? [] : [`WEBHOOK_URL="${url}"`]),
    ...(variables.WEBHOOK_SECRET ? [] : [`WEBHOOK_SECRET="${secret}"`]),
  ];
  if (missing.length) console.log(`Put into .dev.vars, and start \`cargo xtask dev\` again:\n\n${missing.join("\n")}\n`);
  console.log(`Listening on ${url}. What happens in rooms is printed here; Ctrl+C ends it.`);
});
