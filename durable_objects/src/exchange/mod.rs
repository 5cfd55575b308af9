//! What Room and Session objects tell each other, as JSON in the bodies of requests.

use serde::{Deserialize, Serialize};
use zetra_signalling::Credential;
use zetra_socketio::engine::{Departure, Mark};

mod mailboxes;

use crate::authenticator::Recovery;

pub(crate) use mailboxes::{Mailboxes, Measured};

/// A Session object tells a Room what its client says. In order, one request at a time.
#[derive(Serialize, Deserialize)]
pub enum FromSession {
    Join(Joining),
    Event {
        /// A JSON literal.
        name: String,
        arguments: Vec<String>,
        ack: Option<u64>,
    },
    /// What the room said up to the mark has arrived at the client.
    Arrived(Mark),
    Recover(Recovering),
    /// The client is gone.
    Gone(Departure),
}

/// The client asks to join; answered by [`Delivery::Joined`].
#[derive(Serialize, Deserialize)]
pub struct Joining {
    /// Its public id and the secret by which it recovers.
    pub sid: String,
    pub pid: String,
    /// Checked by the Session.
    pub credential: Credential,
    /// What the log calls the connection.
    pub connection: String,
    pub arguments: Vec<String>,
    pub ack: Option<u64>,
}

/// The client was in the room; answered by [`Delivery::Recovered`], [`Delivery::Joined`] where it
/// is joined again under the new ids, or [`Delivery::NotRecovered`].
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

/// A Room tells a Session object. In order, one request at a time. A `mark` tells what the room has
/// said so far, for [`FromSession::Arrived`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Delivery {
    /// For the client.
    Frame {
        mark: Mark,
        frame: String,
    },
    /// The outcome of a join, and what the client is told of it. One that was refused has left nothing
    /// in the room.
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
    /// The client is not in the room any more, which has forgotten it.
    Left,
    /// The room does not know the client, which said something: what it is told, if it has learnt that it
    /// left. If it has not, the room has given it up, and it is to begin anew.
    Stranger(Option<String>),
    /// Tell the client that it is disconnected, then close.
    Disconnect,
    /// Close without a word: somebody else holds the connection's place.
    Abandon,
}

/// A batch of messages, as it crosses from object to object.
#[derive(Serialize, Deserialize)]
pub struct Batch<T> {
    /// Who sends it: a room's id, or a Session's name.
    pub from: String,
    pub messages: Vec<T>,
}

impl Measured for FromSession {
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

impl Measured for Delivery {
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
