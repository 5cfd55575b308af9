//! The application of a Socket.IO server: an [`Application`] receives what clients send and responds with
//! [`Effect`]s. It does not deal with sessions, transports or frames.

use std::{borrow::Cow, rc::Rc};

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    SocketId,
    engine::{Departure, Frame, Mark, MayOpen, SessionKey},
};

/// The application's part of a Socket.IO server: it decides which clients may connect and how to respond to
/// them.
///
/// [`SocketIo`](crate::SocketIo) calls the methods one after the other and performs the returned [`Effects`] in
/// order. `now` is the time in milliseconds since the Unix epoch. An application survives hibernation if it
/// follows two rules:
///
/// - it has no state other than what [`kept`](Application::kept) returns for its sockets and what its embedder
///   stores, since the server may be dropped after any call and rebuilt by
///   [`SocketIo::restore`](crate::SocketIo::restore);
/// - it never waits: anything that takes a while is an [`Effect::Command`] whose outcome comes back through
///   [`SocketIo::act`](crate::SocketIo::act).
///
/// The defaults suit an application that only responds to its clients: only the main namespace is served,
/// everybody may open a connection, no deadline is set and nothing is held or stored.
pub trait Application: Sized {
    /// Work for the embedder; `std::convert::Infallible` if there is none.
    type Command;
    /// The state of a socket that is kept while the server sleeps. In a Durable Object it is stored in the
    /// WebSocket's attachment, together with about a hundred bytes of the server's own: keep it small.
    type Kept: Serialize + DeserializeOwned;

    /// Whether the namespace exists; it begins with a slash. A CONNECT to any other is answered with
    /// CONNECT_ERROR `Invalid namespace` (Socket.IO v5, "Connection to a namespace").
    ///
    /// By default only `/`, the main namespace.
    fn serves(&self, namespace: &str) -> bool {
        namespace == "/"
    }

    /// Whether one more client may open a connection with that handshake, which is how the embedder described
    /// its request, beside those that are open. An application can bound how many strangers wait, and decide who
    /// gives way to whom. [`MayOpen::No`] refuses the handshake with 503.
    ///
    /// By default everybody may.
    fn may_open(&self, handshake: &str, open: &[Open<'_>]) -> MayOpen {
        let _ = (handshake, open);
        MayOpen::Yes
    }

    /// A client asks to join: respond with [`Effect::Accept`], [`Effect::Refuse`] or, if that takes a while,
    /// [`Effect::Wait`].
    fn connect(&mut self, connect: Connect<'_>, now: i64) -> Effects<'static, Self::Command>;

    /// An event from an accepted client. If [`Event::ack`] is set, one [`Effect::Ack`] with that id should
    /// answer it, now or later; the client waits for it.
    fn event<'a>(&mut self, socket: SocketId, event: Event<'a>, now: i64) -> Effects<'a, Self::Command>;

    /// The client's answer to an [`Emission`] with an ack id; called at most once for each. `arguments` are
    /// JSON values, checked but not decoded.
    ///
    /// Does nothing by default, since an application that requests no acks receives none.
    fn acknowledged(
        &mut self,
        socket: SocketId,
        id: u64,
        arguments: &[&str],
        now: i64,
    ) -> Effects<'static, Self::Command> {
        let _ = (socket, id, arguments, now);
        Vec::new()
    }

    /// The socket is gone. It may have been accepted or still be waiting for an answer to its CONNECT. This
    /// is called at most once for each socket, and not after [`Effect::Refuse`] or [`Effect::Disconnect`].
    fn disconnected(
        &mut self,
        socket: SocketId,
        departure: Departure,
        now: i64,
    ) -> Effects<'static, Self::Command>;

    /// Everything sent to the socket so far, as a number that grows. It is passed back to
    /// [`arrived`](Application::arrived).
    ///
    /// By default 0, for an application that does not track what has arrived.
    fn mark(&self, socket: SocketId) -> Mark {
        let _ = socket;
        0
    }

