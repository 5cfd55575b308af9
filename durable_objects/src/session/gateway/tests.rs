//! One client without a room, tested through its effects.

use secrecy::SecretString;
use zetra_domain::{HonouredTokens, ObjectIds, SigningSecret, Timestamp, TokenKey};
use zetra_runtime::SocketAuth;

use super::*;
use crate::{Verification, exchange::Delivery};

const NOW: i64 = 1_700_000_000_000;
const SOCKET: SocketId = SocketId(7);

struct Story {
    gateway: Gateway,
    users: Vec<UserId>,
    stored: Option<String>,
    kept: Option<String>,
}

fn key() -> TokenKey {
    let secret = SecretString::from("0123456789abcdef0123456789abcdef");
    TokenKey::new(&SigningSecret::new(secret).unwrap())
}

fn settings() -> GatewaySettings {
    GatewaySettings {
        authenticator: Authenticator { token_key: key(), socket_auth: SocketAuth::Required },
        limits: zetra_signalling::Limits { max_present: 64, hold: 10_000, rate: Default::default() },
        report_interval: 10_000,
        new_id: || "id".to_owned(),
    }
}

fn room() -> RoomId {
    RoomId::from_random([1; 16])
}

fn other_room() -> RoomId {
    RoomId::from_random([2; 16])
}

impl Story {
    fn new() -> Self {
        let mut ids = ObjectIds::new([5; 8]);
        let users = (0..2).map(|_| ids.user(Timestamp::from_millis(NOW))).collect();
        let gateway = Gateway::restore(settings(), Some("here".to_owned()), None, Vec::new());
        Self { gateway, users, stored: None, kept: None }
    }

    /// Connected and verified.
    fn connected() -> Self {
        let mut story = Self::new();
        story.connects("");
        story.verified(0);
        story
    }

    fn joined() -> Self {
        let mut story = Self::connected();
        story.joins(room());
        story.delivered(room(), joined(true, 1));
        story
    }

    /// After hibernation, or after a loss of the object if nothing is `kept`. No request has arrived yet.
    fn restarts(&self, kept: bool) -> Self {
        let kept = self.kept.iter().filter(|_| kept);
        let connected = kept.map(|kept| (SOCKET, serde_json::from_str(kept).unwrap())).collect();
        let gateway = Gateway::restore(settings(), None, self.stored.as_deref(), connected);
        Self { gateway, users: self.users.clone(), stored: self.stored.clone(), kept: self.kept.clone() }
    }

    fn connects(&mut self, recovery: &str) -> Vec<String> {
        let token = key().issue(self.users[0], "ann", 0, [0; 9], Timestamp::from_millis(NOW));
        let auth = format!("{{{recovery}\"token\":\"{token}\"}}");
        let connect = Connect { socket: SOCKET, namespace: "/", auth: Some(&auth), handshake: "{}" };
        let effects = self.gateway.connect(connect, NOW);
        self.told(effects)
    }

    fn verified(&mut self, version: i64) -> Vec<String> {
        let verification = Verification::Account(HonouredTokens { version, kept: None });
        let effects = self.gateway.verified(SOCKET, verification, NOW);
        self.told(effects)
    }

    fn says(&mut self, name: &str, arguments: &[&str], ack: Option<u64>) -> Vec<String> {
        let name = format!("\"{name}\"");
        let event = Event { name: &name, arguments: arguments.to_vec(), ack, attachments: Vec::new() };
        let effects = self.gateway.event(SOCKET, event, NOW);
        let effects = effects.into_iter().map(Effect::into_owned).collect();
        self.told(effects)
    }

    fn joins(&mut self, room: RoomId) -> Vec<String> {
        self.says("join-room", &[&format!("\"{room}\"")], Some(1))
    }

    fn delivered(&mut self, from: RoomId, delivery: Delivery) -> Vec<String> {
        let effects = self.gateway.deliver(from, vec![delivery]);
        self.told(effects)
    }

