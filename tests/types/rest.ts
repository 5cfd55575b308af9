// Compiles with openapi-fetch, or the types are wrong. What must not compile says so.

import createClient from "openapi-fetch";
import type { components, paths } from "@zetra/client-types";

const api = createClient<paths>({ baseUrl: "http://localhost:4000" });
const roomId = "a987fbc9-4bed-4078-8f07-9141ba07c9f3";

const login = await api.POST("/api/auth/login", { body: { email: "ann@example.com", password: "Sup3rSecret" } });
if (login.data) {
  const token: string = login.data.token;
  void token;
} else {
  const isWrong: boolean = login.error.code === "invalid_credentials";
  // @ts-expect-error: signing in has no such error
  const isFull: boolean = login.error.code === "room_full";
  void [isWrong, isFull];
}

const shown = await api.GET("/api/room/{roomId}", { params: { path: { roomId } } });
const names: string[] = shown.data?.room.people.map(({ username }) => username) ?? [];
const online: string[] = shown.data?.room.online ?? [];
const rooms = await api.GET("/api/room", { params: { query: { limit: 20, cursor: "…" } } });
const next: string | null | undefined = rooms.data?.nextCursor;
const logs = await api.GET("/api/call-logs");
const caller: components["schemas"]["Person"] | null | undefined = logs.data?.callLogs[0]?.callerId;
const ice = await api.GET("/api/ice-servers");
const connection = ice.data && new RTCPeerConnection({ iceServers: ice.data.iceServers });
void [names, online, next, caller, connection];

await api.POST("/api/room/create");
await api.POST("/api/room/create", { body: { name: "Stand-up" } });
await api.PUT("/api/room/{roomId}", { params: { path: { roomId } }, body: { name: null } });

// @ts-expect-error: a password is needed
await api.POST("/api/auth/login", { body: { email: "ann@example.com" } });
// @ts-expect-error: there is no such path
await api.GET("/api/rooms");
// @ts-expect-error: nor such a method
await api.DELETE("/api/room/create");
