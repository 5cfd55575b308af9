//! What a Socket.IO server is for: an [`Application`] gets what clients say and answers in
//! [`Effect`]s. It knows no session, no transport and no frame.

use std::{borrow::Cow, rc::Rc};

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    SocketId,
    engine::{Departure, Frame, Mark},
};

pub trait Application: Sized {
    /// What the application wants done by its embedder.
    type Command;
    /// What it keeps of a socket while the server sleeps.
    type Kept: Serialize + DeserializeOwned;

    /// Whether there is such a namespace.
    fn serves(&self, namespace: &str) -> bool;

    /// Whether one more client may come with that handshake. `unadmitted` are the handshakes of those
    /// that no namespace has accepted yet.
    fn may_open(&self, handshake: &str, unadmitted: &[&str]) -> bool;

    /// A client asks to join: answer with [`Effect::Accept`], [`Effect::Refuse`] or, if that takes a
    /// while, [`Effect::Wait`].
    fn connect(&mut self, connect: Connect<'_>, now: i64) -> Effects<'static, Self::Command>;

    fn event<'a>(&mut self, socket: SocketId, event: Event<'a>, now: i64) -> Effects<'a, Self::Command>;

    /// The client's answer to an [`Emission`] with an ack id; comes once for each at most.
    fn acknowledged(
        &mut self,
        socket: SocketId,
        id: u64,
        arguments: &[&str],
        now: i64,
    ) -> Effects<'static, Self::Command>;

    /// The socket is gone; it may have been refused, accepted or waiting.
    fn disconnected(
        &mut self,
        socket: SocketId,
        departure: Departure,
        now: i64,
    ) -> Effects<'static, Self::Command>;

    /// All that was said to the socket so far.
    fn mark(&self, socket: SocketId) -> Mark;

    /// What was said to the socket up to the mark has arrived.
    fn arrived(&mut self, socket: SocketId, mark: Mark, now: i64) -> Effects<'static, Self::Command>;

    /// Does what is due.
    fn tick(&mut self, now: i64) -> Effects<'static, Self::Command>;

    /// When [`Application::tick`] wants to be called next.
    fn next_deadline(&self) -> Option<i64>;

    fn kept(&self, socket: SocketId) -> Option<Self::Kept>;

    /// What the log calls a connection with that handshake. Nothing secret.
    fn label(&self, handshake: &str) -> String;

    /// Bytes that it holds for its clients.
    fn held(&self) -> usize;

    /// Whether something must outlive the sockets.
    fn needs_storage(&self) -> bool;
}

#[derive(Clone, Copy, Debug)]
pub struct Connect<'a> {
    pub socket: SocketId,
    pub namespace: &'a str,
    /// The payload of the CONNECT packet: a JSON object.
    pub auth: Option<&'a str>,
    /// What the embedder said of the request that opened the session.
    pub handshake: &'a str,
}

/// An event as it came: JSON, checked and not decoded.
#[derive(Debug)]
pub struct Event<'a> {
    /// A string literal or a number.
    pub name: &'a str,
    /// Binary arguments are still placeholders.
    pub arguments: Vec<&'a str>,
    pub ack: Option<u64>,
    pub attachments: Vec<Vec<u8>>,
}

pub type Effects<'a, C> = Vec<Effect<'a, C>>;

