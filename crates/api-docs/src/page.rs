//! The events as one page of HTML, which needs no script.

use std::fmt::Write;

use serde_json::Value;

use crate::{
    asyncapi::DESCRIPTION,
    events::{self, Argument, Event},
    schemas::schemas,
    typescript::type_of,
};

const HEAD: &str = r#"<!doctype html>
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
"#;

pub fn html() -> String {
    let mut html = HEAD.to_owned();
    for paragraph in DESCRIPTION.split("\n\n") {
        let _ = writeln!(html, "<p>{}</p>", prose(paragraph));
    }
    section(&mut html, "client", "What a client sends", &events::of_clients());
    section(&mut html, "server", "What a client hears", &events::of_the_server());
    html.push_str("<h2 id=\"types\">Types</h2>\n<dl>\n");
    for (name, schema) in schemas() {
        let description = schema["description"].as_str().map(prose).unwrap_or_default();
        let shape = shape(&schema);
        let _ = writeln!(
            html,
            "<dt id=\"{name}\"><code>{name}</code></dt>\n<dd>{description} <code>{shape}</code></dd>"
        );
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

/// A schema as a TypeScript type, with links to those that have names.
fn shape(schema: &Value) -> String {
    linked(&type_of(schema))
}

/// TypeScript in which the names of schemas are links.
fn linked(code: &str) -> String {
    let names = schemas();
    let words = code.split_inclusive(|character: char| !character.is_alphanumeric());
    words
        .map(|word| {
            let name = word.trim_end_matches(|character: char| !character.is_alphanumeric());
            let rest = word.strip_prefix(name).unwrap_or_default();
            if names.contains_key(name) { format!("{}{rest}", link(name)) } else { word.to_owned() }
        })
        .collect()
}

fn link(name: &str) -> String {
    format!("<a href=\"#{name}\">{name}</a>")
}

/// Text in which `code` is marked as in Markdown; names of schemas in it are links.
fn prose(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts
        .map(|(index, part)| {
            let part = part.replace('&', "&amp;").replace('<', "&lt;");
            if index % 2 == 1 { format!("<code>{}</code>", linked(&part)) } else { part }
        })
        .collect()
}
