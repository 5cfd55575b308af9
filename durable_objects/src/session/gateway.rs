//! The application of a Session object's Socket.IO server: one client that named no room at its handshake.
//!
//! It is authenticated here, and until it joins a room its events are handled here, in a [`Room::lobby`].
//! After that its events go to the room's object and the room's events come back; the room is responsible
//! for everything else, as for any other of its peers.
//!
//! A client that returns gets a new Session object and presents a `pid` and an offset, which contains the
//! room. The room decides whether it recovers, is joined again, or is new.
//!
//! Invariants: a client is in one [`State`]; the room's events are forwarded only while the client is in
//! that room; what survives hibernation is kept with the socket; the room of a client in a room is
//! stored, so that the room can be notified if the object is lost.

use zetra_domain::{Claims, RoomId, UserId};
use zetra_signalling::{Credential, Peer, PeerId, Rate, Room};
use zetra_socketio::{
    Application, Connect, Effect, Effects, Event, SocketId,
    engine::{Departure, Mark},
};

use self::{
    arrivals::Arrivals,
    stored::{Client, StoredSession},
};
use crate::{
    authenticator::{Authenticator, Handshake, Introduction, Recovery, TURNED_AWAY_MS},
    exchange::FromSession,
};

mod arrivals;
mod delivery;
mod entering;
mod lobby;
mod stored;

pub use stored::KeptClient;

/// The client's id in the lobby.
const IN_LOBBY: PeerId = PeerId(0);
/// How long another object may take to respond; checked at the first heartbeat after that.
const PATIENCE_MS: i64 = 15_000;

pub struct GatewaySettings {
    pub authenticator: Authenticator,
    pub limits: zetra_signalling::Limits,
    /// Milliseconds between two reports of what has arrived, if there is nothing else to send.
    pub report_interval: i64,
    /// Generates ids: unguessable, different each time.
    pub new_id: fn() -> String,
}

#[allow(clippy::large_enum_variant, reason = "most are messages, and none lives longer than a turn")]
pub enum GatewayCommand {
    /// Query the store for this user, then call [`Gateway::verified`].
    Verify { socket: SocketId, user: UserId },
    /// Send to the room, after earlier messages.
    Tell { room: RoomId, message: FromSession },
    /// Store [`Gateway::stored`].
    Store,
    /// Delete what was stored.
    Forget,
}

type Out<'a> = Effects<'a, GatewayCommand>;

pub struct Gateway {
    settings: GatewaySettings,
    /// The object's name, which is the session's id.
    name: String,
    lobby: Room,
    state: State,
    arrivals: Arrivals,
    /// The room of a client whose connection was lost with the object.
    orphaned: Option<RoomId>,
    /// Rooms that were told once more that the client is gone.
    retold: Vec<RoomId>,
    /// The room in which the last client was, and how it left.
    parted: Option<(RoomId, Departure)>,
    /// The room that the client has left for another one. It may still answer what was asked of it before.
    left_behind: Option<RoomId>,
}

enum State {
    /// No client is connected.
    Empty,
    /// A query to the store is under way.
    Verifying {
        socket: SocketId,
        claims: Claims,
        recovery: Option<Recovery>,
        connection: String,
        until: i64,
    },
    /// It came back while the store failed, and will be disconnected.
    TurnedAway {
        socket: SocketId,
        until: i64,
    },
    /// The room of its offset has been asked.
    Recovering(Attempt),
    Connected(Client),
    /// A room has been asked; meanwhile the client may be in another one.
    Joining {
        client: Client,
        room: RoomId,
        until: i64,
    },
}

/// A client that claims to have been in that room.
struct Attempt {
    /// The new client, unless it recovers.
    client: Client,
    room: RoomId,
    /// The secret that it presented.
    pid: String,
    until: i64,
}

