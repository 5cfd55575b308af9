//! What the Room object does, without the object: frames go in, actions come out.
//!
//! It joins one [`Session`] per connection with the one [`Room`] of the object. Decisions never
//! await: what needs the store is asked for with [`Action::Verify`] or [`Action::Lookup`]; until the
//! answer is there, further frames of that connection wait in a bounded backlog, so order is kept.
//!
//! Invariant: the switchboard is a function of its connections' [`Attachment`]s and the held members.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use vecmap::VecMap;
use zetra_domain::{Claims, RoomId, Timestamp, TokenError, TokenFingerprint, TokenKey, UserId};
use zetra_signalling::{Admission, Credential, Effect, Held, Peer, Revocation, Room};
use zetra_socketio::{Fatal, Received, Session, Timing};

use crate::SocketAuth;

pub type ConnectionId = u32;

/// Frames of one connection that wait for the store, and their bytes.
const BACKLOG_FRAMES: usize = 256;
const BACKLOG_BYTES: usize = 1_000_000;
/// Pings due within this part of the interval are sent together, to wake the object less often.
const SLACK_DIVISOR: i64 = 10;

pub struct Settings {
    pub token_key: TokenKey,
    pub socket_auth: SocketAuth,
    pub timing: Timing,
    pub frames: zetra_socketio::Limits,
    pub room: zetra_signalling::Limits,
    /// Makes session and socket ids: unguessable, different each time.
    pub new_id: fn() -> String,
}

/// To be performed in order.
#[derive(Debug, PartialEq, Eq)]
pub enum Action<'a> {
    Send {
        to: Vec<ConnectionId>,
        frame: Frame<'a>,
    },
    /// Close with a status, or without one.
    Close {
        connection: ConnectionId,
        code: Option<u16>,
    },
    /// Ask the store for this user, then call [`Switchboard::verified`].
    Verify {
        connection: ConnectionId,
        user: UserId,
    },
    /// Ask the store whether the user may be in the room, then call [`Switchboard::admitted`].
    Lookup {
        connection: ConnectionId,
        user: UserId,
        ack: Option<u64>,
    },
    /// Store [`Switchboard::attachment`] with the connection.
    Attach(ConnectionId),
    /// Store [`Switchboard::held`].
    StoreHeld,
}

/// A frame in three parts; the middle one is relayed from the frame that was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    pub head: String,
    pub relayed: &'a str,
    pub tail: &'static str,
}

impl Frame<'_> {
    fn whole(text: String) -> Self {
        Self { head: text, relayed: "", tail: "" }
    }

    fn into_owned(self) -> Frame<'static> {
        Frame::whole(self.head + self.relayed + self.tail)
    }
}

/// The token a connection brought in its handshake's `Authorization` header, already checked but for
/// the store's word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Presented {
    None,
    Token(Claims),
    Expired,
    Invalid,
}

impl Presented {
    fn from_verdict(verdict: Result<Claims, TokenError>) -> Self {
        match verdict {
            Ok(claims) => Self::Token(claims),
            Err(TokenError::Expired) => Self::Expired,
            Err(TokenError::Invalid) => Self::Invalid,
        }
    }
}

/// All that survives of a connection while the object sleeps.
#[derive(Debug, Serialize, Deserialize)]
pub struct Attachment {
    #[serde(rename = "i")]
    connection: ConnectionId,
    #[serde(rename = "r")]
    room: RoomId,
    #[serde(rename = "s")]
    session: Session,
    #[serde(rename = "h")]
    presented: Presented,
    #[serde(rename = "p")]
    peer: Option<Peer>,
}

impl Attachment {
    pub fn connection(&self) -> ConnectionId {
        self.connection
    }

    pub fn room(&self) -> RoomId {
        self.room
    }
}

struct Connection {
    session: Session,
    presented: Presented,
    waiting: Option<Waiting>,
    backlog: VecDeque<String>,
    backlog_bytes: usize,
}

/// The store's word on the user of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verification {
    Account {
        version: i64,
        kept: Option<TokenFingerprint>,
    },
    /// The account was deleted.
    NoAccount,
    StoreUnavailable,
}

