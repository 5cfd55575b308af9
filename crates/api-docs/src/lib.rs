//! Zetra's API, described for programs: files that `cargo xtask api` writes and that are committed.
//!
//! | file | of |
//! |---|---|
//! | `web/static/openapi.json` | REST, from the handlers ([`zetra::openapi`]) |
//! | `web/static/asyncapi.json` | the Socket.IO events |
//! | `web/static/docs/events/index.html` | the same, to be read |
//! | `packages/client-types/socket.d.ts` | the same, as the maps that `socket.io-client` takes |
//!
//! A test fails when a file is not what would be written now. Nothing of this is in the Worker.

#![allow(clippy::indexing_slicing, reason = "it only runs on a developer's machine, and tests run all of it")]

use std::collections::BTreeMap;

use serde_json::Value;

mod asyncapi;
mod events;
mod page;
mod schemas;
mod typescript;

/// A file to be written, by its path in the repository.
pub struct File {
    pub path: &'static str,
    pub text: String,
}

pub fn files() -> Vec<File> {
    vec![
        File { path: "web/static/openapi.json", text: json(&zetra::openapi::document()) },
        File { path: "web/static/asyncapi.json", text: json(&asyncapi::document()) },
        File { path: "web/static/docs/events/index.html", text: page::html() },
        File { path: "packages/client-types/socket.d.ts", text: typescript::types() },
    ]
}

fn json(value: &Value) -> String {
    format!("{:#}\n", sorted(value))
}

/// With the members of objects by name: whether serde_json keeps their order depends on what else is built.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(members) => by_name(members.iter().map(|(name, value)| (name.clone(), sorted(value)))),
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

/// An object with these members, by name.
fn by_name(members: impl IntoIterator<Item = (String, Value)>) -> Value {
    let members: BTreeMap<String, Value> = members.into_iter().collect();
    Value::Object(members.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_are_what_would_be_written_now() {
        for File { path, text } in files() {
            let file = format!("{}/../../{path}", env!("CARGO_MANIFEST_DIR"));
            let found = std::fs::read_to_string(&file).unwrap_or_default();
            assert!(found == text, "{path} is stale: run `cargo xtask api`");
        }
    }
}