    /// A pong: everything up to the engine's earlier mark has arrived.
    fn arrives(&mut self, mark: Mark, now: i64) -> Vec<String> {
        let effects = self.gateway.arrived(SOCKET, mark, now);
        self.told(effects)
    }

    fn gone(&mut self, departure: Departure) -> Vec<String> {
        let effects = self.gateway.disconnected(SOCKET, departure, NOW);
        self.told(effects)
    }

    fn told(&mut self, effects: Out<'_>) -> Vec<String> {
        let mut told = Vec::new();
        for effect in effects {
            told.push(match effect {
                Effect::Command(GatewayCommand::Store) => {
                    self.stored = self.gateway.stored();
                    continue;
                }
                Effect::Command(GatewayCommand::Forget) => {
                    self.stored = None;
                    "forget".to_owned()
                }
                Effect::Command(GatewayCommand::Verify { .. }) => "verify".to_owned(),
                Effect::Command(GatewayCommand::Tell { room, message }) => {
                    let what = match message {
                        FromSession::Join(_) => "join".to_owned(),
                        FromSession::Event { name, arguments, .. } => format!("{name} {arguments:?}"),
                        FromSession::Recover(asked) => format!("recover {}", asked.recovery.pid),
                        FromSession::Arrived(mark) => format!("arrived {mark}"),
                        FromSession::Gone(departure) => {
                            format!("gone, left: {}", departure != Departure::Lost)
                        }
                    };
                    format!("{} < {what}", named(room))
                }
                Effect::Replay { frames, .. } if frames.is_empty() => continue,
                Effect::Replay { frames, .. } => frames.join(" "),
                Effect::Keep(_) => {
                    self.kept = self.gateway.kept(SOCKET).map(|kept| serde_json::to_string(&kept).unwrap());
                    continue;
                }
                Effect::Accept { sid, pid, .. } => format!("accept {sid} {}", pid.unwrap()),
                Effect::Refuse { error, .. } => error,
                Effect::Emit { emission, .. } => emission.frame("/").text(),
                Effect::Ack { arguments, .. } => arguments,
                Effect::Wait(_) => "wait".to_owned(),
                Effect::Resume(_) => "resume".to_owned(),
                Effect::Disconnect { close, .. } => format!("disconnect, close: {close}"),
                Effect::Abandon(_) => "abandon".to_owned(),
                Effect::Reschedule => "reschedule".to_owned(),
            });
        }
        told
    }
}

fn named(id: RoomId) -> String {
    if id == room() { "room".to_owned() } else { "other".to_owned() }
}

fn joined(joined: bool, mark: Mark) -> Delivery {
    Delivery::Joined { joined, mark, frames: Vec::new() }
}

fn frame(mark: Mark) -> Delivery {
    Delivery::Frame { mark, frame: "4x".to_owned() }
}

#[test]
fn a_client_is_let_in() {
    let mut story = Story::new();
    assert_eq!(story.connects(""), ["wait", "verify"]);
    assert_eq!(story.verified(0), ["accept id id", "resume"]);
    assert_eq!(story.stored, None, "nothing is stored of who is in no room");
    let mut refused = Story::new();
    refused.connects("");
    assert!(refused.verified(1)[0].contains("token_invalid"));
}

#[test]
fn without_a_room_events_are_judged_here_and_refusals_carry_no_offset() {
    let mut story = Story::connected();
    assert!(story.says("offer", &[&format!("\"{}\"", room()), "1"], Some(1))[0].contains("not_in_room"));
    let told = story.says("join-room", &["\"nonsense\""], None);
    assert!(told[0].contains("Invalid room or user ID") && told[0].ends_with("}]"), "{told:?}");
}

