//! Stories of a room, and the property that sleeping changes nothing.

use std::collections::BTreeMap;

use proptest::prelude::*;
use zetra_domain::{Admission, HonouredTokens, Membership, ObjectIds, Timestamp, TokenFingerprint};

use super::*;
use crate::{HostAction, Rate};

mod races;

const NOW: i64 = 1_700_000_000_000;
const LIMITS: Limits =
    Limits { max_present: 3, hold: 10_000, rate: EventRate { per_second: 50, burst: 200 } };

/// A room in which everything that is sent is recorded, and everything stored is kept.
struct Story {
    room: Room,
    users: Vec<UserId>,
    now: i64,
    said: Vec<String>,
    /// What survives a sleep: of the room, and of the connection.
    stored: BTreeMap<PeerId, (String, Rate)>,
    /// Users that the store does not admit.
    strangers: Vec<UserId>,
    /// The tokens that the store honours, for every user.
    tokens: Option<HonouredTokens>,
    /// The peer that the next admitted one replaces.
    in_place_of: Option<PeerId>,
    /// Peers that were lost and are no longer held.
    expired: Vec<PeerId>,
    happened: Vec<RoomEvent>,
}

impl Story {
    fn new() -> Self {
        let mut ids = ObjectIds::new([5; 8]);
        let users = (0..8).map(|_| ids.user(Timestamp::from_millis(NOW))).collect();
        let room = Room::restore(room_id(), LIMITS, []);
        let tokens = Some(HonouredTokens { version: 0, kept: None });
        Self {
            room,
            users,
            now: NOW,
            said: Vec::new(),
            stored: BTreeMap::new(),
            strangers: Vec::new(),
            tokens,
            in_place_of: None,
            expired: Vec::new(),
            happened: Vec::new(),
        }
    }

    /// A connection with a token of the user with that number, whose name is `user-<number>`.
    fn connects(&mut self, peer: u32, user: usize) {
        let claims = zetra_domain::Claims {
            user: self.users[user],
            username: format!("user-{user}"),
            version: 0,
            expires_at: Timestamp::from_millis(NOW + 3_600_000),
            fingerprint: TokenFingerprint::stored(format!("token-{peer}")),
        };
        let effect = self.room.connect(PeerId(peer), Credential::Token(claims));
        self.perform(vec![effect]);
    }

    fn connects_without_token(&mut self, peer: u32) {
        let effect = self.room.connect(PeerId(peer), Credential::None);
        self.perform(vec![effect]);
    }

    fn joins(&mut self, peer: u32, user: usize) {
        let user = self.users[user];
        self.says(peer, "join-room", &format!("[\"{}\",\"{user}\"]", room_id()), None);
    }

    /// Connects and joins, and discards what was sent meanwhile.
    fn enters(&mut self, peer: u32, user: usize) {
        self.connects(peer, user);
        self.joins(peer, user);
        self.said.clear();
    }

    fn says(&mut self, peer: u32, name: &str, arguments: &str, ack: Option<u64>) {
        let arguments = zetra_json::elements(arguments).unwrap();
        let effects = self.room.event(PeerId(peer), &format!("\"{name}\""), &arguments, ack, self.now);
        self.perform(effects);
    }

    fn perform(&mut self, effects: Vec<Effect<'_>>) {
        for effect in effects {
            match effect {
                Effect::Emit { to, event } => {
                    let (head, value, tail) = event.arguments();
                    let line = self.named(&format!("{} {head}{value}{tail}", event.name()));
                    self.said.extend(to.iter().map(|peer| format!("{peer} < {line}")));
                }
                Effect::Ack { peer, id, body } => {
                    let line = self.named(&format!("{peer} < ack {id} {}", body.json()));
                    self.said.push(line);
                }
                Effect::Lookup { peer, user, ack } => {
                    let stranger = self.strangers.contains(&user);
                    let membership =
                        if stranger { Membership::NotParticipant } else { Membership::Participant };
                    let admission = Admission { membership, tokens: self.tokens.clone() };
                    let effects = self.room.admit(peer, user, ack, Some(admission), self.in_place_of);
                    self.perform(effects);
                }
                Effect::Store(peer) | Effect::Keep(peer) => {
                    if let Some(state) = self.room.peer(peer) {
                        self.stored.insert(peer, (serde_json::to_string(state).unwrap(), state.rate()));
                    }
                }
                Effect::Forget(peer) => {
                    self.stored.remove(&peer);
                }
                Effect::Expire { peer, .. } => {
                    self.stored.remove(&peer);
                    self.expired.push(peer);
                }
                Effect::Happened(event) => self.happened.push(event),
                Effect::Elsewhere { peer, room } => self.said.push(format!("{peer} goes to {room}")),
                Effect::Disconnect(peer) => self.said.push(format!("{peer} is disconnected")),
            }
        }
    }

