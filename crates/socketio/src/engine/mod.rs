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

pub use crate::id::{LinkId, RequestId, SessionKey};
pub use outgoing::{Frame, Message};
pub use protocol::{Departure, Mark, Outbox, Output, Protocol, Violation};
pub use request::{Method, Query, RequestError, Route, TransportName};
pub use server::{Action, Attachment, Opening, Reception, Response, Server, Settings};

/// Durations of the protocol, in milliseconds (Engine.IO v4, "Handshake" and "Heartbeat"). The default intervals
/// and timeouts of ping and upgrade are those of the official server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// From one ping of the server to the next.
    pub ping_interval: i64,
    /// From a ping to the pong; judged at beats.
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

/// What clients may cost Engine.IO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one frame or request body, told to the client as `maxPayload`.
    pub max_payload: usize,
    /// The same before the protocol has let the client in.
    pub max_unadmitted: usize,
    /// Bytes that wait for one client. Past them its session ends: at once where they wait for its poll;
    /// where they were sent and are not known to have arrived, when it has not said for a while that it
    /// reads.
    pub max_buffered: usize,
    /// Bytes sent to a client after which it is pinged out of turn, to know what has arrived.
    pub ping_after: usize,
    /// Bytes that are held for all clients together; past them the session for which most is held ends.
    pub max_held: usize,
    /// Bytes on the way to all clients together; past them the slowest ones end.
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