#[test]
fn after_a_join_events_go_to_the_room_and_frames_come_back() {
    let mut story = Story::connected();
    assert_eq!(story.joins(room()), ["wait", "room < join"]);
    let outcome = Delivery::Joined { joined: true, mark: 1, frames: vec!["4a".to_owned(), "4b".to_owned()] };
    assert_eq!(story.delivered(room(), outcome), ["4a 4b", "resume"]);
    assert!(story.stored.is_some());
    assert_eq!(story.says("offer", &["1", "2"], None), ["room < \"offer\" [\"1\", \"2\"]"]);
    assert_eq!(story.delivered(room(), frame(2)), ["4x"]);
    assert_eq!(story.delivered(other_room(), frame(2)), Vec::<String>::new());
    assert_eq!(story.delivered(room(), Delivery::Disconnect), ["disconnect, close: true", "forget"]);
    assert!(!story.gateway.is_connected() && !story.gateway.needs_storage());
}

#[test]
fn who_leaves_its_room_is_judged_here_again() {
    let mut story = Story::joined();
    assert!(story.gateway.needs_storage());
    assert_eq!(story.delivered(other_room(), Delivery::Left), Vec::<String>::new());
    assert_eq!(story.delivered(room(), Delivery::Left), ["forget"]);
    assert!(!story.gateway.needs_storage());
    assert!(story.says("offer", &[&format!("\"{}\"", room()), "1"], Some(1))[0].contains("not_in_room"));
    assert_eq!(story.joins(room()), ["wait", "room < join"]);
}

#[test]
fn what_was_sent_to_a_room_counts_after_it_too() {
    let says_much = || {
        let mut story = Story::joined();
        for _ in 0..240 {
            story.says("offer", &["1"], None);
        }
        story
    };
    let told = says_much().joins(other_room());
    assert_eq!(told, ["wait", "other < join"], "in a room of many that is no more than one may");
    let mut story = says_much();
    story.delivered(room(), Delivery::Left);
    let mut again = story.restarts(true);
    for story in [&mut story, &mut again] {
        let told = story.joins(other_room());
        assert!(told[0].contains("rate_limited"), "{told:?}");
    }
}

#[test]
fn whom_a_room_does_not_know_begins_anew_unless_it_had_left() {
    let stranger = || Delivery::Stranger(Some("4refused".to_owned()));
    assert_eq!(Story::joined().delivered(room(), stranger()), ["abandon", "forget"], "the room gave it up");
    let mut left = Story::joined();
    left.says("leave-room", &[], None);
    left.says("x", &[], Some(1));
    left.delivered(room(), Delivery::Left);
    assert_eq!(
        left.delivered(room(), stranger()),
        ["4refused"],
        "what it said behind its leaving is answered"
    );
    assert_eq!(left.delivered(room(), Delivery::Stranger(None)), Vec::<String>::new());
}

#[test]
fn an_object_that_slept_since_the_handshake_learns_its_name_from_it() {
    let mut story = Story::new();
    story.gateway = Gateway::restore(settings(), None, None, Vec::new());
    let token = key().issue(story.users[0], "ann", 0, [0; 9], Timestamp::from_millis(NOW));
    let auth = format!("{{\"token\":\"{token}\"}}");
    let handshake = r#"{"bearer":null,"address":null,"session":"me"}"#;
    story.gateway.connect(Connect { socket: SOCKET, namespace: "/", auth: Some(&auth), handshake }, NOW);
    assert_eq!(story.gateway.name(), "me");
}

#[test]
fn a_room_that_did_not_accept_the_last_words_of_a_client_is_told_once_more_that_it_is_gone() {
    let mut story = Story::joined();
    story.gone(Departure::Left);
    let mut failed = || {
        let effects = story.gateway.room_unreachable(room());
        story.told(effects)
    };
    assert_eq!(failed(), ["room < gone, left: true"], "in the same way");
    assert_eq!(failed(), Vec::<String>::new());
}

#[test]
fn a_room_that_did_not_accept_that_the_client_has_moved_on_is_told_once_more() {
    let mut story = Story::joined();
    story.joins(other_room());
    story.delivered(other_room(), joined(true, 2));
    for told in [vec!["room < gone, left: true".to_owned()], vec![]] {
        let effects = story.gateway.room_unreachable(room());
        assert_eq!(story.told(effects), told);
    }
    assert!(story.gateway.is_connected());
    let effects = story.gateway.room_unreachable(other_room());
    assert_eq!(story.told(effects), ["abandon"]);
}

