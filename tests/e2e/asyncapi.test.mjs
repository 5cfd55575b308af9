// What real clients hear is what asyncapi.json says, event by event, and all that it says is heard.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import Ajv from "ajv";
import addFormats from "ajv-formats";
import { call, joined, person, roomOf } from "./support/people.mjs";
import { ROOT, startServer } from "./support/server.mjs";

const asyncapi = JSON.parse(readFileSync(join(ROOT, "web/static/asyncapi.json"), "utf8"));
const ajv = new Ajv({ strict: false });
addFormats(ajv);
ajv.addSchema(asyncapi, "asyncapi");

/** Fails where the value is not the payload of that message of the document. */
function assertDescribed(message, value) {
  assert.ok(asyncapi.channels.events.messages[message], `${message} is not in asyncapi.json`);
  const pointer = `asyncapi#/channels/events/messages/${message}/payload`;
  const validate = ajv.getSchema(pointer) ?? ajv.compile({ $ref: pointer });
  assert.ok(validate(value), `${message}: ${JSON.stringify(value)}: ${ajv.errorsText(validate.errors)}`);
}

describe("asyncapi.json", () => {
  test("a call with everything in it is as described", async () => {
    const server = await startServer();
    try {
      const [ann, bob, cid] = [await person(server), await person(server), await person(server)];
      const room = await roomOf(server, ann, bob, cid);
      const host = await joined(server, room, ann);
      const guest = await joined(server, room, bob);
      const other = await joined(server, room, cid);
      const clients = [host, guest, other];
      const unheard = new Set(Object.keys(asyncapi.channels.events.messages).filter((name) => name.startsWith("server-")));
      for (const client of clients) {
        // It hears the offset, too, which the client's own listener takes away.
        client.socket.prependAny((event, ...args) => {
          assertDescribed(`server-${event}`, args);
          unheard.delete(`server-${event}`);
        });
      }
      const ask = async (message, ...args) => {
        const operation = asyncapi.operations[`client-${args[0]}`];
        assertDescribed(`client-${args[0]}`, args.slice(1));
        assert.ok(operation.reply.messages.some(({ $ref }) => $ref.endsWith(`/${message}`)), `${args[0]} has ${message}`);
        assertDescribed(message, await guest.ask(...args));
      };
      for (const [event, key] of [["offer", "offer"], ["answer", "answer"], ["ice-candidate", "candidate"]]) {
        await ask("DoneAck", event, room, null);
        await ask("DoneAck", event, { roomId: room, [key]: { any: ["thing"] }, targetUserId: ann.id });
        await ask("RefusedAck", event, { roomId: room, [key]: 1, targetUserId: "nobody" });
        await host.next(event);
      }
      await ask("SaidAck", "chat-message", room, "hello");
      await ask("DoneAck", "media-state", { roomId: room, screen: true });
      guest.emit("offer", room, { senderId: ann.id });
      await guest.next("error");
      await ask("DoneAck", "leave-room", room);
      await ask("RefusedAck", "chat-message", room, "too late");
      await ask("JoinedAck", "join-room", room);
      await guest.next("existing-users");
      await host.next("user-connected");
      await call(server, "POST", `/api/room/${room}/kick`, { token: ann.token, body: { userId: cid.id } });
      await other.next("removed");
      await call(server, "DELETE", `/api/room/${room}`, { token: ann.token });
      await guest.next("room-ended");
      assert.deepEqual([...unheard], []);
      for (const client of clients) client.close();
    } finally {
      await server.stop();
    }
  });
});