/// What a connection waits for.
enum Waiting {
    Verification(Claims),
    Admission,
}

pub struct Switchboard {
    room_id: RoomId,
    settings: Settings,
    connections: VecMap<ConnectionId, Connection>,
    room: Room,
    next_id: ConnectionId,
    /// Something happened that may be due earlier than the alarm that is set.
    deadline_moved: bool,
}

type Actions<'a> = Vec<Action<'a>>;

impl Switchboard {
    pub fn restore(
        room_id: RoomId,
        settings: Settings,
        attachments: Vec<Attachment>,
        held: Vec<Held>,
    ) -> Self {
        let mut connections = VecMap::new();
        let mut peers = Vec::new();
        for Attachment { connection, session, presented, peer, .. } in attachments {
            peers.extend(peer.map(|peer| (connection, peer)));
            connections.insert(connection, Connection::new(session, presented));
        }
        let next_id = connections.keys().max().map_or(0, |last| last + 1);
        let room = Room::restore(room_id, settings.room, peers, held);
        Self { room_id, settings, connections, room, next_id, deadline_moved: true }
    }

    /// A new connection; `bearer` is the token of its `Authorization` header.
    pub fn open(&mut self, bearer: Option<&str>, now: i64) -> (ConnectionId, Actions<'static>) {
        let connection = self.next_id;
        self.next_id = self.next_id.wrapping_add(1);
        let presented =
            bearer.map_or(Presented::None, |token| Presented::from_verdict(self.check(token, now)));
        let Settings { timing, frames, new_id, .. } = &self.settings;
        let session = Session::open(now, *timing);
        let interval = timing.ping_interval.unsigned_abs();
        let timeout = timing.ping_timeout.unsigned_abs();
        let open = zetra_socketio::open(&new_id(), "", interval, timeout, frames.max_payload);
        self.connections.insert(connection, Connection::new(session, presented));
        self.deadline_moved = true;
        (connection, vec![Action::Attach(connection), send(connection, open)])
    }

