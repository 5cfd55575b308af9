//! The events as TypeScript: the two maps that `io<ServerToClientEvents, ClientToServerEvents>()` takes, and the
//! shapes that they are made of.

use std::fmt::Write;

use serde_json::{Map, Value};

use crate::{
    events::{self, Argument, Event},
    schemas::schemas,
};

const HEAD: &str = "\
// Made by `cargo xtask api` from the server's own types. Do not edit.

/** A callback that gets the server's answer to an event. */
export type Ack<Answer> = (answer: Answer | RefusedAck) => void;
";

pub fn types() -> String {
    let mut text = HEAD.to_owned();
    for (name, schema) in schemas() {
        document(&mut text, "", schema["description"].as_str());
        let _ = writeln!(text, "export type {name} = {};", type_of(&schema));
    }
    map(&mut text, "ClientToServerEvents", "What a client may send.", &events::of_clients());
    map(&mut text, "ServerToClientEvents", "What a client hears.", &events::of_the_server());
    text
}

fn map(text: &mut String, name: &str, description: &str, events: &[Event]) {
    document(text, "", Some(description));
    let _ = writeln!(text, "export interface {name} {{");
    for event in events {
        document(text, "  ", Some(event.summary));
        let _ = writeln!(text, "  {}: {};", quoted(event.name), signature(event));
    }
    text.push_str("}\n");
}

/// One function of all forms, so that `Parameters` of it has them all.
fn signature(event: &Event) -> String {
    let mut tuples = Vec::new();
    for form in &event.forms {
        tuples.push(tuple(&form.arguments, None));
        let Some(ack) = event.ack else { continue };
        // Whatever is left out, the callback comes last.
        for count in form.required()..=form.arguments.len() {
            tuples.push(tuple(form.arguments.iter().take(count), Some(ack)));
        }
    }
    format!("(...args: {}) => void", tuples.join(" | "))
}

fn tuple<'a>(arguments: impl IntoIterator<Item = &'a Argument>, ack: Option<&str>) -> String {
    let mut parts: Vec<String> = Vec::new();
    for Argument { name, schema, required } in arguments {
        // A required element cannot follow an optional one, and here the callback does.
        let mark = if *required || ack.is_some() { "" } else { "?" };
        parts.push(format!("{name}{mark}: {}", type_of(schema)));
    }
    parts.extend(ack.map(|ack| format!("ack: Ack<{ack}>")));
    format!("[{}]", parts.join(", "))
}

/// A schema as a type. What may be any JSON value is `any`: front ends hand it to WebRTC as it is.
pub fn type_of(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        return reference.rsplit('/').next().unwrap_or_default().to_owned();
    }
    if let Some(value) = schema.get("const") {
        return value.to_string();
    }
    if let Some(values) = schema["enum"].as_array() {
        return values.iter().map(Value::to_string).collect::<Vec<_>>().join(" | ");
    }
    match &schema["type"] {
        Value::Array(types) => {
            let names = types.iter().filter_map(Value::as_str);
            names.map(|name| named(name, schema)).collect::<Vec<_>>().join(" | ")
        }
        Value::String(name) => named(name, schema),
        _ => "any".to_owned(),
    }
}

fn named(name: &str, schema: &Value) -> String {
    match name {
        "integer" => "number".to_owned(),
        "array" => format!("{}[]", type_of(&schema["items"])),
        "object" => {
            schema["properties"].as_object().map(|members| members_of(members, schema)).unwrap_or_default()
        }
        other => other.to_owned(),
    }
}

fn members_of(members: &Map<String, Value>, schema: &Value) -> String {
    let is_required = |name: &str| {
        schema["required"].as_array().is_some_and(|required| required.iter().any(|required| required == name))
    };
    let members = members.iter().map(|(name, schema)| {
        let mark = if is_required(name) { "" } else { "?" };
        format!("{name}{mark}: {}", type_of(schema))
    });
    format!("{{ {} }}", members.collect::<Vec<_>>().join("; "))
}

fn document(text: &mut String, indent: &str, description: Option<&str>) {
    if let Some(description) = description {
        let _ = writeln!(text, "\n{indent}/** {description} */");
    } else {
        text.push('\n');
    }
}

fn quoted(name: &str) -> String {
    Value::from(name).to_string()
}
