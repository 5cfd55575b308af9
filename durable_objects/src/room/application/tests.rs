//! Conversations with a room, frame by frame, over the real Socket.IO server.

use std::collections::BTreeMap;

use secrecy::SecretString;
use zetra_domain::{HonouredTokens, Membership, ObjectIds, Timestamp, TokenKey};
use zetra_runtime::SocketAuth;
use zetra_socketio::{
    Limits, SocketIo,
    engine::{Action, LinkId, Message, Method, Opening, Query, Reception, Server, Settings},
};

use super::*;

const NOW: i64 = 1_700_000_000_000;

type Room = Server<SocketIo<RoomApplication>>;

/// A room with a store that knows everybody, and what each connection heard.
struct Line {
    server: Room,
    users: Vec<UserId>,
    now: i64,
    heard: BTreeMap<LinkId, Vec<String>>,
    closed: Vec<(LinkId, Option<u16>)>,
    attached: BTreeMap<LinkId, String>,
    peers: BTreeMap<PeerId, String>,
    segments: BTreeMap<u64, String>,
    delivered: Vec<(String, Delivery)>,
    /// Questions to the store that were not answered yet.
    open: Vec<RoomCommand>,
    deleted: Vec<UserId>,
    /// What the store says of everybody's tokens.
    tokens: HonouredTokens,
    socket_auth: SocketAuth,
}

fn key() -> TokenKey {
    TokenKey::new(&SecretString::from("0123456789abcdef0123456789abcdef")).unwrap()
}

fn room_id() -> RoomId {
    RoomId::from_random([1; 16])
}