impl Gateway {
    /// Restores the client from what was kept with its socket. `name` is the object's name, if a request
    /// contained it; `stored` is the last result of [`Gateway::stored`].
    pub fn restore(
        settings: GatewaySettings,
        name: Option<String>,
        stored: Option<&str>,
        connected: Vec<(SocketId, KeptClient)>,
    ) -> Self {
        let row = stored.and_then(|text| {
            let row = StoredSession::from_json(text);
            if row.is_none() {
                tracing::error!("a stored session cannot be read");
            }
            row
        });
        let mut gateway = Self {
            lobby: Room::lobby(settings.limits),
            settings,
            name: String::new(),
            state: State::Empty,
            arrivals: Arrivals::default(),
            orphaned: None,
            retold: Vec::new(),
            parted: None,
            left_behind: None,
        };
        let mut kept_name = None;
        for (socket, kept) in connected {
            let Some((name, client, arrivals, rate)) = kept.into_client(socket) else { continue };
            gateway.lobby.connect(IN_LOBBY, client.credential.clone());
            gateway.lobby.inherit_rate(IN_LOBBY, rate);
            (kept_name, gateway.arrivals) = (Some(name), arrivals);
            gateway.state = State::Connected(client);
        }
        if gateway.client().is_none() {
            gateway.orphaned = row.as_ref().and_then(|row| row.room);
        }
        gateway.name = name.or(kept_name).or(row.and_then(|row| row.name)).unwrap_or_default();
        gateway
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The contents to store.
    pub fn stored(&self) -> Option<String> {
        let room = self.client()?.room?;
        StoredSession::of(self.name.clone(), room).to_json()
    }

    /// Whether a client is connected.
    pub fn is_connected(&self) -> bool {
        self.socket().is_some()
    }

    /// Whether it waits for the store or for a room. The query may be the room's, so nothing here is under way.
    #[cfg(test)]
    pub fn waits(&self) -> bool {
        self.patient_until().is_some()
    }

    /// A room did not accept a message: the client has to reconnect, which corrects its state. If it is no longer in that room,
    /// this may be what the room does not know, and it is told once more.
    pub fn room_unreachable(&mut self, room: RoomId) -> Out<'static> {
        if !self.listens_to(room) {
            if self.retold.contains(&room) {
                return Vec::new();
            }
            self.retold.push(room);
            // It has moved on from any other, or never heard of it.
            let parted = self.parted.filter(|(parted, _)| *parted == room);
            let departure = parted.map_or(Departure::Left, |(_, departure)| departure);
            return vec![tell(room, FromSession::Gone(departure))];
        }
        self.socket().map(Effect::Abandon).into_iter().collect()
    }

    /// Storing failed: the client has to reconnect, which corrects its state.
    pub fn not_stored(&mut self) -> Out<'static> {
        self.socket().map(Effect::Abandon).into_iter().collect()
    }

    fn client(&self) -> Option<&Client> {
        match &self.state {
            State::Connected(client) | State::Joining { client, .. } => Some(client),
            State::Empty | State::Verifying { .. } | State::TurnedAway { .. } | State::Recovering(_) => None,
        }
    }

    /// What the client has sent until now.
    fn rate(&self) -> Rate {
        self.lobby.peer(IN_LOBBY).map(Peer::rate).unwrap_or_default()
    }

    fn socket(&self) -> Option<SocketId> {
        match &self.state {
            State::Empty => None,
            State::Verifying { socket, .. } | State::TurnedAway { socket, .. } => Some(*socket),
            State::Recovering(Attempt { client, .. })
            | State::Connected(client)
            | State::Joining { client, .. } => Some(client.socket),
        }
    }

    /// The deadline for another object's response, or for the end of a client that was turned away.
    fn patient_until(&self) -> Option<i64> {
        match &self.state {
            State::Empty | State::Connected(_) => None,
            State::Verifying { until, .. }
            | State::TurnedAway { until, .. }
            | State::Recovering(Attempt { until, .. })
            | State::Joining { until, .. } => Some(*until),
        }
    }

    fn listens_to(&self, room: RoomId) -> bool {
        let asked = match &self.state {
            State::Recovering(Attempt { room, .. }) | State::Joining { room, .. } => Some(*room),
            State::Empty | State::Verifying { .. } | State::TurnedAway { .. } | State::Connected(_) => None,
        };
        asked == Some(room) || self.client().and_then(|client| client.room) == Some(room)
    }
}

impl Application for Gateway {
    type Command = GatewayCommand;
    type Kept = KeptClient;

    fn serves(&self, namespace: &str) -> bool {
        namespace == "/"
    }

