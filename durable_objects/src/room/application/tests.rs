//! Conversations with a room, frame by frame, over the real Socket.IO server.

use std::collections::BTreeMap;

use secrecy::SecretString;
use zetra_domain::{
    Admission, CallLogId, HonouredTokens, Membership, ObjectIds, SigningSecret, Timestamp, TokenKey,
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
mod host;
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
    socket_auth: SocketAuth,
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
thread_local! {
    static HAS_WEBHOOK: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

const GUESTS: GuestLimits = GuestLimits { per_address: 32, per_user: 4, total: 256 };

fn restored(
    id: Option<RoomId>,
    socket_auth: SocketAuth,
    attachments: Vec<String>,
    stored: StoredRoom,
    guests: GuestLimits,
    now: i64,
) -> Room {
    let limits = zetra_signalling::Limits { max_present: 64, hold: 10_000, rate: Default::default() };
    let attachments = attachments.iter().map(|json| serde_json::from_str(json).unwrap()).collect();
    Server::restore(Settings::default(), attachments, |kept| {
        SocketIo::restore(Limits::default(), kept, |connected| {
            let authenticator = Authenticator { token_key: key(), socket_auth };
            let (log, rejoin) = (LOG, REJOIN_MS);
            let object_ids = ObjectIds::new([7; 8]);
            let has_webhook = HAS_WEBHOOK.get();
            let settings = RoomSettings {
                authenticator,
                limits,
                log,
                rejoin,
                noticed_within: NOTICED_WITHIN_MS,
                guests,
                new_id,
                object_ids,
                has_webhook,
            };
            RoomApplication::restore(id, settings, stored, connected, now)
        })
    })
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
        let mut ids = ObjectIds::new([5; 8]);
        Self {
            server: restored(Some(room_id()), socket_auth, Vec::new(), StoredRoom::default(), GUESTS, NOW),
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
            socket_auth,
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
        let (address, connection) = (Some(address.to_owned()), String::new());
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

    /// Opens, connects with a token and joins.
    fn enters(&mut self, user: usize) -> LinkId {
        let link = self.opens(None);
        let token = self.token(user);
        self.says(link, &format!(r#"40{{"token":"{token}"}}"#));
        self.says(link, &format!(r#"42["join-room","{}"]"#, room_id()));
        self.answer_all();
        self.heard.clear();
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

    fn perform(&mut self, actions: Vec<Action<'static, RoomCommand>>) {
        self.perform_actions(actions);
        // Like the object: the alarm is only ever moved to an earlier time.
        if let Some(at) = self.server.next_deadline().map(|at| at.max(self.now))
            && self.alarm.is_none_or(|alarm| at < alarm)
        {
            self.alarm = Some(at);
            self.rows += 1;
        }
        let over = self.server.is_empty() && !self.server.protocol().needs_storage();
        if over
            && (self.alarm.is_some()
                || !self.stored.is_empty()
                || !self.log.is_empty()
                || !self.calls.is_empty())
        {
            self.delete_all();
        }
        if self.database_is_up {
            self.records_calls();
        }
        let now = self.now;
        for (number, attempt, body) in std::mem::take(&mut self.posts) {
            let taken = self.webhook_is_up;
            self.posted.extend(taken.then_some(body));
            self.act(|room| room.message_answered(number, attempt, taken, now));
        }
    }

    /// The database accepts the waiting reports, or fails.
    fn records_calls(&mut self) {
        let now = self.now;
        for report in std::mem::take(&mut self.reports) {
            if self.database_is_up {
                self.recorded.insert(report.log.id, report.log.clone());
            }
            let is_answered = self.database_is_up && !self.database_loses_answers;
            let call = RoomCall { log: report.log.clone(), joined: Vec::new() };
            let answer = is_answered.then_some(Some(call)).ok_or(NotTaken);
            self.act(|room| room.call_reported(&report, answer, now));
        }
    }

    fn delete_all(&mut self) {
        self.stored.clear();
        self.log.clear();
        self.calls.clear();
        self.ended_calls.clear();
        self.messages.clear();
        self.alarm = None;
        self.rows += 1;
    }

    fn perform_actions(&mut self, actions: Vec<Action<'static, RoomCommand>>) {
        for action in actions {
            match action {
                Action::Send { to, message } => {
                    let Message::Text(frame) = message else { panic!("no binary here") };
                    to.iter().for_each(|link| self.heard.entry(*link).or_default().push(frame.text()));
                }
                Action::Close { link, code } => self.closed.push((link, code)),
                Action::Respond { .. } => {}
                Action::Attach(link) => {
                    if let Some(attachment) = self.server.attachment(link) {
                        self.attached.insert(link, serde_json::to_string(&attachment).unwrap());
                    }
                }
                Action::Command(command) => self.command(command),
            }
        }
    }

    fn command(&mut self, command: RoomCommand) {
        match command {
            RoomCommand::Store(row) => {
                let Some(text) = self.application().stored(row) else { return };
                match row {
                    Row::Peer(peer) => drop(self.stored.insert(peer, text)),
                    Row::Call(call) => drop(self.calls.insert(call, text)),
                    Row::EndedCall(call) => drop(self.ended_calls.insert(call, text)),
                    Row::Message(number) => drop(self.messages.insert(number, text)),
                }
                self.counts(row);
            }
            RoomCommand::Forget(row) => {
                let was_stored = match row {
                    Row::Peer(peer) => self.stored.remove(&peer),
                    Row::Call(call) => self.calls.remove(&call),
                    Row::EndedCall(call) => self.ended_calls.remove(&call),
                    Row::Message(number) => self.messages.remove(&number),
                };
                assert!(was_stored.is_some(), "{row} was stored");
                self.counts(row);
            }
            RoomCommand::Save(Saving { parts, obsolete, .. }) => {
                self.rows += parts.len() + obsolete.len();
                self.log.extend(parts.into_iter().enumerate());
                obsolete.iter().for_each(|part| drop(self.log.remove(part)));
            }
            RoomCommand::ReportCall(report) => self.reports.push(*report),
            RoomCommand::PostMessage { number, attempt } => {
                let body = self.application().message(number).unwrap().body.clone();
                self.posts.push((number, attempt, body));
            }
            RoomCommand::DeleteAll => self.delete_all(),
            RoomCommand::Deliver { session, delivery } => self.delivered.push((session, delivery)),
            question @ (RoomCommand::Verify { .. } | RoomCommand::Lookup { .. }) => self.open.push(question),
        }
    }

    fn counts(&mut self, row: Row) {
        *match row {
            Row::Peer(_) => &mut self.rows,
            Row::Call(_) => &mut self.call_rows,
            Row::EndedCall(_) | Row::Message(_) => &mut self.webhook_rows,
        } += 1;
    }

    /// The store answers all its open queries.
    fn answer_all(&mut self) {
        while !self.open.is_empty() {
            self.answers_one();
        }
    }

    /// The store answers the last of its open queries.
    fn answers_one(&mut self) {
        if let Some(question) = self.open.pop() {
            let (now, deleted, tokens) = (self.now, self.deleted.clone(), self.tokens.clone());
            let (strangers, is_down) = (self.strangers.clone(), self.store_is_down);
            self.act(|room| match question {
                RoomCommand::Verify { asker, .. } if is_down => {
                    room.verified(asker, Verification::StoreUnavailable, now)
                }
                RoomCommand::Lookup { peer, user, ack } if is_down => {
                    room.admitted(peer, user, ack, None, now)
                }
                RoomCommand::Verify { asker, user } => {
                    let known = Verification::Account(tokens);
                    let verification = if deleted.contains(&user) { Verification::NoAccount } else { known };
                    room.verified(asker, verification, now)
                }
                RoomCommand::Lookup { peer, user, ack } => {
                    let stranger = deleted.contains(&user) || strangers.contains(&user);
                    let membership =
                        if stranger { Membership::NotParticipant } else { Membership::Participant };
                    let admission = Admission { membership, tokens: Some(tokens) };
                    room.admitted(peer, user, ack, Some(admission), now)
                }
                other => panic!("not a question: {other:?}"),
            });
        }
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
        self.server = restored(id, self.socket_auth, attached, stored, GUESTS, self.now);
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

#[test]
fn a_client_connects_and_joins() {
    let mut line = Line::new(SocketAuth::Required);
    let link = line.opens(None);
    let token = line.token(0);
    line.says(link, &format!(r#"40{{"token":"{token}"}}"#));
    assert_eq!(line.heard(link), Vec::<String>::new(), "nothing before the store has answered");
    line.answer_all();
    let reply = line.heard(link).remove(0);
    assert!(reply.starts_with(r#"40{"sid":"id-"#) && !pid(&reply).is_empty(), "{reply}");
    line.says(link, &format!(r#"427["join-room","{}"]"#, room_id()));
    line.answer_all();
    assert_eq!(line.events(link), [r#"42["existing-users",[]]"#, r#"437[{"ok":true,"users":[]}]"#]);
}

#[test]
fn what_is_said_while_the_store_is_asked_is_kept_in_order() {
    let mut line = Line::new(SocketAuth::Required);
    let first = line.enters(0);
    let link = line.opens(None);
    let token = line.token(1);
    line.says(link, &format!(r#"40{{"token":"{token}"}}"#));
    line.says(link, &format!(r#"42["join-room","{}"]"#, room_id()));
    line.says(link, &format!(r#"42["offer","{}",1]"#, room_id()));
    line.says(link, &format!(r#"42["offer","{}",2]"#, room_id()));
    line.answer_all();
    let connected = format!(r#"42["user-connected","{}"]"#, line.users[1]);
    assert_eq!(line.events(first), [connected.as_str(), r#"42["offer",1]"#, r#"42["offer",2]"#]);
}

#[test]
fn what_waits_for_the_store_is_bounded() {
    let mut line = Line::new(SocketAuth::Required);
    let link = line.opens(None);
    let token = line.token(1);
    line.says(link, &format!(r#"40{{"token":"{token}"}}"#));
    (0..256).for_each(|_| line.says(link, "42[\"x\"]"));
    assert_eq!(line.closed, []);
    line.says(link, "42[\"x\"]");
    assert_eq!(line.closed, [(link, None)]);
}

#[test]
fn refused_credentials_are_told_apart() {
    let mut line = Line::new(SocketAuth::Required);
    let old = Timestamp::from_millis(NOW - 8 * 86_400_000);
    let expired = key().issue(line.users[0], "ann", 0, [0; 9], old);
    for (frame, message, code) in [
        ("40".to_owned(), "Authentication required", "auth_required"),
        ("40{}".to_owned(), "Authentication required", "auth_required"),
        (r#"40{"token":"x"}"#.to_owned(), "Invalid authentication token", "token_invalid"),
        (r#"40{"token":7}"#.to_owned(), "Invalid authentication token", "token_invalid"),
        (format!(r#"40{{"token":"{expired}"}}"#), "Token has expired", "token_expired"),
    ] {
        let link = line.opens(None);
        line.says(link, &frame);
        let expected = format!(r#"44{{"message":"{message}","data":{{"code":"{code}"}}}}"#);
        assert_eq!(line.heard(link), [expected], "{frame}");
    }
    let link = line.opens(None);
    line.deleted.push(line.users[2]);
    let token = line.token(2);
    line.says(link, &format!(r#"40{{"token":"{token}"}}"#));
    line.answer_all();
    assert!(line.heard(link)[0].contains("token_invalid"), "a deleted user's token");
}

#[test]
fn a_bearer_header_serves_as_well() {
    let mut line = Line::new(SocketAuth::Required);
    let token = line.token(0);
    let link = line.opens(Some(&token));
    line.says(link, "40");
    line.answer_all();
    assert!(line.heard(link)[0].starts_with("40{"));
    let link = line.opens(Some("nonsense"));
    line.says(link, "40");
    assert!(line.heard(link)[0].contains("token_invalid"));
}

#[test]
fn tokenless_clients_are_admitted_where_that_is_allowed() {
    let mut line = Line::new(SocketAuth::Optional);
    let link = line.opens(None);
    line.says(link, "40");
    assert!(line.heard(link)[0].starts_with("40{"));
    let bad = line.opens(None);
    line.says(bad, r#"40{"token":"x"}"#);
    assert!(line.heard(bad)[0].contains("token_invalid"), "a bad token is still refused");
}

#[test]
fn other_namespaces_are_invalid_and_the_link_stays() {
    let mut line = Line::new(SocketAuth::Required);
    let link = line.enters(0);
    line.says(link, "40/admin,");
    assert_eq!(line.heard(link), [r#"44/admin,{"message":"Invalid namespace"}"#]);
    assert_eq!(line.closed, []);
}

#[test]
fn an_offer_is_relayed_as_a_slice_of_the_frame_and_saved_before_it_is_sent() {
    let mut line = Line::new(SocketAuth::Required);
    let first = line.enters(0);
    let second = line.enters(1);
    line.waits(6_000);
    let frame = format!(r#"42["offer","{}",{{"sdp" : "v=0","a":1.0}}]"#, room_id());
    let actions = line.server.receive_text(first, &frame, line.now);
    let [Action::Command(RoomCommand::Save(_)), Action::Send { to, message: Message::Text(sent) }] =
        actions.as_slice()
    else {
        panic!("{actions:?}")
    };
    assert_eq!(to, &[second]);
    assert_eq!(sent.relayed, r#"{"sdp" : "v=0","a":1.0}"#);
    assert!(frame.as_bytes().as_ptr_range().contains(&sent.relayed.as_ptr()), "nothing was copied");
    assert_eq!(sent.head, r#"42["offer","#);
}

#[test]
fn what_a_burst_leaves_is_saved_when_it_is_over() {
    let mut line = Line::new(SocketAuth::Required);
    let first = line.enters(0);
    line.enters(1);
    line.waits(6_000);
    for number in 0..5 {
        line.says(first, &format!(r#"42["offer","{}",{number}]"#, room_id()));
    }
    let saved = |line: &Line| line.log.values().cloned().collect::<String>();
    assert!(!saved(&line).contains("offer"), "the store only knows of a burst");
    line.waits(5_000);
    assert!(saved(&line).contains("[\"offer\",4"), "{}", saved(&line));
}

#[test]
fn binary_events_are_refused_and_the_link_stays() {
    let mut line = Line::new(SocketAuth::Required);
    let first = line.enters(0);
    let second = line.enters(1);
    line.says(first, &format!(r#"451-3["offer","{}",{{"_placeholder":true,"num":0}}]"#, room_id()));
    let actions = line.server.receive_binary(first, vec![1, 2], NOW);
    line.perform(actions);
    assert!(line.heard(first)[0].starts_with(r#"433[{"ok":false"#));
    assert_eq!((line.heard(second), line.closed), (Vec::new(), Vec::new()));
}

#[test]
fn a_broken_frame_closes_and_the_peer_is_gone_at_once() {
    let mut line = Line::new(SocketAuth::Required);
    let (ann, bob, pid, offset) = couple(&mut line);
    line.says(ann, "42{");
    assert_eq!(line.closed, [(ann, None)]);
    assert_eq!(line.events(bob), [format!(r#"42["user-disconnected","{}","lost"]"#, line.users[0])]);
    let again = returns(&mut line, 0, &pid, &offset);
    assert_eq!(line.heard(again).len(), 1, "it is not joined again");
}

#[test]
fn who_joins_nothing_is_few() {
    let mut line = Line::new(SocketAuth::Required);
    let few = GuestLimits { per_address: 3, per_user: 2, total: 5 };
    line.server =
        restored(Some(room_id()), SocketAuth::Required, Vec::new(), StoredRoom::default(), few, NOW);
    let silent: Vec<_> = (0..3).map(|_| line.opens_from("a", None).unwrap()).collect();
    assert_eq!(line.opens_from("a", None), None, "three of one address");
    let token = line.token(0);
    let connect = format!(r#"40{{"token":"{token}"}}"#);
    line.says(silent[0], &connect);
    assert_eq!(line.opens_from("a", None), None, "the store was not asked yet");
    line.answer_all();
    let second = line.opens_from("a", None).unwrap();
    line.says(second, &connect);
    line.answer_all();
    assert!(line.heard(second)[0].starts_with("40{"));
    assert_eq!(line.opens_from("b", None), Some(LinkId(second.0 + 2)), "five altogether");
    assert_eq!(line.opens_from("c", None), None);
    line.closes(silent[1], None);
    let third = line.opens_from("c", None).unwrap();
    line.says(third, &connect);
    line.answer_all();
    assert!(line.heard(third)[0].contains("Too many connections"), "two of one user");
    line.says(second, &format!(r#"42["join-room","{}"]"#, room_id()));
    line.answer_all();
    line.says(third, &connect);
    line.answer_all();
    assert!(line.heard(third)[0].starts_with("40{"), "who has joined is no guest");
}

#[test]
fn who_is_joined_again_is_not_counted_among_those_who_join_nothing_unless_the_store_refuses_it() {
    for is_refused in [false, true] {
        joins_again_beside_two_guests(is_refused);
    }
}

fn joins_again_beside_two_guests(is_refused: bool) {
    let mut line = Line::new(SocketAuth::Required);
    let few = GuestLimits { per_address: 10, per_user: 2, total: 10 };
    line.server =
        restored(Some(room_id()), SocketAuth::Required, Vec::new(), StoredRoom::default(), few, NOW);
    let (ann, bob, pid, offset) = couple(&mut line);
    line.closes(ann, None);
    line.lives(&[bob], 10_000);
    let (token, connect) = (line.token(0), |token| format!(r#"40{{"token":"{token}"}}"#));
    for _ in 0..2 {
        let guest = line.opens(None);
        line.says(guest, &connect(&token));
    }
    line.answer_all();
    if is_refused {
        line.strangers.push(line.users[0]);
    }
    let again = returns(&mut line, 0, &pid, &offset);
    if is_refused {
        let heard = line.heard(again);
        assert!(heard[0].contains("Too many connections"), "{heard:?}");
        assert!(!heard.iter().any(|frame| frame.starts_with("40")), "it is not let in: {heard:?}");
        return;
    }
    let others = [line.users[1]];
    rejoined(&mut line, again, &pid, &others);
}

#[test]
fn of_a_client_in_no_room_that_returns_the_earlier_connection_is_ended() {
    let mut line = Line::new(SocketAuth::Required);
    let (mut link, _, mut pid, offset) = couple(&mut line);
    line.says(link, &format!(r#"42["leave-room","{}"]"#, room_id()));
    for _ in 0..6 {
        let again = returns(&mut line, 0, &pid, &offset);
        let heard = line.heard(again);
        assert!(heard[0].starts_with("40{"), "{heard:?}");
        assert_eq!(line.closed.last(), Some(&(link, None)), "there is one for a pid");
        (link, pid) = (again, self::pid(&heard[0]).to_owned());
    }
}

#[test]
fn goodbyes_are_told_at_once() {
    let mut line = Line::new(SocketAuth::Required);
    let links: Vec<_> = (0..4).map(|user| line.enters(user)).collect();
    line.says(links[0], "41");
    line.closes(links[1], Some(1001));
    assert_eq!(line.heard(links[3]).len(), 2, "a disconnect packet and a closed tab");
    line.closes(links[2], Some(1006));
    assert_eq!(line.heard(links[3]), Vec::<String>::new());
}

#[test]
fn sleep_changes_nothing() {
    let mut line = Line::new(SocketAuth::Required);
    let first = line.enters(0);
    let second = line.enters(1);
    let guest = line.opens(None);
    let token = line.token(3);
    line.says(guest, &format!(r#"40{{"token":"{token}"}}"#));
    line.answer_all();
    let gone = line.enters(2);
    line.waits(5_000);
    line.closes(gone, None);
    line.attached.remove(&gone);
    line.sleeps();
    line.heard.clear();
    line.says(first, &format!(r#"42["offer","{}",1]"#, room_id()));
    assert_eq!(line.events(second), [r#"42["offer",1]"#]);
    line.says(guest, &format!(r#"42["join-room","{}"]"#, room_id()));
    line.answer_all();
    assert!(line.events(guest).iter().any(|event| event.contains("existing-users")), "who had not joined");
    line.heard.clear();
    line.waits(10_000);
    assert_eq!(line.events(second), [format!(r#"42["user-disconnected","{}","lost"]"#, line.users[2])]);
}

#[test]
fn a_revoked_token_closes_even_before_it_is_verified() {
    let mut line = Line::new(SocketAuth::Required);
    let link = line.opens(None);
    let token = line.token(0);
    line.says(link, &format!(r#"40{{"token":"{token}"}}"#));
    let revocation = Revocation { user: line.users[0], honoured: None };
    line.act(|room| room.revoke(&revocation, NOW));
    assert_eq!(line.closed, [(link, None)]);
    line.answer_all();
    assert_eq!(line.heard(link), Vec::<String>::new());
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

#[test]
fn who_comes_back_gets_what_it_missed_and_then_the_reply() {
    for crash in [false, true] {
        let mut line = Line::new(SocketAuth::Required);
        let (ann, mut bob, pid, offset) = couple(&mut line);
        let of_bob = couple_offset(&mut line, bob);
        line.closes(ann, None);
        line.attached.remove(&ann);
        line.says(bob, &format!(r#"42["offer","{}",1]"#, room_id()));
        if crash {
            line.waits(5_000);
            line.crashes();
            bob = returns(&mut line, 1, &of_bob.0, &of_bob.1);
        }
        let again = returns(&mut line, 0, &pid, &offset);
        let heard = line.events(again);
        assert!(heard.contains(&r#"42["offer",1]"#.to_owned()), "{heard:?}");
        assert!(heard.last().unwrap().contains(&pid), "the reply comes last: {heard:?}");
        line.heard.clear();
        line.lives(&[bob, again], 60_000);
        assert_eq!(line.events(bob), Vec::<String>::new(), "nobody was told");
    }
}

#[test]
fn the_newest_holds_a_pid() {
    let mut line = Line::new(SocketAuth::Required);
    let (ann, bob, pid, offset) = couple(&mut line);
    let newer = returns(&mut line, 0, &pid, &offset);
    assert_eq!(line.closed, [(ann, None)]);
    let newest = returns(&mut line, 0, &pid, &offset);
    assert_eq!(line.closed, [(ann, None), (newer, None)]);
    line.heard.clear();
    line.says(bob, &format!(r#"42["offer","{}",1]"#, room_id()));
    assert_eq!(line.events(newest), [r#"42["offer",1]"#]);
}

#[test]
fn a_pid_without_its_users_token_or_with_another_rooms_offset_is_a_new_client() {
    let mut line = Line::new(SocketAuth::Required);
    let (_, _, pid, offset) = couple(&mut line);
    let elsewhere = format!("{}.x.1", RoomId::from_random([2; 16]).compact());
    for (user, pid, offset) in
        [(2, pid.as_str(), offset.as_str()), (0, "id-0", &offset), (0, &pid, &elsewhere), (0, &pid, "x")]
    {
        let link = returns(&mut line, user, pid, offset);
        let heard = line.heard(link);
        assert!(heard.len() == 1 && heard[0].starts_with("40{"), "{heard:?}");
        assert!(!heard[0].contains(&format!("\"{pid}\"")), "{heard:?}");
    }
    assert_eq!(line.closed, [], "none of it harmed its holder");
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

#[test]
fn who_comes_back_after_the_hold_is_joined_again() {
    let mut line = Line::new(SocketAuth::Required);
    let (ann, bob, pid, offset) = couple(&mut line);
    line.closes(ann, None);
    line.lives(&[bob], 10_000);
    let gone = format!(r#"42["user-disconnected","{}","lost"]"#, line.users[0]);
    assert_eq!(line.events(bob).last(), Some(&gone));
    line.lives(&[bob], REJOIN_MS - 1_000);
    line.sleeps();
    let late = returns(&mut line, 0, &pid, &offset);
    let others = [line.users[1]];
    rejoined(&mut line, late, &pid, &others);
    assert_eq!(line.events(bob), [format!(r#"42["user-connected","{}"]"#, line.users[0])]);
    line.says(late, &format!(r#"421["join-room","{}"]"#, room_id()));
    assert!(line.heard(late)[0].starts_with(r#"431[{"ok":true"#), "who does say it gets the ack");
}

/// The connection, or the object, was lost on the way: the client still has the pid of before.
#[test]
fn who_did_not_hear_that_it_was_joined_again_is_joined_again_once_more() {
    for lost in ["", "the connection", "the connection, and its hold is over", "the object"] {
        let mut line = Line::new(SocketAuth::Required);
        let (ann, bob, pid, offset) = couple(&mut line);
        let of_bob = couple_offset(&mut line, bob);
        line.closes(ann, None);
        line.lives(&[bob], 11_000);
        let again = returns(&mut line, 0, &pid, &offset);
        let others = [line.users[1]];
        match lost {
            "the connection" => line.closes(again, None),
            "the connection, and its hold is over" => {
                line.closes(again, None);
                line.lives(&[bob], 11_000);
            }
            "the object" => line.crashes(),
            _ => {}
        }
        line.heard.clear();
        let once_more = returns(&mut line, 0, &pid, &offset);
        rejoined(&mut line, once_more, &pid, &others);
        if lost.is_empty() {
            assert_eq!(line.closed.last(), Some(&(again, None)), "one has the pid");
        }
        if lost == "the object" {
            returns(&mut line, 1, &of_bob.0, &of_bob.1);
        }
        let mut online = line.application().online();
        online.sort();
        assert_eq!(online, line.users[..2], "{lost}");
    }
}

#[test]
fn who_was_joined_again_returns_with_what_it_was_told_even_after_somebody_presented_the_former_pid() {
    let mut line = Line::new(SocketAuth::Required);
    let (ann, bob, pid, offset) = couple(&mut line);
    line.closes(ann, None);
    line.lives(&[bob], 11_000);
    let again = returns(&mut line, 0, &pid, &offset);
    let (newer, offset_of_newer) = couple_offset(&mut line, again);
    line.closes(again, None);
    let recovered = returns(&mut line, 0, &newer, &offset_of_newer);
    assert!(line.heard(recovered).last().unwrap().contains(&newer), "recovered as any other");
    // An earlier attempt to return arrives late.
    returns(&mut line, 0, &pid, &offset);
    assert_eq!(line.closed.last(), Some(&(recovered, None)));
    let once_more = returns(&mut line, 0, &newer, &offset_of_newer);
    let others = [line.users[1]];
    rejoined(&mut line, once_more, &newer, &others);
}

#[test]
fn a_former_pid_does_not_lead_back_to_a_room_that_its_client_has_left() {
    let mut line = Line::new(SocketAuth::Required);
    let (ann, bob, pid, offset) = couple(&mut line);
    line.closes(ann, None);
    line.lives(&[bob], 11_000);
    let again = returns(&mut line, 0, &pid, &offset);
    line.says(again, &format!(r#"42["leave-room","{}"]"#, room_id()));
    let late = returns(&mut line, 0, &pid, &offset);
    assert_eq!(line.heard(late).len(), 1, "a new client");
    assert_eq!(line.application().online(), [line.users[1]]);
    assert_eq!(line.closed, [], "and the connection that has left is as it was");
}

#[test]
fn who_comes_back_even_later_is_a_new_client_and_nothing_is_left() {
    let mut line = Line::new(SocketAuth::Required);
    let (ann, bob, pid, offset) = couple(&mut line);
    line.closes(ann, None);
    line.closes(bob, Some(1001));
    line.waits(10_000 + REJOIN_MS);
    assert!(line.stored.is_empty() && line.log.is_empty() && line.alarm.is_none());
    let late = returns(&mut line, 0, &pid, &offset);
    assert_eq!(line.heard(late).len(), 1);
}

#[test]
fn after_a_burst_that_was_lost_with_its_object_everybody_is_joined_again() {
    let mut line = Line::new(SocketAuth::Required);
    let (_, bob, pid, offset) = couple(&mut line);
    let of_bob = couple_offset(&mut line, bob);
    line.says(bob, &format!(r#"42["offer","{}",1]"#, room_id()));
    line.waits(1_000);
    line.crashes();
    let ann = returns(&mut line, 0, &pid, &offset);
    let [user_0, user_1] = [line.users[0], line.users[1]];
    rejoined(&mut line, ann, &pid, &[user_1]);
    let bob = returns(&mut line, 1, &of_bob.0, &of_bob.1);
    rejoined(&mut line, bob, &of_bob.0, &[user_0]);
    assert_eq!(
        line.events(ann),
        [
            format!(r#"42["user-disconnected","{user_1}","lost"]"#),
            format!(r#"42["user-connected","{user_1}"]"#)
        ],
        "in order"
    );
}

#[test]
fn who_missed_more_than_the_log_keeps_is_joined_again() {
    let mut line = Line::new(SocketAuth::Required);
    let (ann, bob, pid, offset) = couple(&mut line);
    line.closes(ann, None);
    for number in 0..=LOG.max_events {
        line.says(bob, &format!(r#"42["offer","{}",{number}]"#, room_id()));
    }
    line.heard.clear();
    let late = returns(&mut line, 0, &pid, &offset);
    let others = [line.users[1]];
    rejoined(&mut line, late, &pid, &others);
    assert_eq!(line.events(bob).len(), 2, "gone, and come");
}

#[test]
fn who_is_admitted_no_more_is_not_joined_again_and_told_so() {
    let mut line = Line::new(SocketAuth::Required);
    let (ann, bob, pid, offset) = couple(&mut line);
    line.closes(ann, None);
    line.lives(&[bob], 10_000);
    line.strangers.push(line.users[0]);
    let late = returns(&mut line, 0, &pid, &offset);
    let heard = line.heard(late);
    assert!(heard.len() == 2 && heard[1].contains("not_participant"), "{heard:?}");
    assert!(split(&heard[1]).1.is_empty(), "and it carries no offset");
}

#[test]
fn a_tokenless_client_is_joined_again_by_its_pid_alone() {
    let mut line = Line::new(SocketAuth::Optional);
    let link = line.opens(None);
    line.says(link, "40");
    line.says(link, &format!(r#"42["join-room","{}","{}"]"#, room_id(), line.users[0]));
    line.answer_all();
    let heard = line.heard(link);
    let (pid, offset) = (pid(&heard[0]).to_owned(), split(&heard[1]).1);
    line.closes(link, None);
    line.waits(11_000);
    let again = line.opens(None);
    line.says(again, &format!(r#"40{{"pid":"{pid}","offset":"{offset}"}}"#));
    line.answer_all();
    rejoined(&mut line, again, &pid, &[]);
    assert_eq!(line.application().online(), [line.users[0]]);
}

#[test]
fn what_has_arrived_is_not_kept() {
    let mut line = Line::new(SocketAuth::Required);
    let (ann, bob, pid, offset) = couple(&mut line);
    line.joins_from("s", 2);
    line.says(bob, &format!(r#"42["chat-message","{}","secret"]"#, room_id()));
    line.lives(&[ann, bob], 6_000);
    let stored = |line: &Line| line.log.values().any(|part| part.contains("secret"));
    assert!(stored(&line), "while nobody is known to have it");
    line.lives(&[ann, bob], 20_000);
    assert!(stored(&line), "the Session has not told what has arrived there");
    let mark = line.delivered().into_iter().rev().find_map(|(_, delivery)| match delivery {
        Delivery::Frame { mark, .. } => Some(mark),
        _ => None,
    });
    line.tells("s", FromSession::Arrived(mark.unwrap()));
    assert!(!stored(&line) && line.log.len() == 1);
    line.closes(ann, None);
    let again = returns(&mut line, 0, &pid, &offset);
    let others = [line.users[1], line.users[2]];
    rejoined(&mut line, again, &pid, &others);
}

#[test]
fn rows_that_are_written() {
    // `cargo xtask cost` uses these numbers.
    let counts: serde_json::Value =
        serde_json::from_str(include_str!("../../../../tests/counts.json")).unwrap();
    let stated = |entry: &str| counts[entry]["objectRowsWritten"].as_u64().unwrap() as usize;
    assert_eq!((stated("heartbeat"), stated("burst")), (1, 5));

    let mut line = Line::new(SocketAuth::Required);
    // A handshake to a room that does not exist, and a connection that joins nothing.
    let query = Query::parse([("transport", "polling"), ("EIO", "4")]);
    let opening = Opening { sid: "polling", handshake: "{}" };
    let (_, actions) = line.server.request(RequestId(9), &query, Method::Get, false, Some(opening), NOW);
    line.perform(actions);
    assert_eq!(line.rows, 0, "a handshake");
    let mut line = Line::new(SocketAuth::Required);
    let guest = line.opens(None);
    line.closes(guest, Some(1001));
    assert_eq!((line.rows, line.stored.len(), line.alarm), (2, 0, None), "an alarm, and all deleted");

    let mut line = Line::new(SocketAuth::Required);
    let alone = line.enters(0);
    line.closes(alone, Some(1001));
    assert_eq!(line.rows, 5, "connect, join and leave of one");
    assert!(line.stored.is_empty() && line.log.is_empty() && line.alarm.is_none());

    let mut line = Line::new(SocketAuth::Required);
    let links = [line.enters(0), line.enters(1)];
    line.lives(&links, 60_000);
    let rows = |line: &mut Line| std::mem::take(&mut line.rows);
    rows(&mut line);
    line.lives(&links, 250_000);
    assert_eq!(rows(&mut line), 10 * stated("heartbeat"), "an idle room, over ten heartbeats");

    line.says(links[0], &format!(r#"42["offer","{}",1]"#, room_id()));
    line.lives(&links, 24_000);
    assert_eq!(rows(&mut line), stated("burst") + stated("heartbeat"), "a lone event, and the heartbeat");

    for number in 0..3_000 {
        line.says(links[number % 2], &format!(r#"42["offer","{}",{number}]"#, room_id()));
        line.lives(&links, 0);
        line.waits(100);
    }
    let steady = rows(&mut line);
    assert!(steady <= 90, "{steady} in 300 s of steady traffic: 0.3 a second");
}

#[test]
fn what_an_earlier_version_stored_is_read() {
    let mut line = Line::new(SocketAuth::Required);
    let (user, elsewhere) = (line.users[0], line.users[1]);
    let before = |peer: u32, user: usize, address: &str| {
        let joined = format!(r#"{{"u":"{}","s":{peer}}}"#, line.users[user]);
        let member = format!(r#"{{"s":"sid","r":"pid{peer}","a":{address}}}"#);
        let credential = serde_json::to_string(&line.credential(user)).unwrap();
        format!(r#"{{"i":{peer},"m":{member},"p":{{"c":{credential},"j":{joined},"r":{{"ahead":7}}}}}}"#)
    };
    let stored = [(PeerId(3), before(3, 0, r#"{"h":5}"#)), (PeerId(4), before(4, 1, r#"{"s":"session"}"#))];
    line.stored.extend(stored);
    line.log.insert(1, r#"{"tag":"a","reserved":3,"floor":0,"floors":[],"entries":[]}"#.to_owned());
    line.stored.insert(PeerId(5), "nonsense".to_owned());
    line.stored.insert(PeerId(6), r#"{"v":99,"room":"x"}"#.to_owned());
    line.crashes();
    assert_eq!(line.application().online(), [user, elsewhere]);
    let offset = format!("{}.a.1", room_id().compact());
    let again = returns(&mut line, 0, "pid3", &offset);
    rejoined(&mut line, again, "pid3", &[elsewhere]);
    let actions = line.server.tick(line.now);
    line.perform(actions);
    assert!(
        !line.stored.contains_key(&PeerId(5)) && !line.stored.contains_key(&PeerId(6)),
        "what cannot be read goes"
    );
}

#[test]
fn what_followed_from_a_loss_is_done_before_anything_else() {
    let mut line = Line::new(SocketAuth::Required);
    // All that is left is an old log: it is deleted, without anything of the next call.
    line.log.insert(0, r#"{"v":2,"tag":"a","log":null}"#.to_owned());
    line.alarm = None;
    line.crashes();
    let ann = line.enters(0);
    line.waits(6_000);
    assert_eq!((line.stored.len(), line.log.len()), (1, 1), "the storage was cleared first");
    line.sleeps();
    line.says(ann, &format!(r#"421["offer","{}",1]"#, room_id()));
    assert!(line.heard(ann).iter().any(|frame| frame.contains(r#"{"ok":true}"#)));
}

#[test]
fn a_member_whose_sockets_number_is_somebody_elses_now_is_lost() {
    let mut line = Line::new(SocketAuth::Required);
    let ann = line.enters(0);
    line.enters(1);
    line.waits(5_000);
    // Ann's row is read with bob's number in it, as after two losses in a row.
    let bob = line.stored.keys().max().copied().unwrap();
    let moved = line.stored[&PeerId(0)].replace(r#"{"h":0}"#, r#"{"h":1}"#);
    assert_ne!(moved, line.stored[&PeerId(0)]);
    line.stored.insert(PeerId(0), moved);
    line.attached.remove(&ann);
    line.sleeps();
    let held = |line: &Line, peer| line.application().room.peer(peer).unwrap().held_until().is_some();
    assert_eq!((held(&line, PeerId(0)), held(&line, bob)), (true, false));
}

#[test]
fn a_new_log_goes_on_above_the_old_one() {
    let mut line = Line::new(SocketAuth::Required);
    line.enters(0);
    line.joins_from("s", 1);
    let before = line.application().log.mark();
    line.waits(1_000);
    line.crashes();
    assert!(line.application().log.mark() > before, "marks are compared by those who outlive it");
}

#[test]
fn the_log_that_replaces_one_nobody_needs_goes_on_above_it_wherever_the_clock_is() {
    let mut line = Line::new(SocketAuth::Required);
    let ann = line.enters(0);
    let before = line.application().log.mark();
    line.now -= 7_200_000;
    line.says(ann, &format!(r#"42["leave-room","{}"]"#, room_id()));
    assert!(line.stored.is_empty() && line.log.is_empty(), "all is deleted");
    assert!(line.application().log.mark() >= before);
}

#[test]
fn who_may_have_missed_something_when_the_object_was_lost_in_a_burst_is_told_to_come_back_and_joined_again() {
    let mut line = Line::new(SocketAuth::Required);
    let ann = line.enters(0);
    line.joins_from("s", 1);
    let (before, seen) = (line.application().log.mark(), line.offset_of("s"));
    line.says(ann, &format!(r#"42["offer","{}",1]"#, room_id()));
    // It never leaves the object.
    line.delivered();
    line.now -= 7_200_000;
    line.crashes();
    let bob = line.enters(2);
    assert_eq!(line.delivered(), [("s".to_owned(), Delivery::Abandon)]);
    line.says(bob, &format!(r#"42["offer","{}",2]"#, room_id()));
    line.tells("s", FromSession::Arrived(before));
    assert_eq!(line.delivered(), [("s".to_owned(), Delivery::Stranger(None))]);
    line.recovers_through("t", 1, "s.pid", &seen);
    line.answer_all();
    let told = line.delivered();
    assert!(matches!(&told[..], [(to, Delivery::Joined { joined: true, .. })] if to == "t"), "{told:?}");
}

#[test]
fn a_session_that_does_not_take_a_delivery_is_told_to_begin_anew() {
    let mut line = Line::new(SocketAuth::Required);
    line.joins_from("s", 0);
    line.delivered();
    line.act(|room| room.session_unreachable("s", false, NOW));
    assert_eq!(line.delivered(), [("s".to_owned(), Delivery::Abandon)]);
    line.act(|room| room.session_unreachable("s", true, NOW));
    assert_eq!(line.delivered(), [], "once");
}

#[test]
fn a_session_that_does_not_take_its_clients_end_is_told_to_begin_anew() {
    let mut line = Line::new(SocketAuth::Required);
    line.joins_from("s", 0);
    line.delivered();
    let revocation = Revocation { user: line.users[0], honoured: None };
    line.act(|room| room.revoke(&revocation, NOW));
    assert!(line.delivered().contains(&("s".to_owned(), Delivery::Disconnect)));
    line.act(|room| room.session_unreachable("s", false, NOW));
    assert_eq!(line.delivered(), [("s".to_owned(), Delivery::Abandon)]);
    line.act(|room| room.session_unreachable("s", true, NOW));
    assert_eq!(line.delivered(), [], "once");
}

#[test]
fn who_was_ended_for_what_was_held_is_gone_at_once_and_may_come_back() {
    let mut line = Line::new(SocketAuth::Required);
    let bob = line.enters(1);
    line.joins_from("s", 0);
    let offset = line.offset_of("s");
    line.heard.clear();
    line.tells("s", FromSession::Gone(Departure::Overloaded));
    assert_eq!(line.events(bob), [format!(r#"42["user-disconnected","{}","lost"]"#, line.users[0])]);
    line.recovers_through("t", 0, "s.pid", &offset);
    let told = line.delivered();
    assert!(matches!(&told[..], [(_, Delivery::Joined { joined: true, .. })]), "{told:?}");
}

#[test]
fn a_deleted_user_does_not_come_back() {
    let mut line = Line::new(SocketAuth::Optional);
    let link = line.opens(None);
    line.says(link, "40");
    line.says(link, &format!(r#"42["join-room","{}","{}"]"#, room_id(), line.users[0]));
    line.answer_all();
    let heard = line.heard(link);
    let (pid, offset) = (pid(&heard[0]).to_owned(), split(&heard[1]).1);
    line.closes(link, None);
    line.waits(11_000);
    let user = line.users[0];
    line.act(|room| room.revoke(&Revocation { user, honoured: None }, NOW));
    let again = line.opens(None);
    line.says(again, &format!(r#"40{{"pid":"{pid}","offset":"{offset}"}}"#));
    line.answer_all();
    assert_eq!(line.heard(again).len(), 1, "a new client");
    assert!(line.stored.is_empty());
}

#[test]
fn a_member_that_could_not_be_stored_is_gone_and_may_come_back() {
    let mut line = Line::new(SocketAuth::Required);
    let (ann, bob, pid, offset) = couple(&mut line);
    line.heard.clear();
    line.act(|room| room.not_stored(PeerId(0), NOW));
    assert_eq!(line.closed, [(ann, None)]);
    assert_eq!(line.events(bob), [format!(r#"42["user-disconnected","{}","lost"]"#, line.users[0])]);
    let again = returns(&mut line, 0, &pid, &offset);
    let others = [line.users[1]];
    rejoined(&mut line, again, &pid, &others);
}

#[test]
fn of_a_member_whose_place_to_come_back_to_could_not_be_stored_either_nothing_is_left() {
    let mut line = Line::new(SocketAuth::Required);
    let (_, bob, pid, offset) = couple(&mut line);
    for _ in 0..2 {
        line.act(|room| room.not_stored(PeerId(0), NOW));
    }
    assert_eq!(line.stored.keys().copied().collect::<Vec<_>>(), [PeerId(1)]);
    line.sleeps();
    let again = returns(&mut line, 0, &pid, &offset);
    assert_eq!(line.heard(again).len(), 1, "a new client");
    line.heard.clear();
    line.lives(&[bob, again], 30_000);
    assert_eq!(line.events(bob), Vec::<String>::new());
}

#[test]
fn a_session_object_is_one_more_way_to_reach_a_peer() {
    let mut line = Line::new(SocketAuth::Required);
    let first = line.enters(0);
    line.joins_from("s", 1);
    let connected = format!(r#"42["user-connected","{}"]"#, line.users[1]);
    assert_eq!(line.events(first), [connected]);
    let told = line.delivered();
    let [(session, Delivery::Joined { joined: true, mark, frames })] = &told[..] else {
        panic!("all that is told of a join comes at once: {told:?}")
    };
    let next = mark + 1;
    assert!(session == "s" && frames.last().unwrap().starts_with("431["), "{frames:?}");
    line.says(first, &format!(r#"42["offer","{}",1]"#, room_id()));
    let [(session, Delivery::Frame { mark, frame })] = &line.delivered()[..] else { panic!("one frame") };
    assert_eq!((session.as_str(), split(frame).0.as_str(), *mark), ("s", r#"42["offer",1]"#, next));
    let arguments = vec![format!("\"{}\"", room_id()), "2".to_owned()];
    line.tells("s", FromSession::Event { name: "\"answer\"".to_owned(), arguments, ack: None });
    assert_eq!(line.events(first), [r#"42["answer",2]"#]);
    line.tells("s", FromSession::Gone(Departure::Left));
    assert_eq!(line.events(first), [format!(r#"42["user-disconnected","{}","left"]"#, line.users[1])]);
}

#[test]
fn a_session_whose_client_leaves_the_room_is_told_and_forgotten() {
    let mut line = Line::new(SocketAuth::Required);
    let first = line.enters(0);
    line.joins_from("s", 1);
    line.delivered();
    line.heard.clear();
    let leave = FromSession::Event { name: "\"leave-room\"".to_owned(), arguments: Vec::new(), ack: Some(2) };
    line.tells("s", leave);
    let told = line.delivered();
    assert!(matches!(&told[..], [(_, Delivery::Frame { .. }), (_, Delivery::Left)]), "{told:?}");
    assert_eq!(line.events(first), [format!(r#"42["user-disconnected","{}","left"]"#, line.users[1])]);
    assert_eq!(line.stored.len(), 1);
    line.joins_from("s", 0);
    assert!(line.heard(first)[0].contains("replaced"), "a tab that is replaced has left as well");
    line.joins_from("t", 0);
    let told = line.delivered();
    assert!(told.contains(&("s".to_owned(), Delivery::Left)), "{told:?}");
}

#[test]
fn a_refused_join_of_a_session_leaves_nothing() {
    let mut line = Line::new(SocketAuth::Required);
    line.deleted.push(line.users[1]);
    line.joins_from("s", 1);
    let told = line.delivered();
    let [(_, Delivery::Joined { joined: false, frames, .. })] = &told[..] else { panic!("{told:?}") };
    assert!(frames[0].contains("not_participant"), "{frames:?}");
    assert_eq!((line.stored.len(), line.rows, line.alarm), (0, 0, None));
    for (ack, expected) in [(Some(3), "433["), (None, "42[\"error\",")] {
        let arguments = Vec::new();
        line.tells("s", FromSession::Event { name: "\"offer\"".to_owned(), arguments, ack });
        let told = line.delivered();
        let [(_, Delivery::Stranger(Some(frame)))] = &told[..] else { panic!("{told:?}") };
        assert!(frame.starts_with(expected) && frame.contains("not_in_room"), "{frame}");
    }
}

#[test]
fn what_the_client_of_a_session_has_sent_elsewhere_counts_here() {
    let mut line = Line::new(SocketAuth::Required);
    line.enters(0);
    // 250 events at once.
    let rate = serde_json::from_value(serde_json::json!({ "ahead": (NOW + 5_000) * 1_000 })).unwrap();
    line.joins_from_with("s", 1, rate);
    let told = line.delivered();
    let [(_, Delivery::Joined { joined: false, frames, .. })] = &told[..] else { panic!("{told:?}") };
    assert!(frames[0].contains("rate_limited"), "{frames:?}");
}

#[test]
fn a_session_whose_token_has_died_does_not_join_and_is_ended() {
    let mut line = Line::new(SocketAuth::Required);
    let bob = line.enters(1);
    line.tokens.version = 1;
    line.joins_from("s", 0);
    let told = line.delivered();
    let [(_, Delivery::Frame { frame: refused, .. }), (session, Delivery::Disconnect)] = &told[..] else {
        panic!("{told:?}")
    };
    assert!(session == "s" && refused.contains("token_revoked"), "{told:?}");
    assert_eq!((line.events(bob), line.stored.len()), (Vec::new(), 1), "nobody was told, nothing is left");
}

#[test]
fn a_join_or_recovery_that_is_under_way_when_the_token_dies_is_refused() {
    let mut line = Line::new(SocketAuth::Required);
    line.joins_from("s", 0);
    let (recovery, user) = (Recovery { pid: "s.pid".to_owned(), offset: line.offset_of("s") }, line.users[0]);
    let credential = line.credential(0);
    let (sid, pid) = ("t-sid".to_owned(), "t.pid".to_owned());
    let connection = String::new();
    let recovering = Recovering { recovery, credential: credential.clone(), sid, pid, connection };
    line.tells("t", FromSession::Recover(recovering));
    let arguments = vec![format!("\"{}\"", room_id())];
    let (sid, pid) = ("u-sid".to_owned(), "u.pid".to_owned());
    line.tells(
        "u",
        FromSession::Join(Joining {
            sid,
            pid,
            credential,
            connection: String::new(),
            arguments,
            ack: Some(1),
            rate: Rate::default(),
        }),
    );
    // The store has answered with the previous tokens, and the answers are on their way.
    let questions = std::mem::take(&mut line.open);
    let honoured = Some(HonouredTokens { version: 1, kept: None });
    line.act(|room| room.revoke(&Revocation { user, honoured }, NOW));
    line.open = questions;
    line.answer_all();
    let told = line.delivered();
    assert!(told.contains(&("t".to_owned(), Delivery::NotRecovered)), "{told:?}");
    assert!(told.contains(&("u".to_owned(), Delivery::Disconnect)), "{told:?}");
    let is_in = |delivery: &Delivery| {
        matches!(delivery, Delivery::Joined { joined: true, .. } | Delivery::Recovered { .. })
    };
    assert!(!told.iter().any(|(_, delivery)| is_in(delivery)));
    assert!(line.stored.is_empty());
}

#[test]
fn a_peer_recovers_from_one_session_object_to_another() {
    let mut line = Line::new(SocketAuth::Required);
    let bob = line.enters(1);
    line.joins_from("s", 0);
    let offset = line.offset_of("s");
    line.says(bob, &format!(r#"42["offer","{}",1]"#, room_id()));
    line.delivered();
    line.recovers_through("t", 2, "s.pid", &offset);
    assert_eq!(line.delivered(), [("t".to_owned(), Delivery::NotRecovered)]);
    line.recovers_through("t", 0, "s.pid", &offset);
    let told = line.delivered();
    let [(gone, Delivery::Abandon), (session, Delivery::Recovered { sid, frames, .. })] = &told[..] else {
        panic!("{told:?}")
    };
    assert_eq!((gone.as_str(), session.as_str(), sid.as_str()), ("s", "t", "s-sid"));
    let missed: Vec<String> = frames.iter().map(|frame| split(frame).0).collect();
    assert!(missed.ends_with(&[r#"42["offer",1]"#.to_owned()]), "{missed:?}");
    line.act(|room| room.session_unreachable("t", false, NOW));
    line.lives(&[bob], 10_000);
    assert!(line.events(bob).last().unwrap().contains("user-disconnected"));
}

#[test]
fn who_comes_back_late_through_a_session_object_is_joined_again() {
    let mut line = Line::new(SocketAuth::Required);
    let bob = line.enters(1);
    line.joins_from("s", 0);
    let offset = line.offset_of("s");
    line.tells("s", FromSession::Gone(Departure::Lost));
    line.lives(&[bob], 30_000);
    line.heard.clear();
    line.recovers_through("t", 0, "s.pid", &offset);
    let told = line.delivered();
    let [(session, Delivery::Joined { joined: true, frames, .. })] = &told[..] else { panic!("{told:?}") };
    assert_eq!((session.as_str(), frames.len()), ("t", 2));
    assert_eq!(line.events(bob), [format!(r#"42["user-connected","{}"]"#, line.users[0])]);
    // That session is lost before its client has heard of it.
    line.recovers_through("u", 0, "s.pid", &offset);
    let told = line.delivered();
    let [(left, Delivery::Abandon), (session, Delivery::Joined { joined: true, .. })] = &told[..] else {
        panic!("{told:?}")
    };
    assert_eq!((left.as_str(), session.as_str()), ("t", "u"));
    line.tells("u", FromSession::Gone(Departure::Left));
    assert_eq!(line.stored.len(), 1, "who said goodbye is not waited for");
}

#[test]
fn a_peer_recovers_from_either_kind_of_connection_to_the_other() {
    let mut line = Line::new(SocketAuth::Required);
    let (_, bob, pid, offset) = couple(&mut line);
    line.recovers_through("t", 0, &pid, &offset);
    let told = line.delivered();
    assert!(matches!(&told[..], [(_, Delivery::Recovered { .. })]), "{told:?}");
    assert_eq!(line.closed.len(), 1, "the socket's place is taken");
    let here = returns(&mut line, 0, &pid, &offset);
    assert!(line.heard(here).last().unwrap().contains(&pid));
    assert_eq!(line.delivered(), [("t".to_owned(), Delivery::Abandon)]);
    assert_eq!(line.events(bob), Vec::<String>::new(), "nobody was told");
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