    /// Everything sent to the socket up to the mark has arrived: a later pong or poll proves it, since the
    /// transports preserve order.
    ///
    /// Does nothing by default.
    fn arrived(&mut self, socket: SocketId, mark: Mark, now: i64) -> Effects<'static, Self::Command> {
        let _ = (socket, mark, now);
        Vec::new()
    }

    /// Does what is due at `now`. May be called when nothing is.
    ///
    /// Does nothing by default.
    fn tick(&mut self, now: i64) -> Effects<'static, Self::Command> {
        let _ = now;
        Vec::new()
    }

    /// The clock shows less than at the last input, by that many milliseconds: no deadline may be further away than
    /// when it was set. Called before the first input after a start or a sleep too, as it may have been set back
    /// meanwhile; `by` is `None` then, as nobody knows.
    ///
    /// Does nothing by default.
    fn clock_set_back(&mut self, by: Option<i64>, now: i64) -> Effects<'static, Self::Command> {
        let _ = (by, now);
        Vec::new()
    }

    /// When [`Application::tick`] wants to be called next, in milliseconds since the Unix epoch.
    ///
    /// Never by default.
    fn next_deadline(&self) -> Option<i64> {
        None
    }

    /// The state of this socket that has to survive a sleep of the server. After a change emit
    /// [`Effect::Keep`]; [`Effect::Accept`] implies it. `None` for a socket that is not accepted.
    fn kept(&self, socket: SocketId) -> Option<Self::Kept>;

    /// The name of a connection with that handshake in the log. It must contain nothing secret.
    ///
    /// By default empty.
    fn label(&self, handshake: &str) -> String {
        let _ = handshake;
        String::new()
    }

    /// Bytes that the application holds for its clients, which count towards
    /// [`Limits::max_held`](crate::engine::Limits::max_held).
    ///
    /// By default 0.
    fn held(&self) -> usize {
        0
    }

    /// Whether stored data must outlive the sockets. While it is false and nobody is connected, the embedder
    /// may delete everything that it stores.
    ///
    /// By default false.
    fn needs_storage(&self) -> bool {
        false
    }
}

/// A connection that is open.
#[derive(Clone, Copy, Debug)]
pub struct Open<'a> {
    /// What [`MayOpen::InsteadOf`] names. A later connection has a larger one.
    pub session: SessionKey,
    /// How the embedder described the request that opened it.
    pub handshake: &'a str,
    /// None before a namespace has accepted it, and after it has left the last one.
    pub socket: Option<SocketId>,
}

/// A CONNECT packet (Socket.IO v5, "Connection to a namespace").
#[derive(Clone, Copy, Debug)]
pub struct Connect<'a> {
    /// The id of the client from now on, whether it is accepted or not.
    pub socket: SocketId,
    /// One that [`Application::serves`]; `/` is the main namespace.
    pub namespace: &'a str,
    /// The packet's payload, a JSON object: the client's `auth` option.
    pub auth: Option<&'a str>,
    /// How the embedder described the request that opened the connection.
    pub handshake: &'a str,
}

/// An event as it arrived: JSON, checked but not decoded.
#[derive(Debug)]
pub struct Event<'a> {
    /// A JSON string literal, quotes included, or a number.
    pub name: &'a str,
    /// JSON values. A binary argument is a placeholder, `{"_placeholder":true,"num":0}`, that points to one of
    /// `attachments`.
    pub arguments: Vec<&'a str>,
    /// The id under which the client waits for an [`Effect::Ack`].
    pub ack: Option<u64>,
    /// The binary arguments, in the order of their placeholders' numbers.
    pub attachments: Vec<Vec<u8>>,
}

/// The effects of a call, in the order in which to perform them.
pub type Effects<'a, C> = Vec<Effect<'a, C>>;

