//! Documents out: BSON as it lies in the driver's buffer, written as canonical Extended JSON or as plain
//! JSON, without a copy in between.
//!
//! Canonical: MongoDB Extended JSON v2, every type spelled out. Plain: ids and decimals are text, dates
//! ISO 8601, binary base64, numbers numbers; what JSON has no word for stays in the extended form.

use std::fmt::Write;

use base64ct::{Base64, Encoding};
use bson::{Bson, DateTime, RawBsonRef, RawDocument};

use crate::error::ApiError;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Json,
    Ejson,
}

impl Format {
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Ejson => "application/ejson",
        }
    }
}

pub fn write_document(out: &mut String, document: &RawDocument, format: Format) -> Result<(), ApiError> {
    out.push('{');
    for (index, element) in document.iter().enumerate() {
        let (key, value) = element.map_err(|_| malformed())?;
        if index > 0 {
            out.push(',');
        }
        write_text(out, key.as_str());
        out.push(':');
        write_value(out, value, format)?;
    }
    out.push('}');
    Ok(())
}

pub fn write_bson(out: &mut String, value: &Bson, format: Format) -> Result<(), ApiError> {
    let document = bson::RawDocumentBuf::try_from(&bson::doc! { "value": value }).map_err(|_| malformed())?;
    let value = document.get("value").ok().flatten().ok_or_else(malformed)?;
    write_value(out, value, format)
}

pub fn write_count(out: &mut String, count: u64, format: Format) {
    let name = if i32::try_from(count).is_ok() { "$numberInt" } else { "$numberLong" };
    write_number(out, name, count, format);
}

fn write_value(out: &mut String, value: RawBsonRef<'_>, format: Format) -> Result<(), ApiError> {
    let canonical = format == Format::Ejson;
    match value {
        RawBsonRef::Document(document) => write_document(out, document, format)?,
        RawBsonRef::Array(array) => {
            out.push('[');
            for (index, item) in array.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_value(out, item.map_err(|_| malformed())?, format)?;
            }
            out.push(']');
        }
        RawBsonRef::String(text) => write_text(out, text),
        RawBsonRef::Boolean(value) => out.push_str(if value { "true" } else { "false" }),
        RawBsonRef::Null => out.push_str("null"),
        RawBsonRef::Int32(number) => write_number(out, "$numberInt", number, format),
        RawBsonRef::Int64(number) => write_number(out, "$numberLong", number, format),
        RawBsonRef::Double(number) if canonical => write_wrapped(out, "$numberDouble", &double(number)),
        RawBsonRef::Double(number) if number.is_finite() => out.push_str(&double(number)),
        RawBsonRef::Double(_) => out.push_str("null"),
        RawBsonRef::ObjectId(id) if canonical => write_wrapped(out, "$oid", &id.to_hex()),
        RawBsonRef::ObjectId(id) => write_text(out, &id.to_hex()),
        RawBsonRef::DateTime(time) if canonical => {
            out.push_str("{\"$date\":");
            write_number(out, "$numberLong", time.timestamp_millis(), Format::Ejson);
            out.push('}');
        }
        RawBsonRef::DateTime(time) => write_date(out, time),
        RawBsonRef::Decimal128(number) if !canonical => write_text(out, &number.to_string()),
        RawBsonRef::Binary(binary) if !canonical => write_text(out, &Base64::encode_string(binary.bytes)),
        other => {
            let value = Bson::try_from(other).map_err(|_| malformed())?;
            // Writing into a text cannot fail.
            let _ = write!(out, "{}", value.into_canonical_extjson());
        }
    }
    Ok(())
}

fn write_number(out: &mut String, name: &str, number: impl std::fmt::Display, format: Format) {
    let _ = match format {
        Format::Ejson => write!(out, "{{\"{name}\":\"{number}\"}}"),
        Format::Json => write!(out, "{number}"),
    };
}

/// `text` needs no escapes.
fn write_wrapped(out: &mut String, name: &str, text: &str) {
    let _ = write!(out, "{{\"{name}\":\"{text}\"}}");
}

