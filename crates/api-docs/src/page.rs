//! The events as one page of HTML, which needs no script.

use std::fmt::Write;

use serde_json::Value;

use crate::{
    events::{self, Argument, Event},
    schemas::schemas,
};

const HEAD: &str = r##"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Socket.IO events · Zetra</title>
<link rel="stylesheet" href="events.css">
<link rel="icon" href="/app/icon.svg">
</head>
<body>
<main>
<nav><a href="/docs/">REST API</a> · <a href="/asyncapi.json">asyncapi.json</a> · <a href="/app/">App</a></nav>
<h1>Socket.IO events</h1>
<p>Connect with <code>io(URL, { auth: { token } })</code>, with the token of register or login.
<code>query: { roomId }</code> names the room at once, which saves a hop.</p>
<p>Every client event may have an acknowledgement. A refused event answers it with
<code>{ ok: false, error }</code>; without one, the server sends <code>error</code>. A refusal does not close the
connection, except the tenth <code>rate_limited</code> in a row.</p>
<p>Every event from a room carries one more argument, an offset, with which Socket.IO’s connection state recovery asks for
what was missed.</p>
<p>A refused connection is a <code>connect_error</code> whose <code>data.code</code> is one of
<a href="#ConnectErrorCode">ConnectErrorCode</a>.</p>
"##;

pub fn html() -> String {
    let mut html = HEAD.to_owned();
    section(&mut html, "client", "What a client sends", &events::of_clients());
    section(&mut html, "server", "What a client hears", &events::of_the_server());
    html.push_str("<h2 id=\"types\">Types</h2>\n<dl>\n");
    for (name, schema) in schemas() {
        let description = schema["description"].as_str().map(prose).unwrap_or_default();
        let shape = shape(&schema);
        let _ = writeln!(html, "<dt id=\"{name}\"><code>{name}</code></dt>\n<dd>{description} {shape}</dd>");
    }
    html.push_str("</dl>\n</main>\n</body>\n</html>\n");
    html
}

fn section(html: &mut String, by: &str, title: &str, events: &[Event]) {
    let _ = writeln!(html, "<h2 id=\"{by}\">{title}</h2>");
    for Event { name, summary, forms, ack } in events {
        let _ = writeln!(
            html,
            "<h3 id=\"{by}-{name}\"><code>{name}</code></h3>\n<p>{}</p>\n<ul>",
            prose(summary)
        );
        for form in forms {
            let arguments: Vec<String> = form.arguments.iter().map(argument).collect();
            let note = if form.note.is_empty() { String::new() } else { format!(" — {}", form.note) };
            let _ = writeln!(html, "<li><code>({})</code>{note}</li>", arguments.join(", "));
        }
        html.push_str("</ul>\n");
        if let Some(ack) = ack {
            let _ = writeln!(html, "<p>Acknowledgement: {} or {}</p>", link(ack), link("RefusedAck"));
        }
    }
}

fn argument(argument: &Argument) -> String {
    let mark = if argument.required { "" } else { "?" };
    format!("{}{mark}: {}", argument.name, shape(&argument.schema))
}

/// A schema in a line, with links to those that have names.
fn shape(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        return link(reference.rsplit('/').next().unwrap_or_default());
    }
    if let Some(value) = schema.get("const") {
        return format!("<code>{value}</code>");
    }
    if let Some(values) = schema["enum"].as_array() {
        return values.iter().map(|value| format!("<code>{value}</code>")).collect::<Vec<_>>().join(" | ");
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
        Value::String(name) => vec![name],
        _ => return "any".to_owned(),
    };
    match types.as_slice() {
        ["array"] => format!("{}[]", shape(&schema["items"])),
        ["object"] => object(schema),
        names => names.join(" | "),
    }
}

fn object(schema: &Value) -> String {
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let members = schema["properties"].as_object().into_iter().flatten().map(|(name, schema)| {
        let mark = if required.contains(&name.as_str()) { "" } else { "?" };
        format!("{name}{mark}: {}", shape(schema))
    });
    format!("{{ {} }}", members.collect::<Vec<_>>().join(", "))
}

fn link(name: &str) -> String {
    format!("<a href=\"#{name}\">{name}</a>")
}

/// Text in which `code` is marked as in Markdown.
fn prose(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts
        .map(|(index, part)| {
            let part = part.replace('&', "&amp;").replace('<', "&lt;");
            if index % 2 == 1 { format!("<code>{part}</code>") } else { part }
        })
        .collect()
}
