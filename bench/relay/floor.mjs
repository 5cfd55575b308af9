// The floor of the runtime: a JavaScript Durable Object that hands each frame on as it came.

import { Log, LogLevel, Miniflare, convertV4MiniflareOptions } from "miniflare";

const SCRIPT = `
import { DurableObject } from "cloudflare:workers";
export class Room extends DurableObject {
  fetch() {
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server);
    return new Response(null, { status: 101, webSocket: client });
  }
  webSocketMessage(socket, message) {
    for (const other of this.ctx.getWebSockets()) if (other !== socket) other.send(message);
  }
  webSocketClose() {}
}
export default {
  fetch(request, env) {
    return env.ROOM.getByName(new URL(request.url).searchParams.get("room")).fetch(request);
  },
};`;

export async function startFloor(port) {
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      modules: [{ type: "ESModule", path: "floor.mjs", contents: SCRIPT }],
      compatibilityDate: "2026-10-20",
      durableObjects: { ROOM: { className: "Room", useSQLite: true } },
      host: "127.0.0.1",
      port,
      unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
      log: new Log(LogLevel.ERROR),
    }),
  );
  await miniflare.ready;
  return { url: (await miniflare.unsafeGetDirectURL()).origin, stop: () => miniflare.dispose() };
}
