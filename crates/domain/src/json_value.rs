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
