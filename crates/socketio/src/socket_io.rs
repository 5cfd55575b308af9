//! Socket.IO v5 inside Engine.IO sessions: namespaces, events, acks; generic over the application.
//!
//! Invariants: a socket belongs to one session and one namespace; while an application lets a client wait,
//! whatever that client sends is kept in order and within bounds, and none of it is handled.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use vecmap::VecMap;

use crate::{
    Application, Connect, Effect, Effects, Event, Limits, Open, SocketId,
    client::{Client, Fatal, Received},
    encode,
    engine::{Departure, Frame, Mark, MayOpen, Message, Outbox, Output, Protocol, SessionKey, Violation},
    packet::{Packet, PacketType},
};

mod performing;

/// What one client may send while it waits: messages, and their bytes.
const BACKLOG_MESSAGES: usize = 256;
const BACKLOG_BYTES: usize = 1_000_000;

/// The Socket.IO v5 protocol inside an [`engine::Server`](crate::engine::Server), for one application.
pub struct SocketIo<A: Application> {
    limits: Limits,
    application: A,
    connections: VecMap<SessionKey, Connection>,
    sockets: VecMap<SocketId, SessionKey>,
    /// CONNECT packets that are not answered yet, and their namespaces.
    connecting: VecMap<SocketId, String>,
    next_socket: SocketId,
}

/// Everything that survives of a client while the server sleeps.
#[derive(Debug, Serialize, Deserialize)]
pub struct Kept<K> {
    #[serde(rename = "c")]
    client: Client,
    #[serde(rename = "h")]
    handshake: String,
    #[serde(rename = "a")]
    sockets: Vec<(SocketId, K)>,
}

impl<K> Kept<K> {
    /// How the embedder described the request that opened the connection.
    pub fn handshake(&self) -> &str {
        &self.handshake
    }
}

struct Connection {
    client: Client,
    handshake: String,
    /// Sockets that the client waits for; one in practice.
    waiting: Vec<SocketId>,
    backlog: VecDeque<Postponed>,
    backlog_bytes: usize,
}

enum Postponed {
    Text(String),
    Binary(Vec<u8>),
}

type Out<'a, A> = Outbox<'a, <A as Application>::Command>;

impl<A: Application> SocketIo<A> {
    /// Restores the server after a sleep. `kept` is the stored state of the sessions that are still open, none
    /// at the first start; `application` creates the application from the stored state of its sockets.
    pub fn restore(
        limits: Limits,
        kept: Vec<(SessionKey, Kept<A::Kept>)>,
        application: impl FnOnce(Vec<(SocketId, A::Kept)>) -> A,
    ) -> Self {
        let (mut connections, mut sockets, mut of_application) = (VecMap::new(), VecMap::new(), Vec::new());
        for (key, Kept { client, handshake, sockets: kept }) in kept {
            sockets.extend(client.sockets().map(|socket| (socket, key)));
            connections.insert(key, Connection::new(client, handshake));
            of_application.extend(kept);
        }
        let next_socket = SocketId(sockets.keys().max().map_or(0, |last| last.0 + 1));
        let application = application(of_application);
        Self { limits, application, connections, sockets, connecting: VecMap::new(), next_socket }
    }

    /// The application.
    pub fn application(&self) -> &A {
        &self.application
    }

