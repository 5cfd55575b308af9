//! What a Session object's Socket.IO server is for: one client that named no room at its handshake.
//!
//! It is let in here, and until it joins a room what it says is judged here, in a [`Room::lobby`].
//! After that its events go to the room's object and what the room says comes back; the room answers
//! for everything else, as for any other of its peers.
//!
//! A client that comes back gets a new Session object and brings a `pid`, which names the object that
//! gave it, its *home*. The home knows the room; the room knows what was missed.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use zetra_domain::{Claims, RoomId, UserId};
use zetra_signalling::{Credential, PeerId, Room};
use zetra_socketio::{
    Application, Connect, Effect, Effects, Emission, Event, SocketId,
    engine::{Departure, Frame},
};

use crate::{
    authenticator::{Authenticator, Introduction, Recovery, Verification},
    exchange::{Delivery, FromSession, Joining, Recovering},
};

/// The client, as the lobby names it.
const GUEST: PeerId = 0;
/// How long another object may take to answer.
const PATIENCE_MS: i64 = 15_000;
/// Offset of events that no room gave: nothing can be recovered from it, and nothing has to.
const NO_OFFSET: &str = "-";

pub struct GatewaySettings {
    pub authenticator: Authenticator,
    pub limits: zetra_signalling::Limits,
    /// The object's name, which is the session's id.
    pub name: String,
    /// Makes ids: unguessable, different each time.
    pub new_id: fn() -> String,
    /// Whether an object of that name is one of ours.
    pub is_session: Box<dyn Fn(&str) -> bool>,
}

pub enum GatewayCommand {
    /// Ask the store for this user, then call [`Gateway::verified`].
    Verify { socket: SocketId, user: UserId },
    /// Ask the Session object of that name where this `pid` was, then call [`Gateway::home_found`].
    FindHome { home: String, pid: String },
    /// Tell the Session object of that name where this `pid` is.
    SetHome { home: String, pid: String, room: Option<RoomId> },
    /// Tell the room, after what it was told before.
    Tell { room: RoomId, message: FromSession },
    /// Store [`Gateway::guest`].
    Store,
    /// Nobody needs what is stored: delete it all.
    Forget,
}

/// The client, once it was let in. All that survives.
#[derive(Serialize, Deserialize)]
pub struct Guest {
    socket: SocketId,
    /// The public id of its socket.
    sid: String,
    /// The secret by which it recovers.
    pid: String,
    credential: Credential,
    room: Option<RoomId>,
}

/// What the client waits for.
enum Pending {
    Nothing,
    Verification { claims: Claims, recovery: Option<Recovery> },
    Home { recovery: Recovery, credential: Credential },
    Recovery { recovery: Recovery, credential: Credential, room: RoomId },
    Join { room: RoomId },
}

pub struct Gateway {
    settings: GatewaySettings,
    lobby: Room,
    guest: Option<Guest>,
    socket: Option<SocketId>,
    pending: Pending,
    pending_until: Option<i64>,
    /// When the home that this object is may be given up.
    home_until: Option<i64>,
    /// The room that a guest was in whose connection ended while the object did not run.
    orphaned: Option<RoomId>,
}

type Out<'a> = Effects<'a, GatewayCommand>;

impl Gateway {
    /// The client as it was stored, if its socket is still `connected`. `home_until` is what
    /// [`Gateway::home_kept`] was told last.
    pub fn restore(
        settings: GatewaySettings,
        stored: Option<Guest>,
        home_until: Option<i64>,
        connected: &[SocketId],
    ) -> Self {
        let lobby = Room::lobby(settings.limits);
        let (guest, lost) = match stored {
            Some(guest) if connected.contains(&guest.socket) => (Some(guest), None),
            lost => (None, lost),
        };
        let socket = guest.as_ref().map(|guest| guest.socket);
        let orphaned = lost.and_then(|guest| guest.room);
        let pending = Pending::Nothing;
        let mut gateway =
            Self { settings, lobby, guest, socket, pending, pending_until: None, home_until, orphaned };
        if let Some(guest) = &gateway.guest {
            gateway.lobby.connect(GUEST, guest.credential.clone());
        }
        gateway
    }

    pub fn guest(&self) -> Option<&Guest> {
        self.guest.as_ref()
    }

    /// Whether there is a client to tell anything.
    pub fn is_connected(&self) -> bool {
        self.socket.is_some()
    }

    /// This object is the home of a `pid`, until then at least (milliseconds since the epoch).
    pub fn home_kept(&mut self, until: i64) {
        self.home_until = Some(until);
    }

