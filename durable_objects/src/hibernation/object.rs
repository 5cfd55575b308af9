//! A Durable Object as the runtime sees it: what survives its memory, its one alarm, and what is under way.
//!
//! It does what the shell does (`socketio-object`, `room`, `session`), without I/O.

use std::collections::{BTreeMap, BTreeSet};

use secrecy::SecretString;
use zetra_domain::{ObjectIds, RoomId, SigningSecret, TokenKey};
use zetra_runtime::{GuestLimits, SocketAuth};
use zetra_signalling::EventRate;
use zetra_socketio::{
    Kept, Limits, LogLimits, Saving, SocketIo,
    engine::{
        Action, Attachment, LinkId, Opening, Protocol, Query, Reception, RequestId, Server, SessionKey,
        Settings,
    },
};

use crate::{
    application::{AnyApplication, AnyCommand, AnyKept},
    authenticator::{Authenticator, Handshake},
    room::{LOG, RoomApplication, RoomCommand, RoomSettings, StoredRoom},
    session::{CLIENT_ROW, Gateway, GatewayCommand, GatewaySettings},
};

/// Milliseconds of silence after which an object sleeps.
pub(super) const SILENCE: i64 = 10_000;
pub(super) const HOLD: i64 = 10_000;
pub(super) const REJOIN: i64 = 600_000;
/// Never at the same moment as the beat that notices.
const NOTICED_WITHIN: i64 = 95_000;
/// Slow enough for debts that outlast a sleep.
const LIMITS: zetra_signalling::Limits =
    zetra_signalling::Limits { max_present: 3, hold: HOLD, rate: EventRate { per_second: 1, burst: 10 } };
const LOG_LIMITS: LogLimits = LogLimits { max_events: 100, max_bytes: 100_000, max_total_bytes: 1_000_000 };
const GUESTS: GuestLimits = GuestLimits { per_address: 32, per_user: 4, total: 256 };

type ServerOf = Server<SocketIo<AnyApplication>>;
pub(super) type Actions = Vec<Action<'static, AnyCommand>>;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Name {
    Room,
    Session(String),
}

pub(super) struct Object {
    pub name: Name,
    /// Empty while it sleeps.
    server: Option<ServerOf>,
    /// The attachments of its open WebSockets, in the order of opening.
    pub sockets: Vec<(LinkId, String)>,
    pub rows: BTreeMap<String, String>,
    pub alarm: Option<i64>,
    /// When the alarm is due as far as the object knows.
    known_alarm: Option<i64>,
    uses_storage: bool,
    next_request: u32,
    /// Requests that are not answered.
    pub open: BTreeSet<RequestId>,
    /// When it last did something, in milliseconds that no clock jump affects.
    active_at: i64,
    pub sleeps: u32,
}

pub fn key() -> TokenKey {
    let secret = SecretString::from("0123456789abcdef0123456789abcdef");
    TokenKey::new(&SigningSecret::new(secret).unwrap())
}

pub(super) fn room_id() -> RoomId {
    RoomId::from_random([1; 16])
}

/// `id-<number>`, different each time within a test thread.
fn new_id() -> String {
    // A log takes eight characters of it.
    format!("id-{:05x}", next_number())
}

fn next_number() -> u32 {
    thread_local!(static NEXT: std::cell::Cell<u32> = const { std::cell::Cell::new(0) });
    NEXT.with(|next| {
        next.set(next.get() + 1);
        next.get()
    })
}

impl Object {
    pub fn new(name: Name) -> Self {
        Self {
            name,
            server: None,
            sockets: Vec::new(),
            rows: BTreeMap::new(),
            alarm: None,
            known_alarm: None,
            uses_storage: false,
            next_request: 0,
            open: BTreeSet::new(),
            active_at: 0,
            sleeps: 0,
        }
    }

    /// Gives its memory up if the runtime would: after ten seconds in which nothing happened. `is_busy` is whether it
    /// waits for something, or serves a client that polls.
    pub fn may_sleep(&mut self, elapsed: i64, is_busy: bool) {
        if elapsed - self.active_at > SILENCE && !is_busy && self.open.is_empty() {
            self.sleeps += u32::from(self.server.take().is_some());
        }
    }

