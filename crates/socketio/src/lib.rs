#![doc = include_str!("../README.md")]
//!
//! # Layers
//!
//! ```text
//! embedder → engine::Server   sessions, transports, heartbeat
//!              → SocketIo     namespaces, packets, acks
//!                → Application    what it is all for
//! ```
//!
//! Sources: github.com/socketio/socket.io, `docs/engine.io-protocol/v4-current.md` and
//! `docs/socket.io-protocol/v5-current.md`. Where the official packages are laxer than their specification this
//! crate takes the strict reading; each such place is marked.

#![warn(missing_docs)]

mod application;
mod binary;
mod client;
mod encode;
pub mod engine;
mod id;
pub mod packet;
mod recovery;
mod socket_io;

pub use application::{Application, Connect, Effect, Effects, Emission, Event, Open};
pub use binary::Attachments;
pub use client::Limits;
pub use encode::ack;
pub use id::{ReceiverId, SocketId};
pub use packet::{Packet, PacketError, PacketType, RESERVED_EVENTS};
#[cfg(feature = "oracle")]
pub use recovery::oracle;
pub use recovery::{Log, LogLimits, Restored, Saving};
pub use socket_io::{Kept, SocketIo};
