//! What rooms post to the operator's webhook. They are no operations of this server, so no handler describes them.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use zetra_signalling::DisconnectReason;

/// Adds `webhooks` to the document.
pub(super) fn complete(document: &mut Value) {
    let started = event("room.started", "The first person has joined a room that was empty.", &[]);
    let joined = event(
        "participant.joined",
        "Somebody has joined.",
        &[("userId", user()), ("username", json!({ "type": ["string", "null"], "description": NAME }))],
    );
    let reasons: Vec<&str> = DisconnectReason::ALL.iter().map(|reason| reason.as_str()).collect();
    let left = event(
        "participant.left",
        "Somebody has left.",
        &[("userId", user()), ("reason", json!({ "type": "string", "enum": reasons }))],
    );
    let call = json!({ "$ref": "#/components/schemas/CallLog" });
    let ended_call = event(
        "call.ended",
        "A call is over, and nobody has called again for a minute.",
        &[("callLog", call)],
    );
    let by_host = json!({ "type": "string", "const": "ended_by_host" });
    let ended = event("room.ended", "The host has ended the room.", &[("by", user()), ("reason", by_host)]);
    document["webhooks"] =
        [started, joined, left, ended_call, ended].into_iter().collect::<Map<_, _>>().into();
}

const NAME: &str = "As in the person's token; `null` without one.";
const DELIVERY: &str = "Posted in the order in which it happens in the room, at least once: what is not answered with 2xx \
    within 10 seconds is repeated with the same `webhook-id`, for a day. Signed as the [Standard \
    Webhooks](https://www.standardwebhooks.com) specification has it.";

fn event(kind: &str, summary: &str, more: &[(&str, Value)]) -> (String, Value) {
    let mut data = Map::from_iter([("roomId".to_owned(), json!({ "type": "string", "format": "uuid" }))]);
    data.extend(more.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())));
    let properties = json!({
        "type": { "type": "string", "const": kind },
        "timestamp": { "type": "string", "format": "date-time", "description": "When it happened." },
        "data": object(data.into()),
    });
    let operation = json!({
        "tags": ["webhooks"],
        "operationId": kind,
        "summary": summary,
        "description": DELIVERY,
        "parameters": [
            header("webhook-id", "The same whenever the message is repeated."),
            header("webhook-timestamp", "When it is sent, in seconds since 1970."),
            header("webhook-signature", "`v1,` and the HMAC-SHA256 of `id.timestamp.body` in base64."),
        ],
        "requestBody": { "required": true, "content": { "application/json": { "schema": object(properties) } } },
        "responses": { "2XX": { "description": "Taken." } },
    });
    (kind.to_owned(), json!({ "post": operation }))
}

/// All of them are always there.
fn object(properties: Value) -> Value {
    // By name: whether serde_json keeps the order depends on what else is built.
    let required: BTreeSet<&String> = properties.as_object().into_iter().flat_map(Map::keys).collect();
    json!({ "type": "object", "properties": properties, "required": required })
}

fn header(name: &str, description: &str) -> Value {
    json!({ "name": name, "in": "header", "required": true, "description": description, "schema": { "type": "string" } })
}

fn user() -> Value {
    json!({ "type": "string", "pattern": "^[0-9a-f]{24}$" })
}
