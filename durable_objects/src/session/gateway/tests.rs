//! One client without a room, told by effects.

use secrecy::SecretString;
use zetra_domain::{HonouredTokens, ObjectIds, Timestamp, TokenKey};
use zetra_runtime::SocketAuth;

use super::*;

const NOW: i64 = 1_700_000_000_000;
const SOCKET: SocketId = 7;

struct Story {
    gateway: Gateway,
    users: Vec<UserId>,
    stored: Option<String>,
}

fn key() -> TokenKey {
    TokenKey::new(&SecretString::from("0123456789abcdef0123456789abcdef")).unwrap()
}

fn settings() -> GatewaySettings {
    GatewaySettings {
        authenticator: Authenticator { token_key: key(), socket_auth: SocketAuth::Required },
        limits: zetra_signalling::Limits { max_present: 64, hold: 10_000, rate: Default::default() },
        name: "here".to_owned(),
        new_id: || "id".to_owned(),
        is_session: Box::new(|name| matches!(name, "here" | "home")),
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
        Self { gateway: Gateway::restore(settings(), None, None, &[]), users, stored: None }
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
        story.delivered(room(), Delivery::Joined(true));
        story
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
        let effects = self.gateway.deliver(from, delivery);
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
                    self.stored = self.gateway.guest().map(|guest| serde_json::to_string(guest).unwrap());
                    continue;
                }
                Effect::Command(GatewayCommand::Forget) => {
                    self.stored = None;
                    "forget".to_owned()
                }
                Effect::Command(GatewayCommand::Verify { .. }) => "verify".to_owned(),
                Effect::Command(GatewayCommand::FindHome { home, pid }) => format!("find {pid} at {home}"),
                Effect::Command(GatewayCommand::SetHome { home, pid, room }) => {
                    format!("{pid} of {home} is in {}", room.map_or("none".to_owned(), named))
                }
                Effect::Command(GatewayCommand::Tell { room, message }) => {
                    let what = match message {
                        FromSession::Join(_) => "join".to_owned(),
                        FromSession::Event { name, arguments, .. } => format!("{name} {arguments:?}"),
                        FromSession::Recover(asked) => format!("recover {}", asked.recovery.pid),
                        FromSession::Gone { left } => format!("gone, left: {left}"),
                    };
                    format!("{} < {what}", named(room))
                }
                Effect::Replay { frames, .. } => frames.join(" "),
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

#[test]
fn a_client_is_let_in_and_gets_a_pid_that_names_this_object() {
    let mut story = Story::new();
    assert_eq!(story.connects(""), ["wait", "verify"]);
    assert_eq!(story.verified(0), ["accept id here.id", "resume"]);
    let mut refused = Story::new();
    refused.connects("");
    assert!(refused.verified(1)[0].contains("token_invalid"));
}

#[test]
fn without_a_room_events_are_judged_here() {
    let mut story = Story::connected();
    assert!(story.says("offer", &[&format!("\"{}\"", room()), "1"], Some(1))[0].contains("not_in_room"));
    let told = story.says("join-room", &["\"nonsense\""], None);
    assert!(told[0].contains("Invalid room or user ID") && told[0].ends_with(",\"-\"]"), "{told:?}");
}

#[test]
fn after_a_join_events_go_to_the_room_and_frames_come_back() {
    let mut story = Story::connected();
    assert_eq!(story.joins(room()), ["wait", "room < join"]);
    assert_eq!(story.delivered(room(), Delivery::Frame("4x".to_owned())), ["4x"], "before the outcome too");
    assert_eq!(story.delivered(room(), Delivery::Joined(true)), ["here.id of here is in room", "resume"]);
    assert_eq!(story.says("offer", &["1", "2"], None), ["room < \"offer\" [\"1\", \"2\"]"]);
    assert_eq!(story.delivered(other_room(), Delivery::Frame("4x".to_owned())), Vec::<String>::new());
    assert_eq!(story.delivered(room(), Delivery::Disconnect), ["disconnect, close: true"]);
    assert!(story.stored.is_none() && !story.gateway.is_connected());
}

#[test]
fn whom_a_second_room_ends_has_left_the_first() {
    for ending in [Delivery::Disconnect, Delivery::Abandon] {
        let mut story = Story::joined();
        story.joins(other_room());
        let told = story.delivered(other_room(), ending);
        assert_eq!(told[0], "room < gone, left: true", "its token has died, say");
        assert!(story.stored.is_none() && !story.gateway.is_connected());
    }
}

#[test]
fn the_first_room_is_left_when_the_second_has_taken_the_client() {
    let mut story = Story::joined();
    story.joins(other_room());
    assert_eq!(story.delivered(other_room(), Delivery::Joined(false)), ["resume"]);
    assert_eq!(story.says("x", &[], None), ["room < \"x\" []"], "still in the first");
    story.joins(other_room());
    assert_eq!(
        story.delivered(other_room(), Delivery::Joined(true)),
        ["room < gone, left: true", "here.id of here is in other", "resume"]
    );
}

#[test]
fn the_room_hears_of_the_end_of_a_connection() {
    let lost = Story::joined().gone(Departure::Lost);
    assert_eq!(lost, ["room < gone, left: false", "here.id of here is in room"], "it may come back");
    let left = Story::joined().gone(Departure::Left);
    assert_eq!(left, ["room < gone, left: true", "here.id of here is in none", "forget"]);
    let mut joining = Story::joined();
    joining.joins(other_room());
    let told = joining.gone(Departure::Lost);
    assert_eq!(told[..2], ["room < gone, left: false", "other < gone, left: false"]);
}

#[test]
fn nothing_is_left_of_an_object_that_nobody_needs() {
    assert_eq!(Story::connected().gone(Departure::Lost), ["forget"], "it was in no room");
    let mut home = Story::joined();
    home.gateway.home_kept(NOW + 1_000);
    assert_eq!(home.gateway.next_deadline(), None, "while the client is here");
    home.gone(Departure::Lost);
    assert_eq!(home.gateway.next_deadline(), Some(NOW + 1_000));
    let effects = home.gateway.tick(NOW + 1_000);
    assert_eq!(home.told(effects), ["forget"]);
    assert_eq!(home.gateway.next_deadline(), None);
}

#[test]
fn who_comes_back_is_looked_for_at_home() {
    let recovery = r#""pid":"home.1","offset":"x.1","#;
    let mut story = Story::new();
    story.connects(recovery);
    assert_eq!(story.verified(0), ["find home.1 at home"]);
    let effects = story.gateway.home_found(Some(room()), NOW);
    assert_eq!(story.told(effects), ["room < recover home.1"]);
    let recovered = Delivery::Recovered { sid: "old".to_owned(), frames: vec!["4missed".to_owned()] };
    assert_eq!(story.delivered(room(), recovered), ["4missed", "accept old home.1", "resume"]);
    assert_eq!(story.says("x", &[], None), ["room < \"x\" []"]);
}

#[test]
fn who_cannot_be_put_back_is_a_new_client() {
    let recovery = r#""pid":"home.1","offset":"x.1","#;
    let mut nowhere = Story::new();
    nowhere.connects(recovery);
    nowhere.verified(0);
    let effects = nowhere.gateway.home_found(None, NOW);
    assert_eq!(nowhere.told(effects), ["accept id here.id", "resume"]);
    let mut refused = Story::new();
    refused.connects(recovery);
    refused.verified(0);
    let effects = refused.gateway.home_found(Some(room()), NOW);
    refused.told(effects);
    assert_eq!(refused.delivered(room(), Delivery::NotRecovered), ["accept id here.id", "resume"]);
    let mut forged = Story::new();
    forged.connects(r#""pid":"forged.1","offset":"x.1","#);
    assert_eq!(forged.verified(0), ["accept id here.id", "resume"], "no object is woken for it");
}

#[test]
fn a_sleep_changes_nothing_and_after_a_crash_the_room_is_told() {
    let story = Story::joined();
    let stored = || serde_json::from_str(story.stored.as_deref().unwrap()).unwrap();
    let mut awake =
        Story { gateway: Gateway::restore(settings(), Some(stored()), None, &[SOCKET]), ..Story::new() };
    assert_eq!(awake.says("x", &[], None), ["room < \"x\" []"]);
    let mut crashed =
        Story { gateway: Gateway::restore(settings(), Some(stored()), None, &[]), ..Story::new() };
    assert_eq!(crashed.gateway.next_deadline(), Some(0));
    let effects = crashed.gateway.tick(NOW);
    assert_eq!(crashed.told(effects), ["room < gone, left: false"]);
}

#[test]
fn another_object_that_does_not_answer_ends_the_connection() {
    let mut story = Story::connected();
    story.joins(room());
    assert_eq!(story.gateway.next_deadline(), Some(NOW + PATIENCE_MS));
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
