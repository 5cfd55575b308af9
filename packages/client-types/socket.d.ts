// Made by `cargo xtask api` from the server's own types. Do not edit.

/** A callback that gets the server's answer to an event. */
export type Ack<Answer> = (answer: Answer | RefusedAck) => void;

export type Chat = { id: string; message: string; timestamp: Timestamp; userId: UserId; username: string };

export type ConnectErrorCode = "auth_required" | "token_invalid" | "token_expired" | "store_unavailable" | "rate_limited";

export type DisconnectReason = "left" | "lost" | "replaced" | "removed" | "room_ended" | "token_expired" | "token_revoked" | "account_deleted" | "flooded";

export type DoneAck = { ok: true };

export type ErrorCode = "invalid_payload" | "too_large" | "room_not_found" | "not_participant" | "room_full" | "room_locked" | "removed" | "wrong_room" | "not_in_room" | "user_mismatch" | "already_in_room" | "peer_unavailable" | "rate_limited" | "replaced" | "token_expired" | "token_revoked" | "account_deleted" | "store_unavailable";

export type EventError = { code: ErrorCode; event?: string; message: string; targetUserId?: string };

export type HostAction = { by: UserId; reason: string; roomId: RoomId };

export type JoinedAck = { ok: true; users: UserId[] };

export type MediaState = { audio: boolean; screen: boolean; userId: UserId; video: boolean };

export type RefusedAck = { error: { code: ErrorCode; message: string; targetUserId?: string }; ok: false };

/** Identifies a room: a UUID, version 4 (RFC 9562). */
export type RoomId = string;

export type SaidAck = { id: string; ok: true; timestamp: Timestamp };

/** Any JSON value. It is relayed byte for byte. */
export type SignalValue = any;

/** ISO 8601 in UTC, with milliseconds. */
export type Timestamp = string;

/** Identifies a user: a MongoDB ObjectId. */
export type UserId = string;

/** What a client may send. */
export interface ClientToServerEvents {

  /** Enters a room that the user has joined over REST. The newcomer hears `user-connected` for each person there, then `existing-users`; the others hear `user-connected`. Joining again does nothing. */
  "join-room": (...args: [roomId: RoomId, userId?: UserId] | [roomId: RoomId, ack: Ack<JoinedAck>] | [roomId: RoomId, userId: UserId, ack: Ack<JoinedAck>]) => void;

  /** Leaves the room. The others hear `user-disconnected`. */
  "leave-room": (...args: [roomId?: RoomId] | [ack: Ack<DoneAck>] | [roomId: RoomId, ack: Ack<DoneAck>]) => void;

  /** Relays an SDP offer, as it is. */
  "offer": (...args: [roomId: RoomId, offer: SignalValue] | [roomId: RoomId, offer: SignalValue, ack: Ack<DoneAck>] | [signal: { offer: SignalValue; roomId: RoomId; targetUserId: string }] | [signal: { offer: SignalValue; roomId: RoomId; targetUserId: string }, ack: Ack<DoneAck>]) => void;

  /** Relays an SDP answer, as it is. */
  "answer": (...args: [roomId: RoomId, answer: SignalValue] | [roomId: RoomId, answer: SignalValue, ack: Ack<DoneAck>] | [signal: { answer: SignalValue; roomId: RoomId; targetUserId: string }] | [signal: { answer: SignalValue; roomId: RoomId; targetUserId: string }, ack: Ack<DoneAck>]) => void;

  /** Relays an ICE candidate, as it is; `null` is the end of candidates. */
  "ice-candidate": (...args: [roomId: RoomId, candidate: SignalValue] | [roomId: RoomId, candidate: SignalValue, ack: Ack<DoneAck>] | [signal: { candidate: SignalValue; roomId: RoomId; targetUserId: string }] | [signal: { candidate: SignalValue; roomId: RoomId; targetUserId: string }, ack: Ack<DoneAck>]) => void;

  /** Says something to everybody in the room, the sender included. With a token the name and the id are the token's, whatever the arguments. */
  "chat-message": (...args: [roomId: RoomId, message: string, username?: string, userId?: UserId] | [roomId: RoomId, message: string, ack: Ack<SaidAck>] | [roomId: RoomId, message: string, username: string, ack: Ack<SaidAck>] | [roomId: RoomId, message: string, username: string, userId: UserId, ack: Ack<SaidAck>]) => void;

  /** Announces which media the client sends. Omitted members stay unchanged. Until then the others assume `audio` and `video`, no `screen`. */
  "media-state": (...args: [state: { audio?: boolean; roomId: RoomId; screen?: boolean; video?: boolean }] | [state: { audio?: boolean; roomId: RoomId; screen?: boolean; video?: boolean }, ack: Ack<DoneAck>]) => void;
}

/** What a client hears. */
export interface ServerToClientEvents {

  /** A user joined, or was in the room before the newcomer. */
  "user-connected": (...args: [userId: UserId]) => void;

  /** A user left the room, and why. */
  "user-disconnected": (...args: [userId: UserId, reason: DisconnectReason]) => void;

  /** Who was in the room before the newcomer; an empty list in an empty room. */
  "existing-users": (...args: [userIds: UserId[]]) => void;

  /** An SDP offer of somebody in the room. */
  "offer": (...args: [offer: SignalValue] | [signal: { offer: SignalValue; senderId: UserId }]) => void;

  /** An SDP answer of somebody in the room. */
  "answer": (...args: [answer: SignalValue] | [signal: { answer: SignalValue; senderId: UserId }]) => void;

  /** An ICE candidate of somebody in the room. */
  "ice-candidate": (...args: [candidate: SignalValue] | [signal: { candidate: SignalValue; senderId: UserId }]) => void;

  /** Somebody said something. */
  "chat-message": (...args: [chat: Chat]) => void;

  /** Which media somebody sends. After `existing-users` a newcomer gets one for each person who has sent one. */
  "media-state": (...args: [state: MediaState]) => void;

  /** The host ended the room; the socket leaves it. */
  "room-ended": (...args: [action: HostAction]) => void;

  /** The host removed this user; the socket leaves the room. */
  "removed": (...args: [action: HostAction]) => void;

  /** An event without an acknowledgement was refused, or the connection has to leave its room. */
  "error": (...args: [error: EventError]) => void;
}