    /// An input from the runtime. `names_it` is whether that is a request or a call, which contains the object's name.
    pub fn input<T>(
        &mut self,
        now: i64,
        elapsed: i64,
        names_it: bool,
        input: impl FnOnce(&mut ServerOf) -> T,
    ) -> T {
        self.active_at = elapsed;
        let mut server = self.server.take().unwrap_or_else(|| self.wakes(now, names_it));
        let output = input(&mut server);
        self.server = Some(server);
        output
    }

    pub fn opens(
        &mut self,
        now: i64,
        elapsed: i64,
        query: &Query,
        method: zetra_socketio::engine::Method,
        sid: &str,
    ) -> (RequestId, Reception, Actions) {
        let id = RequestId(self.next_request);
        self.next_request += 1;
        let (room, session) = match &self.name {
            Name::Room => (Some(room_id()), None),
            Name::Session(name) => (None, Some(name.clone())),
        };
        let connection = format!("connection of {sid}");
        let handshake = Handshake { bearer: None, address: None, connection, session, room };
        let handshake = serde_json::to_string(&handshake).unwrap();
        let opening = Some(Opening { sid, handshake: &handshake });
        let (reception, actions) =
            self.input(now, elapsed, true, |server| server.request(id, query, method, false, opening, now));
        match reception {
            Reception::Http | Reception::Body => drop(self.open.insert(id)),
            Reception::WebSocket(link) => self.sockets.push((link, String::new())),
            Reception::Refused => {}
        }
        (id, reception, actions)
    }

    /// The alarm rings, or a spurious one, which does no harm. Whether it was due.
    pub fn rings(&mut self, now: i64, elapsed: i64) -> (bool, Actions) {
        let is_due = self.alarm.take_if(|at| *at <= now).is_some();
        self.input(now, elapsed, false, |_| ());
        if is_due {
            (self.known_alarm, self.uses_storage) = (None, true);
        }
        (is_due, self.input(now, elapsed, false, |server| server.tick(now)))
    }

    pub fn attaches(&mut self, link: LinkId) {
        let attachment = self.server.as_ref().and_then(|server| server.attachment(link));
        let socket = self.sockets.iter_mut().find(|(of, _)| *of == link);
        if let (Some(attachment), Some((_, kept))) = (attachment, socket) {
            *kept = serde_json::to_string(&attachment).unwrap();
        }
    }

    /// After the actions of an input: the alarm, and whether anything is left.
    pub fn settles(&mut self, now: i64) {
        let server = self.server.as_mut().unwrap();
        if let Some(at) = server.next_deadline().map(|at| at.max(now))
            && self.known_alarm.is_none_or(|alarm| at < alarm)
        {
            (self.alarm, self.known_alarm, self.uses_storage) = (Some(at), Some(at), true);
        }
        let is_over = server.is_empty() && !Protocol::needs_storage(server.protocol());
        if is_over && self.uses_storage {
            self.deletes_all();
        }
        let soon = now + Settings::default().timing.ping_interval + 1_000;
        let is_reached_here = self.sockets.iter().any(|(_, kept)| !kept.is_empty());
        assert!(!is_reached_here || self.alarm.is_some_and(|at| at <= soon), "{:?} misses a beat", self.name);
    }

    pub fn deletes_all(&mut self) {
        self.rows.clear();
        (self.alarm, self.known_alarm, self.uses_storage) = (None, None, false);
    }

    pub fn saves(&mut self, Saving { parts, obsolete, .. }: Saving) {
        self.uses_storage = true;
        self.rows.extend(parts.into_iter().enumerate().map(|(part, text)| (format!("{LOG}{part}"), text)));
        obsolete.iter().for_each(|part| drop(self.rows.remove(&format!("{LOG}{part}"))));
    }

    pub fn puts(&mut self, row: String, text: String) {
        self.uses_storage = true;
        self.rows.insert(row, text);
    }