    /// Lets the application act on input from elsewhere, such as the outcome of a command, and performs the
    /// effects. `out` is lent by [`Server::act`](crate::engine::Server::act).
    pub fn act<'a>(
        &mut self,
        now: i64,
        out: &mut Out<'a, A>,
        act: impl FnOnce(&mut A) -> Effects<'a, A::Command>,
    ) {
        let effects = act(&mut self.application);
        self.perform(effects, now, out);
    }

    fn handle<'a>(
        &mut self,
        key: SessionKey,
        received: Result<Received<'a>, Fatal>,
        now: i64,
        out: &mut Out<'a, A>,
    ) -> Result<(), Violation> {
        let received = received.map_err(|fatal| self.violation(key, fatal))?;
        let effects = match received {
            Received::Nothing => {
                // Announced attachments have a deadline.
                out.push(Output::Reschedule);
                return Ok(());
            }
            Received::Event { socket, id, elements } => self.event(socket, id, elements, Vec::new(), now),
            Received::Ack { socket, id, elements } => {
                self.application.acknowledged(socket, id, &elements, now)
            }
            Received::Connect { namespace, auth } => self.connect(key, namespace, auth, now, out),
            Received::Disconnect(socket) => {
                self.sockets.remove(&socket);
                self.left(key, out);
                self.application.disconnected(socket, Departure::Left, now)
            }
            Received::Complete { announcement, attachments } => {
                return self.complete(key, &announcement, attachments, now, out);
            }
        };
        self.perform(effects, now, out);
        Ok(())
    }

    fn event<'a>(
        &mut self,
        socket: SocketId,
        ack: Option<u64>,
        mut elements: Vec<&'a str>,
        attachments: Vec<Vec<u8>>,
        now: i64,
    ) -> Effects<'a, A::Command> {
        if elements.is_empty() {
            return Vec::new();
        }
        let name = elements.remove(0);
        self.application.event(socket, Event { name, arguments: elements, ack, attachments }, now)
    }

    fn complete(
        &mut self,
        key: SessionKey,
        announcement: &str,
        attachments: Vec<Vec<u8>>,
        now: i64,
        out: &mut Out<'_, A>,
    ) -> Result<(), Violation> {
        let Some(connection) = self.connections.get_mut(&key) else { return Ok(()) };
        let received = connection.client.read_complete(announcement);
        let received = received.map_err(|fatal| self.violation(key, fatal))?;
        let effects = match received {
            Received::Event { socket, id, elements } => self.event(socket, id, elements, attachments, now),
            Received::Ack { socket, id, elements } => {
                self.application.acknowledged(socket, id, &elements, now)
            }
            _ => return Ok(()),
        };
        let effects = effects.into_iter().map(Effect::into_owned).collect();
        self.perform(effects, now, out);
        Ok(())
    }

    fn connect(
        &mut self,
        key: SessionKey,
        namespace: &str,
        auth: Option<&str>,
        now: i64,
        out: &mut Out<'_, A>,
    ) -> Effects<'static, A::Command> {
        if !self.application.serves(namespace) {
            let error = encode::connect_error(namespace, r#"{"message":"Invalid namespace"}"#);
            out.push(send(key, error));
            return Vec::new();
        }
        let Some(connection) = self.connections.get(&key) else { return Vec::new() };
        let socket = self.next_socket;
        self.next_socket = SocketId(socket.0.wrapping_add(1));
        self.sockets.insert(socket, key);
        self.connecting.insert(socket, namespace.to_owned());
        let handshake = &connection.handshake;
        self.application.connect(Connect { socket, namespace, auth, handshake }, now)
    }

    fn violation(&self, key: SessionKey, fatal: Fatal) -> Violation {
        tracing::warn!(connection = self.label(key), violation = %fatal, "the protocol was broken");
        Violation
    }

    fn client(&self, socket: SocketId) -> Option<(SessionKey, &Client)> {
        let key = *self.sockets.get(&socket)?;
        Some((key, &self.connections.get(&key)?.client))
    }

    fn connection(&mut self, socket: SocketId) -> Option<&mut Connection> {
        self.connections.get_mut(self.sockets.get(&socket)?)
    }
}

impl<A: Application> Protocol for SocketIo<A> {
    type Command = A::Command;
    type Kept = Kept<A::Kept>;

    fn may_open(&self, handshake: &str, unopened: &[(SessionKey, &str)]) -> MayOpen {
        let opened = self.connections.iter().map(|(session, Connection { client, handshake, .. })| Open {
            session: *session,
            handshake,
            socket: client.sockets().next(),
        });
        let unopened =
            unopened.iter().map(|(session, handshake)| Open { session: *session, handshake, socket: None });
        self.application.may_open(handshake, &opened.chain(unopened).collect::<Vec<_>>())
    }

    fn open(&mut self, session: SessionKey, handshake: &str, now: i64) {
        let client = Client::new(now, self.limits);
        self.connections.insert(session, Connection::new(client, handshake.to_owned()));
    }

