//! Conversations with a room, frame by frame, over the real Socket.IO server.

use std::collections::BTreeMap;

use secrecy::SecretString;
use zetra_domain::{
    AddressKey, Admission, CallLogId, HonouredTokens, Membership, ObjectIds, SigningSecret, Timestamp,
    TokenKey,
};
use zetra_runtime::SocketAuth;
use zetra_signalling::{Rate, Revocation};
use zetra_socketio::{
    Limits, SocketIo,
    engine::{
        Action, LinkId, Message, Method, Opening, Protocol, Query, Reception, RequestId, Server, Settings,
    },
};
use zetra_store::RoomCall;

use super::*;
use crate::{
    authenticator::{Handshake, Recovery, TURNED_AWAY_MS, Verification},
    exchange::{FromSession, Joining, Recovering},
};

mod calls;
mod connecting;
mod environment;
mod guests;
mod host;
mod recovery;
mod rejoin;
mod rows;
mod sessions;
mod store;
mod webhook;

const NOW: i64 = 1_700_000_000_000;

type Room = Server<SocketIo<RoomApplication>>;

/// A room with a store that admits everybody, and the frames that each connection received.
struct Line {
    server: Room,
    users: Vec<UserId>,
    now: i64,
    heard: BTreeMap<LinkId, Vec<String>>,
    closed: Vec<(LinkId, Option<u16>)>,
    attached: BTreeMap<LinkId, String>,
    stored: BTreeMap<PeerId, String>,
    log: BTreeMap<usize, String>,
    calls: BTreeMap<CallLogId, String>,
    ended_calls: BTreeMap<CallLogId, String>,
    messages: BTreeMap<u64, String>,
    /// Bodies that the webhook accepted.
    posted: Vec<String>,
    webhook_is_up: bool,
    /// Reports that the database has not answered yet.
    reports: Vec<CallReport>,
    recorded: BTreeMap<CallLogId, zetra_domain::CallLog>,
    database_is_up: bool,
    /// The database records reports, and its answers are lost.
    database_loses_answers: bool,
    /// Every query fails.
    store_is_down: bool,
    /// Rows written and deleted, and alarms set.
    rows: usize,
    /// Those of calls, counted separately.
    call_rows: usize,
    webhook_rows: usize,
    /// What is on its way to the webhook.
    posts: Vec<(u64, u32, String)>,
    alarm: Option<i64>,
    delivered: Vec<(String, Delivery)>,
    /// Queries that the store has not answered yet.
    open: Vec<RoomCommand>,
    deleted: Vec<UserId>,
    /// Users whom the store does not admit.
    strangers: Vec<UserId>,
    /// The store's result for everybody's tokens.
    tokens: HonouredTokens,
    setup: Setup,
}

fn key() -> TokenKey {
    let secret = SecretString::from("0123456789abcdef0123456789abcdef");
    TokenKey::new(&SigningSecret::new(secret).unwrap())
}

fn room_id() -> RoomId {
    RoomId::from_random([1; 16])
}

const LOG: LogLimits = LogLimits { max_events: 100, max_bytes: 100_000, max_total_bytes: 1_000_000 };

const REJOIN_MS: i64 = 600_000;

/// Three ping intervals and a time-out.
const NOTICED_WITHIN_MS: i64 = 95_000;
const GUESTS: GuestLimits = GuestLimits { per_address: 32, per_user: 4, total: 256 };

/// What a room is configured with, the same whenever its object is restored.
#[derive(Clone, Copy)]
struct Setup {
    socket_auth: SocketAuth,
    guests: GuestLimits,
    has_webhook: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self { socket_auth: SocketAuth::Required, guests: GUESTS, has_webhook: false }
    }
}

impl Setup {
    fn restore(self, id: Option<RoomId>, attachments: Vec<String>, stored: StoredRoom, now: i64) -> Room {
        let limits = zetra_signalling::Limits { max_present: 64, hold: 10_000, rate: Default::default() };
        let attachments = attachments.iter().map(|json| serde_json::from_str(json).unwrap()).collect();
        Server::restore(Settings::default(), attachments, |kept| {
            SocketIo::restore(Limits::default(), kept, |connected| {
                let settings = RoomSettings {
                    authenticator: Authenticator { token_key: key(), socket_auth: self.socket_auth },
                    limits,
                    log: LOG,
                    rejoin: REJOIN_MS,
                    noticed_within: NOTICED_WITHIN_MS,
                    guests: self.guests,
                    new_id,
                    object_ids: ObjectIds::new([7; 8]),
                    has_webhook: self.has_webhook,
                };
                RoomApplication::restore(id, settings, stored, connected, now)
            })
        })
    }
}

