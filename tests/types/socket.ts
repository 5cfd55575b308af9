// Compiles with the official socket.io-client, or the types are wrong. What must not compile says so.

import { io, type Socket } from "socket.io-client";
import type {
  ClientToServerEvents,
  DisconnectReason,
  JoinedAck,
  RefusedAck,
  ServerToClientEvents,
} from "@zetra/client-types";

const socket: Socket<ServerToClientEvents, ClientToServerEvents> = io("http://localhost:4000", { auth: { token: "…" } });
const room = "a987fbc9-4bed-4078-8f07-9141ba07c9f3";
const user = "6553f1000102030405060708";
declare const peer: RTCPeerConnection;

// With and without what may be left out, with and without an acknowledgement.
socket.emit("join-room", room);
socket.emit("join-room", room, user);
socket.emit("join-room", room, (answer) => {
  const users: string[] = answer.ok ? answer.users : [];
  const code: string = answer.ok ? "" : answer.error.code;
  void [users, code];
});
socket.emit("leave-room");
socket.emit("chat-message", room, "hello", (answer) => void (answer.ok && answer.timestamp));
const answer: JoinedAck | RefusedAck = await socket.emitWithAck("join-room", room);
const later: JoinedAck | RefusedAck = await socket.timeout(5_000).emitWithAck("join-room", room, user);
void [answer, later];

// Both forms.
socket.emit("offer", room, { type: "offer", sdp: "v=0" });
socket.emit("ice-candidate", room, null);
socket.emit("answer", { roomId: room, answer: peer.localDescription, targetUserId: user });
socket.emit("media-state", { roomId: room, audio: false });

socket.on("user-disconnected", (userId, reason) => {
  const why: DisconnectReason = reason;
  void [userId.length, why];
});
socket.on("existing-users", (users) => users.map((id) => id.length));
socket.on("offer", async (offer) => void (await peer.setRemoteDescription(offer)));
socket.on("answer", ({ answer, senderId }) => void [answer, senderId]);
socket.on("error", ({ code, message }) => void [code === "rate_limited", message]);
socket.on("removed", ({ roomId, by, reason }) => void [roomId, by, reason]);

// @ts-expect-error: there is no such event
socket.emit("dance", room);
// @ts-expect-error: a room is needed
socket.emit("join-room");
// @ts-expect-error: nor is a number a room
socket.emit("join-room", 7);
// @ts-expect-error: form B names its target
socket.emit("offer", { roomId: room, offer: null });
// @ts-expect-error: each signal has its own member
socket.emit("offer", { roomId: room, candidate: null, targetUserId: user });
// @ts-expect-error: the server says no such thing
socket.on("joined", () => {});
// @ts-expect-error: there is no such reason
socket.on("user-disconnected", (_, reason) => reason === "bored");
