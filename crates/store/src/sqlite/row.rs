//! Rows as they come from any SQLite: column names with JSON values, and values as they go in.

use std::str::FromStr;

use serde_json::{Map, Value};
use zetra_domain::{CallLogId, RoomId, Timestamp, UserId};

use super::SqlValue;
use crate::StoreError;

/// One row. Reading a column that is not there or has another type is [`StoreError::Corrupt`].
#[derive(Clone, Debug, Default)]
pub struct Row(Map<String, Value>);

impl Row {
    pub fn new(columns: Map<String, Value>) -> Self {
        Self(columns)
    }

    pub(super) fn text(&self, column: &str) -> Result<String, StoreError> {
        self.optional_text(column)?.ok_or_else(|| corrupt(column))
    }

    pub(super) fn optional_text(&self, column: &str) -> Result<Option<String>, StoreError> {
        match self.0.get(column) {
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(Value::Null) => Ok(None),
            _ => Err(corrupt(column)),
        }
    }

    pub(super) fn integer(&self, column: &str) -> Result<i64, StoreError> {
        self.optional_integer(column)?.ok_or_else(|| corrupt(column))
    }

    pub(super) fn time(&self, column: &str) -> Result<Timestamp, StoreError> {
        self.integer(column).map(Timestamp::from_millis)
    }

    pub(super) fn optional_time(&self, column: &str) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.optional_integer(column)?.map(Timestamp::from_millis))
    }

    pub(super) fn id<T: FromStr>(&self, column: &str) -> Result<T, StoreError> {
        self.text(column)?.parse().map_err(|_| corrupt(column))
    }

    /// A JSON array of ids.
    pub(super) fn ids(&self, column: &str) -> Result<Vec<UserId>, StoreError> {
        serde_json::from_str(&self.text(column)?).map_err(|_| corrupt(column))
    }

    fn optional_integer(&self, column: &str) -> Result<Option<i64>, StoreError> {
        match self.0.get(column) {
            Some(Value::Null) => Ok(None),
            // D1 gives every number as a double; what we store is whole and within ±2^53.
            Some(Value::Number(number)) => {
                let whole = number.as_i64().or_else(|| number.as_f64().map(|number| number as i64));
                whole.map(Some).ok_or_else(|| corrupt(column))
            }
            _ => Err(corrupt(column)),
        }
    }
}

fn corrupt(column: &str) -> StoreError {
    StoreError::Corrupt(format!("column {column}"))
}

impl From<i64> for SqlValue {
    fn from(integer: i64) -> Self {
        Self::Integer(integer)
    }
}

impl From<&str> for SqlValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<Option<&str>> for SqlValue {
    fn from(text: Option<&str>) -> Self {
        text.map_or(Self::Null, Self::from)
    }
}

impl From<UserId> for SqlValue {
    fn from(id: UserId) -> Self {
        Self::Text(id.to_string())
    }
}

impl From<CallLogId> for SqlValue {
    fn from(id: CallLogId) -> Self {
        Self::Text(id.to_string())
    }
}

impl From<RoomId> for SqlValue {
    fn from(id: RoomId) -> Self {
        Self::Text(id.to_string())
    }
}

impl From<Timestamp> for SqlValue {
    fn from(time: Timestamp) -> Self {
        Self::Integer(time.millis())
    }
}

impl From<Option<Timestamp>> for SqlValue {
    fn from(time: Option<Timestamp>) -> Self {
        time.map_or(Self::Null, Self::from)
    }
}
