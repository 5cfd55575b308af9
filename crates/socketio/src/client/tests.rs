use proptest::prelude::*;

use super::*;

const LIMITS: Limits = Limits {
    connect_timeout: 45_000,
    attachments_timeout: 10_000,
    max_attachment_bytes: 1_000,
    max_attachments: 10,
    max_namespaces: 16,
    max_acks: 64,
};

fn opened() -> Client {
    Client::new(0, LIMITS)
}

fn joined() -> Client {
    let mut client = opened();
    assert!(matches!(says(&mut client, "0"), Ok(Received::Connect { namespace: "/", auth: None })));
    client.join("/".to_owned(), SocketId(7));
    client
}

fn says<'a>(client: &mut Client, message: &'a str) -> Result<Received<'a>, Fatal> {
    client.receive_text(message, 0, LIMITS)
}

fn refusal(mut client: Client, message: &str) -> Option<Fatal> {
    says(&mut client, message).err()
}

#[test]
fn a_client_connects_and_sends_events() {
    let mut client = joined();
    let Ok(Received::Event { socket: SocketId(7), id: Some(7), elements }) =
        says(&mut client, r#"27["x",{"a": 1}]"#)
    else {
        panic!("no event")
    };
    assert_eq!(elements[1], r#"{"a": 1}"#);
}

#[test]
fn the_auth_payload_reaches_the_application() {
    let mut client = opened();
    let received = says(&mut client, r#"0/c,{"token":"t"}"#);
    let Ok(Received::Connect { namespace: "/c", auth: Some(auth) }) = received else { panic!("no connect") };
    assert_eq!(auth, r#"{"token":"t"}"#);
}

#[test]
fn connect_packets_are_bounded_by_the_second() {
    let mut client = opened();
    let mut connects = |now| {
        let mut connect = || client.receive_text("0/refused", now, LIMITS);
        (0..2_000).take_while(|_| matches!(connect(), Ok(Received::Connect { .. }))).count()
    };
    assert_eq!(connects(1_000_000), 1_000);
    assert_eq!(connects(1_003_000), 30);
    assert_eq!(connects(2_000_000), 1_000);
    assert_eq!(connects(0), 0, "a clock that was set back");
    assert_eq!(connects(1_000), 10);
    assert_eq!(client.receive_text("0/refused", 1_000, LIMITS).err(), Some(Fatal::Connects));
}

#[test]
fn broken_messages_are_fatal() {
    for message in ["", "abc", "2", "2{}", "2[]", "4{}", "8", "\u{e9}", "0[]"] {
        assert!(refusal(joined(), message).is_some(), "{message:?} was accepted");
    }
}

#[test]
fn packets_outside_a_joined_namespace_are_fatal() {
    for message in [r#"2["x"]"#, "1", "30[]", r#"2/other,["x"]"#] {
        assert_eq!(refusal(opened(), message), Some(Fatal::Namespace), "{message}");
    }
    assert_eq!(refusal(joined(), "0"), Some(Fatal::Namespace), "a second CONNECT");
    let mut left = joined();
    assert!(matches!(says(&mut left, "1"), Ok(Received::Disconnect(SocketId(7)))));
    assert_eq!(refusal(left, r#"2["x"]"#), Some(Fatal::Namespace), "an event after leaving");
}

#[test]
fn a_binary_event_arrives_whole() {
    let mut client = joined();
    let announcement = r#"52-["x",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]"#;
    assert!(matches!(says(&mut client, announcement), Ok(Received::Nothing)));
    assert!(matches!(client.receive_binary(b"a".to_vec(), LIMITS), Ok(Received::Nothing)));
    let Ok(Received::Complete { announcement: text, attachments }) =
        client.receive_binary(b"b".to_vec(), LIMITS)
    else {
        panic!("not complete")
    };
    assert_eq!((text.as_str(), attachments), (announcement, vec![b"a".to_vec(), b"b".to_vec()]));
    assert!(matches!(client.read_complete(&text), Ok(Received::Event { socket: SocketId(7), .. })));
    assert_eq!(client.receive_binary(b"c".to_vec(), LIMITS).err(), Some(Fatal::UnexpectedBinary));
}

#[test]
fn text_between_attachments_is_fatal() {
    let mut client = joined();
    says(&mut client, r#"51-["x",{"_placeholder":true,"num":0}]"#).unwrap();
    assert_eq!(refusal(client, r#"2["y"]"#), Some(Fatal::Interleaved));
}

#[test]
fn attachments_that_never_come_and_a_missing_connect_have_their_deadlines() {
    let mut client = joined();
    assert_eq!(client.deadline(), None);
    says(&mut client, r#"51-["x",{"_placeholder":true,"num":0}]"#).unwrap();
    assert_eq!(client.deadline(), Some(10_000));
    assert_eq!(client.check(9_999), Ok(()));
    assert_eq!(client.check(10_000), Err(Fatal::AttachmentsTimeout));
    assert_eq!(opened().check(44_999), Ok(()));
    assert_eq!(opened().check(45_000), Err(Fatal::ConnectTimeout));
}

#[test]
fn an_ack_counts_once_and_only_where_one_was_asked_for() {
    let mut client = joined();
    client.expect_ack(SocketId(7), 3, LIMITS);
    for ignored in ["3[]", "34[]"] {
        assert!(matches!(says(&mut client, ignored), Ok(Received::Nothing)), "{ignored}");
    }
    assert!(matches!(says(&mut client, "33[1]"), Ok(Received::Ack { socket: SocketId(7), id: 3, .. })));
    assert!(matches!(says(&mut client, "33[1]"), Ok(Received::Nothing)), "a second time");
}

#[test]
fn a_client_survives_hibernation() {
    let mut client = joined();
    client.expect_ack(SocketId(7), 1, LIMITS);
    let stored = serde_json::to_string(&client.kept()).unwrap();
    let mut restored: Client = serde_json::from_str(&stored).unwrap();
    assert!(says(&mut restored, r#"2["x"]"#).is_ok(), "still in its namespace");
    assert!(matches!(says(&mut restored, "31[]"), Ok(Received::Ack { .. })));
}

proptest! {
    #[test]
    fn no_message_makes_it_panic(messages: Vec<(bool, String)>) {
        let mut client = joined();
        for (text, message) in messages {
            let _ = if text {
                says(&mut client, &message).map(|_| ())
            } else {
                client.receive_binary(message.into_bytes(), LIMITS).map(|_| ())
            };
        }
    }

    /// Bytes that look like packets: the grammar's own characters in any order.
    #[test]
    fn no_packet_makes_it_panic(message in "[0-6]{0,3}[-/a-z,0-9]{0,6}[\\[\\]{}\",:\\\\a-z0-9é ]{0,40}") {
        let _ = says(&mut joined(), &message);
        let _ = says(&mut opened(), &message);
    }
}
