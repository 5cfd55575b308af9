//! Rows as any SQLite adapter returns them: column names with JSON values.

use std::str::FromStr;

use serde_json::{Map, Value};
use zetra_domain::Timestamp;

use crate::{
    StoreError,
    record::{Record, corrupt},
};

type Result<T> = std::result::Result<T, StoreError>;

/// One row. A missing column is [`StoreError::Corrupt`], and so is one of another type.
#[derive(Clone, Debug, Default)]
pub struct Row(Map<String, Value>);

impl Row {
    pub fn new(columns: Map<String, Value>) -> Self {
        Self(columns)
    }

    /// `None` for NULL.
    fn read<T>(&self, field: &str, read: impl Fn(&Value) -> Option<T>) -> Result<Option<T>> {
        match self.0.get(&column(field)).ok_or_else(|| corrupt(field))? {
            Value::Null => Ok(None),
            value => read(value).map(Some).ok_or_else(|| corrupt(field)),
        }
    }
}

impl Record for Row {
    fn optional_text(&self, field: &str) -> Result<Option<String>> {
        self.read(field, |value| value.as_str().map(str::to_owned))
    }

    fn optional_integer(&self, field: &str) -> Result<Option<i64>> {
        // D1 returns every number as a double. The stored ones are integers within ±2^53.
        self.read(field, |value| value.as_i64().or_else(|| value.as_f64().map(|number| number as i64)))
    }

    fn optional_bool(&self, field: &str) -> Result<Option<bool>> {
        Ok(self.optional_integer(field)?.map(|integer| integer != 0))
    }

    fn optional_time(&self, field: &str) -> Result<Option<Timestamp>> {
        Ok(self.optional_integer(field)?.map(Timestamp::from_millis))
    }

    fn optional_id<T: FromStr>(&self, field: &str) -> Result<Option<T>> {
        self.read(field, |value| value.as_str()?.parse().ok())
    }

    /// Stored as a JSON array.
    fn optional_ids<T: FromStr>(&self, field: &str) -> Result<Option<Vec<T>>> {
        self.read(field, |value| {
            let ids: Vec<String> = serde_json::from_str(value.as_str()?).ok()?;
            ids.iter().map(|id| id.parse().ok()).collect()
        })
    }

    /// From columns `name.id`, `name.username`; `None` if an outer join found nothing.
    fn beside(&self, name: &str) -> Result<Option<Self>> {
        let own = |(column, value): (&String, &Value)| {
            let column = column.strip_prefix(name)?.strip_prefix('.')?;
            Some((column.to_owned(), value.clone()))
        };
        let columns = Self(self.0.iter().filter_map(own).collect());
        let found = columns.optional_text("_id")?.is_some();
        Ok(found.then_some(columns))
    }
}

/// `_id` is `id`, `createdAt` is `created_at`.
fn column(field: &str) -> String {
    let mut column = String::with_capacity(field.len() + 4);
    for letter in field.trim_start_matches('_').chars() {
        if letter.is_ascii_uppercase() {
            column.push('_');
        }
        column.push(letter.to_ascii_lowercase());
    }
    column
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(columns: Value) -> Row {
        let Value::Object(columns) = columns else { panic!("no row") };
        Row::new(columns)
    }

    #[test]
    fn a_field_has_a_column_of_its_name() {
        let row = row(json!({ "id": "a", "password_hash": "b", "created_at": 7.0, "end_time": null }));
        assert_eq!(row.text("_id"), Ok("a".to_owned()));
        assert_eq!(row.text("passwordHash"), Ok("b".to_owned()));
        assert_eq!(row.time("createdAt"), Ok(Timestamp::from_millis(7)));
        assert_eq!(row.optional_time("endTime"), Ok(None));
        for error in [row.optional_text("locked").unwrap_err(), row.optional_time("_id").unwrap_err()] {
            assert!(matches!(error, StoreError::Corrupt(_)), "{error}");
        }
    }

    #[test]
    fn what_an_outer_join_did_not_find_is_nothing() {
        let row = row(json!({ "a.id": "x", "a.username": "ann", "b.id": null, "b.username": null }));
        assert_eq!(row.beside("a").unwrap().unwrap().text("username"), Ok("ann".to_owned()));
        assert!(row.beside("b").unwrap().is_none());
    }
}
