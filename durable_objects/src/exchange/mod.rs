//! The messages between Room and Session objects.

use serde::{Deserialize, Serialize};
use zetra_signalling::{Credential, Rate};
use zetra_socketio::engine::{Departure, Mark};

mod batch;
mod mailboxes;
mod transport;

use crate::authenticator::Recovery;

pub(crate) use batch::Batch;
pub(crate) use mailboxes::{Mailboxes, Next};
pub(crate) use transport::{BatchSender, SendingObject};

/// A message from a Session object to a Room about its client. In order, one call at a time.
#[derive(Serialize, Deserialize)]
pub enum FromSession {
    Join(Joining),
    Event {
        /// A JSON literal.
        name: String,
        arguments: Vec<String>,
        ack: Option<u64>,
    },
    /// Everything the room sent up to the mark has arrived at the client.
    Arrived(Mark),
    Recover(Recovering),
    /// The client is gone.
    Gone(Departure),
}

/// The client wants to join; answered by [`Delivery::Joined`].
#[derive(Serialize, Deserialize)]
pub struct Joining {
    /// Its public id and its recovery secret.
    pub sid: String,
    pub pid: String,
    /// Checked by the Session.
    pub credential: Credential,
    /// What the log calls the connection.
    pub connection: String,
    pub arguments: Vec<String>,
    pub ack: Option<u64>,
    /// What the client has sent until now, wherever it was.
    #[serde(default)]
    pub rate: Rate,
}

/// The client wants to recover its place in the room; answered by [`Delivery::Recovered`], [`Delivery::Joined`]
/// if it is joined again under the new ids, [`Delivery::NotRecovered`], or [`Delivery::Abandon`] if the store fails.
#[derive(Serialize, Deserialize)]
pub struct Recovering {
    pub recovery: Recovery,
    /// Checked by the Session.
    pub credential: Credential,
    /// The ids it gets unless it recovers.
    pub sid: String,
    pub pid: String,
    /// What the log calls the connection.
    pub connection: String,
}

/// A message from a Room to a Session object. In order, one call at a time. A `mark` is the room's position
/// after what it has sent so far, for [`FromSession::Arrived`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Delivery {
    /// For the client.
    Frame {
        mark: Mark,
        frame: String,
    },
    /// The outcome of a join, with everything that is sent to the client about it. A refused join leaves
    /// nothing in the room.
    Joined {
        joined: bool,
        mark: Mark,
        frames: Vec<String>,
    },
    Recovered {
        sid: String,
        mark: Mark,
        frames: Vec<String>,
    },
    NotRecovered,
    /// The client is no longer in the room, which has forgotten it.
    Left,
    /// The client sent an event, but the room does not know it. Contains the reply for a client that was
    /// notified that it left. Otherwise the room has given the client up, and the client has to reconnect.
    Stranger(Option<String>),
    /// Send the client a disconnect packet, then close.
    Disconnect,
    /// Close without a packet: another connection has taken its place, or is to try what the store has failed.
    Abandon,
}

/// A message that may contain long texts.
pub(crate) trait Message {
    /// Its texts, always in the same order.
    fn texts(&mut self) -> Vec<&mut String>;

    /// Its approximate size in bytes.
    fn bytes(&self) -> usize;
}

impl Message for FromSession {
    fn texts(&mut self) -> Vec<&mut String> {
        match self {
            Self::Join(joining) => joining.arguments.iter_mut().collect(),
            Self::Event { name, arguments, .. } => std::iter::once(name).chain(arguments).collect(),
            Self::Recover(_) | Self::Arrived(_) | Self::Gone(_) => Vec::new(),
        }
    }

    fn bytes(&self) -> usize {
        const ENVELOPE: usize = 256;
        let of_arguments = |arguments: &[String]| arguments.iter().map(String::len).sum::<usize>();
        ENVELOPE
            + match self {
                Self::Join(joining) => of_arguments(&joining.arguments),
                Self::Event { name, arguments, .. } => name.len() + of_arguments(arguments),
                Self::Recover(_) | Self::Arrived(_) | Self::Gone(_) => 0,
            }
    }
}

impl Message for Delivery {
    fn texts(&mut self) -> Vec<&mut String> {
        match self {
            Self::Frame { frame, .. } => vec![frame],
            Self::Joined { frames, .. } | Self::Recovered { frames, .. } => frames.iter_mut().collect(),
            Self::Stranger(frame) => frame.iter_mut().collect(),
            Self::NotRecovered | Self::Left | Self::Disconnect | Self::Abandon => Vec::new(),
        }
    }

    fn bytes(&self) -> usize {
        const ENVELOPE: usize = 64;
        ENVELOPE
            + match self {
                Self::Frame { frame, .. } => frame.len(),
                Self::Joined { frames, .. } | Self::Recovered { frames, .. } => {
                    frames.iter().map(String::len).sum()
                }
                Self::Stranger(frame) => frame.as_ref().map_or(0, String::len),
                Self::NotRecovered | Self::Left | Self::Disconnect | Self::Abandon => 0,
            }
    }
}
