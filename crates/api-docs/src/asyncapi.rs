//! The events as AsyncAPI 3.0, from the server's point of view: it receives what clients send.
//!
//! A message's payload is the array of the event's arguments.

use serde_json::{Map, Value, json};

use crate::{
    events::{self, Event, Form, reference},
    schemas::schemas,
};

pub fn document() -> Value {
    let (of_clients, of_the_server) = (events::of_clients(), events::of_the_server());
    let mut messages = Map::new();
    let mut operations = Map::new();
    for event in &of_clients {
        let key = format!("client-{}", event.name);
        messages.insert(key.clone(), message(event));
        let mut operation = json!({
            "action": "receive",
            "channel": channel(),
            "summary": event.summary,
            "messages": [in_channel(&key)],
        });
        if let Some(ack) = event.ack {
            messages.entry(ack).or_insert_with(|| acknowledgement(ack));
            operation["reply"] = json!({
                "channel": channel(),
                "messages": [in_channel(ack), in_channel("RefusedAck")],
            });
        }
        operations.insert(key, operation);
    }
    messages.insert("RefusedAck".to_owned(), acknowledgement("RefusedAck"));
    for event in &of_the_server {
        let key = format!("server-{}", event.name);
        messages.insert(key.clone(), message(event));
        let operation = json!({
            "action": "send",
            "channel": channel(),
            "summary": event.summary,
            "messages": [in_channel(&key)],
        });
        operations.insert(key, operation);
    }
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Zetra's events",
            "version": env!("CARGO_PKG_VERSION"),
            "description": DESCRIPTION,
            "license": { "name": "Apache-2.0 OR MIT" },
        },
        "servers": {
            "local": {
                "host": "localhost:4000",
                "pathname": "/socket.io/",
                "protocol": "socketio",
                "protocolVersion": "5",
                "security": [{ "$ref": "#/components/securitySchemes/token" }],
                "description": "`cargo xtask dev`: Socket.IO 5 over Engine.IO 4, by polling and by WebSocket.",
            },
        },
        "channels": {
            "events": {
                "address": "/",
                "title": "The default namespace",
                "messages": messages,
            },
        },
        "operations": operations,
        "components": {
            "schemas": schemas(),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "The token of register or login, as `auth.token` of the CONNECT packet or as an \
                        `Authorization: Bearer` header of the handshake.",
                },
            },
        },
    })
}

/// In paragraphs.
pub const DESCRIPTION: &str = "\
What clients and the server say to each other over Socket.IO. `io(URL, {auth: {token}})` connects, with the token of \
register or login; `query: {roomId}` names the room at once, which saves a hop.\n\n\
Every client event may have an acknowledgement. A refused event answers it with `{ok: false, error}`; without one, the \
server sends `error`. A refusal does not close the connection, except the tenth `rate_limited` in a row.\n\n\
Every event from a room carries one more argument, an offset, with which Socket.IO's connection state recovery asks for \
what was missed.\n\n\
A refused connection is a `connect_error` whose `data.code` is one of `ConnectErrorCode`. Socket.IO does not retry it by \
itself (`socket.active` is false): after `store_unavailable` or `rate_limited`, call `socket.connect()` a few seconds later.";

fn message(event: &Event) -> Value {
    let mut payloads: Vec<Value> = event.forms.iter().map(arguments).collect();
    let payload = if payloads.len() == 1 { payloads.remove(0) } else { json!({ "anyOf": payloads }) };
    json!({ "name": event.name, "title": event.name, "summary": event.summary, "payload": payload })
}

fn acknowledgement(schema: &str) -> Value {
    json!({ "name": schema, "title": "Acknowledgement", "payload": reference(schema) })
}

/// The arguments of one form as an array.
fn arguments(form: &Form) -> Value {
    let items: Vec<Value> = form
        .arguments
        .iter()
        .map(|argument| json!({ "title": argument.name, "allOf": [argument.schema] }))
        .collect();
    let mut arguments = json!({ "type": "array", "items": items, "minItems": form.required() });
    if !form.note.is_empty() {
        arguments["description"] = form.note.into();
    }
    arguments
}

fn channel() -> Value {
    json!({ "$ref": "#/channels/events" })
}

fn in_channel(message: &str) -> Value {
    json!({ "$ref": format!("#/channels/events/messages/{message}") })
}