    pub fn receive_text<'a>(&mut self, id: ConnectionId, frame: &'a str, now: i64) -> Actions<'a> {
        let Some(connection) = self.connections.get_mut(&id) else { return Vec::new() };
        if connection.waiting.is_some() {
            return if connection.postpone(frame) { Vec::new() } else { self.fail(id, None, now) };
        }
        let received =
            connection.session.receive_text(frame, now, self.settings.timing, self.settings.frames);
        self.handle(id, received, now)
    }

    pub fn receive_binary(&mut self, id: ConnectionId, frame: Vec<u8>, now: i64) -> Actions<'static> {
        let Some(connection) = self.connections.get_mut(&id) else { return Vec::new() };
        if connection.waiting.is_some() {
            // The product has no use for binary frames, so none is kept for later.
            return self.fail(id, None, now);
        }
        let received = connection.session.receive_binary(frame, self.settings.frames);
        self.handle(id, received, now)
    }

    /// A frame that is larger than allowed and was not even looked at.
    pub fn oversize(&mut self, id: ConnectionId, now: i64) -> Actions<'static> {
        self.fail(id, Fatal::TooLarge.close_code(), now)
    }

    /// The connection is gone. `code` is the close frame's, where there was one.
    pub fn closed(&mut self, id: ConnectionId, code: Option<u16>, now: i64) -> Actions<'static> {
        const GOING_AWAY: u16 = 1001;
        if self.connections.remove(&id).is_none() {
            return Vec::new();
        }
        let effects = if code == Some(GOING_AWAY) { self.room.depart(id) } else { self.room.lose(id, now) };
        self.deadline_moved = true;
        self.follow(effects)
    }

    /// The store's word on the user of [`Action::Verify`].
    pub fn verified(&mut self, id: ConnectionId, verification: Verification, now: i64) -> Actions<'static> {
        let Some(connection) = self.connections.get_mut(&id) else { return Vec::new() };
        let Some(Waiting::Verification(claims)) = connection.waiting.take() else { return Vec::new() };
        let mut actions = match verification {
            Verification::Account { version, kept } if claims.is_honoured(version, kept.as_ref()) => {
                self.accept(id, Credential::Token(claims))
            }
            Verification::Account { .. } | Verification::NoAccount => {
                vec![send(id, refusal("Invalid authentication token", "token_invalid"))]
            }
            Verification::StoreUnavailable => {
                vec![send(id, refusal("Database unavailable", "store_unavailable"))]
            }
        };
        self.resume(id, now, &mut actions);
        actions
    }

    /// The store's word on [`Action::Lookup`].
    pub fn admitted(
        &mut self,
        id: ConnectionId,
        user: UserId,
        ack: Option<u64>,
        admission: Admission,
        now: i64,
    ) -> Actions<'static> {
        let Some(connection) = self.connections.get_mut(&id) else { return Vec::new() };
        connection.waiting = None;
        let effects = self.room.admit(id, user, ack, admission);
        let mut actions = self.follow(effects);
        self.resume(id, now, &mut actions);
        actions
    }

    /// Ends the connections whose tokens are no longer honoured.
    pub fn revoke(&mut self, revocation: &Revocation) -> Actions<'static> {
        let revoked = |connection: &Connection| match &connection.waiting {
            Some(Waiting::Verification(claims)) => revocation.revokes(claims),
            Some(Waiting::Admission) | None => false,
        };
        let unverified: Vec<_> =
            self.connections.iter().filter(|(_, c)| revoked(c)).map(|(id, _)| *id).collect();
        let mut actions = Vec::new();
        for connection in unverified {
            self.connections.remove(&connection);
            actions.push(Action::Close { connection, code: None });
        }
        let effects = self.room.revoke(revocation);
        actions.extend(self.follow(effects));
        actions
    }

    /// Does what is due: pings, time-outs, expired tokens, held members whose time is over.
    pub fn tick(&mut self, now: i64) -> Actions<'static> {
        self.deadline_moved = true;
        let slack = self.settings.timing.ping_interval / SLACK_DIVISOR;
        let (mut pinged, mut failed) = (Vec::new(), Vec::new());
        for (id, connection) in &mut self.connections {
            match connection.session.tick(now, slack, self.settings.timing) {
                Ok(true) => pinged.push(*id),
                Ok(false) => {}
                Err(fatal) => failed.push((*id, fatal)),
            }
        }
        let mut actions: Actions<'_> = pinged.iter().map(|id| Action::Attach(*id)).collect();
        if !pinged.is_empty() {
            let frame = Frame::whole(zetra_socketio::engine::PING.to_owned());
            actions.push(Action::Send { to: pinged, frame });
        }
        for (id, fatal) in failed {
            actions.extend(self.fail(id, fatal.close_code(), now));
        }
        let effects = self.room.tick(now);
        actions.extend(self.follow(effects));
        actions
    }

    /// The next deadline, if it may have moved since the last call.
    pub fn next_deadline(&mut self) -> Option<i64> {
        if !std::mem::take(&mut self.deadline_moved) {
            return None;
        }
        let sessions = self.connections.values().map(|connection| connection.session.next_deadline());
        sessions.chain(self.room.next_deadline()).min()
    }

    pub fn attachment(&self, id: ConnectionId) -> Option<impl Serialize + use<'_>> {
        #[derive(Serialize)]
        struct Borrowed<'a> {
            i: ConnectionId,
            r: RoomId,
            s: &'a Session,
            h: &'a Presented,
            p: Option<&'a Peer>,
        }
        let Connection { session, presented, .. } = self.connections.get(&id)?;
        Some(Borrowed { i: id, r: self.room_id, s: session, h: presented, p: self.room.peer(id) })
    }

    pub fn held(&self) -> &[Held] {
        self.room.held()
    }

    pub fn online(&self) -> Vec<UserId> {
        self.room.online()
    }

    fn handle<'a>(
        &mut self,
        id: ConnectionId,
        received: Result<Received<'a>, Fatal>,
        now: i64,
    ) -> Actions<'a> {
        match received {
            Ok(Received::Event { id: ack, elements, .. }) => {
                let Some((name, arguments)) = elements.split_first() else { return Vec::new() };
                let effects = self.room.event(id, name, arguments, ack, now);
                self.follow(effects)
            }
            // A pong moves the next ping: that has to be remembered.
            Ok(Received::Nothing) => {
                self.deadline_moved = true;
                vec![Action::Attach(id)]
            }
            Ok(Received::Connect { namespace: "/", auth }) => self.connect(id, auth, now),
            Ok(Received::Connect { namespace, .. }) => {
                let error = r#"{"message":"Invalid namespace"}"#;
                vec![send(id, zetra_socketio::connect_error(namespace, error))]
            }
            Ok(Received::Disconnect { .. }) => {
                let effects = self.room.depart(id);
                let mut actions = self.follow(effects);
                actions.push(Action::Attach(id));
                actions
            }
            Ok(Received::Binary { announcement, .. }) => self.refuse_binary(id, &announcement, now),
            // The server asks for no acks, so it expects none.
            Ok(Received::Ack { .. }) => Vec::new(),
            Ok(Received::Close) => self.fail(id, None, now),
            Err(fatal) => self.fail(id, fatal.close_code(), now),
        }
    }

    fn connect(&mut self, id: ConnectionId, auth: Option<&str>, now: i64) -> Actions<'static> {
        let presented = match token_of(auth) {
            Ok(Some(token)) => Presented::from_verdict(self.check(&token, now)),
            Ok(None) => self.connections.get(&id).map_or(Presented::None, |c| c.presented.clone()),
            Err(()) => Presented::Invalid,
        };
        let refused = |message, code| vec![send(id, refusal(message, code))];
        match presented {
            Presented::Token(claims) if claims.expires_at.millis() <= now => {
                refused("Token has expired", "token_expired")
            }
            Presented::Token(claims) => {
                let Some(connection) = self.connections.get_mut(&id) else { return Vec::new() };
                let user = claims.user;
                connection.waiting = Some(Waiting::Verification(claims));
                vec![Action::Verify { connection: id, user }]
            }
            Presented::Expired => refused("Token has expired", "token_expired"),
            Presented::Invalid => refused("Invalid authentication token", "token_invalid"),
            Presented::None if self.settings.socket_auth == SocketAuth::Required => {
                refused("Authentication required", "auth_required")
            }
            Presented::None => self.accept(id, Credential::None),
        }
    }

    fn accept(&mut self, id: ConnectionId, credential: Credential) -> Actions<'static> {
        let Some(connection) = self.connections.get_mut(&id) else { return Vec::new() };
        connection.session.join("/");
        let effect = self.room.connect(id, credential);
        self.deadline_moved = true;
        let mut actions = self.follow(vec![effect]);
        actions.push(send(id, zetra_socketio::connect("/", &(self.settings.new_id)())));
        actions
    }

    /// Signalling is JSON: a binary event is refused like any other with a wrong payload.
    fn refuse_binary(&mut self, id: ConnectionId, announcement: &str, now: i64) -> Actions<'static> {
        use zetra_socketio::packet::{Packet, Payload};
        let Ok(Packet { id: ack, payload: Payload::Array(elements), .. }) = Packet::decode(announcement)
        else {
            return Vec::new();
        };
        let name = elements.first().copied().unwrap_or_default();
        // An argument that no event takes, in place of the placeholders.
        let effects = self.room.event(id, name, &["false"], ack, now);
        self.follow(effects)
    }

    fn follow<'a>(&mut self, effects: Vec<Effect<'a>>) -> Actions<'a> {
        let mut actions = Vec::with_capacity(effects.len());
        for effect in effects {
            match effect {
                Effect::Emit { to, event } => {
                    let frame = event_frame(&event);
                    actions.push(Action::Send { to, frame });
                }
                Effect::Ack { peer, id, body } => {
                    actions.push(send(peer, zetra_socketio::ack(id, &body.json())));
                }
                Effect::Lookup { peer, user, ack } => {
                    if let Some(connection) = self.connections.get_mut(&peer) {
                        connection.waiting = Some(Waiting::Admission);
                        actions.push(Action::Lookup { connection: peer, user, ack });
                    }
                }
                Effect::Store(peer) => actions.push(Action::Attach(peer)),
                Effect::StoreHeld => {
                    self.deadline_moved = true;
                    actions.push(Action::StoreHeld);
                }
                Effect::Disconnect(peer) => {
                    self.connections.remove(&peer);
                    actions.push(send(peer, zetra_socketio::disconnect("/")));
                    actions.push(Action::Close { connection: peer, code: None });
                }
            }
        }
        actions
    }

    /// Plays back what a connection said while it waited.
    fn resume(&mut self, id: ConnectionId, now: i64, actions: &mut Actions<'static>) {
        while let Some(connection) = self.connections.get_mut(&id).filter(|c| c.waiting.is_none()) {
            let Some(frame) = connection.backlog.pop_front() else { return };
            connection.backlog_bytes -= frame.len();
            actions.extend(self.receive_text(id, &frame, now).into_iter().map(Action::into_owned));
        }
    }

    /// The connection broke the protocol or timed out: it is closed, its member held.
    fn fail(&mut self, id: ConnectionId, code: Option<u16>, now: i64) -> Actions<'static> {
        if self.connections.remove(&id).is_none() {
            return Vec::new();
        }
        self.deadline_moved = true;
        let effects = self.room.lose(id, now);
        let mut actions = self.follow(effects);
        actions.push(Action::Close { connection: id, code });
        actions
    }

    fn check(&self, token: &str, now: i64) -> Result<Claims, TokenError> {
        self.settings.token_key.verify(token, Timestamp::from_millis(now))
    }
}