/// To be performed in order.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect<'a, C> {
    /// The client is in. `sid` is its public id, `pid` the secret by which it recovers.
    Accept {
        socket: SocketId,
        sid: String,
        pid: Option<String>,
    },
    /// `error` is an object with a `message`. The client waits no longer, and may ask again.
    Refuse {
        socket: SocketId,
        error: String,
    },
    /// To sockets of one namespace.
    Emit {
        to: Vec<SocketId>,
        emission: Emission<'a>,
    },
    /// Answers an event; `arguments` are JSON, joined by commas.
    Ack {
        socket: SocketId,
        id: u64,
        arguments: String,
        attachments: Vec<Rc<[u8]>>,
    },
    /// Frames that were made before, as [`Emission::frame`] makes them.
    Replay {
        socket: SocketId,
        frames: Vec<String>,
    },
    /// Until [`Effect::Resume`] what the client says is kept for later, in order and bounded.
    Wait(SocketId),
    Resume(SocketId),
    /// The client is told that it is disconnected; with `close` its session ends too.
    Disconnect {
        socket: SocketId,
        close: bool,
    },
    /// [`Application::kept`] changed.
    Keep(SocketId),
    /// [`Application::next_deadline`] came nearer while an event was handled.
    Reschedule,
    /// The session ends without a word, as if the connection had been lost.
    Abandon(SocketId),
    Command(C),
}

/// An event for clients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Emission<'a> {
    pub name: Cow<'a, str>,
    /// JSON values joined by commas, the middle part relayed as it came.
    pub arguments: Frame<'a>,
    pub attachments: Vec<Rc<[u8]>>,
    /// Asks for an ack; the id must be new for each of the sockets.
    pub ack: Option<u64>,
    /// Dropped where the transport is not ready to take it at once.
    pub volatile: bool,
}

impl<'a> Emission<'a> {
    pub fn into_owned(self) -> Emission<'static> {
        let Self { name, arguments, attachments, ack, volatile } = self;
        let (name, arguments) = (Cow::Owned(name.into_owned()), Frame::whole(arguments.text()));
        Emission { name, arguments, attachments, ack, volatile }
    }

    /// The Engine.IO message: `42["name",arguments]` in the main namespace.
    pub fn frame(&self, namespace: &str) -> Frame<'a> {
        let Frame { head, relayed, tail } = &self.arguments;
        let attachments = self.attachments.len();
        let kind = if attachments == 0 { "42".to_owned() } else { format!("45{attachments}-") };
        let ack = self.ack.map_or(String::new(), |id| id.to_string());
        let comma = if head.is_empty() && relayed.is_empty() { "" } else { "," };
        let (prefix, end) = crate::encode::prefix(namespace);
        let head = [&kind, prefix, end, &ack, "[\"", &self.name, "\"", comma, head].concat();
        let tail = match tail.as_ref() {
            "" => Cow::Borrowed("]"),
            "}" => Cow::Borrowed("}]"),
            tail => Cow::Owned([tail, "]"].concat()),
        };
        Frame { head, relayed, tail }
    }
}

impl<'a, C> Effect<'a, C> {
    /// The same with another command.
    pub fn map<D>(self, command: impl FnOnce(C) -> D) -> Effect<'a, D> {
        self.convert(command, |emission| emission)
    }

    pub fn into_owned(self) -> Effect<'static, C> {
        self.convert(|command| command, Emission::into_owned)
    }

    fn convert<'b, D>(
        self,
        command: impl FnOnce(C) -> D,
        emission: impl FnOnce(Emission<'a>) -> Emission<'b>,
    ) -> Effect<'b, D> {
        match self {
            Self::Accept { socket, sid, pid } => Effect::Accept { socket, sid, pid },
            Self::Refuse { socket, error } => Effect::Refuse { socket, error },
            Self::Emit { to, emission: event } => Effect::Emit { to, emission: emission(event) },
            Self::Ack { socket, id, arguments, attachments } => {
                Effect::Ack { socket, id, arguments, attachments }
            }
            Self::Replay { socket, frames } => Effect::Replay { socket, frames },
            Self::Wait(socket) => Effect::Wait(socket),
            Self::Resume(socket) => Effect::Resume(socket),
            Self::Disconnect { socket, close } => Effect::Disconnect { socket, close },
            Self::Keep(socket) => Effect::Keep(socket),
            Self::Reschedule => Effect::Reschedule,
            Self::Abandon(socket) => Effect::Abandon(socket),
            Self::Command(own) => Effect::Command(command(own)),
        }
    }
}
