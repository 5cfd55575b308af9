use zetra_domain::{ObjectIds, RoomId, Timestamp, UserId};
use zetra_signalling::{AckBody, ClientEvent, DisconnectReason, Media, Outgoing, Refusal};

use super::*;
use crate::schemas::schemas;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn user() -> UserId {
    ObjectIds::new([5; 8]).user(NOW)
}

fn room() -> RoomId {
    RoomId::from_random([7; 16])
}

/// One of each kind. A new variant of `Outgoing` does not compile here before it has a place in this list.
fn said_by_the_server() -> Vec<Outgoing<'static>> {
    let error = |event, target| Outgoing::Error { refusal: Refusal::PeerUnavailable, event, target };
    let signal = |kind, sender| Outgoing::Signal { kind, value: r#"{"sdp":1}"#, sender };
    let mut said = vec![
        Outgoing::UserConnected(user()),
        Outgoing::UserDisconnected(user(), DisconnectReason::Lost),
        Outgoing::ExistingUsers(vec![]),
        Outgoing::ExistingUsers(vec![user()]),
        Outgoing::Chat {
            message: r#""hi""#,
            username: r#""ann""#.into(),
            user: user(),
            at: NOW,
            id: "1-1".to_owned(),
        },
        Outgoing::MediaState { user: user(), media: Media { audio: true, video: false, screen: false } },
        Outgoing::RoomEnded { room: room(), by: user() },
        Outgoing::Removed { room: room(), by: user() },
        error(None, None),
        error(Some("offer"), Some(r#""somebody""#.to_owned())),
    ];
    said.extend(SignalKind::ALL.map(|kind| signal(kind, None)));
    said.extend(SignalKind::ALL.map(|kind| signal(kind, Some(user()))));
    for event in &said {
        match event {
            Outgoing::UserConnected(_)
            | Outgoing::UserDisconnected(..)
            | Outgoing::ExistingUsers(_)
            | Outgoing::Signal { .. }
            | Outgoing::Chat { .. }
            | Outgoing::MediaState { .. }
            | Outgoing::RoomEnded { .. }
            | Outgoing::Removed { .. }
            | Outgoing::Error { .. } => {}
        }
    }
    said
}

/// Whether the value is of that shape and has no member more. Knows what this crate writes, nothing else.
fn conforms(value: &Value, schema: &Value) -> bool {
    if let Some(reference) = schema["$ref"].as_str() {
        return conforms(value, &schemas()[reference.rsplit('/').next().unwrap()]);
    }
    if let Some(expected) = schema.get("const") {
        return value == expected;
    }
    if let Some(values) = schema["enum"].as_array() {
        return values.contains(value);
    }
    match schema["type"].as_str() {
        None => true,
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("array") => value.as_array().unwrap().iter().all(|item| conforms(item, &schema["items"])),
        Some("object") => {
            let Some(members) = value.as_object() else { return false };
            let properties = schema["properties"].as_object().unwrap();
            let required = schema["required"].as_array().unwrap();
            required.iter().all(|name| members.contains_key(name.as_str().unwrap()))
                && members
                    .iter()
                    .all(|(name, value)| properties.get(name).is_some_and(|schema| conforms(value, schema)))
        }
        Some(other) => panic!("{other}"),
    }
}

fn fits(form: &Form, arguments: &[Value]) -> bool {
    (form.required()..=form.arguments.len()).contains(&arguments.len())
        && form.arguments.iter().zip(arguments).all(|(form, value)| conforms(value, &form.schema))
}

#[test]
fn what_the_server_says_is_as_described_and_all_that_is_described_is_said() {
    let described = of_the_server();
    let mut unsaid: Vec<&str> = described.iter().map(|event| event.name).collect();
    for said in said_by_the_server() {
        let (head, value, tail) = said.arguments();
        let arguments: Vec<Value> = serde_json::from_str(&format!("[{head}{value}{tail}]")).unwrap();
        let event = described.iter().find(|event| event.name == said.name());
        let event = event.unwrap_or_else(|| panic!("{} is not described", said.name()));
        assert!(event.forms.iter().any(|form| fits(form, &arguments)), "{}: {arguments:?}", event.name);
        unsaid.retain(|name| *name != event.name);
    }
    assert_eq!(unsaid, Vec::<&str>::new());
}

#[test]
fn acknowledgements_are_as_described() {
    let refused = [AckBody::Refused(Refusal::NotInRoom), AckBody::Unavailable(r#""x""#.to_owned())];
    let said = AckBody::Said { id: "1".to_owned(), at: NOW };
    let answers = refused.map(|body| ("RefusedAck", body)).into_iter().chain([
        ("DoneAck", AckBody::Done),
        ("JoinedAck", AckBody::Joined(vec![user()])),
        ("SaidAck", said),
    ]);
    for (name, body) in answers {
        match body {
            AckBody::Done
            | AckBody::Joined(_)
            | AckBody::Said { .. }
            | AckBody::Refused(_)
            | AckBody::Unavailable(_) => {}
        }
        let value = serde_json::from_str(&body.json()).unwrap();
        assert!(conforms(&value, &schemas()[name]), "{name}: {value}");
    }
}

/// A value of that shape.
fn example(schema: &Value) -> Value {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap();
        return if name == "SignalValue" { json!({ "sdp": "v=0" }) } else { example(&schemas()[name]) };
    }
    if let Some(example) = schema["examples"].get(0) {
        return example.clone();
    }
    match schema["type"].as_str() {
        Some("string") => json!("text"),
        Some("boolean") => json!(true),
        Some("object") => {
            let members = schema["properties"].as_object().unwrap().iter();
            members
                .map(|(name, schema)| (name.clone(), example(schema)))
                .collect::<serde_json::Map<_, _>>()
                .into()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_described_of_clients_is_read_by_the_server_and_nothing_less() {
    let names: Vec<&str> = of_clients().iter().map(|event| event.name).collect();
    assert_eq!(names, ClientEvent::NAMES);
    for event in of_clients() {
        for form in &event.forms {
            let texts: Vec<String> =
                form.arguments.iter().map(|argument| example(&argument.schema).to_string()).collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            for count in 0..=texts.len() {
                let parsed = ClientEvent::parse(event.name, &texts[..count]);
                assert_eq!(parsed.is_ok(), count >= form.required(), "{} with {count} arguments", event.name);
            }
        }
    }
}
