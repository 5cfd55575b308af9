//! JSON from a client, as far as this API looks at it.
//!
//! Not `serde_json::Value`: with that crate's feature `raw_value`, which axum and this workspace enable, an object with one
//! special key stands for JSON inside a string, which is parsed with a new limit of depth. A few kilobytes of that overflow the
//! stack.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};

/// Numbers and booleans have no place in the API: of them only that they are neither text nor absent is known. Of
/// repeated keys the last one counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JsonValue {
    Null,
    Text(String),
    Array(Vec<JsonValue>),
    Object(BTreeMap<String, JsonValue>),
    NumberOrBoolean,
}

impl JsonValue {
    /// Any JSON (RFC 8259) that is not nested too deeply, also what serde_json refuses. That is half of a surrogate pair, as
    /// `JSON.stringify` writes what is left of an emoji that was cut: it becomes a control character, which no text of the API
    /// may contain. And a number that no double can hold. `None` is what is no JSON.
    pub fn parse(json: &[u8]) -> Option<Self> {
        if let Ok(value) = serde_json::from_slice(json) {
            return Some(value);
        }
        let value = zetra_json::value(std::str::from_utf8(json).ok()?)?;
        serde_json::from_str(&representable(value)).ok()
    }
}

/// JSON of the same form in which every string and number has a value in Rust.
fn representable(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find(|c: char| c == '"' || c == '-' || c.is_ascii_digit()) {
        let (before, token) = rest.split_at(at);
        text.push_str(before);
        rest = if let Some(string) = token.strip_prefix('"') {
            text.push('"');
            copy_string(string, &mut text)
        } else {
            text.push('0');
            token.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E'))
        };
    }
    text + rest
}

/// Copies a string up to and including its closing quote, and gives what comes after it.
fn copy_string<'a>(mut rest: &'a str, text: &mut String) -> &'a str {
    while let Some(at) = rest.find(['"', '\\']) {
        let (before, from) = rest.split_at(at);
        text.push_str(before);
        if let Some(after) = from.strip_prefix('"') {
            text.push('"');
            return after;
        }
        let length = match surrogate(from) {
            Some(0xD800..0xDC00) if matches!(from.get(6..).and_then(surrogate), Some(0xDC00..0xE000)) => 12,
            Some(_) => {
                text.push_str("\\u0000");
                rest = from.split_at(6).1;
                continue;
            }
            // A backslash and what it escapes, which is one byte: the text is JSON.
            None => 2,
        };
        let (escape, after) = from.split_at(length);
        text.push_str(escape);
        rest = after;
    }
    text.push_str(rest);
    ""
}

/// The code unit of an escape such as `\ud83d` at the beginning, if it is one of a surrogate pair.
fn surrogate(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    u16::from_str_radix(digits, 16).ok().filter(|unit| (0xD800..0xE000).contains(unit))
}

