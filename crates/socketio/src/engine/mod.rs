//! Engine.IO v4: sessions over long-polling and WebSocket, the upgrade between them, the heartbeat.
//!
//! [`Server`] manages sessions but not their content: that belongs to a [`Protocol`], Socket.IO for instance.

mod heartbeat;
mod outgoing;
pub mod payload;
mod protocol;
mod request;
mod server;
mod transport;

pub use crate::id::{LinkId, RequestId, SessionKey};
pub use outgoing::{Frame, Message};
pub use protocol::{Departure, Mark, MayOpen, Outbox, Output, Protocol, Violation};
pub use request::{Method, Query, RequestError, Route, TransportName};
pub use server::{Action, Attachment, Opening, Reception, Response, Server, Settings};

/// Durations of the protocol, in milliseconds (Engine.IO v4, "Handshake" and "Heartbeat"). The default intervals
/// and timeouts of ping and upgrade are those of the official server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// From one ping of the server to the next.
    pub ping_interval: i64,
    /// From a ping to the pong; checked at beats.
    pub ping_timeout: i64,
    /// From the probing WebSocket to the probe, and from its answer to the packet that completes the upgrade; checked when
    /// something else is due.
    pub upgrade_timeout: i64,
    /// How long a session that the server closed waits for the poll, or the upgrade, that notifies the client.
    pub close_timeout: i64,
}

impl Default for Timing {
    fn default() -> Self {
        Self { ping_interval: 25_000, ping_timeout: 20_000, upgrade_timeout: 10_000, close_timeout: 30_000 }
    }
}

/// Limits on what clients may use in Engine.IO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one frame or request body, announced to the client as `maxPayload`.
    pub max_payload: usize,
    /// The same before the protocol has admitted the client.
    pub max_unadmitted: usize,
    /// Bytes that wait for one client. A session that exceeds them ends: at once if they wait for its poll; if
    /// they were sent but are not known to have arrived, once the client has not acknowledged anything for a
    /// while.
    pub max_buffered: usize,
    /// Bytes sent to a client after which it gets an extra ping, to find out what has arrived.
    pub ping_after: usize,
    /// Bytes held for all clients together; past them the session for which most is held ends.
    pub max_held: usize,
    /// Bytes in flight to all clients together; past them the sessions of the slowest clients end.
    pub max_sent: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_payload: 1_000_000,
            max_unadmitted: 64 * 1024,
            max_buffered: 4_000_000,
            ping_after: 128 * 1024,
            max_held: 8_000_000,
            max_sent: 32_000_000,
        }
    }
}
