//! Bounds of the REST API and of the records, with the unit in the name or the doc.

/// Bytes of a JSON request body.
pub const BODY_BYTES: usize = 64 * 1024;
/// Bytes of a token; ours have about three hundred. Checked before anything is decoded.
pub const TOKEN_BYTES: usize = 4 * 1024;
/// Characters of an email address (RFC 5321, 4.5.3.1.3, less the angle brackets).
pub const EMAIL_CHARS: usize = 254;
pub const USERNAME_CHARS: std::ops::RangeInclusive<usize> = 3..=20;
/// Characters of a password that is being set.
pub const PASSWORD_CHARS: std::ops::RangeInclusive<usize> = 8..=128;
/// Characters of a password offered at login: what an older backend accepted must still fit.
pub const PASSWORD_ATTEMPT_CHARS: usize = 1_024;
/// Days a token lives.
pub const TOKEN_DAYS: i64 = 7;
/// People who may be registered in one room over REST.
pub const ROOM_PARTICIPANTS: usize = 1_000;
/// Milliseconds in which ending a call that its room already ended still returns the call.
pub const ENDED_CALL_MS: i64 = 10 * 60 * 1_000;
/// Unicode code points of a room's name.
pub const ROOM_NAME_CHARS: usize = 80;
/// Active rooms of one user that are notified of revoked tokens: the newest. An object keeps their ids in one
/// value of at most 2 MB; at the hourly limit it takes four weeks to create more.
pub const ACTIVE_ROOMS: u32 = 40_000;
/// Two calls of the same people in one room are one call when the gap between them is smaller.
pub const SAME_CALL_GAP_MS: i64 = 60_000;
/// A call that nobody ends takes later reports for this long after its last one, which then is its end.
pub const OPEN_CALL_MS: i64 = 24 * 60 * 60 * 1_000;
pub const PAGE_LIMIT: std::ops::RangeInclusive<u32> = 1..=100;
pub const PAGE_LIMIT_DEFAULT: u32 = 50;
