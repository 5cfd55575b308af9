//! Engine.IO v4 and Socket.IO v5, without I/O.
//!
//! Frames go in, what they say comes out; the time is an argument. The crate knows no socket, no
//! room and no user: whoever embeds it owns those. Payloads are never turned into a document tree:
//! an argument is a slice of the JSON text in which it came, checked to be JSON and otherwise as it
//! was sent (white space, number spelling, key order, repeated keys, lone surrogates).
//!
//! Sources: github.com/socketio/socket.io, `docs/engine.io-protocol/v4.md` and
//! `docs/socket.io-protocol/v5.md`. Where the official packages are laxer than their specification
//! we take the strict reading; each such place says so.

mod binary;
mod encode;
mod handshake;
pub mod packet;
mod session;

pub use binary::Attachments;
pub use encode::{ack, connect, connect_error, disconnect, engine, event, open};
pub use handshake::{Handshake, HandshakeError};
pub use packet::{Packet, PacketError, PacketType, RESERVED_EVENTS};
pub use session::{Fatal, Limits, Received, Session, Timing};