    fn connect(&mut self, connect: Connect<'_>, now: i64) -> Out<'static> {
        let Connect { socket, auth, handshake, .. } = connect;
        if self.name.is_empty() {
            // The object may have hibernated since the handshake.
            self.name = Handshake::read(handshake).session.unwrap_or_default();
        }
        match self.settings.authenticator.authenticate(auth, handshake, now) {
            Ok(Introduction { credential: Credential::Token(claims), recovery, connection }) => {
                let (user, until) = (claims.user, now + PATIENCE_MS);
                self.state = State::Verifying { socket, claims, recovery, connection, until };
                vec![Effect::Wait(socket), Effect::Command(GatewayCommand::Verify { socket, user })]
            }
            Ok(Introduction { credential, recovery, connection }) => {
                let mut out = vec![Effect::Wait(socket)];
                out.extend(self.enter(socket, credential, recovery, connection, now));
                out
            }
            Err(error) => vec![Effect::Refuse { socket, error: error.json() }],
        }
    }

    fn event<'a>(&mut self, socket: SocketId, event: Event<'a>, now: i64) -> Out<'a> {
        let Event { name, mut arguments, ack, attachments } = event;
        if !attachments.is_empty() {
            // Signalling is JSON only: replace the placeholders with an argument that no event accepts.
            arguments = vec!["false"];
        }
        let room = self.client().and_then(|client| client.room);
        match room.filter(|_| name != "\"join-room\"") {
            Some(room) => {
                let bytes = arguments.iter().map(|argument| argument.len()).sum();
                let keeps = self.lobby.event_elsewhere(IN_LOBBY, bytes, now).is_some();
                let arguments = arguments.into_iter().map(str::to_owned).collect();
                let message = FromSession::Event { name: name.to_owned(), arguments, ack };
                let mut out = self.report(room, now);
                out.extend(keeps.then_some(Effect::Keep(socket)));
                out.push(tell(room, message));
                out
            }
            None => self.event_in_lobby(socket, name, &arguments, ack, now),
        }
    }

    fn disconnected(&mut self, socket: SocketId, departure: Departure, _now: i64) -> Out<'static> {
        if self.socket() != Some(socket) {
            return Vec::new();
        }
        if let Some(Client { connection, .. }) = self.client() {
            tracing::info!(connection, ?departure, "disconnected");
        }
        self.part(departure)
    }

    fn mark(&self, _: SocketId) -> Mark {
        self.arrivals.mark()
    }

    /// Reported to the room with the client's next event, or after a while without one.
    fn arrived(&mut self, _: SocketId, mark: Mark, now: i64) -> Out<'static> {
        self.arrivals.arrived(mark);
        match self.client().and_then(|client| client.room) {
            Some(room) if self.arrivals.is_due(now, self.settings.report_interval) => self.report(room, now),
            _ => Vec::new(),
        }
    }

    fn tick(&mut self, now: i64) -> Out<'static> {
        let mut out = Vec::new();
        if let Some(room) = self.orphaned.take() {
            self.parted = Some((room, Departure::Lost));
            out.push(tell(room, FromSession::Gone(Departure::Lost)));
        }
        if self.patient_until().is_some_and(|until| until <= now) {
            if !matches!(self.state, State::TurnedAway { .. }) {
                let connection = self.client().map(|client| client.connection.as_str());
                tracing::warn!(connection, "another object did not answer");
            }
            out.extend(self.socket().map(Effect::Abandon));
        }
        // In a room, the room does this.
        if let State::Connected(Client { room: None, socket, .. }) = self.state {
            out.extend(self.tick_lobby(socket, now));
        }
        out
    }

    /// Another object has no longer to answer than from now on. What is kept of the client has no deadline but its token's.
    fn clock_set_back(&mut self, by: Option<i64>, now: i64) -> Out<'static> {
        self.arrivals.clock_set_back(now);
        self.lobby.clock_set_back(by, now);
        match &mut self.state {
            State::Verifying { until, .. }
            | State::Recovering(Attempt { until, .. })
            | State::Joining { until, .. } => *until = (*until).min(now + PATIENCE_MS),
            State::TurnedAway { until, .. } => *until = (*until).min(now + TURNED_AWAY_MS),
            State::Empty | State::Connected(_) => {}
        }
        Vec::new()
    }

    fn next_deadline(&self) -> Option<i64> {
        let orphaned = self.orphaned.map(|_| 0);
        let in_lobby = matches!(self.state, State::Connected(Client { room: None, .. }));
        let lobby = self.lobby.next_deadline().filter(|_| in_lobby);
        let turned_away = self.patient_until().filter(|_| matches!(self.state, State::TurnedAway { .. }));
        [orphaned, lobby, turned_away].into_iter().flatten().min()
    }

    fn kept(&self, _: SocketId) -> Option<KeptClient> {
        Some(KeptClient::new(self.name.clone(), self.client()?.clone(), self.arrivals.clone(), self.rate()))
    }

    fn label(&self, handshake: &str) -> String {
        Handshake::read(handshake).connection
    }

    fn held(&self) -> usize {
        0
    }

    fn needs_storage(&self) -> bool {
        self.orphaned.is_some() || self.client().is_some_and(|client| client.room.is_some())
    }
}

fn tell(room: RoomId, message: FromSession) -> Effect<'static, GatewayCommand> {
    Effect::Command(GatewayCommand::Tell { room, message })
}

#[cfg(test)]
mod tests;
