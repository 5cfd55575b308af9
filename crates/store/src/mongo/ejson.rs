//! MongoDB Extended JSON v2 as far as our documents need it: ObjectIds, dates and integers.
//!
//! Written so that every parser creates real ObjectIds and Dates; parsed in the canonical and in the relaxed
//! form. `https://www.mongodb.com/docs/manual/reference/mongodb-extended-json/`

use std::{fmt::Display, str::FromStr};

use serde_json::{Map, Value, json};
use zetra_domain::{Timestamp, UserId};

use crate::{
    StoreError,
    record::{Record, corrupt, required},
};

type Result<T> = std::result::Result<T, StoreError>;

pub(super) fn object_id(id: impl Display) -> Value {
    json!({ "$oid": id.to_string() })
}

pub(super) fn object_ids(ids: &[UserId]) -> Value {
    ids.iter().map(object_id).collect()
}

pub(super) fn date(time: Timestamp) -> Value {
    json!({ "$date": { "$numberLong": time.millis().to_string() } })
}

/// A document as it arrived.
#[derive(Clone, Debug, Default)]
pub(super) struct Document(Map<String, Value>);

impl Document {
    pub(super) fn from_value(value: Value, name: &str) -> Result<Self> {
        match value {
            Value::Object(fields) => Ok(Self(fields)),
            _ => Err(corrupt(name)),
        }
    }

    /// Absent and `null` are equivalent.
    fn get(&self, field: &str) -> Option<&Value> {
        self.0.get(field).filter(|value| !value.is_null())
    }

    fn read<T>(&self, field: &str, read: impl Fn(&Value) -> Option<T>) -> Result<Option<T>> {
        self.get(field).map(|value| read(value).ok_or_else(|| corrupt(field))).transpose()
    }

    pub(super) fn optional_document(&self, field: &str) -> Result<Option<Self>> {
        self.read(field, |value| value.as_object().cloned().map(Self))
    }

    pub(super) fn documents(&self, field: &str) -> Result<Vec<Self>> {
        let read = |value: &Value| {
            value.as_array()?.iter().map(|item| item.as_object().cloned().map(Self)).collect()
        };
        required(self.read(field, read)?, field)
    }
}

impl Record for Document {
    fn optional_text(&self, field: &str) -> Result<Option<String>> {
        self.read(field, |value| value.as_str().map(str::to_owned))
    }

    /// A number of any type.
    fn optional_integer(&self, field: &str) -> Result<Option<i64>> {
        self.read(field, read_integer)
    }

    fn optional_bool(&self, field: &str) -> Result<Option<bool>> {
        self.read(field, Value::as_bool)
    }

    fn optional_time(&self, field: &str) -> Result<Option<Timestamp>> {
        self.read(field, read_date)
    }

    fn optional_id<T: FromStr>(&self, field: &str) -> Result<Option<T>> {
        self.read(field, read_id)
    }

    fn optional_ids<T: FromStr>(&self, field: &str) -> Result<Option<Vec<T>>> {
        self.read(field, |value| value.as_array()?.iter().map(read_id).collect())
    }

    /// From an array, as `$lookup` creates it.
    fn beside(&self, name: &str) -> Result<Option<Self>> {
        Ok(self.documents(name)?.into_iter().next())
    }
}

fn read_id<T: FromStr>(value: &Value) -> Option<T> {
    value.get("$oid")?.as_str()?.parse().ok()
}

fn read_date(value: &Value) -> Option<Timestamp> {
    match value.get("$date")? {
        Value::String(text) => Timestamp::parse(text),
        millis => read_integer(millis).map(Timestamp::from_millis),
    }
}

pub(super) fn read_integer(value: &Value) -> Option<i64> {
    // JavaScript's drivers store integers as doubles if they do not fit in 32 bits.
    let whole = |number: f64| (number.fract() == 0.0 && number.abs() < 9.1e15).then_some(number as i64);
    match value {
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().and_then(whole)),
        Value::Object(typed) => {
            let (kind, text) = typed.iter().next()?;
            let text = text.as_str()?;
            match kind.as_str() {
                "$numberInt" | "$numberLong" => text.parse().ok(),
                "$numberDouble" => text.parse().ok().and_then(whole),
                _ => None,
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(value: Value) -> Document {
        Document::from_value(value, "test").unwrap()
    }

    #[test]
    fn numbers_and_dates_are_read_in_every_form() {
        for seven in [
            json!(7),
            json!(7.0),
            json!({"$numberInt": "7"}),
            json!({"$numberLong": "7"}),
            json!({"$numberDouble": "7.0"}),
        ] {
            assert_eq!(document(json!({ "n": seven })).integer("n"), Ok(7), "{seven}");
        }
        let time = Timestamp::from_millis(1_700_000_000_123);
        for written in [
            date(time),
            json!({"$date": "2023-11-14T22:13:20.123Z"}),
            json!({"$date": 1_700_000_000_123_i64}),
        ] {
            assert_eq!(document(json!({ "t": written })).time("t"), Ok(time), "{written}");
        }
    }

    #[test]
    fn null_is_absent_and_another_type_is_told_without_its_value() {
        let document = document(json!({"end": null, "name": 5, "half": 0.5}));
        assert_eq!(document.optional_time("end"), Ok(None));
        for error in [document.text("name").unwrap_err(), document.integer("half").unwrap_err()] {
            assert!(matches!(&error, StoreError::Corrupt(text) if text.starts_with("field ")), "{error}");
        }
    }
}