impl<'de> Deserialize<'de> for JsonValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = JsonValue;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<JsonValue, E> {
        Ok(JsonValue::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<JsonValue, E> {
        Ok(JsonValue::NumberOrBoolean)
    }

    fn visit_i64<E>(self, _: i64) -> Result<JsonValue, E> {
        Ok(JsonValue::NumberOrBoolean)
    }

    fn visit_u64<E>(self, _: u64) -> Result<JsonValue, E> {
        Ok(JsonValue::NumberOrBoolean)
    }

    fn visit_f64<E>(self, _: f64) -> Result<JsonValue, E> {
        Ok(JsonValue::NumberOrBoolean)
    }

    fn visit_str<E>(self, text: &str) -> Result<JsonValue, E> {
        Ok(JsonValue::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<JsonValue, A::Error> {
        let mut array = Vec::new();
        while let Some(element) = elements.next_element()? {
            array.push(element);
        }
        Ok(JsonValue::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<JsonValue, A::Error> {
        let mut object = BTreeMap::new();
        while let Some((key, value)) = members.next_entry()? {
            object.insert(key, value);
        }
        Ok(JsonValue::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(json: &str) -> Option<JsonValue> {
        serde_json::from_str(json).ok()
    }

    #[test]
    fn every_kind_of_json_is_read() {
        let text = |text: &str| JsonValue::Text(text.to_owned());
        let array = |items: &[JsonValue]| JsonValue::Array(items.to_vec());
        assert_eq!(read("null"), Some(JsonValue::Null));
        for other in ["true", "0", "-1", "18446744073709551615", "1e30", "0.5"] {
            assert_eq!(read(other), Some(JsonValue::NumberOrBoolean), "{other}");
        }
        assert_eq!(read(r#""a\u00e4""#), Some(text("aä")));
        assert_eq!(read(r#"["a",[null]]"#), Some(array(&[text("a"), array(&[JsonValue::Null])])));
        let object = BTreeMap::from([("a".to_owned(), text("2")), ("b".to_owned(), text("x"))]);
        assert_eq!(read(r#"{"a":"1","b":"x","a":"2"}"#), Some(JsonValue::Object(object)));
    }

    #[test]
    fn what_rust_has_no_value_for_is_read() {
        let text = |text: &str| Some(JsonValue::Text(text.to_owned()));
        assert_eq!(JsonValue::parse(br#""cut \ud83d""#), text("cut \0"));
        assert_eq!(JsonValue::parse(br#""\ude00\ud83d\ude00\uD83D\" "#), None);
        let escaped = br#""\ude00\ud83d\ude00\uD83D\"x""#;
        assert_eq!(JsonValue::parse(escaped), text("\0\u{1f600}\0\"x"));
        assert_eq!(JsonValue::parse(br#""\ud83dx\\ud83d\u00e4""#), text("\0x\\ud83d\u{e4}"));
        let numbers = JsonValue::parse(br#"[1e400,-1E+999,{"1e400":"1e400","b":0.5}]"#);
        let object = BTreeMap::from([
            ("1e400".to_owned(), JsonValue::Text("1e400".to_owned())),
            ("b".to_owned(), JsonValue::NumberOrBoolean),
        ]);
        let number = || JsonValue::NumberOrBoolean;
        assert_eq!(numbers, Some(JsonValue::Array(vec![number(), number(), JsonValue::Object(object)])));
    }

    proptest! {
        /// Another scanner is the oracle. Too deep is nothing of this length.
        #[test]
        fn what_is_json_is_read_and_nothing_else(text in r#"[\[\]{}:,"\\u0-9dDeE83+.\-a ä\n]{0,40}"#, cut in any::<[u16; 3]>()) {
            let string: String = cut.map(|unit| format!("\\u{unit:04x}")).concat();
            for json in [text.clone(), format!("[\"{string}\",{text}]"), format!("{{\"{string}\":{text}}}")] {
                let is_json = zetra_json::value(&json).is_some();
                prop_assert_eq!(JsonValue::parse(json.as_bytes()).is_some(), is_json, "{}", json);
            }
        }
    }

    #[test]
    fn what_is_no_json_is_not_read() {
        for json in [
            "",
            "{",
            "1e",
            "1e400x",
            "[1e400",
            "\"\\ud83d",
            "\"\\ud8\"",
            "\"\\x\"",
            "01",
            "-",
            "nul",
            "[1e400,]",
        ] {
            assert_eq!(JsonValue::parse(json.as_bytes()), None, "{json}");
        }
        assert_eq!(JsonValue::parse(b"\"\xff\""), None);
        let deep = format!("{}1e400{}", "[".repeat(1_000), "]".repeat(1_000));
        assert_eq!(JsonValue::parse(deep.as_bytes()), None);
    }

    #[test]
    fn deep_nesting_is_refused() {
        assert!(read(&"[".repeat(100_000)).is_none());
        assert!(read(&"{\"a\":".repeat(100_000)).is_none());
    }

    /// 60 levels of it, each with all the nesting that one text may have.
    #[test]
    fn json_inside_a_string_is_text_whatever_its_key_is() {
        let mut json = "1".to_owned();
        for _ in 0..60 {
            let inner = json.replace('\\', "\\u005c").replace('"', "\\u0022");
            json = format!("{}{{\"$serde_json::private::RawValue\":\"{inner}\"", "[".repeat(126));
        }
        assert!(read(&json).is_none(), "it is not closed");
        let wrapped = read(r#"{"$serde_json::private::RawValue":"{\"a\":1}"}"#);
        let key = "$serde_json::private::RawValue".to_owned();
        let expected = JsonValue::Object(BTreeMap::from([(key, JsonValue::Text("{\"a\":1}".to_owned()))]));
        assert_eq!(wrapped, Some(expected));
    }
}
