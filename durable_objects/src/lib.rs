//! The objects: everything stateful, and the typed way to reach each.
//!
//! | object | one per | holds |
//! |---|---|---|
//! | [`Room`] | room | its connections, who is present, what was said lately |
//! | [`Session`] | connection that named no room at its handshake | that connection |
//! | [`RateLimit`] | client address, account | what is counted of it |
//! | [`RevocationOutbox`] | user, while tokens die | the rooms that have to learn of it |
//!
//! An object's shell accepts, delegates and performs; what it decides is decided by
//! [`RoomApplication`], [`Gateway`], the ledgers and the outbox, which are pure and tested natively.

mod application;
mod authenticator;
pub mod clients;
mod embedding;
mod exchange;
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
pub use session::{Gateway, GatewayCommand, GatewaySettings, KeptGuest};
pub use zetra_socketio_object::{HANDSHAKE_HEADER, SESSION_HEADER, now};
