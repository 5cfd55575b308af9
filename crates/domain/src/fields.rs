//! Parsing a JSON object field by field, with errors that name the field.
//!
//! `null` and an empty string count as absent, as in the Node backend; unknown fields are ignored; a field of
//! another JSON type is an error and never a default.

use std::collections::BTreeMap;

use serde::Serialize;
use thiserror::Error;

use crate::{JsonValue, Timestamp};

/// A field and what is wrong with it, in words for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    pub field: &'static str,
    pub message: String,
}

/// Input that breaks the rules: at least one field. The first one's message is the error's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct Invalid {
    pub message: String,
    pub fields: Vec<FieldError>,
}

impl Invalid {
    pub fn field(field: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { message: message.clone(), fields: vec![FieldError { field, message }] }
    }

    /// Required fields that are missing, under one message.
    pub fn missing(fields: &[&'static str], message: &str) -> Self {
        Self {
            message: message.to_owned(),
            fields: fields
                .iter()
                .map(|field| FieldError { field, message: format!("{field} is required") })
                .collect(),
        }
    }

    /// Both, under the first one's message.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.fields.extend(other.fields);
        self
    }
}

/// Both values, or everything that is wrong with either.
pub fn all2<A, B>(a: Result<A, Invalid>, b: Result<B, Invalid>) -> Result<(A, B), Invalid> {
    match (a, b) {
        (Ok(a), Ok(b)) => Ok((a, b)),
        (Err(a), Err(b)) => Err(a.and(b)),
        (Err(error), Ok(_)) | (Ok(_), Err(error)) => Err(error),
    }
}

/// All three values, or everything that is wrong with any.
pub fn all3<A, B, C>(
    a: Result<A, Invalid>,
    b: Result<B, Invalid>,
    c: Result<C, Invalid>,
) -> Result<(A, B, C), Invalid> {
    all2(all2(a, b), c).map(|((a, b), c)| (a, b, c))
}

/// A JSON object as a client sent it.
#[derive(Clone, Debug, Default)]
pub struct Fields(BTreeMap<String, JsonValue>);

impl Fields {
    /// # Errors
    /// If the JSON is not an object.
    pub fn from_json(value: JsonValue) -> Result<Self, Invalid> {
        match value {
            JsonValue::Object(members) => Ok(Self(members)),
            _ => {
                Err(Invalid { message: "Request body must be a JSON object".to_owned(), fields: Vec::new() })
            }
        }
    }

    /// A string without control characters; absent, `null` and `""` are `None`.
    pub fn text(&self, field: &'static str) -> Result<Option<&str>, Invalid> {
        match self.value(field) {
            None => Ok(None),
            Some(value) => string(field, value).map(|text| Some(text).filter(|t| !t.is_empty())),
        }
    }

    /// All of `fields` as strings; if any is missing, the error has this `message`.
    pub fn required<const N: usize>(
        &self,
        fields: [&'static str; N],
        message: &str,
    ) -> Result<[&str; N], Invalid> {
        let mut found = [""; N];
        let mut missing = Vec::new();
        for (slot, field) in found.iter_mut().zip(fields) {
            match self.text(field)? {
                Some(text) => *slot = text,
                None => missing.push(field),
            }
        }
        if missing.is_empty() { Ok(found) } else { Err(Invalid::missing(&missing, message)) }
    }

    pub fn date(&self, field: &'static str) -> Result<Option<Timestamp>, Invalid> {
        self.text(field)?
            .map(|text| {
                Timestamp::parse(text)
                    .ok_or_else(|| Invalid::field(field, format!("{field} must be an ISO 8601 date")))
            })
            .transpose()
    }

    /// An array of strings; absent and `null` are empty.
    pub fn texts(&self, field: &'static str) -> Result<Vec<&str>, Invalid> {
        match self.value(field) {
            None => Ok(Vec::new()),
            Some(JsonValue::Array(items)) => items.iter().map(|item| string(field, item)).collect(),
            Some(_) => Err(Invalid::field(field, format!("{field} must be an array of strings"))),
        }
    }

    fn value(&self, field: &str) -> Option<&JsonValue> {
        self.0.get(field).filter(|value| **value != JsonValue::Null)
    }
}

fn string<'a>(field: &'static str, value: &'a JsonValue) -> Result<&'a str, Invalid> {
    let JsonValue::Text(text) = value else {
        return Err(Invalid::field(field, format!("{field} must be a string")));
    };
    if text.chars().any(char::is_control) {
        return Err(Invalid::field(field, format!("{field} contains invalid characters")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(body: Value) -> Result<Fields, Invalid> {
        Fields::from_json(serde_json::from_value(body).unwrap())
    }

    fn fields(body: Value) -> Fields {
        read(body).unwrap()
    }

    #[test]
    fn null_empty_and_absent_are_the_same() {
        let body = fields(json!({"a": null, "b": ""}));
        for field in ["a", "b", "c"] {
            assert_eq!(body.text(field), Ok(None), "{field}");
        }
    }

    #[test]
    fn a_wrong_type_is_told_before_anything_is_missing() {
        let body = fields(json!({"email": 7}));
        let error = body.required(["email", "password"], "needed").unwrap_err();
        assert_eq!(error.message, "email must be a string");
    }

    #[test]
    fn missing_fields_are_listed_under_one_text() {
        let error = fields(json!({"b": "x"})).required(["a", "b", "c"], "needed").unwrap_err();
        assert_eq!(error.message, "needed");
        let names: Vec<_> = error.fields.iter().map(|error| error.field).collect();
        assert_eq!(names, ["a", "c"]);
    }

    #[test]
    fn control_characters_are_refused() {
        let error = fields(json!({"name": "a\u{0}b"})).text("name").unwrap_err();
        assert_eq!(error.message, "name contains invalid characters");
    }

    #[test]
    fn json_that_is_no_object_is_invalid() {
        for value in [json!([]), json!("x"), json!(null), json!(1)] {
            assert!(read(value.clone()).is_err(), "{value}");
        }
    }
}