/// `id-<number>`, different each time within a test thread.
fn new_id() -> String {
    thread_local!(static NEXT: std::cell::Cell<u32> = const { std::cell::Cell::new(0) });
    NEXT.with(|next| {
        next.set(next.get() + 1);
        format!("id-{}", next.get())
    })
}

impl Line {
    fn new(socket_auth: SocketAuth) -> Self {
        Self::set_up(Setup { socket_auth, ..Setup::default() })
    }

    fn set_up(setup: Setup) -> Self {
        let mut ids = ObjectIds::new([5; 8]);
        Self {
            server: setup.restore(Some(room_id()), Vec::new(), StoredRoom::default(), NOW),
            users: (0..4).map(|_| ids.user(Timestamp::from_millis(NOW))).collect(),
            now: NOW,
            heard: BTreeMap::new(),
            closed: Vec::new(),
            attached: BTreeMap::new(),
            stored: BTreeMap::new(),
            log: BTreeMap::new(),
            calls: BTreeMap::new(),
            ended_calls: BTreeMap::new(),
            messages: BTreeMap::new(),
            posted: Vec::new(),
            webhook_is_up: true,
            reports: Vec::new(),
            recorded: BTreeMap::new(),
            database_is_up: true,
            database_loses_answers: false,
            store_is_down: false,
            rows: 0,
            call_rows: 0,
            webhook_rows: 0,
            posts: Vec::new(),
            alarm: None,
            delivered: Vec::new(),
            open: Vec::new(),
            deleted: Vec::new(),
            strangers: Vec::new(),
            tokens: HonouredTokens { version: 0, kept: None },
            setup,
        }
    }

    fn token(&self, user: usize) -> String {
        key().issue(self.users[user], &format!("user{user}"), 0, [0; 9], Timestamp::from_millis(NOW))
    }

    fn credential(&self, user: usize) -> Credential {
        Credential::Token(key().verify(&self.token(user), Timestamp::from_millis(NOW)).unwrap())
    }

    /// From its own address.
    fn opens(&mut self, bearer: Option<&str>) -> LinkId {
        let address = format!("address {}", new_id());
        self.opens_from(&address, bearer).unwrap()
    }

    fn opens_from(&mut self, address: &str, bearer: Option<&str>) -> Option<LinkId> {
        let bearer = bearer.map(str::to_owned);
        let (address, connection) = (Some(AddressKey::of(address)), String::new());
        let handshake = Handshake { bearer, address, connection, session: None, room: None };
        let handshake = serde_json::to_string(&handshake).unwrap();
        let query = Query::parse([("transport", "websocket"), ("EIO", "4")]);
        let opening = Opening { sid: "sid", handshake: &handshake };
        let (reception, actions) =
            self.server.request(RequestId(0), &query, Method::Upgrade, false, Some(opening), self.now);
        self.perform(actions);
        let Reception::WebSocket(link) = reception else { return None };
        self.heard(link);
        Some(link)
    }

    /// Opens, connects with a token and joins; nothing heard counts.
    fn enters(&mut self, user: usize) -> LinkId {
        let link = self.enters_beside(user);
        self.heard.clear();
        link
    }

