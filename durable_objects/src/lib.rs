//! The Durable Objects: everything stateful, and a typed client for each.
//!
//! | object | one per | holds |
//! |---|---|---|
//! | [`Room`] | room | its connections, the people present, recent events |
//! | [`Session`] | connection that named no room at its handshake | that connection |
//! | [`RateLimit`] | client address, account | its counts |
//! | [`RevocationOutbox`] | user, while tokens are revoked | the rooms that still have to be notified |
//!
//! An object's shell accepts, delegates and performs. All decisions are made by [`RoomApplication`],
//! [`Gateway`], the ledgers and the outbox, which are pure and tested natively.

mod application;
mod authenticator;
pub mod clients;
mod embedding;
mod exchange;
mod format_version;
#[cfg(test)]
mod hibernation;
mod objects;
mod offset;
mod rate_limit;
mod revocation_outbox;
mod room;
mod session;
mod shell;

pub use authenticator::{Authenticator, ConnectError, Handshake, Introduction, Recovery, Verification};
pub use exchange::{Delivery, FromSession};
pub use objects::{Room, Session};
pub use rate_limit::{AccountLedger, AddressLedger, RateLimit};
pub use revocation_outbox::RevocationOutbox;
pub use room::{Asker, KeptMember, RoomApplication, RoomCommand, RoomSettings, StoredRoom};
pub use session::{Gateway, GatewayCommand, GatewaySettings, KeptClient};
pub use zetra_socketio_object::{HANDSHAKE_HEADER, SESSION_HEADER, leave_renewal_to_shim, now};