impl Connection {
    fn new(session: Session, presented: Presented) -> Self {
        Self { session, presented, waiting: None, backlog: VecDeque::new(), backlog_bytes: 0 }
    }

    /// Keeps a frame for later; false when too much is kept already.
    fn postpone(&mut self, frame: &str) -> bool {
        self.backlog_bytes += frame.len();
        self.backlog.push_back(frame.to_owned());
        self.backlog.len() <= BACKLOG_FRAMES && self.backlog_bytes <= BACKLOG_BYTES
    }
}

impl Action<'_> {
    fn into_owned(self) -> Action<'static> {
        match self {
            Self::Send { to, frame } => Action::Send { to, frame: frame.into_owned() },
            Self::Close { connection, code } => Action::Close { connection, code },
            Self::Verify { connection, user } => Action::Verify { connection, user },
            Self::Lookup { connection, user, ack } => Action::Lookup { connection, user, ack },
            Self::Attach(connection) => Action::Attach(connection),
            Self::StoreHeld => Action::StoreHeld,
        }
    }
}

/// The `token` of a CONNECT packet's payload: `Err` when it is there but no string.
fn token_of(auth: Option<&str>) -> Result<Option<String>, ()> {
    #[derive(Deserialize)]
    struct Auth {
        token: Option<serde_json::Value>,
    }
    let Some(auth) = auth else { return Ok(None) };
    let auth: Auth = serde_json::from_str(auth).map_err(|_| ())?;
    match auth.token {
        None => Ok(None),
        Some(serde_json::Value::String(token)) => Ok(Some(token)),
        Some(_) => Err(()),
    }
}

fn refusal(message: &str, code: &str) -> String {
    zetra_socketio::connect_error("/", &format!(r#"{{"message":"{message}","data":{{"code":"{code}"}}}}"#))
}

fn send(to: ConnectionId, text: String) -> Action<'static> {
    Action::Send { to: vec![to], frame: Frame::whole(text) }
}

/// `42["name",argument]`, in which a relayed value is still the slice that came.
fn event_frame<'a>(event: &zetra_signalling::Outgoing<'a>) -> Frame<'a> {
    let name = event.name();
    let (argument, relayed, closing) = event.argument();
    let head = ["42[\"", name, "\",", &argument].concat();
    Frame { head, relayed, tail: if closing.is_empty() { "]" } else { "}]" } }
}

#[cfg(test)]
mod tests;
