//! An application that follows orders, and what its clients receive.

use super::*;
use crate::{Application, Emission, engine::Frame};

const A: SessionKey = SessionKey(1);
const B: SessionKey = SessionKey(2);

/// The event's name is the order, its arguments are what to send.
#[derive(Default)]
struct Obedient {
    log: Vec<String>,
}

impl Application for Obedient {
    type Command = String;
    type Kept = String;

    fn serves(&self, namespace: &str) -> bool {
        matches!(namespace, "/" | "/custom")
    }

    fn connect(&mut self, connect: Connect<'_>, _now: i64) -> Effects<'static, String> {
        let Connect { socket, auth, handshake, .. } = connect;
        self.log.push(format!("connect {socket} {auth:?} {handshake}"));
        match auth {
            Some(r#"{"no":1}"#) => vec![Effect::Refuse { socket, error: r#"{"message":"no"}"#.to_owned() }],
            Some(r#"{"wait":1}"#) => vec![Effect::Wait(socket)],
            _ => vec![Effect::Accept { socket, sid: format!("s{socket}"), pid: None }],
        }
    }

    fn event<'a>(&mut self, socket: SocketId, event: Event<'a>, _now: i64) -> Effects<'a, String> {
        let Event { name, arguments, ack, attachments } = event;
        self.log.push(format!("event {socket} {name} {arguments:?} {}", attachments.len()));
        let attachments: Vec<std::rc::Rc<[u8]>> = attachments.into_iter().map(Into::into).collect();
        let arguments = arguments.join(",");
        match (name, ack) {
            (r#""back""#, Some(id)) => vec![Effect::Ack { socket, id, arguments, attachments }],
            (r#""back""#, None) => {
                let arguments = Frame::whole(arguments);
                let emission =
                    Emission { name: "back".into(), arguments, attachments, ..Emission::default() };
                vec![Effect::Emit { to: vec![socket], emission }]
            }
            (r#""ask""#, _) => {
                let emission = Emission { name: "question".into(), ack: Some(9), ..Emission::default() };
                vec![Effect::Emit { to: vec![socket], emission }]
            }
            (r#""leave""#, _) => vec![Effect::Disconnect { socket, close: false }],
            (r#""end""#, _) => vec![Effect::Disconnect { socket, close: true }],
            (r#""wait""#, _) => vec![Effect::Wait(socket)],
            _ => Vec::new(),
        }
    }

    fn acknowledged(
        &mut self,
        socket: SocketId,
        id: u64,
        arguments: &[&str],
        _: i64,
    ) -> Effects<'static, String> {
        self.log.push(format!("ack {socket} {id} {arguments:?}"));
        Vec::new()
    }

    fn disconnected(&mut self, socket: SocketId, departure: Departure, _: i64) -> Effects<'static, String> {
        self.log.push(format!("gone {socket} {departure:?}"));
        Vec::new()
    }

    fn tick(&mut self, _now: i64) -> Effects<'static, String> {
        Vec::new()
    }

    fn next_deadline(&self) -> Option<i64> {
        None
    }

    fn mark(&self, socket: SocketId) -> Mark {
        10 + Mark::from(socket.0)
    }

    fn arrived(&mut self, socket: SocketId, mark: Mark, _now: i64) -> Effects<'static, String> {
        self.log.push(format!("arrived {socket} {mark}"));
        Vec::new()
    }

    fn kept(&self, socket: SocketId) -> Option<String> {
        Some(format!("kept of {socket}"))
    }

    fn may_open(&self, handshake: &str, open: &[Open<'_>]) -> MayOpen {
        let waits = |other: &Open<'_>| other.socket.is_none() && other.handshake == handshake;
        open.iter().find(|other| waits(other)).map_or(MayOpen::Yes, |other| MayOpen::InsteadOf(other.session))
    }

    fn label(&self, handshake: &str) -> String {
        handshake.to_owned()
    }

    fn held(&self) -> usize {
        100
    }

    fn needs_storage(&self) -> bool {
        false
    }
}

struct Story(SocketIo<Obedient>);

impl Story {
    fn new() -> Self {
        let mut io = SocketIo::restore(Limits::default(), Vec::new(), |_| Obedient::default());
        io.open(A, "hello", 0);
        io.open(B, "", 0);
        Self(io)
    }

    fn connected() -> Self {
        let mut story = Self::new();
        assert_eq!(story.says("0"), ["(admitted)", "(kept)", r#"40{"sid":"s0"}"#]);
        story
    }

    fn says(&mut self, message: &str) -> Vec<String> {
        let mut out = Vec::new();
        if self.0.text(A, message, 0, &mut out).is_err() {
            return vec!["(violation)".to_owned()];
        }
        heard(out)
    }

    fn sends(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut out = Vec::new();
        self.0.binary(A, bytes.to_vec(), 0, &mut out).unwrap();
        heard(out)
    }

    fn acts(&mut self, effects: Effects<'static, String>) -> Vec<String> {
        let mut out = Vec::new();
        self.0.act(0, &mut out, |_| effects);
        heard(out)
    }
}

fn heard(out: Outbox<'_, String>) -> Vec<String> {
    let read = |output| match output {
        Output::Send { message: Message::Text(frame), .. } => frame.text(),
        Output::Send { message: Message::Binary(bytes), .. } => format!("{bytes:?}"),
        Output::Close(_) => "(closed)".to_owned(),
        Output::Fail(_) => "(failed)".to_owned(),
        Output::Abandon(_) => "(abandoned)".to_owned(),
        Output::Admit { admitted: true, .. } => "(admitted)".to_owned(),
        Output::Admit { .. } => "(not admitted)".to_owned(),
        Output::Keep(_) => "(kept)".to_owned(),
        Output::Reschedule => "(rescheduled)".to_owned(),
        Output::Command(command) => command,
    };
    out.into_iter().map(read).collect()
}

#[test]
fn namespaces_are_joined_refused_and_unknown() {
    let mut story = Story::connected();
    assert_eq!(story.0.application.log, ["connect 0 None hello"]);
    assert_eq!(story.says(r#"0/custom,{"no":1}"#), [r#"44/custom,{"message":"no"}"#]);
    assert_eq!(story.says(r#"0/custom,{"a":1}"#)[2], r#"40/custom,{"sid":"s2"}"#);
    assert_eq!(story.says("0/random"), [r#"44/random,{"message":"Invalid namespace"}"#]);
    assert_eq!(story.says(r#"2/custom,["back",1]"#), [r#"42/custom,["back",1]"#]);
    assert_eq!(story.says("0"), ["(violation)"], "a second CONNECT");
}

#[test]
fn events_and_acks_go_both_ways_binary_ones_too() {
    let mut story = Story::connected();
    assert_eq!(story.says(r#"2["back",1,"2",{"3":[true]}]"#), [r#"42["back",1,"2",{"3":[true]}]"#]);
    assert_eq!(story.says(r#"2456["back",1]"#), ["43456[1]"]);
    let placeholder = r#"{"_placeholder":true,"num":0}"#;
    assert_eq!(story.says(&format!(r#"51-["back",{placeholder}]"#)), ["(rescheduled)"]);
    assert_eq!(story.sends(&[1]), [format!(r#"451-["back",{placeholder}]"#), "[1]".to_owned()]);
    story.says(&format!(r#"51-7["back",{placeholder}]"#));
    assert_eq!(story.sends(&[1]), [format!("461-7[{placeholder}]"), "[1]".to_owned()]);
    assert_eq!(story.says(r#"2["ask"]"#), ["(kept)", r#"429["question"]"#]);
    story.says("39[true]");
    story.says("39[false]");
    let acks: Vec<_> = story.0.application.log.iter().filter(|line| line.starts_with("ack")).collect();
    assert_eq!(acks, [r#"ack 0 9 ["true"]"#], "one answer counts");
}

#[test]
fn either_side_may_leave_a_namespace_and_the_server_may_end_the_session() {
    let mut story = Story::connected();
    assert_eq!(story.says("1"), ["(not admitted)", "(rescheduled)", "(kept)"]);
    assert_eq!(
        story.0.may_open("hello", &[]),
        MayOpen::InsteadOf(A),
        "who has left is one that was not let in"
    );
    assert_eq!(story.0.application.log[1], "gone 0 Left");
    assert_eq!(story.says("0")[2], r#"40{"sid":"s1"}"#, "and come back");
    assert_eq!(story.says(r#"2["leave"]"#), ["41", "(not admitted)", "(rescheduled)", "(kept)"]);
    assert_eq!(story.says(r#"2["back"]"#), ["(violation)"]);
    let mut story = Story::connected();
    story.says("0/custom");
    assert_eq!(story.says(r#"2["end"]"#), ["41", "(kept)", "(closed)"]);
    assert_eq!(story.0.application.log.last().unwrap(), "gone 1 Left", "the other namespace hears of it");
}

#[test]
fn what_is_said_while_a_client_waits_is_handled_later_in_order() {
    let mut story = Story::new();
    assert_eq!(story.says(r#"0{"wait":1}"#), ["(rescheduled)"]);
    assert_eq!(story.says(r#"2["back",1]"#), Vec::<String>::new());
    story.says(r#"51-["back",{"_placeholder":true,"num":0}]"#);
    story.sends(&[1]);
    let accept = Effect::Accept { socket: SocketId(0), sid: "s".to_owned(), pid: Some("p".to_owned()) };
    let heard = story.acts(vec![accept, Effect::Resume(SocketId(0))]);
    assert_eq!(heard[2..4], [r#"40{"sid":"s","pid":"p"}"#, r#"42["back",1]"#]);
    assert_eq!(heard.last().unwrap(), "[1]");
    story.says(r#"2["wait"]"#);
    story.says("2[");
    assert_eq!(story.acts(vec![Effect::Resume(SocketId(0))]), ["(failed)"], "broken ones too");
}

#[test]
fn who_says_goodbye_while_it_waits_has_left_and_who_says_something_else_is_lost() {
    for (message, departure) in [("1", "Left"), ("1/custom,", "Lost"), (r#"2["1"]"#, "Lost")] {
        let mut story = Story::connected();
        story.says(r#"2["wait"]"#);
        story.says(message);
        story.0.closed(A, Departure::Lost, 0, &mut Vec::new());
        assert_eq!(story.0.application.log.last().unwrap(), &format!("gone 0 {departure}"), "{message}");
    }
}

#[test]
fn a_client_that_joins_nothing_is_given_up() {
    let mut story = Story::connected();
    let mut out = Vec::new();
    assert_eq!(story.0.next_deadline(), Some(45_000), "of the other client");
    story.0.tick(45_000, &mut out);
    assert!(matches!(out[..], [Output::Fail(B)]));
}

#[test]
fn what_arrived_at_a_client_arrived_at_each_of_its_sockets() {
    let mut story = Story::connected();
    story.says("0/custom");
    let mark = story.0.mark(A);
    story.0.arrived(A, mark, 0, &mut Vec::new());
    assert_eq!(story.0.application.log[2..], ["arrived 0 10", "arrived 1 10"], "what all have heard");
}

#[test]
fn who_waited_and_was_refused_may_ask_again() {
    let mut story = Story::new();
    story.says(r#"0{"wait":1}"#);
    let refuse = Effect::Refuse { socket: SocketId(0), error: r#"{"message":"no"}"#.to_owned() };
    assert_eq!(story.acts(vec![refuse]), [r#"44{"message":"no"}"#]);
    assert_eq!(story.says("0")[2], r#"40{"sid":"s1"}"#);
}

#[test]
fn what_is_held_is_counted_and_bounded() {
    let mut story = Story::connected();
    assert_eq!(story.0.held(), 100, "what the application holds");
    let announcement = r#"52-["back",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;
    story.says(announcement);
    story.sends(&[0; 1_000]);
    assert_eq!(
        (story.0.held_for(A), story.0.held()),
        (announcement.len() + 1_000, announcement.len() + 1_100)
    );
    let mut out = Vec::new();
    assert!(story.0.binary(A, vec![0; 256 * 1024], 0, &mut out).is_err(), "attachments of 256 KiB together");
    let mut waiting = Story::new();
    waiting.says(r#"0{"wait":1}"#);
    waiting.says("2[\"x\"]");
    assert_eq!(waiting.0.held_for(A), 6);
}

#[test]
fn the_application_judges_handshakes_by_those_that_were_not_let_in() {
    let story = Story::connected();
    assert_eq!(story.0.may_open("hello", &[]), MayOpen::Yes, "the one with that handshake was let in");
    assert_eq!(story.0.may_open("", &[]), MayOpen::InsteadOf(B), "the other waits");
    let unopened = SessionKey(9);
    assert_eq!(story.0.may_open("again", &[(unopened, "again")]), MayOpen::InsteadOf(unopened));
}

#[test]
fn clients_survive_a_sleep() {
    let mut story = Story::connected();
    story.says("0/custom");
    let kept = serde_json::to_string(&story.0.kept(A).unwrap()).unwrap();
    let kept = vec![(A, serde_json::from_str(&kept).unwrap())];
    let mut woken = Story(SocketIo::restore(Limits::default(), kept, |sockets| {
        assert_eq!(sockets, [(SocketId(0), "kept of 0".to_owned()), (SocketId(1), "kept of 1".to_owned())]);
        Obedient::default()
    }));
    assert_eq!(woken.says(r#"2/custom,["back"]"#), [r#"42/custom,["back"]"#]);
    woken.0.open(B, "", 0);
    woken.0.text(B, "0", 0, &mut Vec::new()).unwrap();
    assert!(woken.0.application.log.last().unwrap().starts_with("connect 2 "), "ids are not used again");
}

#[test]
fn commands_and_made_frames_pass_through() {
    let mut story = Story::connected();
    let frames = vec!["42[1]".to_owned(), "42[2]".to_owned()];
    let effects = vec![
        Effect::Command("do".to_owned()),
        Effect::Replay { socket: SocketId(0), frames },
        Effect::Abandon(SocketId(0)),
    ];
    assert_eq!(story.acts(effects), ["do", "42[1]", "42[2]", "(abandoned)"]);
}