    pub fn room(&self) -> Option<&RoomApplication> {
        self.server.as_ref()?.protocol().application().room()
    }

    pub fn gateway(&self) -> Option<&Gateway> {
        self.server.as_ref()?.protocol().application().session()
    }

    pub fn acts_in_room(
        &mut self,
        now: i64,
        elapsed: i64,
        act: impl FnOnce(&mut RoomApplication) -> zetra_socketio::Effects<'static, RoomCommand>,
    ) -> Actions {
        self.input(now, elapsed, true, |server| {
            server.act(now, |protocol, out| protocol.act(now, out, |application| application.in_room(act)))
        })
    }

    pub fn acts_in_session(
        &mut self,
        now: i64,
        elapsed: i64,
        act: impl FnOnce(&mut Gateway) -> zetra_socketio::Effects<'static, GatewayCommand>,
    ) -> Actions {
        self.input(now, elapsed, true, |server| {
            server.act(now, |protocol, out| protocol.act(now, out, |application| application.in_session(act)))
        })
    }

    fn list(&self, prefix: &str) -> Vec<(String, String)> {
        let rows = self.rows.iter();
        rows.filter_map(|(key, text)| Some((key.strip_prefix(prefix)?.to_owned(), text.clone()))).collect()
    }

    fn wakes(&mut self, now: i64, names_it: bool) -> ServerOf {
        // One that only probes an upgrade belongs to no session.
        let kept = self.sockets.iter().filter(|(_, text)| !text.is_empty());
        let attachments: Vec<Attachment<Kept<AnyKept>>> =
            kept.map(|(_, text)| serde_json::from_str(text).unwrap()).collect();
        let next_beat = attachments.iter().map(Attachment::next_beat).min();
        self.known_alarm = next_beat.filter(|at| *at > now);
        self.uses_storage = !self.rows.is_empty() || next_beat.is_some();
        Server::restore(Settings::default(), attachments, |kept| self.protocol(now, names_it, kept))
    }

    fn protocol(
        &self,
        now: i64,
        names_it: bool,
        kept: Vec<(SessionKey, Kept<AnyKept>)>,
    ) -> SocketIo<AnyApplication> {
        let authenticator = Authenticator { token_key: key(), socket_auth: SocketAuth::Required };
        let room = names_it.then(room_id).or_else(|| Handshake::room_of(&kept));
        SocketIo::restore(Limits::default(), kept, |connected| match &self.name {
            Name::Room => {
                let of_room = |(socket, kept)| match kept {
                    AnyKept::Room(kept) => (socket, kept),
                    AnyKept::Session(_) => panic!("kept by a Session object"),
                };
                let settings = RoomSettings {
                    authenticator,
                    limits: LIMITS,
                    log: LOG_LIMITS,
                    rejoin: REJOIN,
                    noticed_within: NOTICED_WITHIN,
                    guests: GUESTS,
                    new_id,
                    object_ids: ObjectIds::new((u64::from(next_number()) << 32).to_be_bytes()),
                    has_webhook: true,
                };
                let stored = StoredRoom::read(|prefix| self.list(prefix), None);
                let connected = connected.into_iter().map(of_room).collect();
                let room = RoomApplication::restore(room, settings, stored, connected, now);
                AnyApplication::Room(Box::new(room))
            }
            Name::Session(name) => {
                let of_session = |(socket, kept)| match kept {
                    AnyKept::Session(kept) => (socket, kept),
                    AnyKept::Room(_) => panic!("kept by a Room object"),
                };
                let (limits, report_interval) = (LIMITS, Settings::default().timing.ping_interval / 2);
                let settings = GatewaySettings { authenticator, limits, report_interval, new_id };
                let connected = connected.into_iter().map(of_session).collect();
                let (name, stored) = (names_it.then(|| name.clone()), self.rows.get(CLIENT_ROW));
                let gateway = Gateway::restore(settings, name, stored.map(String::as_str), connected);
                AnyApplication::Session(Box::new(gateway))
            }
        })
    }
}
