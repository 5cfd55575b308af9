// The floor of the runtime: JavaScript Durable Objects that hand each frame on as it came. With `?session=`
// the WebSocket is in an object of its own, and frames go to the room and back by requests. (Calls would cost less.)

import { Log, LogLevel, Miniflare, convertV4MiniflareOptions } from "miniflare";

const SCRIPT = `
import { DurableObject } from "cloudflare:workers";

// What waits for one other object: one request at a time, all that came meanwhile in the next.
class Mailbox {
  waiting = [];
  constructor(stub, path) {
    this.stub = stub;
    this.url = "http://object" + path;
  }
  push(frame) {
    this.waiting.push(frame);
    this.sending ??= this.send().finally(() => { this.sending = undefined; });
  }
  async send() {
    while (this.waiting.length > 0) {
      const body = JSON.stringify(this.waiting.splice(0));
      await this.stub.fetch(this.url, { method: "POST", body });
    }
  }
}

function accept(ctx, attachment) {
  const { 0: client, 1: server } = new WebSocketPair();
  ctx.acceptWebSocket(server);
  server.serializeAttachment(attachment);
  return new Response(null, { status: 101, webSocket: client });
}

export class Room extends DurableObject {
  sessions = new Map();
  constructor(ctx, env) {
    super(ctx, env);
    for (const [name] of ctx.storage.kv.list()) this.add(name);
  }
  add(name) {
    this.sessions.set(name, new Mailbox(this.env.SESSION.getByName(name), "/deliver"));
  }
  async fetch(request) {
    const url = new URL(request.url);
    if (url.pathname === "/join") {
      const name = url.searchParams.get("session");
      // The object sleeps while others take their turns.
      this.ctx.storage.kv.put(name, true);
      this.add(name);
      return new Response();
    }
    if (url.pathname === "/tell") {
      const from = url.searchParams.get("session");
      for (const frame of await request.json()) {
        for (const [name, mailbox] of this.sessions) if (name !== from) mailbox.push(frame);
      }
      return new Response();
    }
    return accept(this.ctx, null);
  }
  webSocketMessage(socket, message) {
    for (const other of this.ctx.getWebSockets()) if (other !== socket) other.send(message);
  }
  webSocketClose() {}
}

export class Session extends DurableObject {
  async fetch(request) {
    const url = new URL(request.url);
    if (url.pathname === "/deliver") {
      for (const frame of await request.json()) for (const socket of this.ctx.getWebSockets()) socket.send(frame);
      return new Response();
    }
    const [room, name] = [url.searchParams.get("room"), url.searchParams.get("session")];
    await this.env.ROOM.getByName(room).fetch("http://object/join?session=" + name);
    return accept(this.ctx, { room, name });
  }
  webSocketMessage(socket, message) {
    if (this.mailbox === undefined) {
      const { room, name } = socket.deserializeAttachment();
      this.mailbox = new Mailbox(this.env.ROOM.getByName(room), "/tell?session=" + name);
    }
    this.mailbox.push(message);
  }
  webSocketClose() {}
}

export default {
  fetch(request, env) {
    const { searchParams } = new URL(request.url);
    const session = searchParams.get("session");
    const object = session ? env.SESSION.getByName(session) : env.ROOM.getByName(searchParams.get("room"));
    return object.fetch(request);
  },
};`;

export async function startFloor(port) {
  const object = (className) => ({ className, useSQLite: true });
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      modules: [{ type: "ESModule", path: "floor.mjs", contents: SCRIPT }],
      compatibilityDate: "2026-10-20",
      durableObjects: { ROOM: object("Room"), SESSION: object("Session") },
      host: "127.0.0.1",
      port,
      unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
      log: new Log(LogLevel.ERROR),
    }),
  );
  await miniflare.ready;
  return { url: (await miniflare.unsafeGetDirectURL()).origin, stop: () => miniflare.dispose() };
}