    /// The store's word on the user of [`GatewayCommand::Verify`].
    pub fn verified(&mut self, socket: SocketId, verification: Verification, now: i64) -> Out<'static> {
        if self.socket != Some(socket) {
            return Vec::new();
        }
        let Pending::Verification { claims, recovery } = self.settle() else { return Vec::new() };
        match verification.admits(&claims) {
            Ok(()) => self.enter(Credential::Token(claims), recovery, now),
            Err(error) => {
                self.socket = None;
                vec![Effect::Refuse { socket, error: error.json() }, Effect::Resume(socket)]
            }
        }
    }

    /// The home's answer to [`GatewayCommand::FindHome`].
    pub fn home_found(&mut self, room: Option<RoomId>, now: i64) -> Out<'static> {
        match (self.settle(), room) {
            (Pending::Home { recovery, credential }, Some(room)) => {
                let Recovery { pid, offset } = &recovery;
                let asked = Recovery { pid: pid.clone(), offset: offset.clone() };
                let asked = Recovering { recovery: asked, credential: credential.clone() };
                let out = vec![tell(room, FromSession::Recover(asked))];
                self.wait(Pending::Recovery { recovery, credential, room }, now);
                out
            }
            (Pending::Home { credential, .. }, None) => self.welcome(credential),
            (pending, _) => {
                self.pending = pending;
                Vec::new()
            }
        }
    }

    /// What a room says.
    pub fn deliver(&mut self, from: RoomId, delivery: Delivery) -> Out<'static> {
        let Some(socket) = self.socket.filter(|_| self.listens_to(from)) else { return Vec::new() };
        match delivery {
            Delivery::Frame(frame) => vec![Effect::Replay { socket, frames: vec![frame] }],
            Delivery::Joined(joined) => self.joined(socket, from, joined),
            Delivery::Recovered { sid, frames } => match self.settle() {
                Pending::Recovery { recovery: Recovery { pid, .. }, credential, room } => {
                    self.lobby.connect(GUEST, credential.clone());
                    let guest =
                        Guest { socket, sid: sid.clone(), pid: pid.clone(), credential, room: Some(room) };
                    self.guest = Some(guest);
                    vec![
                        Effect::Command(GatewayCommand::Store),
                        // What was missed comes before the reply: the client then knows it has everything.
                        Effect::Replay { socket, frames },
                        Effect::Accept { socket, sid, pid: Some(pid) },
                        Effect::Resume(socket),
                    ]
                }
                _ => Vec::new(),
            },
            Delivery::NotRecovered => match self.settle() {
                Pending::Recovery { credential, .. } => self.welcome(credential),
                _ => Vec::new(),
            },
            Delivery::Disconnect => self.end(from, Effect::Disconnect { socket, close: true }),
            Delivery::Abandon => self.end(from, Effect::Abandon(socket)),
        }
    }

    /// A room did not take what it was told: the client comes back and is put right.
    pub fn room_unreachable(&mut self, room: RoomId) -> Out<'static> {
        let socket = self.socket.filter(|_| self.listens_to(room));
        socket.map(Effect::Abandon).into_iter().collect()
    }

    /// A credential that is good.
    fn enter(&mut self, credential: Credential, recovery: Option<Recovery>, now: i64) -> Out<'static> {
        let recovery = recovery.and_then(|recovery| {
            let home = recovery.pid.split_once('.')?.0.to_owned();
            (self.settings.is_session)(&home).then_some((home, recovery))
        });
        match recovery {
            Some((home, recovery)) => {
                let pid = recovery.pid.clone();
                self.wait(Pending::Home { recovery, credential }, now);
                vec![Effect::Command(GatewayCommand::FindHome { home, pid })]
            }
            None => self.welcome(credential),
        }
    }

    /// A client that is new here.
    fn welcome(&mut self, credential: Credential) -> Out<'static> {
        let Some(socket) = self.socket else { return Vec::new() };
        let sid = (self.settings.new_id)();
        let pid = [self.settings.name.as_str(), ".", &(self.settings.new_id)()].concat();
        self.lobby.connect(GUEST, credential.clone());
        self.guest = Some(Guest { socket, sid: sid.clone(), pid: pid.clone(), credential, room: None });
        vec![
            Effect::Command(GatewayCommand::Store),
            Effect::Accept { socket, sid, pid: Some(pid) },
            Effect::Resume(socket),
        ]
    }

    fn join(&mut self, room: RoomId, arguments: Vec<String>, ack: Option<u64>, now: i64) -> Out<'static> {
        let Some(Guest { sid, pid, credential, .. }) = &self.guest else { return Vec::new() };
        let (sid, pid, credential) = (sid.clone(), pid.clone(), credential.clone());
        let joining = Joining { sid, pid, credential, arguments, ack };
        self.wait(Pending::Join { room }, now);
        vec![tell(room, FromSession::Join(joining))]
    }

    fn joined(&mut self, socket: SocketId, room: RoomId, joined: bool) -> Out<'static> {
        let (Pending::Join { .. }, Some(guest)) = (self.settle(), &mut self.guest) else { return Vec::new() };
        let mut out = Vec::new();
        if joined {
            // A socket is in one room at a time.
            if let Some(before) = guest.room.replace(room).filter(|before| *before != room) {
                out.push(tell(before, FromSession::Gone { left: true }));
            }
            out.push(set_home(guest));
        } else if guest.room == Some(room) {
            guest.room = None;
            out.push(set_home(guest));
        }
        out.push(Effect::Command(GatewayCommand::Store));
        out.push(Effect::Resume(socket));
        out
    }

    fn wait(&mut self, pending: Pending, now: i64) {
        self.pending = pending;
        self.pending_until = Some(now + PATIENCE_MS);
    }

    fn settle(&mut self) -> Pending {
        self.pending_until = None;
        std::mem::replace(&mut self.pending, Pending::Nothing)
    }

    /// That room has forgotten the client already, and ends its connection.
    fn end(&mut self, room: RoomId, ending: Effect<'static, GatewayCommand>) -> Out<'static> {
        self.settle();
        self.socket = None;
        self.lobby.depart(GUEST);
        let other = self.guest.take().and_then(|guest| guest.room).filter(|other| *other != room);
        let leaving = other.map(|other| tell(other, FromSession::Gone { left: true }));
        leaving.into_iter().chain([ending, Effect::Command(GatewayCommand::Store)]).collect()
    }

    /// The client is gone: whoever knows it is told.
    fn part(&mut self, left: bool) -> Out<'static> {
        let joining = match self.settle() {
            Pending::Join { room } => Some(room),
            _ => None,
        };
        self.socket = None;
        self.lobby.depart(GUEST);
        let Some(mut guest) = self.guest.take() else { return Vec::new() };
        let rooms = guest.room.into_iter().chain(joining.filter(|room| guest.room != Some(*room)));
        let mut out: Out<'_> = rooms.map(|room| tell(room, FromSession::Gone { left })).collect();
        if guest.room.is_some() {
            guest.room = guest.room.filter(|_| !left);
            // Whoever is lost is looked for there soon.
            out.push(set_home(&guest));
        }
        let forgotten = self.home_until.is_none() && guest.room.is_none();
        let command = if forgotten { GatewayCommand::Forget } else { GatewayCommand::Store };
        out.push(Effect::Command(command));
        out
    }

    fn listens_to(&self, room: RoomId) -> bool {
        let pending = match &self.pending {
            Pending::Recovery { room, .. } | Pending::Join { room } => Some(*room),
            Pending::Nothing | Pending::Verification { .. } | Pending::Home { .. } => None,
        };
        pending == Some(room) || self.guest.as_ref().and_then(|guest| guest.room) == Some(room)
    }

    /// What the lobby says to its only guest.
    fn follow(
        &mut self,
        socket: SocketId,
        effects: Vec<zetra_signalling::Effect<'_>>,
        asked: Asked<'_>,
        now: i64,
    ) -> Out<'static> {
        use zetra_signalling::Effect as Lobby;
        let mut out = Vec::new();
        for effect in effects {
            match effect {
                Lobby::Emit { event, .. } => {
                    let (head, relayed, closing) = event.argument();
                    let tail = Cow::Owned([closing, ",\"", NO_OFFSET, "\""].concat());
                    let name = Cow::Borrowed(event.name());
                    let arguments = Frame { head, relayed, tail };
                    let emission = Emission { name, arguments, ..Emission::default() };
                    out.push(Effect::Emit { to: vec![socket], emission }.into_owned());
                }
                Lobby::Ack { id, body, .. } => {
                    out.push(Effect::Ack { socket, id, arguments: body.json(), attachments: Vec::new() });
                }
                Lobby::Disconnect(_) => {
                    out.push(Effect::Disconnect { socket, close: true });
                    out.extend(self.part(true));
                }
                Lobby::Elsewhere { room, .. } => {
                    out.push(Effect::Wait(socket));
                    let arguments = asked.arguments.iter().map(|argument| (*argument).to_owned()).collect();
                    out.extend(self.join(room, arguments, asked.ack, now));
                }
                // A lobby asks nobody, and what it knows need not survive.
                Lobby::Lookup { .. } | Lobby::Store(_) | Lobby::Forget(_) => {}
            }
        }
        out
    }
}

