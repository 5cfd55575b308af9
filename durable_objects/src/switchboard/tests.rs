//! Conversations, frame by frame.

use std::collections::BTreeMap;

use secrecy::SecretString;
use zetra_domain::ObjectIds;

use super::*;

const NOW: i64 = 1_700_000_000_000;

/// A switchboard with a store that knows everybody, and what each connection heard.
struct Line {
    switchboard: Switchboard,
    users: Vec<UserId>,
    now: i64,
    heard: BTreeMap<ConnectionId, Vec<String>>,
    closed: Vec<(ConnectionId, Option<u16>)>,
    attached: BTreeMap<ConnectionId, String>,
    held: String,
    /// Store questions that were not answered yet.
    open: Vec<Action<'static>>,
    deleted: Vec<UserId>,
}

fn settings(socket_auth: SocketAuth) -> Settings {
    Settings {
        token_key: key(),
        socket_auth,
        timing: Timing::default(),
        frames: zetra_socketio::Limits::default(),
        room: zetra_signalling::Limits { max_present: 64, hold: 10_000, rate: Default::default() },
        new_id: || "id".to_owned(),
    }
}

fn key() -> TokenKey {
    TokenKey::new(&SecretString::from("0123456789abcdef0123456789abcdef")).unwrap()
}

fn room_id() -> RoomId {
    RoomId::from_random([1; 16])
}

impl Line {
    fn new(socket_auth: SocketAuth) -> Self {
        let mut ids = ObjectIds::new([5; 8]);
        Self {
            switchboard: Switchboard::restore(room_id(), settings(socket_auth), Vec::new(), Vec::new()),
            users: (0..4).map(|_| ids.user(Timestamp::from_millis(NOW))).collect(),
            now: NOW,
            heard: BTreeMap::new(),
            closed: Vec::new(),
            attached: BTreeMap::new(),
            held: "[]".to_owned(),
            open: Vec::new(),
            deleted: Vec::new(),
        }
    }

    fn token(&self, user: usize) -> String {
        key().issue(self.users[user], &format!("user{user}"), 0, [0; 9], Timestamp::from_millis(NOW))
    }

    fn opens(&mut self, bearer: Option<&str>) -> ConnectionId {
        let (id, actions) = self.switchboard.open(bearer, self.now);
        self.perform(actions);
        self.heard(id);
        id
    }