fn write_text(out: &mut String, text: &str) {
    let _ = write!(out, "{}", Quoted(text));
}

fn write_date(out: &mut String, time: DateTime) {
    match time.try_to_rfc3339_string() {
        Ok(text) => write_text(out, &text),
        // Before year 1 or after 9999.
        Err(_) => write_number(out, "", time.timestamp_millis(), Format::Json),
    }
}

/// The shortest text that reads back as the same number, always with a fraction or exponent.
fn double(number: f64) -> String {
    match number {
        number if number.is_nan() => "NaN".to_owned(),
        f64::INFINITY => "Infinity".to_owned(),
        f64::NEG_INFINITY => "-Infinity".to_owned(),
        number => format!("{number:?}"),
    }
}

/// A JSON string.
struct Quoted<'a>(&'a str);

impl std::fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let quoted = serde_json::to_string(self.0).map_err(|_| std::fmt::Error)?;
        f.write_str(&quoted)
    }
}

fn malformed() -> ApiError {
    ApiError::Internal("the database gave malformed BSON".to_owned())
}

#[cfg(test)]
mod tests {
    use bson::{Document, RawDocumentBuf, doc, oid::ObjectId};

    use super::*;

    fn every_type() -> Document {
        doc! {
            "_id": ObjectId::parse_str("6193504e1be4ab27791c8133").unwrap(),
            "text": "a \"quoted\"\n\u{1}é", "yes": true, "none": null,
            "int": 7, "long": 7_i64, "double": 1.0, "tiny": 1e-300, "infinite": f64::INFINITY,
            "at": DateTime::from_millis(1_641_954_803_067), "ancient": DateTime::from_millis(-99_999_999_999_999),
            "price": "12.50".parse::<bson::Decimal128>().unwrap(),
            "bytes": bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: vec![1, 2, 3] },
            "pattern": bson::Regex { pattern: bson::cstr!("^a").into(), options: bson::cstr!("i").into() },
            "stamp": bson::Timestamp { time: 1, increment: 2 },
            "min": Bson::MinKey, "list": [1, "two", [3.5]], "inner": { "z": 1, "a": 2 },
        }
    }

    fn written(document: &Document, format: Format) -> String {
        let raw = RawDocumentBuf::try_from(document).unwrap();
        let mut out = String::new();
        write_document(&mut out, &raw, format).unwrap();
        out
    }

    #[test]
    fn ejson_is_canonical_and_reads_back_as_the_same_document() {
        let text = written(&every_type(), Format::Ejson);
        for part in [
            r#""_id":{"$oid":"6193504e1be4ab27791c8133"}"#,
            r#""int":{"$numberInt":"7"}"#,
            r#""long":{"$numberLong":"7"}"#,
            r#""double":{"$numberDouble":"1.0"}"#,
            r#""infinite":{"$numberDouble":"Infinity"}"#,
            r#""at":{"$date":{"$numberLong":"1641954803067"}}"#,
            r#""inner":{"z":{"$numberInt":"1"},"a":{"$numberInt":"2"}}"#,
        ] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
        assert_eq!(serde_json::from_str::<Document>(&text).unwrap(), every_type());
    }

    #[test]
    fn ejson_is_what_the_bson_library_writes() {
        let ours: serde_json::Value = serde_json::from_str(&written(&every_type(), Format::Ejson)).unwrap();
        let theirs = Bson::Document(every_type()).into_canonical_extjson();
        for (field, value) in theirs.as_object().unwrap() {
            // Two spellings of one double.
            if field != "tiny" && field != "double" {
                assert_eq!(ours.get(field), Some(value), "{field}");
            }
        }
    }

    #[test]
    fn json_has_plain_values() {
        let text = written(&every_type(), Format::Json);
        for part in [
            r#""_id":"6193504e1be4ab27791c8133""#,
            r#""long":7,"#,
            r#""infinite":null"#,
            r#""at":"2022-01-12T02:33:23.067Z""#,
            r#""price":"12.50""#,
            r#""bytes":"AQID""#,
            r#""list":[1,"two",[3.5]]"#,
        ] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
    }
}
