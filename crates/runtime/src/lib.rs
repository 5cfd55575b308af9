//! The parts that depend on the Workers runtime and are neither a route nor an object: configuration, the
//! databases, session ids.
//!
//! The Worker and its objects open the same store from the same variables ([`Config`], [`Database`]).
//! Nothing here makes decisions about a room, a call or a user.

mod bindings;
mod config;
mod d1;
mod data_api;
mod database;
mod loopback;
pub mod request_id;
mod session_ids;
mod variables;

pub use config::{Config, GuestLimits, SocketAuth, Turn, TurnCredential, TurnServer, TurnService, Webhook};
pub use data_api::{Bounds, DataApiAccess, DataApiClient, Sleep};
pub use database::Database;
pub use session_ids::SessionIds;
pub use variables::{ConfigError, Variables, variable};
