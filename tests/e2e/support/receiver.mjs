// A receiver of webhooks, on loopback.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { Webhook } from "standardwebhooks";
import { Listener } from "./patience.mjs";

export const SECRET = `whsec_${randomBytes(32).toString("base64")}`;

/** Somebody who runs a business on rooms: hears what is posted, verified, and answers as it is told. */
export class Receiver extends Listener {
  /** Answers a request; `undefined`: never. */
  behave = (response) => response.writeHead(204).end();
  attempts = 0;

  static async start() {
    const receiver = new Receiver();
    const webhook = new Webhook(SECRET);
    receiver.server = createServer(async (request, response) => {
      receiver.attempts += 1;
      const body = await text(request).catch(() => undefined);
      if (body === undefined) return; // the sender was killed
      assert.equal(request.headers["content-type"], "application/json");
      webhook.verify(body, request.headers);
      receiver.note({ id: request.headers["webhook-id"], ...JSON.parse(body) });
      receiver.behave(response, receiver.attempts);
    });
    await new Promise((resolve) => receiver.server.listen(0, "127.0.0.1", resolve));
    receiver.url = `http://127.0.0.1:${receiver.server.address().port}/hook`;
    return receiver;
  }

  /** What the server is told. */
  get variables() {
    return { WEBHOOK_URL: this.url, WEBHOOK_SECRET: SECRET };
  }

  /** The messages about a room in the order in which they came, repetitions left out. */
  messages(room) {
    const seen = new Set();
    return this.heard.filter(({ id, data }) => data.roomId === room && !seen.has(id) && seen.add(id));
  }

  /** Their types, with whom and why. */
  told(room) {
    return this.messages(room).map(({ type, data }) => [type, data.userId, data.reason].filter(Boolean).join(" "));
  }

  /** The first message of that type about that room. */
  message(type, room) {
    return this.until(() => this.heard.find((message) => message.type === type && message.data.roomId === room), type);
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  [Symbol.asyncDispose]() {
    return this.stop();
  }
}
