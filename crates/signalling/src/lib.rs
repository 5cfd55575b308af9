//! Who is in a room, and which messages go to which peers.
//!
//! [`Room`] is a state machine without I/O: an event of a peer goes in, [`Effect`]s come out. It has no notion
//! of frames, sockets or stores; it requests what it needs from the store with [`Effect::Lookup`] and receives
//! the answer through [`Room::admit`].
//!
//! Invariants
//! 1. A user is in the room once: two peers never hold one user.
//! 2. The room is a function of its peers ([`Room::restore`]); nothing else has to survive
//!    hibernation.
//! 3. A refused event answers its ack where it has one, else by one `error` event, never both, and
//!    never ends the connection (a flood of refusals does).

mod backoff;
mod call_keeper;
mod ended_calls;
mod event;
mod outgoing;
mod peer;
mod rate;
mod reason;
mod refusal;
mod room;
mod text;
mod versioned;
mod webhook_queue;

pub use call_keeper::{CallEffect, CallKeeper, Presence, Reported};
pub use ended_calls::{EndedCalls, EndedEffect};
pub use event::{ClientEvent, Media, MediaChange, Signal, SignalKind};
pub use outgoing::{AckBody, Outgoing};
pub use peer::{Credential, Joined, Peer, Revocation};
pub use rate::{EventRate, MAX_EVENT_BYTES, Rate};
pub use reason::{DisconnectReason, HostAction};
pub use refusal::Refusal;
pub use room::{Effect, Limits, PeerId, Room};
pub use webhook_queue::{RoomEvent, WebhookEffect, WebhookMessage, WebhookQueue};