    /// Replaces ids by `u<number>`.
    fn named(&self, text: &str) -> String {
        let named = self.users.iter().enumerate();
        named.fold(text.to_owned(), |text, (number, id)| text.replace(&id.to_string(), &format!("u{number}")))
    }

    fn loses(&mut self, peer: u32) {
        let effects = self.room.lose(PeerId(peer), self.now);
        self.perform(effects);
    }

    fn departs(&mut self, peer: u32) {
        let effects = self.room.depart(PeerId(peer), DisconnectReason::Left);
        self.perform(effects);
    }

    fn host_acts(&mut self, action: HostAction) {
        let effects = self.room.host_acts(action);
        self.perform(effects);
    }

    fn waits(&mut self, millis: i64) {
        self.now += millis;
        let effects = self.room.tick(self.now);
        self.perform(effects);
    }

    /// What was sent since the last call.
    fn heard(&mut self) -> Vec<String> {
        std::mem::take(&mut self.said)
    }

    fn recovers(&mut self, peer: u32) {
        let peer = PeerId(peer);
        let credential = self.room.peer(peer).unwrap().credential().clone();
        let effect = self.room.recover(peer, credential);
        self.perform(vec![effect]);
    }

    /// The room after a sleep.
    fn restored(&self) -> Room {
        let peers = self.stored.iter().map(|(peer, (json, rate))| {
            (*peer, serde_json::from_str::<Peer>(json).unwrap().with_rate(*rate))
        });
        Room::restore(room_id(), LIMITS, peers)
    }
}

fn room_id() -> RoomId {
    RoomId::from_random([1; 16])
}

fn in_room(value: &str) -> String {
    format!("[\"{}\",{value}]", room_id())
}

#[test]
fn a_newcomer_learns_who_is_there_and_the_others_learn_of_it() {
    let mut story = Story::new();
    story.connects(1, 0);
    story.joins(1, 0);
    assert_eq!(story.heard(), ["1 < existing-users []"]);
    story.enters(2, 1);
    story.connects(3, 2);
    story.says(3, "join-room", &format!("[\"{}\"]", room_id()), Some(9));
    assert_eq!(
        story.heard(),
        [
            "3 < user-connected \"u0\"",
            "3 < user-connected \"u1\"",
            "3 < existing-users [\"u0\",\"u1\"]",
            "1 < user-connected \"u2\"",
            "2 < user-connected \"u2\"",
            "3 < ack 9 {\"ok\":true,\"users\":[\"u0\",\"u1\"]}",
        ]
    );
}

#[test]
fn joining_again_is_acknowledged_and_nothing_else() {
    let mut story = Story::new();
    story.enters(1, 0);
    story.says(1, "join-room", &format!("[\"{}\"]", room_id()), Some(1));
    assert_eq!(story.heard(), ["1 < ack 1 {\"ok\":true,\"users\":[]}"]);
}

