//! The shapes that events are made of, as JSON Schemas by name.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use zetra_domain::{RoomId, Timestamp, UserId};
use zetra_durable_objects::ConnectError;
use zetra_signalling::{DisconnectReason, Refusal};

use crate::events::{object, reference};

pub fn schemas() -> Map<String, Value> {
    let boolean = || json!({ "type": "boolean" });
    let string = || json!({ "type": "string" });
    let done = |more: &[(&str, Value, bool)]| {
        object(&[&[("ok", json!({ "type": "boolean", "const": true }), true)], more].concat())
    };
    let error = |more: &[(&str, Value, bool)]| {
        let own = [("message", string(), true), ("code", reference("ErrorCode"), true)];
        let target = [("targetUserId", described(string(), "With `peer_unavailable`."), false)];
        object(&[&own, more, &target].concat())
    };
    let schemas = [
        ("UserId", zetra::openapi::schema_of::<UserId>()),
        ("RoomId", zetra::openapi::schema_of::<RoomId>()),
        ("Timestamp", zetra::openapi::schema_of::<Timestamp>()),
        ("SignalValue", json!({ "description": "Any JSON value. It is relayed byte for byte." })),
        ("DisconnectReason", text_of(DisconnectReason::ALL.map(DisconnectReason::as_str))),
        ("ErrorCode", text_of(Refusal::ALL.map(Refusal::code))),
        ("ConnectErrorCode", text_of(ConnectError::ALL.map(ConnectError::code))),
        ("EventError", error(&[("event", described(string(), "What was refused."), false)])),
        (
            "RefusedAck",
            object(&[
                ("ok", json!({ "type": "boolean", "const": false }), true),
                ("error", error(&[]), true),
            ]),
        ),
        ("DoneAck", done(&[])),
        (
            "JoinedAck",
            done(&[(
                "users",
                described(json!({ "type": "array", "items": reference("UserId") }), "Who was there before."),
                true,
            )]),
        ),
        ("SaidAck", done(&[("id", string(), true), ("timestamp", reference("Timestamp"), true)])),
        (
            "Chat",
            object(&[
                ("username", string(), true),
                ("userId", reference("UserId"), true),
                ("timestamp", reference("Timestamp"), true),
                ("id", string(), true),
                ("message", string(), true),
            ]),
        ),
        (
            "MediaState",
            object(&[
                ("userId", reference("UserId"), true),
                ("audio", boolean(), true),
                ("video", boolean(), true),
                ("screen", boolean(), true),
            ]),
        ),
        (
            "HostAction",
            object(&[
                ("roomId", reference("RoomId"), true),
                ("by", described(reference("UserId"), "The host."), true),
                ("reason", string(), true),
            ]),
        ),
    ];
    let schemas: BTreeMap<_, _> = schemas.into_iter().collect();
    schemas.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
}

fn described(mut schema: Value, description: &str) -> Value {
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("description".to_owned(), description.into());
    }
    schema
}

fn text_of<const N: usize>(values: [&'static str; N]) -> Value {
    // Two refusals may share a code; they stand beside each other.
    let mut values = values.to_vec();
    values.dedup();
    json!({ "type": "string", "enum": values })
}