fn restored(
    socket_auth: SocketAuth,
    attachments: Vec<String>,
    peers: Vec<String>,
    segments: Vec<(u64, String)>,
    now: i64,
) -> Room {
    let limits = zetra_signalling::Limits { max_present: 64, hold: 10_000, rate: Default::default() };
    let log = LogLimits { max_age: 75_000, max_events: 100, max_bytes: 100_000 };
    let attachments = attachments.iter().map(|json| serde_json::from_str(json).unwrap()).collect();
    Server::restore(Settings::default(), attachments, |kept| {
        SocketIo::restore(Limits::default(), kept, |connected| {
            let authenticator = Authenticator { token_key: key(), socket_auth };
            let settings = RoomSettings { authenticator, limits, log, new_id };
            let peers = peers.iter().map(|json| serde_json::from_str(json).unwrap()).collect();
            RoomApplication::restore(room_id(), settings, peers, segments, connected, now)
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
            server: restored(socket_auth, Vec::new(), Vec::new(), Vec::new(), NOW),
            users: (0..4).map(|_| ids.user(Timestamp::from_millis(NOW))).collect(),
            now: NOW,
            heard: BTreeMap::new(),
            closed: Vec::new(),
            attached: BTreeMap::new(),
            peers: BTreeMap::new(),
            segments: BTreeMap::new(),
            delivered: Vec::new(),
            open: Vec::new(),
            deleted: Vec::new(),
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

    fn opens(&mut self, bearer: Option<&str>) -> LinkId {
        let handshake =
            format!("{{\"bearer\":{}}}", bearer.map_or("null".to_owned(), |b| format!("\"{b}\"")));
        let query = Query::parse([("transport", "websocket"), ("EIO", "4")]);
        let opening = Opening { sid: "sid", handshake: &handshake };
        let (reception, actions) =
            self.server.request(0, &query, Method::Upgrade, false, Some(opening), self.now);
        let Reception::WebSocket(link) = reception else { panic!("{reception:?}") };
        self.perform(actions);
        self.heard(link);
        link
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
            RoomCommand::Store(peer) => {
                let stored = self.application().stored(peer);
                let json = stored.map(|stored| serde_json::to_string(&stored).unwrap());
                self.peers.extend(json.map(|json| (peer, json)));
            }
            RoomCommand::Forget(peer) => drop(self.peers.remove(&peer)),
            RoomCommand::Save(Saving { segments, obsolete, .. }) => {
                self.segments.extend(segments);
                obsolete.iter().for_each(|segment| drop(self.segments.remove(segment)));
            }
            RoomCommand::Deliver { session, delivery } => self.delivered.push((session, delivery)),
            question @ (RoomCommand::Verify { .. } | RoomCommand::Lookup { .. }) => self.open.push(question),
        }
    }

    /// The store answers everything it was asked.
    fn answer_all(&mut self) {
        while let Some(question) = self.open.pop() {
            let (now, deleted, tokens) = (self.now, self.deleted.clone(), self.tokens.clone());
            self.act(|room| match question {
                RoomCommand::Verify { asker, user } => {
                    let known = Verification::Account(tokens);
                    let verification = if deleted.contains(&user) { Verification::NoAccount } else { known };
                    room.verified(asker, verification, now)
                }
                RoomCommand::Lookup { peer, user, ack } => {
                    let stranger = deleted.contains(&user);
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

    fn joins_from(&mut self, session: &str, user: usize) {
        let joining = Joining {
            sid: format!("{session}-sid"),
            pid: format!("{session}.pid"),
            credential: self.credential(user),
            arguments: vec![format!("\"{}\"", room_id())],
            ack: Some(1),
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

    /// What was heard, less the offsets that every event has.
    fn events(&mut self, link: LinkId) -> Vec<String> {
        self.heard(link).iter().map(|frame| split(frame).0).collect()
    }

    fn delivered(&mut self) -> Vec<(String, Delivery)> {
        std::mem::take(&mut self.delivered)
    }

    fn sleeps(&mut self) {
        let closed: Vec<LinkId> = self.closed.iter().map(|(link, _)| *link).collect();
        let attached = self.attached.iter().filter(|(link, _)| !closed.contains(link));
        self.server = restored(
            self.socket_auth,
            attached.map(|(_, json)| json.clone()).collect(),
            self.peers.values().cloned().collect(),
            self.segments.clone().into_iter().collect(),
            self.now,
        );
    }

    /// Every WebSocket is gone, the storage is there.
    fn crashes(&mut self) {
        self.attached.clear();
        self.sleeps();
    }

    fn waits(&mut self, millis: i64) {
        self.now += millis;
        let actions = self.server.tick(self.now);
        self.perform(actions);
    }
}

/// A frame and its offset.
fn split(frame: &str) -> (String, String) {
    let cut = frame.strip_suffix("\"]").and_then(|rest| rest.rsplit_once(",\"id-"));
    let Some((event, offset)) = cut.filter(|_| frame.starts_with("42")) else {
        return (frame.to_owned(), String::new());
    };
    (format!("{event}]"), format!("id-{offset}"))
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
    line.waits(1_000);
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
fn what_a_rush_leaves_is_saved_when_it_is_over() {
    let mut line = Line::new(SocketAuth::Required);
    let first = line.enters(0);
    line.enters(1);
    line.waits(1_000);
    line.server.next_deadline();
    let segments = line.segments.len();
    for number in 0..5 {
        line.says(first, &format!(r#"42["offer","{}",{number}]"#, room_id()));
    }
    assert_eq!(line.server.next_deadline(), Some(line.now + 250), "of an event, too");
    line.waits(250);
    let saved: String = line.segments.values().skip(segments).cloned().collect();
    assert!(saved.contains("offer\\\",4"), "{saved}");
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
fn a_broken_frame_closes_and_the_peer_is_held() {
    let mut line = Line::new(SocketAuth::Required);
    let first = line.enters(0);
    let second = line.enters(1);
    line.says(first, "42{");
    assert_eq!(line.closed, [(first, None)]);
    assert_eq!(line.heard(second), Vec::<String>::new());
    line.waits(10_000);
    assert_eq!(line.events(second), [format!(r#"42["user-disconnected","{}"]"#, line.users[0])]);
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
    let gone = line.enters(2);
    line.closes(gone, None);
    line.attached.remove(&gone);
    line.sleeps();
    line.heard.clear();
    line.says(first, &format!(r#"42["offer","{}",1]"#, room_id()));
    assert_eq!(line.events(second), [r#"42["offer",1]"#]);
    line.waits(10_000);
    assert_eq!(line.events(second), [format!(r#"42["user-disconnected","{}"]"#, line.users[2])]);
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

/// Ann, who will be lost, with her pid and offset; and bob.
fn couple(line: &mut Line) -> (LinkId, LinkId, String, String) {
    let link = line.opens(None);
    let token = line.token(0);
    line.says(link, &format!(r#"40{{"token":"{token}"}}"#));
    line.says(link, &format!(r#"42["join-room","{}"]"#, room_id()));
    line.answer_all();
    let heard = line.heard(link);
    let (pid, offset) = (pid(&heard[0]).to_owned(), split(&heard[1]).1);
    let bob = line.enters(1);
    line.waits(1_000);
    (link, bob, pid, offset)
}

fn returns(line: &mut Line, user: usize, pid: &str, offset: &str) -> LinkId {
    let link = line.opens(None);
    let token = line.token(user);
    line.says(link, &format!(r#"40{{"pid":"{pid}","offset":"{offset}","token":"{token}"}}"#));
    line.answer_all();
    link
}

#[test]
fn who_comes_back_gets_what_it_missed_and_then_the_reply() {
    for crash in [false, true] {
        let mut line = Line::new(SocketAuth::Required);
        let (ann, mut bob, pid, offset) = couple(&mut line);
        line.closes(ann, None);
        line.attached.remove(&ann);
        line.says(bob, &format!(r#"42["offer","{}",1]"#, room_id()));
        if crash {
            line.waits(1_000);
            line.crashes();
            bob = line.enters(1);
        }
        let again = returns(&mut line, 0, &pid, &offset);
        let heard = line.events(again);
        assert!(heard.contains(&r#"42["offer",1]"#.to_owned()), "{heard:?}");
        assert!(heard.last().unwrap().contains(&pid), "the reply comes last: {heard:?}");
        line.heard.clear();
        line.waits(60_000);
        assert_eq!(line.events(bob).iter().filter(|frame| frame.contains("user-")).count(), 0);
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
fn a_pid_without_its_users_token_or_after_its_time_is_a_new_client() {
    let mut line = Line::new(SocketAuth::Required);
    let (ann, _, pid, offset) = couple(&mut line);
    for (user, pid, offset) in
        [(2, pid.as_str(), offset.as_str()), (0, "id-0", &offset), (0, &pid, "id-0.1"), (0, &pid, "x")]
    {
        let link = returns(&mut line, user, pid, offset);
        let reply = line.heard(link).remove(0);
        assert!(reply.starts_with("40{") && !reply.contains(&format!("\"{pid}\"")), "{reply}");
    }
    assert_eq!(line.closed, [], "none of it harmed its holder");
    line.closes(ann, None);
    line.waits(10_000);
    let late = returns(&mut line, 0, &pid, &offset);
    assert!(!line.heard(late)[0].contains(&pid));
}

#[test]
fn a_session_object_is_one_more_way_to_reach_a_peer() {
    let mut line = Line::new(SocketAuth::Required);
    let first = line.enters(0);
    line.joins_from("s", 1);
    let connected = format!(r#"42["user-connected","{}"]"#, line.users[1]);
    assert_eq!(line.events(first), [connected]);
    let told = line.delivered();
    assert_eq!(told.last(), Some(&("s".to_owned(), Delivery::Joined(true))), "{told:?}");
    assert!(told.iter().any(|(_, delivery)| matches!(delivery, Delivery::Frame(f) if f.starts_with("431["))));
    line.says(first, &format!(r#"42["offer","{}",1]"#, room_id()));
    let [(session, Delivery::Frame(frame))] = &line.delivered()[..] else { panic!("one frame") };
    assert_eq!((session.as_str(), split(frame).0.as_str()), ("s", r#"42["offer",1]"#));
    let arguments = vec![format!("\"{}\"", room_id()), "2".to_owned()];
    line.tells("s", FromSession::Event { name: "\"answer\"".to_owned(), arguments, ack: None });
    assert_eq!(line.events(first), [r#"42["answer",2]"#]);
    line.tells("s", FromSession::Gone { left: true });
    assert_eq!(line.events(first), [format!(r#"42["user-disconnected","{}"]"#, line.users[1])]);
}

#[test]
fn a_refused_join_of_a_session_leaves_nothing() {
    let mut line = Line::new(SocketAuth::Required);
    line.deleted.push(line.users[1]);
    line.joins_from("s", 1);
    assert_eq!(line.delivered().last(), Some(&("s".to_owned(), Delivery::Joined(false))));
    assert!(line.peers.is_empty());
    line.tells("s", FromSession::Event { name: "\"x\"".to_owned(), arguments: Vec::new(), ack: None });
    assert_eq!(line.delivered(), [("s".to_owned(), Delivery::Abandon)]);
}

#[test]
fn a_session_whose_token_has_died_does_not_join_and_is_ended() {
    let mut line = Line::new(SocketAuth::Required);
    let bob = line.enters(1);
    line.tokens.version = 1;
    line.joins_from("s", 0);
    let told = line.delivered();
    let [(_, Delivery::Frame(refused)), (session, Delivery::Disconnect)] = &told[..] else {
        panic!("{told:?}")
    };
    assert!(session == "s" && refused.contains("token_revoked"), "{told:?}");
    assert_eq!((line.events(bob), line.peers.len()), (Vec::new(), 1), "nobody was told, nothing is left");
}

#[test]
fn a_join_or_recovery_that_is_under_way_when_the_token_dies_is_refused() {
    let mut line = Line::new(SocketAuth::Required);
    line.joins_from("s", 0);
    let offset = line.delivered().iter().find_map(|(_, delivery)| match delivery {
        Delivery::Frame(frame) => Some(split(frame).1).filter(|offset| !offset.is_empty()),
        _ => None,
    });
    let recovery = Recovery { pid: "s.pid".to_owned(), offset: offset.unwrap() };
    let (credential, user) = (line.credential(0), line.users[0]);
    line.tells("t", FromSession::Recover(Recovering { recovery, credential: credential.clone() }));
    let arguments = vec![format!("\"{}\"", room_id())];
    let (sid, pid) = ("u-sid".to_owned(), "u.pid".to_owned());
    line.tells("u", FromSession::Join(Joining { sid, pid, credential, arguments, ack: Some(1) }));
    // The store has answered, with the tokens of before, and the answers are on their way.
    let questions = std::mem::take(&mut line.open);
    let honoured = Some(HonouredTokens { version: 1, kept: None });
    line.act(|room| room.revoke(&Revocation { user, honoured }, NOW));
    line.open = questions;
    line.answer_all();
    let told = line.delivered();
    assert!(told.contains(&("t".to_owned(), Delivery::NotRecovered)), "{told:?}");
    assert!(told.contains(&("u".to_owned(), Delivery::Disconnect)), "{told:?}");
    assert!(
        !told
            .iter()
            .any(|(_, delivery)| matches!(delivery, Delivery::Joined(true) | Delivery::Recovered { .. }))
    );
    assert!(line.peers.is_empty());
}

#[test]
fn a_peer_recovers_from_one_session_object_to_another() {
    let mut line = Line::new(SocketAuth::Required);
    let bob = line.enters(1);
    line.joins_from("s", 0);
    let offset = line.delivered().iter().find_map(|(_, delivery)| match delivery {
        Delivery::Frame(frame) => Some(split(frame).1).filter(|offset| !offset.is_empty()),
        _ => None,
    });
    let offset = offset.unwrap();
    line.says(bob, &format!(r#"42["offer","{}",1]"#, room_id()));
    line.delivered();
    let recover = |line: &mut Line, session: &str, user: usize| {
        let recovery = Recovery { pid: "s.pid".to_owned(), offset: offset.clone() };
        let credential = line.credential(user);
        line.tells(session, FromSession::Recover(Recovering { recovery, credential }));
        line.answer_all();
        line.delivered()
    };
    assert_eq!(recover(&mut line, "t", 2), [("t".to_owned(), Delivery::NotRecovered)]);
    let told = recover(&mut line, "t", 0);
    let [(gone, Delivery::Abandon), (session, Delivery::Recovered { sid, frames })] = &told[..] else {
        panic!("{told:?}")
    };
    assert_eq!((gone.as_str(), session.as_str(), sid.as_str()), ("s", "t", "s-sid"));
    let missed: Vec<String> = frames.iter().map(|frame| split(frame).0).collect();
    assert!(missed.ends_with(&[r#"42["offer",1]"#.to_owned()]), "{missed:?}");
    line.act(|room| room.session_unreachable("t", NOW));
    line.waits(10_000);
    assert!(line.events(bob).last().unwrap().contains("user-disconnected"));
}