#[test]
fn form_a_goes_to_everyone_else_and_form_b_to_one() {
    let mut story = Story::new();
    (1..=3).for_each(|peer| story.enters(peer, peer as usize - 1));
    story.says(1, "offer", &in_room("{\"sdp\": 1.0}"), None);
    assert_eq!(story.heard(), ["2 < offer {\"sdp\": 1.0}", "3 < offer {\"sdp\": 1.0}"]);
    let object =
        format!(r#"[{{"roomId":"{}","candidate":null,"targetUserId":"{}"}}]"#, room_id(), story.users[2]);
    story.says(1, "ice-candidate", &object, Some(4));
    assert_eq!(
        story.heard(),
        ["3 < ice-candidate {\"senderId\":\"u0\",\"candidate\":null}", "1 < ack 4 {\"ok\":true}"]
    );
}

#[test]
fn a_missing_target_is_named_to_the_sender() {
    let mut story = Story::new();
    story.enters(1, 0);
    let object = format!(r#"[{{"roomId":"{}","offer":1,"targetUserId":"{}"}}]"#, room_id(), story.users[7]);
    story.says(1, "offer", &object, None);
    let error = r#""message":"That user is not in the room","code":"peer_unavailable""#;
    assert_eq!(story.heard(), [format!(r#"1 < error {{{error},"event":"offer","targetUserId":"u7"}}"#)]);
    story.says(1, "offer", &object, Some(1));
    assert_eq!(
        story.heard(),
        [format!(r#"1 < ack 1 {{"ok":false,"error":{{{error},"targetUserId":"u7"}}}}"#)]
    );
}

#[test]
fn chat_reaches_everyone_with_the_name_of_the_token() {
    let mut story = Story::new();
    story.enters(1, 0);
    story.enters(2, 1);
    story.says(1, "chat-message", &in_room(r#""hi \ud800","Impostor""#), None);
    let heard = story.heard();
    assert_eq!(heard.len(), 2, "{heard:?}");
    let body = r#"{"username":"user-0","userId":"u0","timestamp":"2023-11-14T22:13:20.000Z","id":"#;
    for line in &heard {
        assert!(line.contains(body) && line.ends_with(r#""message":"hi \ud800"}"#), "{line}");
    }
    let spoofed = format!(r#""hi","x","{}""#, story.users[1]);
    story.says(1, "chat-message", &in_room(&spoofed), Some(1));
    assert!(story.heard()[0].contains("user_mismatch"));
}

#[test]
fn media_state_is_told_to_the_others_and_to_newcomers() {
    let mut story = Story::new();
    story.enters(1, 0);
    story.enters(2, 1);
    story.says(1, "media-state", &format!(r#"[{{"roomId":"{}","audio":false}}]"#, room_id()), None);
    let state = r#"media-state {"userId":"u0","audio":false,"video":true,"screen":false}"#;
    assert_eq!(story.heard(), [format!("2 < {state}")]);
    story.connects(3, 2);
    story.joins(3, 2);
    assert!(story.heard().contains(&format!("3 < {state}")));
}

#[test]
fn a_media_state_that_stays_as_it_is_is_told_and_not_stored() {
    let mut story = Story::new();
    story.enters(1, 0);
    story.enters(2, 1);
    let state = format!(r#"{{"roomId":"{}","audio":true}}"#, room_id());
    for is_new in [true, false] {
        story.stored.remove(&PeerId(1));
        story.says(1, "media-state", &format!("[{state}]"), None);
        assert_eq!(story.heard().len(), 1);
        assert_eq!(story.stored.contains_key(&PeerId(1)), is_new);
    }
}

#[test]
fn a_second_tab_takes_the_place_of_the_first() {
    let mut story = Story::new();
    story.enters(1, 0);
    story.enters(2, 1);
    story.connects(3, 0);
    story.joins(3, 0);
    let heard = story.heard();
    assert!(heard[0].starts_with("1 < error") && heard[0].contains("replaced"), "{heard:?}");
    assert_eq!(
        heard[1..],
        [
            "2 < user-disconnected \"u0\",\"replaced\"",
            "3 < user-connected \"u1\"",
            "3 < existing-users [\"u1\"]",
            "2 < user-connected \"u0\"",
        ]
    );
    story.says(1, "offer", &in_room("1"), None);
    assert!(story.heard()[0].contains("not_in_room"));
}

#[test]
fn strangers_other_rooms_and_borrowed_names_are_refused() {
    let mut story = Story::new();
    story.strangers = vec![story.users[0]];
    story.connects(1, 0);
    story.joins(1, 0);
    assert!(story.heard()[0].contains("not_participant"));
    story.joins(1, 1);
    assert!(story.heard()[0].contains("user_mismatch"));
    let other = RoomId::from_random([2; 16]);
    story.says(1, "join-room", &format!("[\"{other}\"]"), Some(1));
    assert!(story.heard()[0].contains("wrong_room"));
    story.says(1, "offer", &in_room("1"), None);
    assert!(story.heard()[0].contains("not_in_room"));
}

#[test]
fn a_full_room_still_lets_its_own_people_move() {
    let mut story = Story::new();
    (1..=3).for_each(|peer| story.enters(peer, peer as usize - 1));
    story.connects(4, 3);
    story.joins(4, 3);
    assert!(story.heard()[0].contains("room_full"));
    story.connects(5, 0);
    story.joins(5, 0);
    assert!(story.heard().contains(&"5 < existing-users [\"u1\",\"u2\"]".to_owned()));
}

#[test]
fn a_goodbye_is_told_at_once_a_loss_after_the_hold() {
    let mut story = Story::new();
    (1..=3).for_each(|peer| story.enters(peer, peer as usize - 1));
    story.departs(1);
    assert_eq!(
        story.heard(),
        ["2 < user-disconnected \"u0\",\"left\"", "3 < user-disconnected \"u0\",\"left\""]
    );
    story.loses(2);
    story.waits(9_999);
    assert_eq!(story.heard(), Vec::<String>::new());
    assert_eq!(story.room.online().len(), 2, "held members are present");
    story.waits(1);
    assert_eq!(story.heard(), ["3 < user-disconnected \"u1\",\"lost\""]);
    assert_eq!(story.expired, [PeerId(2)], "the goodbye was none of these");
}

#[test]
fn who_comes_back_in_its_own_place_leaves_it_first() {
    let mut story = Story::new();
    (1..=2).for_each(|peer| story.enters(peer, peer as usize - 1));
    story.loses(1);
    story.in_place_of = Some(PeerId(1));
    story.connects(3, 0);
    story.joins(3, 0);
    assert_eq!(
        story.heard(),
        [
            "2 < user-disconnected \"u0\",\"lost\"",
            "3 < user-connected \"u1\"",
            "3 < existing-users [\"u1\"]",
            "2 < user-connected \"u0\"",
        ]
    );
    story.connects_without_token(4);
    story.in_place_of = None;
    story.joins(4, 2);
    story.loses(4);
    story.heard();
    story.connects_without_token(5);
    story.joins(5, 2);
    assert!(story.heard()[0].contains("already_in_room"), "a tokenless one replaces nobody");
    story.in_place_of = Some(PeerId(4));
    story.joins(5, 2);
    assert!(story.heard()[0].contains("user-disconnected"), "but itself");
}

#[test]
fn a_lost_peer_that_recovers_was_never_away() {
    let mut story = Story::new();
    (1..=2).for_each(|peer| story.enters(peer, peer as usize - 1));
    story.loses(1);
    let target = story.users[0];
    let offer = format!(r#"[{{"roomId":"{}","offer":1,"targetUserId":"{target}"}}]"#, room_id());
    story.says(2, "offer", &offer, Some(1));
    assert_eq!(
        story.heard(),
        ["1 < offer {\"senderId\":\"u1\",\"offer\":1}", "2 < ack 1 {\"ok\":true}"],
        "what is said to a held peer is for the embedder to keep"
    );
    story.waits(9_999);
    story.recovers(1);
    story.waits(60_000);
    assert_eq!(story.heard(), Vec::<String>::new());
    story.says(1, "leave-room", "[]", None);
    assert_eq!(story.heard(), ["2 < user-disconnected \"u0\",\"left\""]);
}

#[test]
fn who_is_removed_is_told_and_leaves_and_its_connection_goes_on() {
    let mut story = Story::new();
    (1..=3).for_each(|peer| story.enters(peer, peer as usize - 1));
    let (by, user) = (story.users[0], story.users[1]);
    story.host_acts(HostAction::Remove { user, by });
    let removed = format!(r#"2 < removed {{"roomId":"{}","by":"u0","reason":"removed_by_host"}}"#, room_id());
    let gone = r#"user-disconnected "u1","removed""#;
    assert_eq!(story.heard(), [removed, format!("1 < {gone}"), format!("3 < {gone}")]);
    story.says(2, "offer", &in_room("1"), None);
    assert!(story.heard()[0].contains("not_in_room"), "the connection is there");
    story.host_acts(HostAction::Remove { user, by });
    assert_eq!(story.heard(), Vec::<String>::new(), "once");
}

#[test]
fn who_is_held_when_removed_has_nothing_to_come_back_to() {
    let mut story = Story::new();
    (1..=2).for_each(|peer| story.enters(peer, peer as usize - 1));
    story.loses(2);
    let (by, user) = (story.users[0], story.users[1]);
    story.host_acts(HostAction::Remove { user, by });
    assert_eq!(story.heard()[1..], [r#"1 < user-disconnected "u1","removed""#]);
    assert!(story.room.peer(PeerId(2)).is_none() && !story.stored.contains_key(&PeerId(2)));
}

#[test]
fn an_ended_room_is_left_by_everybody_who_is_told_of_everybody() {
    let mut story = Story::new();
    (1..=3).for_each(|peer| story.enters(peer, peer as usize - 1));
    story.loses(3);
    story.host_acts(HostAction::End { by: story.users[0] });
    let heard = story.heard();
    let ended = format!(r#"room-ended {{"roomId":"{}","by":"u0","reason":"ended_by_host"}}"#, room_id());
    assert_eq!(heard[..2], [format!("1 < {ended}"), format!("2 < {ended}")]);
    for (peer, other) in [(1, 1), (1, 2), (2, 0), (2, 2)] {
        let line = format!(r#"{peer} < user-disconnected "u{other}","room_ended""#);
        assert!(heard.contains(&line), "{line} in {heard:?}");
    }
    assert_eq!(story.room.online(), []);
    assert!(story.room.peer(PeerId(3)).is_none(), "who was held has nothing to come back to");
    story.says(1, "chat-message", &in_room("\"hi\""), None);
    assert!(story.heard()[0].contains("not_in_room"));
}

#[test]
fn whoever_keeps_books_on_a_room_learns_of_everything() {
    let mut story = Story::new();
    story.enters(1, 0);
    story.enters(2, 1);
    story.connects(3, 0);
    story.joins(3, 0);
    story.loses(2);
    story.waits(10_000);
    story.connects_without_token(4);
    story.joins(4, 2);
    let by = story.users[0];
    story.host_acts(HostAction::Remove { user: story.users[2], by });
    story.says(3, "leave-room", "[]", None);
    story.enters(5, 3);
    story.host_acts(HostAction::End { by });
    let named = |user: usize| Some(format!("user-{user}"));
    let joined = |user: usize, username| RoomEvent::Joined { user: story.users[user], username };
    let left = |user: usize, reason| RoomEvent::Left { user: story.users[user], reason };
    let expected = [
        RoomEvent::Started,
        joined(0, named(0)),
        joined(1, named(1)),
        left(0, DisconnectReason::Replaced),
        joined(0, named(0)),
        left(1, DisconnectReason::Lost),
        joined(2, None),
        left(2, DisconnectReason::Removed),
        left(0, DisconnectReason::Left),
        RoomEvent::Started,
        joined(3, named(3)),
        left(3, DisconnectReason::RoomEnded),
        RoomEvent::Ended { by },
    ];
    assert_eq!(story.happened, expected);
}

#[test]
fn a_lobby_leads_to_rooms_and_to_nothing_else() {
    let mut story = Story::new();
    story.room = Room::lobby(LIMITS);
    story.connects(1, 0);
    story.joins(1, 0);
    assert_eq!(story.heard(), [format!("1 goes to {}", room_id())]);
    story.joins(1, 1);
    assert!(story.heard()[0].contains("user_mismatch"));
    story.says(1, "offer", &in_room("1"), Some(1));
    assert!(story.heard()[0].contains("not_in_room"));
}

#[test]
fn a_held_peer_that_returns_as_another_takes_its_own_place() {
    let mut story = Story::new();
    story.enters(1, 0);
    story.enters(2, 1);
    story.loses(1);
    story.connects(3, 0);
    story.joins(3, 0);
    assert_eq!(
        story.heard(),
        [
            "2 < user-disconnected \"u0\",\"replaced\"",
            "3 < user-connected \"u1\"",
            "3 < existing-users [\"u1\"]",
            "2 < user-connected \"u0\"",
        ]
    );
}

#[test]
fn without_a_token_nobody_can_be_replaced_or_posed_as() {
    let mut story = Story::new();
    story.enters(1, 0);
    story.connects_without_token(2);
    story.says(2, "join-room", &format!("[\"{}\"]", room_id()), None);
    assert!(story.heard()[0].contains("Invalid room or user ID"));
    story.joins(2, 0);
    assert!(story.heard()[0].contains("already_in_room"));
    story.joins(2, 1);
    story.connects_without_token(3);
    story.heard();
    story.joins(3, 1);
    assert!(story.heard()[0].contains("already_in_room"));
    story.loses(2);
    story.joins(3, 1);
    assert!(story.heard()[0].contains("already_in_room"), "held ones neither");
    story.connects(4, 1);
    story.joins(4, 1);
    assert!(story.heard().contains(&"4 < existing-users [\"u0\"]".to_owned()), "a token does replace");
}

#[test]
fn tokens_that_expire_or_are_revoked_end_their_connections() {
    let mut story = Story::new();
    story.enters(1, 0);
    story.enters(2, 0);
    story.enters(3, 1);
    let kept = TokenFingerprint::stored("token-2".to_owned());
    let user = story.users[0];
    let honoured = Some(HonouredTokens { version: 1, kept: Some(kept) });
    let effects = story.room.revoke(&Revocation { user, honoured });
    story.perform(effects);
    let heard = story.heard();
    assert!(heard[0].starts_with("1 < error") && heard[0].contains("token_revoked"), "{heard:?}");
    assert_eq!(heard[1..], ["1 is disconnected"], "the token that changed the password lives on");
    let effects = story.room.revoke(&Revocation { user, honoured: None });
    story.perform(effects);
    assert_eq!(story.heard()[1..], ["3 < user-disconnected \"u0\",\"account_deleted\"", "2 is disconnected"]);
    assert_eq!(story.room.next_deadline(), Some(NOW + 3_600_000));
    story.waits(3_600_000);
    assert!(story.heard()[0].contains("token_expired"));
    assert_eq!(story.room.next_deadline(), None);
}

#[test]
fn who_is_held_when_its_token_dies_may_still_come_back_with_another_one_unless_the_account_is_gone() {
    for is_deleted in [false, true] {
        let mut story = Story::new();
        (1..=2).for_each(|peer| story.enters(peer, peer as usize - 1));
        story.loses(1);
        let honoured = (!is_deleted).then_some(HonouredTokens { version: 1, kept: None });
        let effects = story.room.revoke(&Revocation { user: story.users[0], honoured });
        story.perform(effects);
        let reason = if is_deleted { "account_deleted" } else { "lost" };
        assert!(story.heard().contains(&format!(r#"2 < user-disconnected "u0","{reason}""#)));
        assert_eq!(story.expired, if is_deleted { vec![] } else { vec![PeerId(1)] });
    }
    let mut story = Story::new();
    story.enters(1, 0);
    story.waits(3_595_000);
    story.loses(1);
    story.waits(5_000);
    assert_eq!(story.expired, [PeerId(1)], "its token expires before the hold is over");
}

#[test]
fn a_token_that_died_before_it_joined_does_not_join() {
    let mut story = Story::new();
    story.enters(1, 0);
    story.connects(2, 1);
    story.tokens = Some(HonouredTokens { version: 1, kept: None });
    story.says(2, "join-room", &format!("[\"{}\"]", room_id()), Some(7));
    let heard = story.heard();
    assert!(heard[0].starts_with("2 < ack 7") && heard[0].contains("token_revoked"), "{heard:?}");
    assert_eq!(heard[1..], ["2 is disconnected"], "the others were not notified");
    story.connects(3, 1);
    story.tokens = None;
    story.joins(3, 1);
    let heard = story.heard();
    assert!(heard[0].starts_with("3 < error") && heard[0].contains("account_deleted"), "{heard:?}");
    assert_eq!(heard[1..], ["3 is disconnected"]);
}

#[test]
fn an_account_that_is_deleted_while_its_join_is_under_way_is_not_let_in_without_a_token() {
    let mut story = Story::new();
    story.connects_without_token(1);
    let user = story.users[0];
    let arguments = [format!("\"{}\"", room_id()), format!("\"{user}\"")];
    let arguments = [arguments[0].as_str(), &arguments[1]];
    let asked = story.room.event(PeerId(1), "\"join-room\"", &arguments, Some(1), NOW);
    assert!(matches!(asked.as_slice(), [Effect::Lookup { .. }]), "{asked:?}");
    let effects = story.room.revoke(&Revocation { user, honoured: None });
    story.perform(effects);
    let before = Admission { membership: Membership::Participant, tokens: story.tokens.clone() };
    let effects = story.room.admit(PeerId(1), user, Some(1), Some(before), None);
    story.perform(effects);
    let heard = story.heard();
    assert!(heard.len() == 1 && heard[0].contains("account_deleted"), "{heard:?}");
    assert_eq!(story.room.online(), []);
}

#[test]
fn a_target_that_is_no_users_id_is_unavailable_like_any_other() {
    let mut story = Story::new();
    story.enters(1, 0);
    for target in [r#""nobody""#, r#""\ud800""#, r#""""#, r#""6553F1000102030405060708""#] {
        let offer = format!(r#"[{{"roomId":"{}","offer":1,"targetUserId":{target}}}]"#, room_id());
        story.says(1, "offer", &offer, None);
        let heard = story.heard();
        assert!(
            heard[0].contains("peer_unavailable")
                && heard[0].contains(&format!(r#""targetUserId":{target}"#)),
            "{heard:?}"
        );
        story.says(1, "offer", &offer, Some(1));
        assert!(story.heard()[0].contains(&format!(r#""targetUserId":{target}"#)));
    }
}

#[test]
fn a_flood_is_refused_and_then_ended() {
    let mut story = Story::new();
    story.enters(1, 0);
    for _ in 0..219 {
        story.says(1, "nonsense", "[]", None);
    }
    assert_eq!(story.heard(), Vec::<String>::new(), "unknown events count but are ignored");
    for _ in 0..10 {
        story.says(1, "offer", &in_room("1"), None);
    }
    let heard = story.heard();
    assert!(heard[..10].iter().all(|line| line.contains("rate_limited")), "{heard:?}");
    assert_eq!(heard[10], "1 is disconnected");
}

/// How many events that peer may send now.
fn burst(story: &mut Story, peer: u32) -> usize {
    story.said.clear();
    (0..300)
        .take_while(|_| {
            story.says(peer, "nonsense", "[]", Some(1));
            !story.heard().iter().any(|line| line.contains("rate_limited"))
        })
        .count()
}

#[test]
fn neither_a_new_connection_nor_another_tab_has_a_new_burst() {
    let mut story = Story::new();
    story.connects(2, 0);
    story.enters(1, 0);
    assert_eq!(burst(&mut story, 1), 219);
    story.joins(2, 0);
    assert_eq!(burst(&mut story, 2), 0, "the tab that was already open");
    story.departs(1);
    story.departs(2);
    story.connects(3, 0);
    assert_eq!(burst(&mut story, 3), 0, "who has left and comes back");
    story.enters(4, 1);
    assert_eq!(burst(&mut story, 4), 219, "others have not sent it");
    story.waits(1_000);
    assert_eq!(burst(&mut story, 3), 50);
}

#[test]
fn what_is_sent_without_a_token_in_somebodys_name_does_not_count_for_that_user() {
    let mut story = Story::new();
    story.connects_without_token(1);
    story.joins(1, 0);
    assert_eq!(burst(&mut story, 1), 219);
    story.waits(20);
    story.says(1, "leave-room", "[]", None);
    story.departs(1);
    story.connects_without_token(2);
    story.joins(2, 0);
    assert_eq!(burst(&mut story, 2), 0);
    story.departs(2);
    story.enters(3, 0);
    assert_eq!(burst(&mut story, 3), 219);
}

#[test]
fn however_many_come_and_go_who_owes_the_most_is_remembered() {
    let mut story = Story::new();
    let mut ids = ObjectIds::new([6; 8]);
    story.users.extend((0..500).map(|_| ids.user(Timestamp::from_millis(NOW))));
    story.enters(0, 0);
    burst(&mut story, 0);
    story.departs(0);
    for user in 1..500 {
        story.enters(user, user as usize);
        story.departs(user);
    }
    assert_eq!(story.room.debts.len(), 2 * LIMITS.max_present);
    story.connects(501, 0);
    assert_eq!(burst(&mut story, 501), 0);
}

#[test]
fn an_unknown_event_with_an_ack_is_answered() {
    let mut story = Story::new();
    story.enters(1, 0);
    story.says(1, "dance", "[]", Some(3));
    assert!(story.heard()[0].starts_with("1 < ack 3 {\"ok\":false"));
}

#[derive(Clone, Debug)]
enum Step {
    Connect(u32, usize),
    Join(u32, usize),
    Leave(u32),
    Chat(u32),
    Media(u32, bool),
    Lose(u32),
    Depart(u32),
    Wait(i64),
    Delete(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (peer, user) = (0..6u32, 0..4usize);
    let step = prop_oneof![
        (peer.clone(), user.clone()).prop_map(|(peer, user)| Step::Connect(peer, user)),
        (peer.clone(), user.clone()).prop_map(|(peer, user)| Step::Join(peer, user)),
        peer.clone().prop_map(Step::Leave),
        peer.clone().prop_map(Step::Chat),
        (peer.clone(), any::<bool>()).prop_map(|(peer, on)| Step::Media(peer, on)),
        peer.clone().prop_map(Step::Lose),
        peer.prop_map(Step::Depart),
        (0..12_000i64).prop_map(Step::Wait),
        user.prop_map(Step::Delete),
    ];
    proptest::collection::vec(step, 0..60)
}

fn take(story: &mut Story, step: Step) {
    match step {
        Step::Connect(peer, user) => {
            if story.room.peer(PeerId(peer)).is_none() {
                story.connects(peer, user);
            }
        }
        Step::Join(peer, user) => story.joins(peer, user),
        Step::Leave(peer) => story.says(peer, "leave-room", "[]", Some(1)),
        Step::Chat(peer) => story.says(peer, "chat-message", &in_room("\"x\""), None),
        Step::Media(peer, on) => {
            let state = format!(r#"[{{"roomId":"{}","video":{on}}}]"#, room_id());
            story.says(peer, "media-state", &state, None);
        }
        Step::Lose(peer) => story.loses(peer),
        Step::Depart(peer) => story.departs(peer),
        Step::Wait(millis) => story.waits(millis),
        Step::Delete(user) => {
            let user = story.users[user];
            let effects = story.room.revoke(&Revocation { user, honoured: None });
            story.perform(effects);
        }
    }
}

/// The whole state of a room except the next order numbers and the rates, which a sleep resets.
fn state(room: &Room) -> impl PartialEq + fmt::Debug + use<> {
    let mut peers: Vec<_> = room
        .peers
        .iter()
        .map(|(id, peer)| (*id, peer.credential.clone(), peer.joined, peer.held_until))
        .collect();
    peers.sort_unstable_by_key(|(id, ..)| *id);
    (peers, room.online(), room.next_deadline())
}

proptest! {
    #[test]
    fn what_is_stored_is_the_room(steps in steps()) {
        let mut story = Story::new();
        for step in steps {
            take(&mut story, step);
            prop_assert_eq!(state(&story.restored()), state(&story.room));
        }
    }

    #[test]
    fn a_user_is_in_the_room_once_and_the_room_is_never_overfull(steps in steps()) {
        let mut story = Story::new();
        for step in steps {
            take(&mut story, step);
            let mut online = story.room.online();
            prop_assert!(online.len() <= LIMITS.max_present);
            online.sort();
            let people = online.len();
            online.dedup();
            prop_assert_eq!(online.len(), people);
        }
    }
}