    /// Opens, connects with a token and joins.
    fn enters_beside(&mut self, user: usize) -> LinkId {
        let link = self.opens(None);
        let token = self.token(user);
        self.says(link, &format!(r#"40{{"token":"{token}"}}"#));
        self.says(link, &format!(r#"42["join-room","{}"]"#, room_id()));
        self.answer_all();
        link
    }

    fn says(&mut self, link: LinkId, frame: &str) {
        let mut own = Vec::new();
        for action in self.server.receive_text(link, frame, self.now) {
            own.push(match action {
                Action::Send { to, message } => Action::Send { to, message: message.into_owned() },
                Action::Close { link, code } => Action::Close { link, code },
                Action::Respond { request, response } => Action::Respond { request, response },
                Action::Attach(link) => Action::Attach(link),
                Action::Command(command) => Action::Command(command),
            });
        }
        self.perform(own);
    }

    fn act(&mut self, act: impl FnOnce(&mut RoomApplication) -> Out<'static>) {
        let now = self.now;
        let actions = self.server.act(now, |protocol, out| protocol.act(now, out, act));
        self.perform(actions);
    }

    fn tells(&mut self, session: &str, message: FromSession) {
        let now = self.now;
        self.act(|room| room.from_session(session, message, now));
    }

    /// The first offset that was delivered to the Session object of that name.
    fn offset_of(&mut self, session: &str) -> String {
        let told = self.delivered();
        let frames = told.iter().filter(|(to, _)| to == session).flat_map(|(_, delivery)| match delivery {
            Delivery::Frame { frame, .. } => vec![frame.clone()],
            Delivery::Joined { frames, .. } | Delivery::Recovered { frames, .. } => frames.clone(),
            _ => Vec::new(),
        });
        let offsets: Vec<String> = frames.map(|frame| split(&frame).1).collect();
        offsets.into_iter().find(|offset| !offset.is_empty()).unwrap()
    }

    fn recovers_through(&mut self, session: &str, user: usize, pid: &str, offset: &str) {
        let recovering = Recovering {
            recovery: Recovery { pid: pid.to_owned(), offset: offset.to_owned() },
            credential: self.credential(user),
            sid: format!("{session}-sid"),
            pid: format!("{session}.pid"),
            connection: String::new(),
        };
        self.tells(session, FromSession::Recover(recovering));
        self.answer_all();
    }

    fn joins_from(&mut self, session: &str, user: usize) {
        self.joins_from_with(session, user, Rate::default());
    }

    fn joins_from_with(&mut self, session: &str, user: usize, rate: Rate) {
        let joining = Joining {
            sid: format!("{session}-sid"),
            pid: format!("{session}.pid"),
            credential: self.credential(user),
            connection: String::new(),
            arguments: vec![format!("\"{}\"", room_id())],
            ack: Some(1),
            rate,
        };
        self.tells(session, FromSession::Join(joining));
        self.answer_all();
    }

    fn closes(&mut self, link: LinkId, code: Option<u16>) {
        let actions = self.server.closed(link, code, self.now);
        self.perform(actions);
    }

    fn application(&self) -> &RoomApplication {
        self.server.protocol().application()
    }

    fn heard(&mut self, link: LinkId) -> Vec<String> {
        self.heard.remove(&link).unwrap_or_default()
    }

    /// The received frames, without the offset that every event has.
    fn events(&mut self, link: LinkId) -> Vec<String> {
        self.heard(link).iter().map(|frame| split(frame).0).collect()
    }

    fn delivered(&mut self) -> Vec<(String, Delivery)> {
        std::mem::take(&mut self.delivered)
    }

    fn sleeps(&mut self) {
        let closed: Vec<LinkId> = self.closed.iter().map(|(link, _)| *link).collect();
        let attached = self.attached.iter().filter(|(link, _)| !closed.contains(link));
        let attached: Vec<String> = attached.map(|(_, json)| json.clone()).collect();
        let stored = StoredRoom {
            members: self.stored.clone().into_iter().collect(),
            log: self.log.clone().into_iter().collect(),
            calls: self.calls.clone().into_iter().collect(),
            ended_calls: self.ended_calls.clone().into_iter().collect(),
            messages: self.messages.clone().into_iter().collect(),
            // Version 1 stored it beside the rows.
            id: self.stored.values().any(|row| !row.contains("\"room\"")).then(room_id),
        };
        // An object that an alarm wakes has no request that contains its room.
        let is_told = attached.is_empty() && self.stored.is_empty() && self.calls.is_empty();
        let id = (is_told && self.messages.is_empty() && self.ended_calls.is_empty()).then(room_id);
        self.server = self.setup.restore(id, attached, stored, self.now);
    }

    /// Every WebSocket is gone, the storage remains.
    fn crashes(&mut self) {
        self.attached.clear();
        self.sleeps();
    }

    /// Time passes, and the alarm does what is due.
    fn waits(&mut self, millis: i64) {
        let until = self.now + millis;
        while let Some(at) = self.alarm.take_if(|at| *at <= until) {
            self.now = self.now.max(at);
            let actions = self.server.tick(self.now);
            self.perform(actions);
        }
        self.now = until;
    }

    /// The same, and every client pongs.
    fn lives(&mut self, links: &[LinkId], millis: i64) {
        let until = self.now + millis;
        while self.now < until {
            self.waits(1_000);
            for link in links {
                if self.heard.get(link).is_some_and(|heard| heard.iter().any(|frame| frame == "2")) {
                    self.heard.get_mut(link).unwrap().retain(|frame| frame != "2");
                    self.says(*link, "3");
                }
            }
        }
    }
}

/// A frame and its offset.
fn split(frame: &str) -> (String, String) {
    let room = room_id().compact();
    let cut = frame.strip_suffix("\"]").and_then(|rest| rest.rsplit_once(&format!(",\"{room}.")));
    let Some((event, offset)) = cut.filter(|_| frame.starts_with("42")) else {
        return (frame.to_owned(), String::new());
    };
    (format!("{event}]"), format!("{room}.{offset}"))
}

/// The pid of a CONNECT reply.
fn pid(reply: &str) -> &str {
    reply.split_once("\"pid\":\"").unwrap().1.split('"').next().unwrap()
}

/// Ann, who will be lost, with her pid and offset, and Bob.
fn couple(line: &mut Line) -> (LinkId, LinkId, String, String) {
    let link = line.opens(None);
    let token = line.token(0);
    line.says(link, &format!(r#"40{{"token":"{token}"}}"#));
    line.says(link, &format!(r#"42["join-room","{}"]"#, room_id()));
    line.answer_all();
    let heard = line.heard(link);
    let (pid, offset) = (pid(&heard[0]).to_owned(), split(&heard[1]).1);
    let bob = line.enters(1);
    (link, bob, pid, offset)
}

/// The pid and the offset of a client without a token that was in the room, and is not held any more.
fn tokenless_and_lost(line: &mut Line) -> (String, String) {
    let link = line.opens(None);
    line.says(link, "40");
    line.says(link, &format!(r#"42["join-room","{}","{}"]"#, room_id(), line.users[0]));
    line.answer_all();
    let heard = line.heard(link);
    let (pid, offset) = (pid(&heard[0]).to_owned(), split(&heard[1]).1);
    line.closes(link, None);
    line.waits(11_000);
    (pid, offset)
}

fn returns(line: &mut Line, user: usize, pid: &str, offset: &str) -> LinkId {
    let link = asks_to_return(line, user, pid, offset);
    line.answer_all();
    link
}

/// The store has not answered.
fn asks_to_return(line: &mut Line, user: usize, pid: &str, offset: &str) -> LinkId {
    let link = line.opens(None);
    let token = line.token(user);
    line.says(link, &format!(r#"40{{"pid":"{pid}","offset":"{offset}","token":"{token}"}}"#));
    link
}

/// The frames that a client receives when the server joins it again.
fn rejoined(line: &mut Line, link: LinkId, pid: &str, others: &[UserId]) {
    let heard = line.events(link);
    assert!(heard[0].starts_with("40{") && !heard[0].contains(pid), "a new client: {heard:?}");
    let known = others.iter().map(|user| format!(r#"42["user-connected","{user}"]"#));
    let ids: Vec<String> = others.iter().map(|user| format!("\"{user}\"")).collect();
    let expected: Vec<String> =
        known.chain([format!(r#"42["existing-users",[{}]]"#, ids.join(","))]).collect();
    assert_eq!(heard[1..], expected);
}

/// The pid of a connected client and a current offset, as the client would present them.
fn couple_offset(line: &mut Line, link: LinkId) -> (String, String) {
    let attachment = line.attached[&link].clone();
    let peer: PeerId = {
        let value: serde_json::Value = serde_json::from_str(&attachment).unwrap();
        PeerId(value["p"]["a"][0][1]["i"].as_u64().unwrap().try_into().unwrap())
    };
    let application = line.application();
    let number = application.log.mark();
    let (pid, next) = (application.members.get(&peer).unwrap().pid.clone(), application.log.next_offset());
    let tag = next.rsplit_once('.').unwrap().0.to_owned();
    (pid, format!("{tag}.{number}"))
}
