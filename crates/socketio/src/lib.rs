//! Engine.IO v4 and Socket.IO v5, without I/O.
//!
//! Requests and frames go in, what is to be done comes out; time and ids are arguments. The crate
//! knows no socket, no room and no user: an [`Application`] says what clients are told, an embedder
//! owns the connections. Payloads are never turned into a document tree: an argument is a slice of
//! the JSON text in which it came, checked to be JSON and otherwise as it was sent (white space,
//! number spelling, key order, repeated keys, lone surrogates).
//!
//! ```text
//! embedder → engine::Server   sessions, transports, heartbeat
//!              → SocketIo     namespaces, packets, acks
//!                → Application    what it is all for
//! ```
//!
//! Sources: github.com/socketio/socket.io, `docs/engine.io-protocol/v4.md` and
//! `docs/socket.io-protocol/v5.md`. Where the official packages are laxer than their specification
//! we take the strict reading; each such place says so.

mod application;
mod binary;
mod client;
mod encode;
pub mod engine;
mod id;
pub mod packet;
mod recovery;
mod socket_io;

pub use application::{Application, Connect, Effect, Effects, Emission, Event};
pub use binary::Attachments;
pub use client::Limits;
pub use encode::ack;
pub use id::{ReceiverId, SocketId};
pub use packet::{Packet, PacketError, PacketType, RESERVED_EVENTS};
pub use recovery::{Log, LogLimits, Restored, Saving};
pub use socket_io::{Kept, SocketIo};
