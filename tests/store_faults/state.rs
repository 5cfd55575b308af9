//! The rows of a database and the response to a request, as text with placeholders for ids, times, tokens and hashes.

use serde_json::Value;

use crate::api::{
    support::{Answer, ENROLLED_HASH},
    world::World,
};

/// Milliseconds: numbers above this are times.
const FIRST_TIME: i64 = 1_600_000_000_000;
/// Those whose new ids name what other tables refer to.
const FIRST_TABLES: [&str; 4] = ["rooms", "users", "call_logs", "calllogs"];

/// A row, or a document: what it is in, and its fields in order.
pub struct Row {
    pub table: String,
    pub fields: Vec<(String, Value)>,
}

/// Known ids and what stands for them; others are numbered in the order in which they are met.
#[derive(Clone, Default)]
pub struct Placeholders(Vec<(String, String)>);

impl Placeholders {
    pub fn of(world: &World) -> Self {
        let World { stranger, participant, other, removed, host, room, .. } = world;
        let people = [
            (stranger, "stranger"),
            (participant, "participant"),
            (other, "other"),
            (removed, "removed"),
            (host, "host"),
        ];
        let people = people.map(|(person, name)| (person.id.clone(), format!("({name})")));
        Self(people.into_iter().chain([(room.clone(), "(room)".to_owned())]).collect())
    }

    /// The text with a placeholder for each id.
    fn replaced(&mut self, text: &str) -> String {
        let is_of_id = |letter: char| matches!(letter, '0'..='9' | 'a'..='f' | '-');
        let (mut replaced, mut rest) = (String::new(), text);
        while !rest.is_empty() {
            let length = rest.find(|letter| !is_of_id(letter)).unwrap_or(rest.len());
            let (id, after) = rest.split_at(length);
            replaced.push_str(&if matches!(length, 24 | 36) { self.of_id(id) } else { id.to_owned() });
            let other = after.find(is_of_id).unwrap_or(after.len());
            let (other, after) = after.split_at(other);
            replaced.push_str(other);
            rest = after;
        }
        replaced
    }

    fn of_id(&mut self, id: &str) -> String {
        if let Some((_, name)) = self.0.iter().find(|(known, _)| known == id) {
            return name.clone();
        }
        let name = format!("(new {})", self.0.len());
        self.0.push((id.to_owned(), name.clone()));
        name
    }

    pub fn text(&self, text: &str) -> String {
        self.clone().replaced(text)
    }

    /// Status and body of an answer.
    pub fn answer(&self, answer: &Answer) -> String {
        let body = self.clone().json(answer.body.clone());
        format!("{} {body}", answer.status.as_u16())
    }

    fn json(&mut self, value: Value) -> Value {
        match value {
            Value::Object(fields) => {
                let fields = fields.into_iter().map(|(name, value)| match name.as_str() {
                    "token" => (name, "(token)".into()),
                    "requestId" => (name, "(request)".into()),
                    "uptime" => (name, "(seconds)".into()),
                    _ => (name, self.json(value)),
                });
                fields.collect()
            }
            Value::Array(values) => values.into_iter().map(|value| self.json(value)).collect(),
            Value::String(text) if text.len() == 24 && text.ends_with('Z') => "(time)".into(),
            Value::String(text) => self.replaced(&text).into(),
            other => other,
        }
    }

    /// The rows of all tables, sorted.
    pub fn state(&self, rows: Vec<Row>) -> Vec<String> {
        let mut placeholders = self.clone();
        let (first, others): (Vec<Row>, Vec<Row>) =
            rows.into_iter().partition(|row| FIRST_TABLES.contains(&row.table.as_str()));
        let line = |Row { table, fields }| {
            let fields = fields.into_iter().map(|(name, value)| {
                let value = placeholders.value(&name, value);
                format!(" {name}={value}")
            });
            format!("{table}:{}", fields.collect::<String>())
        };
        let mut lines: Vec<String> = first.into_iter().chain(others).map(line).collect();
        lines.sort();
        lines
    }

    fn value(&mut self, name: &str, value: Value) -> Value {
        match (name, value) {
            // What tells attempts apart.
            ("callsRevision", Value::Number(_)) | ("write", _) => format!("({name})").into(),
            (_, Value::Number(time)) if time.as_i64() > Some(FIRST_TIME) => "(time)".into(),
            ("kept_token" | "keptToken" | "applied_at", Value::String(_)) => format!("({name})").into(),
            ("calls_revision", Value::String(text)) => {
                if text.is_empty() { "(none)" } else { "(some)" }.into()
            }
            ("password_hash" | "passwordHash", Value::String(text)) => hash(&text).into(),
            (_, Value::String(text)) => self.replaced(&text).into(),
            (_, Value::Array(values)) => values.into_iter().map(|value| self.value("", value)).collect(),
            (_, Value::Object(fields)) => fields
                .into_iter()
                .map(|(name, value)| {
                    let value = self.value(&name, value);
                    (name, value)
                })
                .collect(),
            (_, other) => other,
        }
    }
}

/// The algorithm, or that it is the hash that everybody has at first.
fn hash(stored: &str) -> String {
    if stored == ENROLLED_HASH.expose() {
        return "(enrolled)".to_owned();
    }
    format!("({})", stored.split('$').nth(1).unwrap_or_default())
}