/// The event that the lobby judges.
#[derive(Clone, Copy)]
struct Asked<'a> {
    arguments: &'a [&'a str],
    ack: Option<u64>,
}

impl Application for Gateway {
    type Command = GatewayCommand;

    fn serves(&self, namespace: &str) -> bool {
        namespace == "/"
    }

    fn connect(&mut self, connect: Connect<'_>, now: i64) -> Out<'static> {
        let Connect { socket, auth, handshake, .. } = connect;
        match self.settings.authenticator.authenticate(auth, handshake, now) {
            Ok(Introduction { credential, recovery }) => {
                self.socket = Some(socket);
                let mut out = vec![Effect::Wait(socket)];
                if let Credential::Token(claims) = credential {
                    let user = claims.user;
                    self.wait(Pending::Verification { claims, recovery }, now);
                    out.push(Effect::Command(GatewayCommand::Verify { socket, user }));
                } else {
                    out.extend(self.enter(credential, recovery, now));
                }
                out
            }
            Err(error) => vec![Effect::Refuse { socket, error: error.json() }],
        }
    }

    fn event<'a>(&mut self, socket: SocketId, event: Event<'a>, now: i64) -> Out<'a> {
        let Event { name, mut arguments, ack, attachments } = event;
        if !attachments.is_empty() {
            // Signalling is JSON: an argument that no event takes, in place of the placeholders.
            arguments = vec!["false"];
        }
        let room = self.guest.as_ref().and_then(|guest| guest.room);
        match room.filter(|_| name != "\"join-room\"") {
            Some(room) => {
                let arguments = arguments.into_iter().map(str::to_owned).collect();
                let message = FromSession::Event { name: name.to_owned(), arguments, ack };
                vec![tell(room, message)]
            }
            None => {
                let effects = self.lobby.event(GUEST, name, &arguments, ack, now);
                self.follow(socket, effects, Asked { arguments: &arguments, ack }, now)
            }
        }
    }

    /// Nothing here asks for acks.
    fn acknowledged(&mut self, _: SocketId, _: u64, _: &[&str], _now: i64) -> Out<'static> {
        Vec::new()
    }

    fn disconnected(&mut self, socket: SocketId, departure: Departure, _now: i64) -> Out<'static> {
        if self.socket != Some(socket) {
            return Vec::new();
        }
        self.part(departure == Departure::Left)
    }

    fn tick(&mut self, now: i64) -> Out<'static> {
        let mut out = Vec::new();
        if let Some(room) = self.orphaned.take() {
            out.push(tell(room, FromSession::Gone { left: false }));
            out.push(Effect::Command(GatewayCommand::Store));
        }
        if self.guest.is_none() && self.home_until.take_if(|until| *until <= now).is_some() {
            out.push(Effect::Command(GatewayCommand::Forget));
        }
        if self.pending_until.is_some_and(|until| until <= now) {
            out.extend(self.socket.map(Effect::Abandon));
        }
        // In a room it is the room that sees to this.
        if let (Some(Guest { room: None, .. }), Some(socket)) = (&self.guest, self.socket) {
            let effects = self.lobby.tick(now);
            out.extend(self.follow(socket, effects, Asked { arguments: &[], ack: None }, now));
        }
        out
    }

    fn next_deadline(&self) -> Option<i64> {
        let orphaned = self.orphaned.map(|_| 0);
        let alone = self.guest.as_ref().is_some_and(|guest| guest.room.is_none());
        let lobby = self.lobby.next_deadline().filter(|_| alone);
        let home = self.home_until.filter(|_| self.guest.is_none());
        [orphaned, self.pending_until, lobby, home].into_iter().flatten().min()
    }
}

fn tell(room: RoomId, message: FromSession) -> Effect<'static, GatewayCommand> {
    Effect::Command(GatewayCommand::Tell { room, message })
}

fn set_home(guest: &Guest) -> Effect<'static, GatewayCommand> {
    let home = guest.pid.split('.').next().unwrap_or_default().to_owned();
    let (pid, room) = (guest.pid.clone(), guest.room);
    Effect::Command(GatewayCommand::SetHome { home, pid, room })
}

#[cfg(test)]
mod tests;
