//! Writing documents: BSON from the driver's buffer, as canonical Extended JSON or as plain JSON, without a
//! copy in between.
//!
//! Canonical: MongoDB Extended JSON v2, every type spelled out. Plain: ids and decimals are text, dates ISO
//! 8601, binary base64, numbers are numbers; types without a JSON equivalent stay in the extended form.
//!
//! The bson library's own writer has no plain form, takes three times as long because it goes through documents
//! and trees of JSON (`benches/ejson.rs`), and uses memory outside the answer's bound. It is used for rare
//! types, and the tests compare with it.

use std::io::{self, Write};

use base64ct::{Base64, Encoding};
use bson::{Bson, DateTime, RawBsonRef, RawDocument};

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

pub fn write_document(out: &mut impl Write, document: &RawDocument, format: Format) -> io::Result<()> {
    out.write_all(b"{")?;
    for (index, element) in document.iter().enumerate() {
        let (key, value) = element.map_err(|_| malformed())?;
        if index > 0 {
            out.write_all(b",")?;
        }
        write_text(out, key.as_str())?;
        out.write_all(b":")?;
        write_value(out, value, format)?;
    }
    out.write_all(b"}")
}

pub fn write_count(out: &mut impl Write, count: u64, format: Format) -> io::Result<()> {
    let name = if i32::try_from(count).is_ok() { "$numberInt" } else { "$numberLong" };
    write_number(out, name, count, format)
}

pub fn write_value(out: &mut impl Write, value: RawBsonRef<'_>, format: Format) -> io::Result<()> {
    let canonical = format == Format::Ejson;
    match value {
        RawBsonRef::Document(document) => write_document(out, document, format),
        RawBsonRef::Array(array) => {
            out.write_all(b"[")?;
            for (index, item) in array.into_iter().enumerate() {
                if index > 0 {
                    out.write_all(b",")?;
                }
                write_value(out, item.map_err(|_| malformed())?, format)?;
            }
            out.write_all(b"]")
        }
        RawBsonRef::String(text) => write_text(out, text),
        RawBsonRef::Boolean(value) => out.write_all(if value { b"true" } else { b"false" }),
        RawBsonRef::Null => out.write_all(b"null"),
        RawBsonRef::Int32(number) => write_number(out, "$numberInt", number, format),
        RawBsonRef::Int64(number) => write_number(out, "$numberLong", number, format),
        RawBsonRef::Double(number) if canonical => write_wrapped(out, "$numberDouble", &double(number)),
        RawBsonRef::Double(number) if number.is_finite() => out.write_all(double(number).as_bytes()),
        RawBsonRef::Double(_) => out.write_all(b"null"),
        RawBsonRef::ObjectId(id) if canonical => write_wrapped(out, "$oid", &id.to_hex()),
        RawBsonRef::ObjectId(id) => write_text(out, &id.to_hex()),
        RawBsonRef::DateTime(time) if canonical => {
            out.write_all(b"{\"$date\":")?;
            write_number(out, "$numberLong", time.timestamp_millis(), Format::Ejson)?;
            out.write_all(b"}")
        }
        RawBsonRef::DateTime(time) => write_date(out, time),
        RawBsonRef::Decimal128(number) if !canonical => write_text(out, &number.to_string()),
        RawBsonRef::Binary(binary) if canonical => {
            out.write_all(b"{\"$binary\":{\"base64\":")?;
            write_base64(out, binary.bytes)?;
            write!(out, ",\"subType\":\"{:02x}\"}}}}", u8::from(binary.subtype))
        }
        RawBsonRef::Binary(binary) => write_base64(out, binary.bytes),
        other => {
            let value = Bson::try_from(other).map_err(|_| malformed())?;
            serde_json::to_writer(out, &value.into_canonical_extjson()).map_err(io::Error::from)
        }
    }
}

fn write_number(
    out: &mut impl Write,
    name: &str,
    number: impl std::fmt::Display,
    format: Format,
) -> io::Result<()> {
    match format {
        Format::Ejson => write!(out, "{{\"{name}\":\"{number}\"}}"),
        Format::Json => write!(out, "{number}"),
    }
}

/// `text` must need no escapes.
fn write_wrapped(out: &mut impl Write, name: &str, text: &str) -> io::Result<()> {
    write!(out, "{{\"{name}\":\"{text}\"}}")
}

fn write_text(out: &mut impl Write, text: &str) -> io::Result<()> {
    serde_json::to_writer(out, text).map_err(io::Error::from)
}

/// Piece by piece: the memory of a large one, besides the answer, would not be counted.
fn write_base64(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    const PIECE: usize = 3 * 256;
    let mut text = [0; 4 * 256];
    out.write_all(b"\"")?;
    for piece in bytes.chunks(PIECE) {
        let text = Base64::encode(piece, &mut text).map_err(|_| malformed())?;
        out.write_all(text.as_bytes())?;
    }
    out.write_all(b"\"")
}

fn write_date(out: &mut impl Write, time: DateTime) -> io::Result<()> {
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

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the database gave malformed BSON")
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
            "large": bson::Binary { subtype: bson::spec::BinarySubtype::UserDefined(200), bytes: vec![7; 2_000] },
            "pattern": bson::Regex { pattern: bson::cstr!("^a").into(), options: bson::cstr!("i").into() },
            "stamp": bson::Timestamp { time: 1, increment: 2 },
            "min": Bson::MinKey, "list": [1, "two", [3.5]], "inner": { "z": 1, "a": 2 },
        }
    }

    fn written(document: &Document, format: Format) -> String {
        let raw = RawDocumentBuf::try_from(document).unwrap();
        let mut out = Vec::new();
        write_document(&mut out, &raw, format).unwrap();
        String::from_utf8(out).unwrap()
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
