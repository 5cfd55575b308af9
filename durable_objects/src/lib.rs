//! The objects: everything stateful, and the typed way to reach each.
//!
//! | object | one per | holds |
//! |---|---|---|
//! | [`Room`] | room | its connections, who is present, what was said lately |
//! | [`Session`] | connection that named no room at its handshake | that connection |
//! | [`RateLimit`] | client address | attempts and failures at the auth routes |
//!
//! An object's shell accepts, delegates and performs; what it decides is decided by
//! [`RoomApplication`], [`Gateway`] and [`Ledger`], which are pure and tested natively.

pub mod bindings;
mod config;
mod d1;
mod data_api;
mod database;
mod door;
mod embedding;
mod gateway;
mod ledger;
mod mailboxes;
mod object_clients;
mod rate_limit;
mod room;
mod room_application;
mod session;
mod session_ids;
mod session_protocol;

pub use config::{AuthLimits, Config, ConfigError, SocketAuth, Turn};
pub use database::Database;
pub use door::{Door, Handshake, Knock, Recovery, Verification};
pub use gateway::{Gateway, GatewayCommand, GatewaySettings, Guest};
pub use ledger::{AccountKey, Attempt, Ledger, Standing, Verdict};
pub use object_clients::{ObjectError, RoomClient, SessionClient};
pub use rate_limit::{RateLimit, RateLimitClient};
pub use room::Room;
pub use room_application::{RoomApplication, RoomCommand, RoomSettings, StoredPeer};
pub use session::Session;
pub use session_ids::SessionIds;
pub use session_protocol::{Delivery, FromSession};
pub use zetra_socketio_object::{HANDSHAKE_HEADER, SESSION_HEADER, now};
