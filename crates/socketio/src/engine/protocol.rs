//! What is spoken inside of Engine.IO sessions.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Message, SessionKey};

/// How much had been said to a session at some time; grows.
pub type Mark = u64;

/// A protocol inside of Engine.IO. Messages of sessions go in, what follows comes out through the [`Outbox`],
/// in order. Times are milliseconds since the Unix epoch.
pub trait Protocol: Sized {
    /// What the protocol wants done outside of its sessions.
    type Command;
    /// What survives of a session while the server sleeps.
    type Kept: Serialize + DeserializeOwned;

    /// Whether a session may be opened with that handshake. `unopened` are the handshakes of those that
    /// the protocol was not told of yet.
    fn may_open(&self, handshake: &str, unopened: &[&str]) -> bool;

    /// A new session. `handshake` is what the embedder said of the request that opened it. One that
    /// polls is not told before its client has come back.
    fn open(&mut self, session: SessionKey, handshake: &str, now: i64);

    /// A text message of the session, without Engine.IO's `4`.
    ///
    /// # Errors
    /// [`Violation`] ends the session as [`Departure::Ended`].
    fn text<'a>(
        &mut self,
        session: SessionKey,
        message: &'a str,
        now: i64,
        out: &mut Outbox<'a, Self::Command>,
    ) -> Result<(), Violation>;

    /// A binary message of the session.
    ///
    /// # Errors
    /// [`Violation`] ends the session as [`Departure::Ended`].
    fn binary(
        &mut self,
        session: SessionKey,
        message: Vec<u8>,
        now: i64,
        out: &mut Outbox<'_, Self::Command>,
    ) -> Result<(), Violation>;

    /// The session is over.
    fn closed(
        &mut self,
        session: SessionKey,
        departure: Departure,
        now: i64,
        out: &mut Outbox<'_, Self::Command>,
    );

    /// All that was said to the session so far.
    fn mark(&self, session: SessionKey) -> Mark;

    /// What was said to the session up to the mark has arrived.
    fn arrived(&mut self, session: SessionKey, mark: Mark, now: i64, out: &mut Outbox<'_, Self::Command>);

    /// Does what is due.
    fn tick(&mut self, now: i64, out: &mut Outbox<'_, Self::Command>);

    /// When [`Protocol::tick`] wants to be called next, in milliseconds since the Unix epoch.
    fn next_deadline(&self) -> Option<i64>;

    /// What has to survive a sleep of the server; `None` for a session that is none of the protocol's.
    fn kept(&self, session: SessionKey) -> Option<Self::Kept>;

    /// What the log calls the session.
    fn label(&self, session: SessionKey) -> String;

    /// Bytes that are held for the session.
    fn held_for(&self, session: SessionKey) -> usize;

    /// Bytes that are held for all sessions together.
    fn held(&self) -> usize;

    /// Whether something must outlive the sessions.
    fn needs_storage(&self) -> bool;
}

/// What a protocol wants done, in order.
pub type Outbox<'a, C> = Vec<Output<'a, C>>;

/// One thing that a [`Protocol`] wants to happen. For a session that is gone it does nothing.
#[derive(Debug, PartialEq, Eq)]
pub enum Output<'a, C> {
    /// A message for sessions.
    Send {
        /// The sessions.
        to: Vec<SessionKey>,
        /// The message.
        message: Message<'a>,
        /// Dropped where the transport is not ready to take it at once.
        volatile: bool,
    },
    /// What waits is still sent; then the session ends.
    Close(SessionKey),
    /// Whether the protocol has let the client in: then it may send larger messages.
    Admit {
        /// The session.
        session: SessionKey,
        /// False at first: [`Limits::max_unadmitted`](super::Limits::max_unadmitted) holds.
        admitted: bool,
    },
    /// The session broke its protocol or ran out of time: it ends at once.
    Fail(SessionKey),
    /// The session ends at once, as if its connection had been lost.
    Abandon(SessionKey),
    /// [`Protocol::kept`] changed.
    Keep(SessionKey),
    /// [`Protocol::next_deadline`] came nearer while a message was handled; anywhere else it is asked
    /// for anyway.
    Reschedule,
    /// Something for the embedder.
    Command(C),
}

impl<C> Output<'_, C> {
    /// The same, with the borrowed parts copied.
    pub fn into_owned(self) -> Output<'static, C> {
        match self {
            Self::Send { to, message, volatile } => {
                Output::Send { to, message: message.into_owned(), volatile }
            }
            Self::Close(session) => Output::Close(session),
            Self::Admit { session, admitted } => Output::Admit { session, admitted },
            Self::Fail(session) => Output::Fail(session),
            Self::Abandon(session) => Output::Abandon(session),
            Self::Keep(session) => Output::Keep(session),
            Self::Reschedule => Output::Reschedule,
            Self::Command(command) => Output::Command(command),
        }
    }
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Departure {
    /// The client said goodbye: WebSocket close code 1001, a closed tab.
    Left,
    /// Anything else: the client may come back.
    Lost,
    /// The server ended it: the client broke the protocol.
    Ended,
    /// The server ended it: more was held for the client than is allowed. It may come back.
    Overloaded,
}

/// The client broke the protocol in a way that ends the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation;
