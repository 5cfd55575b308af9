//! The rows of a database and the response to a request, as text with placeholders for ids, times, tokens and hashes.

use rusqlite::types::ValueRef;
use serde_json::Value;

use crate::{
    api::{authorization::World, support::Answer},
    rusqlite_seam::Rusqlite,
};

/// Milliseconds: numbers above this are times.
const FIRST_TIME: i64 = 1_600_000_000_000;
/// Those whose new ids name what other tables refer to.
const FIRST_TABLES: [&str; 3] = ["rooms", "users", "call_logs"];

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

    /// The rows of all tables.
    pub fn state(&self, database: &Rusqlite) -> Vec<String> {
        let mut placeholders = self.clone();
        let connection = database.0.lock().unwrap();
        let mut tables = FIRST_TABLES.map(str::to_owned).to_vec();
        let mut others = connection
            .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name")
            .unwrap();
        let others = others.query_map([], |row| row.get(0)).unwrap().map(Result::<String, _>::unwrap);
        tables.extend(others.filter(|name| !FIRST_TABLES.contains(&name.as_str())));
        let mut lines = Vec::new();
        for table in tables {
            // None before the schema is there.
            let Ok(mut select) = connection.prepare(&format!("SELECT * FROM {table} ORDER BY 1")) else {
                continue;
            };
            let columns: Vec<String> = select.column_names().map(str::to_owned).collect();
            let mut rows = select.query([]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                let mut line = format!("{table}:");
                for (index, column) in columns.iter().enumerate() {
                    line += &format!(" {column}={}", placeholders.value(column, row.get_ref(index).unwrap()));
                }
                lines.push(line);
            }
        }
        lines.sort();
        lines
    }

    fn value(&mut self, column: &str, value: ValueRef<'_>) -> String {
        match (column, value) {
            (_, ValueRef::Null) => "NULL".to_owned(),
            (_, ValueRef::Integer(time)) if time > FIRST_TIME => "(time)".to_owned(),
            (_, ValueRef::Integer(integer)) => integer.to_string(),
            ("kept_token" | "applied_at", _) => format!("({column})"),
            ("calls_revision", ValueRef::Text(text)) => {
                if text.is_empty() { "(none)" } else { "(some)" }.to_owned()
            }
            (_, ValueRef::Text(text)) => {
                let text = std::str::from_utf8(text).unwrap();
                if column == "password_hash" { hash(text) } else { self.replaced(text) }
            }
            (_, other) => panic!("{column} is neither number nor text: {other:?}"),
        }
    }
}

/// A hash by the password that it is of.
fn hash(stored: &str) -> String {
    let kind = stored.split('$').nth(1).unwrap_or_default();
    format!("({kind})")
}
