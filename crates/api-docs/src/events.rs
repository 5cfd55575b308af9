//! The Socket.IO events, as data: what AsyncAPI, the TypeScript types and the page are made from.
//!
//! Names, codes and reasons come from the types that read and write the events; tests hold the shapes against
//! those types.

use serde_json::{Value, json};
use zetra_signalling::SignalKind;

/// What a client sends or hears.
pub struct Event {
    pub name: &'static str,
    pub summary: &'static str,
    /// Sets of arguments that it may have.
    pub forms: Vec<Form>,
    /// The schema of its acknowledgement, where it is sent by a client.
    pub ack: Option<&'static str>,
}

#[derive(Default)]
pub struct Form {
    /// What is particular about it, where there are several.
    pub note: &'static str,
    pub arguments: Vec<Argument>,
}

impl Form {
    /// How many arguments have to be there.
    pub fn required(&self) -> usize {
        self.arguments.iter().filter(|argument| argument.required).count()
    }
}

pub struct Argument {
    pub name: &'static str,
    /// JSON Schema; `$ref`s lead to [`schemas`](crate::schemas::schemas).
    pub schema: Value,
    pub required: bool,
}

pub fn of_clients() -> Vec<Event> {
    let room = || required("roomId", reference("RoomId"));
    let user = || optional("userId", reference("UserId"));
    let mut events = vec![
        Event {
            name: "join-room",
            summary: "Enters a room that the user has joined over REST. The newcomer hears `user-connected` for each \
                person there, then `existing-users`; the others hear `user-connected`. Joining again does nothing.",
            forms: vec![form(vec![room(), user()])],
            ack: Some("JoinedAck"),
        },
        Event {
            name: "leave-room",
            summary: "Leaves the room. The others hear `user-disconnected`.",
            forms: vec![form(vec![optional("roomId", reference("RoomId"))])],
            ack: Some("DoneAck"),
        },
    ];
    events.extend(SignalKind::ALL.map(signal_of_client));
    events.push(Event {
        name: "chat-message",
        summary: "Says something to everybody in the room, the sender included. With a token the name and the id are the \
            token's, whatever the arguments.",
        forms: vec![form(vec![
            room(),
            required("message", json!({ "type": "string", "minLength": 1, "maxLength": 4_000 })),
            optional("username", json!({ "type": "string", "maxLength": 64 })),
            user(),
        ])],
        ack: Some("SaidAck"),
    });
    events.push(Event {
        name: "media-state",
        summary: "Announces which media the client sends. Omitted members stay unchanged. Until then the others assume \
            `audio` and `video`, no `screen`.",
        forms: vec![form(vec![required(
            "state",
            object(&[
                ("roomId", reference("RoomId"), true),
                ("audio", json!({ "type": "boolean" }), false),
                ("video", json!({ "type": "boolean" }), false),
                ("screen", json!({ "type": "boolean" }), false),
            ]),
        )])],
        ack: Some("DoneAck"),
    });
    events
}

pub fn of_the_server() -> Vec<Event> {
    let user = || required("userId", reference("UserId"));
    let heard = |name, summary, arguments| Event { name, summary, forms: vec![form(arguments)], ack: None };
    let mut events = vec![
        heard("user-connected", "A user joined, or was in the room before the newcomer.", vec![user()]),
        heard(
            "user-disconnected",
            "A user left the room, and why.",
            vec![user(), required("reason", reference("DisconnectReason"))],
        ),
        heard(
            "existing-users",
            "Who was in the room before the newcomer; an empty list in an empty room.",
            vec![required("userIds", json!({ "type": "array", "items": reference("UserId") }))],
        ),
    ];
    events.extend(SignalKind::ALL.map(signal_of_server));
    events.extend([
        heard("chat-message", "Somebody said something.", vec![required("chat", reference("Chat"))]),
        heard(
            "media-state",
            "Which media somebody sends. After `existing-users` a newcomer gets one for each person who has sent one.",
            vec![required("state", reference("MediaState"))],
        ),
        heard(
            "room-ended",
            "The host ended the room; the socket leaves it.",
            vec![required("action", reference("HostAction"))],
        ),
        heard(
            "removed",
            "The host removed this user; the socket leaves the room.",
            vec![required("action", reference("HostAction"))],
        ),
        heard(
            "error",
            "An event without an acknowledgement was refused, or the connection has to leave its room.",
            vec![required("error", reference("EventError"))],
        ),
    ]);
    events
}

fn signal_of_client(kind: SignalKind) -> Event {
    let summary = match kind {
        SignalKind::Offer => "Relays an SDP offer, as it is.",
        SignalKind::Answer => "Relays an SDP answer, as it is.",
        SignalKind::IceCandidate => "Relays an ICE candidate, as it is; `null` is the end of candidates.",
    };
    let to_one = object(&[
        ("roomId", reference("RoomId"), true),
        (kind.key(), reference("SignalValue"), true),
        (
            "targetUserId",
            json!({ "type": "string", "maxLength": 254, "examples": ["6553f1000102030405060708"] }),
            true,
        ),
    ]);
    let to_all =
        vec![required("roomId", reference("RoomId")), required(kind.key(), reference("SignalValue"))];
    Event {
        name: kind.event(),
        summary,
        forms: vec![
            Form { note: "to everybody else in the room", arguments: to_all },
            Form { note: "to one user", arguments: vec![required("signal", to_one)] },
        ],
        ack: Some("DoneAck"),
    }
}

fn signal_of_server(kind: SignalKind) -> Event {
    let summary = match kind {
        SignalKind::Offer => "An SDP offer of somebody in the room.",
        SignalKind::Answer => "An SDP answer of somebody in the room.",
        SignalKind::IceCandidate => "An ICE candidate of somebody in the room.",
    };
    let from_one =
        object(&[(kind.key(), reference("SignalValue"), true), ("senderId", reference("UserId"), true)]);
    Event {
        name: kind.event(),
        summary,
        forms: vec![
            Form {
                note: "it was sent to everybody",
                arguments: vec![required(kind.key(), reference("SignalValue"))],
            },
            Form { note: "it was sent to this user alone", arguments: vec![required("signal", from_one)] },
        ],
        ack: None,
    }
}

fn form(arguments: Vec<Argument>) -> Form {
    Form { arguments, ..Form::default() }
}

fn required(name: &'static str, schema: Value) -> Argument {
    Argument { name, schema, required: true }
}

fn optional(name: &'static str, schema: Value) -> Argument {
    Argument { name, schema, required: false }
}

pub(crate) fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// An object with these members: name, schema, and whether it has to be there.
pub(crate) fn object(members: &[(&str, Value, bool)]) -> Value {
    let properties =
        crate::by_name(members.iter().map(|(name, schema, _)| ((*name).to_owned(), schema.clone())));
    let required: Vec<&str> =
        members.iter().filter(|(.., required)| *required).map(|(name, ..)| *name).collect();
    json!({ "type": "object", "properties": properties, "required": required })
}

#[cfg(test)]
mod tests;