#[test]
fn a_room_in_which_a_lost_client_was_not_any_more_or_not_yet_is_told_that_it_left() {
    let repeated = |story: &mut Story, room| {
        let effects = story.gateway.room_unreachable(room);
        story.told(effects)
    };
    let mut joining = Story::joined();
    joining.joins(other_room());
    joining.gone(Departure::Lost);
    assert_eq!(repeated(&mut joining, other_room()), ["other < gone, left: true"]);
    assert_eq!(repeated(&mut joining, room()), ["room < gone, left: false"]);
    let mut moved = Story::joined();
    moved.joins(other_room());
    moved.delivered(other_room(), joined(true, 2));
    moved.gone(Departure::Lost);
    assert_eq!(repeated(&mut moved, room()), ["room < gone, left: true"]);
    assert_eq!(repeated(&mut moved, other_room()), ["other < gone, left: false"]);
}

#[test]
fn a_client_that_is_gone_is_not_left_in_a_room_that_admits_it_late() {
    let mut story = Story::connected();
    story.joins(room());
    story.gone(Departure::Left);
    assert_eq!(story.delivered(room(), joined(true, 1)), ["room < gone, left: true"]);
}

#[test]
fn whom_a_second_room_ends_has_left_the_first() {
    for (ending, left) in [(Delivery::Disconnect, true), (Delivery::Abandon, false)] {
        let mut story = Story::joined();
        story.joins(other_room());
        let told = story.delivered(other_room(), ending);
        assert_eq!(
            told[0],
            format!("room < gone, left: {left}"),
            "its token has died, say, or it comes back"
        );
        assert!(story.stored.is_none() && !story.gateway.is_connected());
    }
}

#[test]
fn whom_the_first_room_ends_does_not_join_the_second() {
    let mut story = Story::joined();
    story.joins(other_room());
    let told = story.delivered(room(), Delivery::Abandon);
    assert_eq!(told, ["other < gone, left: true", "abandon", "forget"]);
}

#[test]
fn the_first_room_is_left_when_the_second_has_taken_the_client() {
    let mut story = Story::joined();
    story.joins(other_room());
    assert_eq!(story.delivered(other_room(), joined(false, 9)), ["resume"]);
    assert_eq!(story.says("x", &[], None), ["room < \"x\" []"], "still in the first");
    story.joins(other_room());
    assert_eq!(story.delivered(room(), frame(2)), ["4x"], "and it hears the first until then");
    assert_eq!(story.delivered(other_room(), joined(true, 9)), ["room < gone, left: true", "resume"]);
    assert_eq!(story.delivered(room(), frame(3)), Vec::<String>::new());
}

#[test]
fn a_room_that_took_the_client_in_too_late_does_not_keep_it() {
    let mut story = Story::connected();
    assert_eq!(
        story.delivered(room(), joined(true, 1)),
        ["room < gone, left: true"],
        "nobody asked, or not any more"
    );
    assert_eq!(story.delivered(room(), joined(false, 1)), Vec::<String>::new());
    assert_eq!(story.delivered(room(), frame(2)), Vec::<String>::new());
}

