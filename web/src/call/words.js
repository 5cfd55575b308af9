// @ts-check
// Why somebody is no longer in a call, in words for users.

/** @import { DisconnectReason } from "@zetra/client-types" */

/** Error codes that end the call, and the message for each. */
export const FINAL = new Map([
  ["replaced", "The call continues there."],
  ["auth_required", "You were signed out. Sign in again."],
  ["token_invalid", "You were signed out. Sign in again."],
  ["token_expired", "Your session has expired. Sign in again."],
  ["token_revoked", "You were signed out: your password was changed."],
  ["account_deleted", "Your account was deleted."],
  ["removed", "The host removed you from this room."],
  ["room_ended", "The host has ended this room."],
]);

/** Error codes of refusals that pass by themselves. */
export const PASSING = new Set(["store_unavailable", "rate_limited", "internal"]);

/** Why somebody left, as the predicate of a sentence that begins with their name. When the room ends, one message
 * about the room is enough.
 * @type {Record<DisconnectReason, string | undefined>} */
export const REASONS = {
  left: "has left",
  lost: "has lost the connection",
  replaced: "has joined again",
  removed: "was removed by the host",
  room_ended: undefined,
  token_expired: "was signed out",
  token_revoked: "was signed out",
  account_deleted: "has deleted their account",
  flooded: "was disconnected",
};

/** What a picture says while there is no good connection to its person, by the state of the connection. */
export const STATES = {
  new: "Connecting…",
  connecting: "Connecting…",
  disconnected: "Interrupted…",
  failed: "Reconnecting…",
  unreachable: "No connection: both networks block direct calls, and there is no relay (TURN).",
};
