use proptest::prelude::*;

use super::*;

struct Client {
    session: Session,
    now: i64,
}

impl Client {
    fn opened() -> Self {
        Self { session: Session::open(0, Timing::default()), now: 0 }
    }

    fn joined() -> Self {
        let mut client = Self::opened();
        assert!(matches!(client.says("40"), Ok(Received::Connect { namespace: "/", auth: None })));
        client.session.join("/");
        client
    }

    fn says<'a>(&mut self, frame: &'a str) -> Result<Received<'a>, Fatal> {
        self.session.receive_text(frame, self.now, Timing::default(), Limits::default())
    }

    fn sends_bytes(&mut self, frame: &[u8]) -> Result<Received<'static>, Fatal> {
        self.session.receive_binary(frame.to_vec(), Limits::default())
    }

    fn tick_at(&mut self, now: i64) -> Result<bool, Fatal> {
        self.now = now;
        self.session.tick(now, 0, Timing::default())
    }
}

#[test]
fn a_client_connects_and_sends_events() {
    let mut client = Client::joined();
    let Ok(Received::Event { namespace: "/", id: Some(7), elements }) = client.says(r#"427["x",{"a": 1}]"#)
    else {
        panic!("no event")
    };
    assert_eq!(elements[1], r#"{"a": 1}"#);
}

#[test]
fn the_auth_payload_reaches_the_application() {
    let mut client = Client::opened();
    let Ok(Received::Connect { namespace: "/c", auth: Some(auth) }) = client.says(r#"40/c,{"token":"t"}"#)
    else {
        panic!("no connect")
    };
    assert_eq!(auth, r#"{"token":"t"}"#);
}

#[test]
fn broken_frames_are_fatal() {
    for frame in ["", "abc", "2", "2probe", "b", "4", "4abc", "42{}", "42[]", "44{}", "48", "4\u{e9}"] {
        assert!(Client::joined().says(frame).is_err(), "{frame:?} was accepted");
    }
}

#[test]
fn packets_outside_a_joined_namespace_are_fatal() {
    for frame in [r#"42["x"]"#, "41", "430[]", r#"42/other,["x"]"#] {
        assert_eq!(Client::opened().says(frame).map(|_| ()), Err(Fatal::Namespace), "{frame}");
    }
    assert_eq!(Client::joined().says("40").map(|_| ()), Err(Fatal::Namespace), "a second CONNECT");
    let mut left = Client::joined();
    assert!(matches!(left.says("41"), Ok(Received::Disconnect { namespace: "/" })));
    assert_eq!(left.says(r#"42["x"]"#).map(|_| ()), Err(Fatal::Namespace), "an event after leaving");
}

#[test]
fn a_binary_event_arrives_whole() {
    let mut client = Client::joined();
    let announcement = r#"452-["x",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]"#;
    assert!(matches!(client.says(announcement), Ok(Received::Nothing)));
    assert!(matches!(client.sends_bytes(b"a"), Ok(Received::Nothing)));
    let Ok(Received::Binary { announcement: text, attachments }) = client.sends_bytes(b"b") else {
        panic!("not complete")
    };
    assert_eq!((text.as_str(), attachments), (&announcement[1..], vec![b"a".to_vec(), b"b".to_vec()]));
    assert_eq!(client.sends_bytes(b"c").map(|_| ()), Err(Fatal::UnexpectedBinary));
}

#[test]
fn text_between_attachments_is_fatal_but_a_pong_is_not() {
    let mut client = Client::joined();
    client.says(r#"451-["x",{"_placeholder":true,"num":0}]"#).unwrap();
    assert!(client.says("3").is_ok());
    assert_eq!(client.says(r#"42["y"]"#).map(|_| ()), Err(Fatal::Interleaved));
}

#[test]
fn attachments_that_never_come_end_the_connection() {
    let mut client = Client::joined();
    client.says(r#"451-["x",{"_placeholder":true,"num":0}]"#).unwrap();
    assert_eq!(client.session.next_deadline(), 10_000);
    assert_eq!(client.tick_at(10_000), Err(Fatal::AttachmentsTimeout));
}

#[test]
fn frames_beyond_the_limit_are_closed_with_1009() {
    let mut client = Client::joined();
    let frame = format!("42[\"{}\"]", "x".repeat(1_000_000));
    let error = client.says(&frame).map(|_| ()).unwrap_err();
    assert_eq!((error, error.close_code()), (Fatal::TooLarge, Some(1009)));
    assert_eq!(client.sends_bytes(&[0; 1_000_001]).map(|_| ()), Err(Fatal::TooLarge));
}

#[test]
fn the_first_ping_comes_an_interval_after_the_open() {
    let mut client = Client::joined();
    assert_eq!(client.tick_at(24_999), Ok(false));
    assert_eq!(client.tick_at(25_000), Ok(true));
    assert_eq!(client.session.next_deadline(), 45_000);
}

#[test]
fn the_next_interval_begins_at_the_pong() {
    let mut client = Client::joined();
    client.tick_at(25_000).unwrap();
    client.now = 30_000;
    client.says("3").unwrap();
    assert_eq!(client.session.next_deadline(), 55_000);
    client.now = 40_000;
    client.says("3").unwrap();
    assert_eq!(client.session.next_deadline(), 55_000, "an unsolicited pong changes nothing");
}

#[test]
fn a_missing_pong_ends_the_connection() {
    let mut client = Client::joined();
    client.tick_at(25_000).unwrap();
    assert_eq!(client.tick_at(44_999), Ok(false));
    assert_eq!(client.tick_at(45_000), Err(Fatal::PingTimeout));
}

#[test]
fn a_client_that_joins_nothing_is_closed() {
    let mut client = Client::opened();
    client.says("3").unwrap();
    assert_eq!(client.tick_at(44_999), Ok(true));
    assert_eq!(client.tick_at(45_000), Err(Fatal::ConnectTimeout));
}

#[test]
fn a_session_survives_hibernation() {
    let mut client = Client::joined();
    client.tick_at(25_000).unwrap();
    let stored = serde_json::to_string(&client.session).unwrap();
    let mut restored = Client { session: serde_json::from_str(&stored).unwrap(), now: 26_000 };
    assert!(restored.says(r#"42["x"]"#).is_ok(), "still in its namespace");
    assert_eq!(restored.tick_at(45_000), Err(Fatal::PingTimeout));
}

proptest! {
    #[test]
    fn no_frame_makes_it_panic(frames: Vec<(bool, String)>) {
        let mut client = Client::joined();
        for (text, frame) in frames {
            let _ = if text { client.says(&frame).map(|_| ()) } else { client.sends_bytes(frame.as_bytes()).map(|_| ()) };
        }
    }

    /// Bytes that look like packets: the grammar's own characters in any order.
    #[test]
    fn no_packet_makes_it_panic(frame in "[0-6]{0,3}[-/a-z,0-9]{0,6}[\\[\\]{}\",:\\\\a-z0-9é ]{0,40}") {
        let _ = Client::joined().says(&frame);
        let _ = Client::opened().says(&frame);
    }

    #[test]
    fn packets_read_what_is_written(
        id in proptest::option::of(0u64..1 << 53),
        name in "[a-z]{1,8}x",
        text: String,
    ) {
        let argument = serde_json::to_string(&text).unwrap();
        let frame = crate::event(&name, [argument.as_str()]);
        let frame = id.map_or(frame.clone(), |id| frame.replacen("42", &format!("42{id}"), 1));
        let mut client = Client::joined();
        let Ok(Received::Event { id: read, elements, .. }) = client.says(&frame) else {
            panic!("{frame} is no event")
        };
        prop_assert_eq!(read, id);
        prop_assert_eq!(elements[1], argument);
    }
}
