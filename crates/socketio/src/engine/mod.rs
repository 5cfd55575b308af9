//! Engine.IO v4: sessions over long-polling and WebSocket, the upgrade between them, the heartbeat.
//!
//! [`Server`] knows what a session is and nothing of what is said in it: that is a [`Protocol`]'s,
//! Socket.IO's for instance.

mod heartbeat;
mod outgoing;
pub mod payload;
mod protocol;
mod request;
mod server;
mod transport;

pub use outgoing::{Frame, Message};
pub use protocol::{Departure, Mark, Outbox, Output, Protocol, SessionKey, Violation};
pub use request::{Method, Query, RequestError, Route, TransportName};
pub use server::{Action, Attachment, LinkId, Opening, Reception, RequestId, Response, Server, Settings};

/// Durations of the protocol, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    pub ping_interval: i64,
    pub ping_timeout: i64,
    /// From the WebSocket that probes to the packet that completes the upgrade; judged at beats.
    pub upgrade_timeout: i64,
    /// How long a session that the server closed waits for the poll that tells the client.
    pub close_timeout: i64,
}

impl Default for Timing {
    fn default() -> Self {
        Self { ping_interval: 25_000, ping_timeout: 20_000, upgrade_timeout: 10_000, close_timeout: 30_000 }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one frame or request body, told to the client as `maxPayload`.
    pub max_payload: usize,
    /// Bytes that wait for a client which does not poll; past them its session is lost.
    pub max_buffered: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_payload: 1_000_000, max_buffered: 4_000_000 }
    }
}