    /// Opens, connects with a token and joins.
    fn enters(&mut self, user: usize) -> ConnectionId {
        let id = self.opens(None);
        let token = self.token(user);
        self.says(id, &format!(r#"40{{"token":"{token}"}}"#));
        self.says(id, &format!(r#"42["join-room","{}"]"#, room_id()));
        self.answer_all();
        self.heard.clear();
        id
    }

    fn says(&mut self, id: ConnectionId, frame: &str) {
        let actions = self.switchboard.receive_text(id, frame, self.now);
        let actions = actions.into_iter().map(Action::into_owned).collect();
        self.perform(actions);
    }

    fn perform(&mut self, actions: Vec<Action<'static>>) {
        for action in actions {
            match action {
                Action::Send { to, frame } => {
                    let text = frame.into_owned().head;
                    for id in to {
                        self.heard.entry(id).or_default().push(text.clone());
                    }
                }
                Action::Close { connection, code } => self.closed.push((connection, code)),
                Action::Attach(id) => {
                    if let Some(attachment) = self.switchboard.attachment(id) {
                        self.attached.insert(id, serde_json::to_string(&attachment).unwrap());
                    }
                }
                Action::StoreHeld => self.held = serde_json::to_string(self.switchboard.held()).unwrap(),
                question @ (Action::Verify { .. } | Action::Lookup { .. }) => self.open.push(question),
            }
        }
    }

    /// The store answers everything it was asked.
    fn answer_all(&mut self) {
        while let Some(question) = self.open.pop() {
            let actions = match question {
                Action::Verify { connection, user } => {
                    let known = Verification::Account { version: 0, kept: None };
                    let deleted = self.deleted.contains(&user);
                    let verification = if deleted { Verification::NoAccount } else { known };
                    self.switchboard.verified(connection, verification, self.now)
                }
                Action::Lookup { connection, user, ack } => {
                    self.switchboard.admitted(connection, user, ack, Admission::Participant, self.now)
                }
                other => panic!("not a question: {other:?}"),
            };
            self.perform(actions);
        }
    }

    fn heard(&mut self, id: ConnectionId) -> Vec<String> {
        self.heard.remove(&id).unwrap_or_default()
    }

    fn sleeps(&mut self) {
        let live = |id: &ConnectionId| self.switchboard.connections.contains_key(id);
        let attachments = self.attached.iter().filter(|(id, _)| live(id));
        let attachments = attachments.map(|(_, json)| serde_json::from_str(json).unwrap()).collect();
        let held = serde_json::from_str(&self.held).unwrap();
        self.switchboard = Switchboard::restore(room_id(), settings(SocketAuth::Required), attachments, held);
    }

    fn waits(&mut self, millis: i64) {
        self.now += millis;
        let actions = self.switchboard.tick(self.now);
        self.perform(actions);
    }
}

#[test]
fn a_client_opens_connects_and_joins() {
    let mut line = Line::new(SocketAuth::Required);
    let (id, actions) = line.switchboard.open(None, NOW);
    line.perform(actions);
    assert_eq!(
        line.heard(id),
        [r#"0{"sid":"id","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#]
    );
    let token = line.token(0);
    line.says(id, &format!(r#"40{{"token":"{token}"}}"#));
    assert_eq!(line.heard(id), Vec::<String>::new(), "nothing before the store has answered");
    line.answer_all();
    assert_eq!(line.heard(id), [r#"40{"sid":"id"}"#]);
    line.says(id, &format!(r#"427["join-room","{}"]"#, room_id()));
    line.answer_all();
    assert_eq!(line.heard(id), [r#"42["existing-users",[]]"#, r#"437[{"ok":true,"users":[]}]"#]);
}

#[test]
fn what_is_said_while_the_store_is_asked_is_kept_in_order() {
    let mut line = Line::new(SocketAuth::Required);
    let first = line.enters(0);
    let id = line.opens(None);
    let token = line.token(1);
    line.says(id, &format!(r#"40{{"token":"{token}"}}"#));
    line.says(id, &format!(r#"42["join-room","{}"]"#, room_id()));
    line.says(id, &format!(r#"42["offer","{}",1]"#, room_id()));
    line.says(id, &format!(r#"42["offer","{}",2]"#, room_id()));
    line.answer_all();
    let user = line.users[1];
    let connected = format!(r#"42["user-connected","{user}"]"#);
    assert_eq!(line.heard(first), [connected.as_str(), r#"42["offer",1]"#, r#"42["offer",2]"#]);
}

#[test]
fn a_backlog_is_bounded() {
    let mut line = Line::new(SocketAuth::Required);
    let id = line.opens(None);
    let token = line.token(1);
    line.says(id, &format!(r#"40{{"token":"{token}"}}"#));
    for _ in 0..BACKLOG_FRAMES {
        line.says(id, "3");
    }
    assert_eq!(line.closed, []);
    line.says(id, "3");
    assert_eq!(line.closed, [(id, None)]);
}

#[test]
fn refused_credentials_are_told_apart() {
    let cases = |line: &Line| {
        let expired =
            key().issue(line.users[0], "ann", 0, [0; 9], Timestamp::from_millis(NOW - 8 * 86_400_000));
        [
            ("40".to_owned(), "Authentication required", "auth_required"),
            ("40{}".to_owned(), "Authentication required", "auth_required"),
            (r#"40{"token":"x"}"#.to_owned(), "Invalid authentication token", "token_invalid"),
            (r#"40{"token":7}"#.to_owned(), "Invalid authentication token", "token_invalid"),
            (format!(r#"40{{"token":"{expired}"}}"#), "Token has expired", "token_expired"),
        ]
    };
    let mut line = Line::new(SocketAuth::Required);
    for (frame, message, code) in cases(&line) {
        let id = line.opens(None);
        line.says(id, &frame);
        let expected = format!(r#"44{{"message":"{message}","data":{{"code":"{code}"}}}}"#);
        assert_eq!(line.heard(id), [expected], "{frame}");
    }
    let id = line.opens(None);
    line.deleted.push(line.users[2]);
    let token = line.token(2);
    line.says(id, &format!(r#"40{{"token":"{token}"}}"#));
    line.answer_all();
    assert!(line.heard(id)[0].contains("token_invalid"), "a deleted user's token");
}

#[test]
fn a_bearer_header_serves_as_well() {
    let mut line = Line::new(SocketAuth::Required);
    let token = line.token(0);
    let id = line.opens(Some(&token));
    line.says(id, "40");
    line.answer_all();
    assert_eq!(line.heard(id), [r#"40{"sid":"id"}"#]);
    let id = line.opens(Some("nonsense"));
    line.says(id, "40");
    assert!(line.heard(id)[0].contains("token_invalid"));
}

#[test]
fn tokenless_clients_are_admitted_where_that_is_allowed() {
    let mut line = Line::new(SocketAuth::Optional);
    let id = line.opens(None);
    line.says(id, "40");
    assert_eq!(line.heard(id), [r#"40{"sid":"id"}"#]);
    let bad = line.opens(None);
    line.says(bad, r#"40{"token":"x"}"#);
    assert!(line.heard(bad)[0].contains("token_invalid"), "a bad token is still refused");
}

#[test]
fn other_namespaces_are_invalid_and_the_link_stays() {
    let mut line = Line::new(SocketAuth::Required);
    let id = line.enters(0);
    line.says(id, "40/admin,");
    assert_eq!(line.heard(id), [r#"44/admin,{"message":"Invalid namespace"}"#]);
    assert_eq!(line.closed, []);
}

#[test]
fn an_offer_is_relayed_as_a_slice_of_the_frame() {
    let mut line = Line::new(SocketAuth::Required);
    let first = line.enters(0);
    let second = line.enters(1);
    let frame = format!(r#"42["offer","{}",{{"sdp" : "v=0","a":1.0}}]"#, room_id());
    let actions = line.switchboard.receive_text(first, &frame, NOW);
    let [Action::Send { to, frame: sent }] = actions.as_slice() else { panic!("{actions:?}") };
    assert_eq!(to, &[second]);
    assert_eq!(sent.relayed, r#"{"sdp" : "v=0","a":1.0}"#);
    assert!(frame.as_bytes().as_ptr_range().contains(&sent.relayed.as_ptr()), "nothing was copied");
    assert_eq!((sent.head.as_str(), sent.tail), (r#"42["offer","#, "]"));
}

#[test]
fn binary_events_are_refused_and_the_link_stays() {
    let mut line = Line::new(SocketAuth::Required);
    let first = line.enters(0);
    let second = line.enters(1);
    line.says(first, &format!(r#"451-3["offer","{}",{{"_placeholder":true,"num":0}}]"#, room_id()));
    let actions = line.switchboard.receive_binary(first, vec![1, 2], NOW);
    line.perform(actions);
    assert!(line.heard(first)[0].starts_with(r#"433[{"ok":false"#));
    assert_eq!((line.heard(second), line.closed), (Vec::new(), Vec::new()));
}

#[test]
fn a_broken_frame_closes_and_the_member_is_held() {
    let mut line = Line::new(SocketAuth::Required);
    let first = line.enters(0);
    let second = line.enters(1);
    line.says(first, "42{");
    assert_eq!(line.closed, [(first, None)]);
    assert_eq!(line.heard(second), Vec::<String>::new());
    line.waits(10_000);
    assert_eq!(line.heard(second), [format!(r#"42["user-disconnected","{}"]"#, line.users[0])]);
    let actions = line.switchboard.oversize(second, line.now);
    line.perform(actions);
    assert_eq!(line.closed[1], (second, Some(1009)));
}

#[test]
fn goodbyes_are_told_at_once() {
    let mut line = Line::new(SocketAuth::Required);
    let ids: Vec<_> = (0..4).map(|user| line.enters(user)).collect();
    let listener = ids[3];
    line.heard.clear();
    line.says(ids[0], "41");
    let closing = line.switchboard.closed(ids[1], Some(1001), NOW);
    line.perform(closing);
    assert_eq!(line.heard(listener).len(), 2, "a disconnect packet and a closed tab");
    let lost = line.switchboard.closed(ids[2], Some(1006), NOW);
    line.perform(lost);
    assert_eq!(line.heard(listener), Vec::<String>::new());
}

#[test]
fn pings_are_sent_together_and_a_missing_pong_closes() {
    let mut line = Line::new(SocketAuth::Required);
    let first = line.enters(0);
    line.now += 1_000;
    let second = line.enters(1);
    assert_eq!(line.switchboard.next_deadline(), Some(NOW + 25_000));
    line.now = NOW;
    line.waits(25_000);
    assert_eq!((line.heard(first), line.heard(second)), (vec!["2".to_owned()], vec!["2".to_owned()]));
    line.says(first, "3");
    line.waits(20_000);
    assert_eq!(line.closed, [(second, None)]);
}

#[test]
fn sleep_changes_nothing() {
    let mut line = Line::new(SocketAuth::Required);
    let first = line.enters(0);
    let second = line.enters(1);
    let gone = line.enters(2);
    let lost = line.switchboard.closed(gone, None, NOW);
    line.perform(lost);
    line.waits(25_000);
    line.says(first, "3");
    line.heard.clear();
    line.sleeps();
    line.says(first, &format!(r#"42["offer","{}",1]"#, room_id()));
    assert_eq!(line.heard(second), [r#"42["offer",1]"#]);
    line.waits(20_000);
    assert_eq!(line.closed, [(second, None)], "the pong that is missing was not forgotten");
    let third = line.opens(None);
    assert!(third > second, "connection ids are not used twice");
}

#[test]
fn a_revoked_token_closes_even_before_it_is_verified() {
    let mut line = Line::new(SocketAuth::Required);
    let id = line.opens(None);
    let token = line.token(0);
    line.says(id, &format!(r#"40{{"token":"{token}"}}"#));
    let actions = line.switchboard.revoke(&Revocation::AccountDeleted { user: line.users[0] });
    line.perform(actions);
    assert_eq!(line.closed, [(id, None)]);
    line.answer_all();
    assert_eq!(line.heard(id), Vec::<String>::new());
}
