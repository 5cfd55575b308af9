//! The protocol inside Engine.IO sessions.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Message, SessionKey};

/// Whether one more session may be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MayOpen {
    /// There is room for it.
    Yes,
    /// It is refused.
    No,
    /// If that session ends for it, which is lost then ([`Departure::Lost`]).
    InsteadOf(SessionKey),
}

/// How much had been sent to a session at some time; grows.
pub type Mark = u64;

/// A protocol inside Engine.IO. Messages of sessions go in, the results come out through the [`Outbox`], in
/// order. Times are milliseconds since the Unix epoch.
pub trait Protocol: Sized {
    /// Work for the embedder, outside the sessions.
    type Command;
    /// The part of a session that survives while the server sleeps.
    type Kept: Serialize + DeserializeOwned;

    /// Whether a session may be opened with that handshake. `unopened` are those for which [`Protocol::open`] was not
    /// called yet, with their handshakes.
    fn may_open(&self, handshake: &str, unopened: &[(SessionKey, &str)]) -> MayOpen;

    /// A new session. `handshake` is how the embedder described the request that opened it. For a session that
    /// polls this is not called before its client has come back.
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

    /// The session is over. Called once, and not for a session that the protocol has closed with [`Output::Close`].
    fn closed(
        &mut self,
        session: SessionKey,
        departure: Departure,
        now: i64,
        out: &mut Outbox<'_, Self::Command>,
    );

    /// Everything sent to the session so far.
    fn mark(&self, session: SessionKey) -> Mark;

    /// Everything sent to the session up to the mark has arrived.
    fn arrived(&mut self, session: SessionKey, mark: Mark, now: i64, out: &mut Outbox<'_, Self::Command>);

    /// Does what is due.
    fn tick(&mut self, now: i64, out: &mut Outbox<'_, Self::Command>);

    /// The clock shows less than at the last input, by that many milliseconds: no deadline may be further away than
    /// when it was set. Called before the first input after a start or a sleep too, as it may have been set back
    /// meanwhile; `by` is `None` then, as nobody knows.
    ///
    /// Does nothing by default.
    fn clock_set_back(&mut self, by: Option<i64>, now: i64, out: &mut Outbox<'_, Self::Command>) {
        let _ = (by, now, out);
    }

    /// When [`Protocol::tick`] wants to be called next, in milliseconds since the Unix epoch.
    fn next_deadline(&self) -> Option<i64>;

    /// The state that has to survive a sleep of the server; `None` for a session the protocol does not have.
    fn kept(&self, session: SessionKey) -> Option<Self::Kept>;

    /// The name of the session in the log.
    fn label(&self, session: SessionKey) -> String;

    /// Bytes that are held for the session.
    fn held_for(&self, session: SessionKey) -> usize;

    /// Bytes that are held for all sessions together.
    fn held(&self) -> usize;

    /// Whether stored data must outlive the sessions.
    fn needs_storage(&self) -> bool;
}

/// The outputs of a protocol, in order.
pub type Outbox<'a, C> = Vec<Output<'a, C>>;

/// One thing that a [`Protocol`] wants to happen. For a session that is gone it is ignored.
#[derive(Debug, PartialEq, Eq)]
pub enum Output<'a, C> {
    /// A message for sessions.
    Send {
        /// The sessions.
        to: Vec<SessionKey>,
        /// The message.
        message: Message<'a>,
        /// Dropped if the transport is not ready to take it at once.
        volatile: bool,
    },
    /// Everything that waits is still sent; then the session ends.
    Close(SessionKey),
    /// Whether the protocol has admitted the client: then it may send larger messages.
    Admit {
        /// The session.
        session: SessionKey,
        /// False at first: [`Limits::max_unadmitted`](super::Limits::max_unadmitted) holds.
        admitted: bool,
    },
    /// The client broke the protocol or ran out of time: the session ends at once.
    Fail(SessionKey),
    /// The session ends as if its connection had been lost. A client in the middle of an upgrade is waited for, so that it
    /// learns of it.
    Abandon(SessionKey),
    /// [`Protocol::kept`] changed.
    Keep(SessionKey),
    /// [`Protocol::next_deadline`] has moved to an earlier time while a message was handled; anywhere else it
    /// is read anyway.
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
    /// The client said goodbye, with WebSocket close code 1001 (a closed tab) or a DISCONNECT packet.
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