    fn text<'a>(
        &mut self,
        session: SessionKey,
        message: &'a str,
        now: i64,
        out: &mut Out<'a, A>,
    ) -> Result<(), Violation> {
        let Some(connection) = self.connections.get_mut(&session) else { return Ok(()) };
        if !connection.waiting.is_empty() {
            return connection.postpone(Postponed::Text(message.to_owned()));
        }
        let received = connection.client.receive_text(message, now, self.limits);
        self.handle(session, received, now, out)
    }

    fn binary(
        &mut self,
        session: SessionKey,
        message: Vec<u8>,
        now: i64,
        out: &mut Out<'_, A>,
    ) -> Result<(), Violation> {
        let Some(connection) = self.connections.get_mut(&session) else { return Ok(()) };
        if !connection.waiting.is_empty() {
            return connection.postpone(Postponed::Binary(message));
        }
        let received = connection.client.receive_binary(message, self.limits);
        self.handle(session, received, now, out)
    }

    fn closed(&mut self, session: SessionKey, departure: Departure, now: i64, out: &mut Out<'_, A>) {
        self.forget(session, departure, now, out);
    }

    fn tick(&mut self, now: i64, out: &mut Out<'_, A>) {
        for (key, connection) in &self.connections {
            if let Err(fatal) = connection.client.check(now) {
                let connection = self.application.label(&connection.handshake);
                tracing::warn!(connection, violation = %fatal, "the protocol was broken");
                out.push(Output::Fail(*key));
            }
        }
        let effects = self.application.tick(now);
        self.perform(effects, now, out);
    }

    fn clock_set_back(&mut self, by: Option<i64>, now: i64, out: &mut Out<'_, A>) {
        for (key, connection) in &mut self.connections {
            out.extend(connection.client.clock_set_back(now, self.limits).then_some(Output::Keep(*key)));
        }
        let effects = self.application.clock_set_back(by, now);
        self.perform(effects, now, out);
    }

    fn next_deadline(&self) -> Option<i64> {
        let clients = self.connections.values().filter_map(|connection| connection.client.deadline());
        clients.chain(self.application.next_deadline()).min()
    }

    fn mark(&self, session: SessionKey) -> Mark {
        let connection = self.connections.get(&session);
        let marks = connection.into_iter().flat_map(|c| c.client.sockets()).map(|s| self.application.mark(s));
        // With several sockets, what all of them have received.
        marks.min().unwrap_or_default()
    }

    fn arrived(&mut self, session: SessionKey, mark: Mark, now: i64, out: &mut Out<'_, A>) {
        let Some(connection) = self.connections.get(&session) else { return };
        for socket in connection.client.sockets().collect::<Vec<_>>() {
            let effects = self.application.arrived(socket, mark, now);
            self.perform(effects, now, out);
        }
    }

    fn kept(&self, session: SessionKey) -> Option<Self::Kept> {
        let Connection { client, handshake, .. } = self.connections.get(&session)?;
        let kept = |socket| Some((socket, self.application.kept(socket)?));
        let sockets = client.sockets().filter_map(kept).collect();
        Some(Kept { client: client.kept(), handshake: handshake.clone(), sockets })
    }

    fn label(&self, session: SessionKey) -> String {
        let connection = self.connections.get(&session);
        connection.map(|connection| self.application.label(&connection.handshake)).unwrap_or_default()
    }

    fn held_for(&self, session: SessionKey) -> usize {
        self.connections.get(&session).map_or(0, Connection::held)
    }

    fn held(&self) -> usize {
        self.application.held() + self.connections.values().map(Connection::held).sum::<usize>()
    }

    fn needs_storage(&self) -> bool {
        self.application.needs_storage()
    }
}

impl Connection {
    fn new(client: Client, handshake: String) -> Self {
        Self { client, handshake, waiting: Vec::new(), backlog: VecDeque::new(), backlog_bytes: 0 }
    }

    fn held(&self) -> usize {
        self.backlog_bytes + self.client.held()
    }

    /// Whether the client has said, while it waits, that it leaves the socket's namespace.
    fn says_goodbye(&self, socket: SocketId) -> bool {
        let Some(namespace) = self.client.namespace(socket) else { return false };
        let leaves =
            |packet: Packet<'_>| packet.kind == PacketType::Disconnect && packet.namespace == namespace;
        self.backlog.iter().any(|postponed| match postponed {
            Postponed::Text(text) => Packet::decode(text).is_ok_and(leaves),
            Postponed::Binary(_) => false,
        })
    }

    fn postpone(&mut self, postponed: Postponed) -> Result<(), Violation> {
        self.backlog_bytes += postponed.bytes();
        self.backlog.push_back(postponed);
        let fits = self.backlog.len() <= BACKLOG_MESSAGES && self.backlog_bytes <= BACKLOG_BYTES;
        if fits { Ok(()) } else { Err(Violation) }
    }
}

impl Postponed {
    fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }
}

fn send<C>(to: SessionKey, text: String) -> Output<'static, C> {
    Output::Send { to: vec![to], message: Message::Text(Frame::whole(text)), volatile: false }
}

fn send_bytes<C>(to: Vec<SessionKey>, bytes: std::rc::Rc<[u8]>) -> Output<'static, C> {
    Output::Send { to, message: Message::Binary(bytes), volatile: false }
}

#[cfg(test)]
mod tests;