#[test]
fn acks_of_the_room_that_was_left_for_another_one_still_arrive() {
    let mut story = Story::joined();
    story.joins(other_room());
    story.delivered(other_room(), joined(true, 2));
    let frame = |text: &str| Delivery::Frame { mark: 3, frame: text.to_owned() };
    let ack = r#"437[{"ok":true}]"#;
    assert_eq!(story.delivered(room(), frame(ack)), [ack]);
    assert_eq!(story.delivered(room(), frame(r#"42["offer",1]"#)), Vec::<String>::new(), "events do not");
    story.gone(Departure::Left);
    story.connects("");
    story.verified(0);
    assert_eq!(
        story.delivered(room(), frame(ack)),
        Vec::<String>::new(),
        "nor what another client has asked"
    );
}

#[test]
fn the_room_hears_of_the_end_of_a_connection() {
    assert_eq!(Story::joined().gone(Departure::Lost), ["room < gone, left: false", "forget"]);
    assert_eq!(Story::joined().gone(Departure::Left), ["room < gone, left: true", "forget"]);
    let mut joining = Story::joined();
    joining.joins(other_room());
    assert_eq!(
        joining.gone(Departure::Lost),
        ["room < gone, left: false", "other < gone, left: true", "forget"],
        "nothing of the other one has reached it that it could come back with"
    );
    let mut story = Story::joined();
    story.gone(Departure::Lost);
    assert!(!story.gateway.needs_storage(), "and nothing is left of the object");
}

#[test]
fn a_goodbye_on_a_connection_that_goes_on_leaves_no_room_behind() {
    let mut story = Story::joined();
    assert_eq!(story.gone(Departure::Left).last().map(String::as_str), Some("forget"));
    assert_eq!(story.restarts(false).gateway.next_deadline(), None, "there is nobody whom a room could miss");
}

#[test]
fn the_room_learns_what_has_arrived_with_the_next_event_or_after_a_while() {
    let mut story = Story::joined();
    story.delivered(room(), frame(4));
    let mark = story.gateway.mark(SOCKET);
    assert_eq!(story.arrives(mark, NOW), ["room < arrived 4"]);
    story.delivered(room(), frame(6));
    let mark = story.gateway.mark(SOCKET);
    assert_eq!(story.arrives(mark, NOW + 9_999), Vec::<String>::new(), "told lately");
    assert_eq!(story.says("x", &[], None), ["room < arrived 6", "room < \"x\" []"]);
    assert_eq!(story.says("x", &[], None), ["room < \"x\" []"], "it is no news");
    assert_eq!(story.arrives(mark, NOW + 60_000), Vec::<String>::new(), "nor is it later");
    story.joins(other_room());
    story.delivered(other_room(), joined(true, 2));
    assert_eq!(story.arrives(mark, NOW + 60_000), Vec::<String>::new(), "that was the other room's");
}

#[test]
fn what_was_delivered_before_a_sleep_is_reported_after_it() {
    let mut story = Story::joined();
    story.delivered(room(), frame(4));
    let mut awake = story.restarts(true);
    assert_eq!(awake.gateway.name(), "here");
    let mark = awake.gateway.mark(SOCKET);
    assert_eq!(awake.arrives(mark, NOW), ["room < arrived 4"]);
    let mut again = awake.restarts(true);
    let mark = again.gateway.mark(SOCKET);
    assert_eq!(again.arrives(mark, NOW + 60_000), Vec::<String>::new(), "once");
}

fn returning() -> String {
    format!(r#""pid":"old","offset":"{}.x.1","#, room().compact())
}

#[test]
fn who_comes_back_is_looked_for_in_the_room_of_its_offset() {
    let mut story = Story::new();
    story.connects(&returning());
    assert_eq!(story.verified(0), ["room < recover old"]);
    let recovered =
        Delivery::Recovered { sid: "sid".to_owned(), mark: 7, frames: vec!["4missed".to_owned()] };
    assert_eq!(story.delivered(room(), recovered), ["4missed", "accept sid old", "resume"]);
    assert_eq!(story.says("x", &[], None), ["room < \"x\" []"]);
}

#[test]
fn while_the_store_fails_nobody_is_a_new_client_instead_of_the_one_it_was() {
    let mut story = Story::new();
    story.connects(&returning());
    let effects = story.gateway.verified(SOCKET, Verification::StoreUnavailable, NOW);
    assert_eq!(story.told(effects), ["reschedule"], "at once it would come at once");
    assert_eq!(story.gateway.next_deadline(), Some(NOW + TURNED_AWAY_MS));
    let effects = story.gateway.tick(NOW + TURNED_AWAY_MS);
    assert_eq!(story.told(effects), ["abandon"], "it reconnects, still with its pid");
    let mut story = Story::new();
    story.connects(&returning());
    story.verified(0);
    // Here the store answered, and then it failed the room.
    assert_eq!(story.delivered(room(), Delivery::Abandon), ["abandon", "forget"]);
    assert!(story.stored.is_none() && !story.gateway.needs_storage());
}

#[test]
fn who_is_joined_again_gets_new_ids_and_what_a_newcomer_gets() {
    let mut story = Story::new();
    story.connects(&returning());
    story.verified(0);
    let outcome = Delivery::Joined { joined: true, mark: 7, frames: vec!["4users".to_owned()] };
    assert_eq!(story.delivered(room(), outcome), ["accept id id", "4users", "resume"]);
    assert_eq!(story.says("x", &[], None), ["room < \"x\" []"]);
    let mut refused = Story::new();
    refused.connects(&returning());
    refused.verified(0);
    let outcome = Delivery::Joined { joined: false, mark: 7, frames: vec!["4refused".to_owned()] };
    assert_eq!(refused.delivered(room(), outcome), ["accept id id", "4refused", "resume"]);
    assert!(!refused.gateway.needs_storage());
}

#[test]
fn who_cannot_be_put_back_is_a_new_client() {
    let mut refused = Story::new();
    refused.connects(&returning());
    refused.verified(0);
    assert_eq!(refused.delivered(room(), Delivery::NotRecovered), ["accept id id", "resume"]);
    let mut nowhere = Story::new();
    nowhere.connects(r#""pid":"old","offset":"-","#);
    assert_eq!(nowhere.verified(0), ["accept id id", "resume"], "no object is woken for it");
}

#[test]
fn a_sleep_changes_nothing_and_after_a_crash_the_room_is_told() {
    let story = Story::joined();
    assert_eq!(story.restarts(true).says("x", &[], None), ["room < \"x\" []"]);
    let mut crashed = story.restarts(false);
    assert_eq!((crashed.gateway.name(), crashed.gateway.next_deadline()), ("here", Some(0)));
    let effects = crashed.gateway.tick(NOW);
    assert_eq!(crashed.told(effects), ["room < gone, left: false"]);
    assert!(!crashed.gateway.needs_storage());
    let mut client = Story::connected();
    let keep = vec![Effect::Keep(SOCKET)];
    client.told(keep);
    assert!(client.restarts(true).says("join-room", &[], None)[0].contains("invalid_payload"));
}

#[test]
fn what_an_earlier_version_stored_is_read() {
    let mut story = Story::new();
    let room_id = room();
    let before = format!(r#"{{"socket":7,"sid":"s","pid":"here.p","credential":"o","room":"{room_id}"}}"#);
    story.stored = Some(before);
    let mut crashed = story.restarts(false);
    let effects = crashed.gateway.tick(NOW);
    assert_eq!(crashed.told(effects), ["room < gone, left: false"]);
    for unreadable in ["nonsense", r#"{"v":99,"name":"a","room":null}"#] {
        story.stored = Some(unreadable.to_owned());
        assert_eq!(story.restarts(false).gateway.next_deadline(), None);
    }
}

#[test]
fn another_object_that_does_not_answer_ends_the_connection() {
    let mut story = Story::connected();
    story.joins(room());
    assert_eq!(story.gateway.next_deadline(), None, "the heartbeat will look at it");
    let effects = story.gateway.tick(NOW + PATIENCE_MS);
    assert_eq!(story.told(effects), ["abandon"]);
    let mut unreachable = Story::joined();
    let effects = unreachable.gateway.room_unreachable(room());
    assert_eq!(unreachable.told(effects), ["abandon"]);
}

#[test]
fn a_token_that_expires_ends_a_client_without_a_room() {
    let mut story = Story::connected();
    let week = 7 * 86_400_000;
    let effects = story.gateway.tick(NOW + week);
    let told = story.told(effects);
    assert!(told[0].contains("token_expired") && told[1] == "disconnect, close: true", "{told:?}");
}
