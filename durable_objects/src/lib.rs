//! The objects: everything stateful, and the typed way to reach each.
//!
//! | object | one per | holds |
//! |---|---|---|
//! | [`Room`] | room | its WebSockets, who is present |
//! | [`RateLimit`] | client address | attempts and failures at the auth routes |
//!
//! An object's shell accepts, reads attachments, delegates and performs; what it decides is decided
//! by [`Switchboard`] and [`Ledger`], which are pure and tested natively.

pub mod bindings;
mod config;
mod d1;
mod ledger;
mod rate_limit;
mod room;
mod room_client;
mod switchboard;
mod text;

pub use config::{AuthLimits, Config, ConfigError, SocketAuth, Turn};
pub use d1::open_store;
pub use ledger::{AccountKey, Attempt, Ledger, Standing, Verdict};
pub use rate_limit::{RateLimit, RateLimitClient};
pub use room::Room;
pub use room_client::{Handshaking, ObjectError, RoomClient};
pub use switchboard::{
    Action, Attachment, ConnectionId, Frame, Presented, Settings, Switchboard, Verification,
};

/// Milliseconds since the Unix epoch. On Workers the clock stands still between I/O.
pub fn now() -> i64 {
    // Dates of this age are whole numbers far below 2^53.
    js_sys::Date::now() as i64
}