/// One thing that an [`Application`] wants to happen. An effect for a socket that is gone is ignored.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect<'a, C> {
    /// The client is accepted: CONNECT is sent back to it.
    Accept {
        /// [`Connect::socket`].
        socket: SocketId,
        /// Its public id, `socket.id` at the client: unique, of characters that JSON does not escape.
        sid: String,
        /// The secret with which it recovers its state, if the application has connection state recovery; of
        /// characters that JSON does not escape.
        pid: Option<String>,
    },
    /// The client is refused: CONNECT_ERROR is sent back to it, `connect_error` at the client. It may try again
    /// on the same connection.
    Refuse {
        /// [`Connect::socket`].
        socket: SocketId,
        /// A JSON object with a `message` and, optionally, `data`.
        error: String,
    },
    /// An event for clients.
    Emit {
        /// Sockets of one namespace.
        to: Vec<SocketId>,
        /// The event.
        emission: Emission<'a>,
    },
    /// The answer to an event.
    Ack {
        /// The socket that the event came from.
        socket: SocketId,
        /// [`Event::ack`].
        id: u64,
        /// JSON values joined by commas; placeholders for binary ones.
        arguments: String,
        /// The binary arguments, in the order of their placeholders' numbers.
        attachments: Vec<Rc<[u8]>>,
    },
    /// Frames created earlier, for a client that recovers its state.
    Replay {
        /// A socket that was just accepted.
        socket: SocketId,
        /// In order, as [`Emission::frame`] creates them; without attachments.
        frames: Vec<String>,
    },
    /// Until [`Effect::Resume`] whatever the client sends is kept for later, in order. More than 256 messages
    /// or 1,000,000 bytes end the session.
    Wait(SocketId),
    /// Whatever was kept since [`Effect::Wait`] is handled now.
    Resume(SocketId),
    /// The client is notified that it is disconnected (DISCONNECT).
    Disconnect {
        /// The socket; it is gone, and [`Application::disconnected`] is not called for it.
        socket: SocketId,
        /// Whether its whole session ends too, with all its namespaces.
        close: bool,
    },
    /// The value that [`Application::kept`] returns for this socket has changed.
    Keep(SocketId),
    /// [`Application::next_deadline`] has moved to an earlier time while an event was handled.
    Reschedule,
    /// The session ends without a packet, as if the connection had been lost.
    Abandon(SocketId),
    /// Something for the embedder.
    Command(C),
}

/// An event for clients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Emission<'a> {
    /// The event's name as it appears between the quotes of a JSON string, escaped where JSON requires it.
    pub name: Cow<'a, str>,
    /// JSON values joined by commas; the middle part is relayed as it arrived. [`Frame::whole`] creates one
    /// from a string.
    pub arguments: Frame<'a>,
    /// Binary arguments, in the order of the numbers of their placeholders in `arguments`.
    pub attachments: Vec<Rc<[u8]>>,
    /// Requests an ack, which comes as [`Application::acknowledged`]. The id must be new for each of the
    /// sockets.
    pub ack: Option<u64>,
    /// Dropped if the transport is not ready to take it at once.
    pub volatile: bool,
}

impl<'a> Emission<'a> {
    /// An event of that name with `arguments`, JSON values joined by commas. It requests no ack.
    pub fn new(name: impl Into<Cow<'a, str>>, arguments: String) -> Self {
        Self { name: name.into(), arguments: Frame::whole(arguments), ..Self::default() }
    }

    /// The same, with the borrowed parts copied.
    pub fn into_owned(self) -> Emission<'static> {
        let Self { name, arguments, attachments, ack, volatile } = self;
        let (name, arguments) = (Cow::Owned(name.into_owned()), Frame::whole(arguments.text()));
        Emission { name, arguments, attachments, ack, volatile }
    }

    /// The Engine.IO message: `42["name",arguments]` in the main namespace (Socket.IO v5, "Packet encoding").
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

    /// The same, with the borrowed parts copied.
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
