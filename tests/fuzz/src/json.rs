//! The scanner agrees with serde_json about what is JSON and where its parts begin and end.

use serde_json::value::RawValue;
use zetra_json as json;

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let value = json::value(text);
    assert_eq!(value, serde_json::from_str::<&RawValue>(text).ok().map(RawValue::get));
    let elements = serde_json::from_str::<Vec<&RawValue>>(text).ok();
    let elements = elements.map(|elements| elements.into_iter().map(RawValue::get).collect::<Vec<_>>());
    assert_eq!(json::elements(text), elements);
    let mut members = Vec::new();
    let is_object = json::members(text, |key, value| members.push((key, value))).is_some();
    assert_eq!(is_object, value.is_some_and(|value| value.starts_with('{')));
    if is_object {
        let joined =
            members.iter().map(|(key, value)| format!("{key}:{value}")).collect::<Vec<_>>().join(",");
        let compact = |text: &str| text.chars().filter(|c| !" \t\r\n".contains(*c)).collect::<String>();
        assert_eq!(compact(&format!("{{{joined}}}")), compact(text), "nothing is left out");
        for (key, value) in members {
            assert!(key.starts_with('"') && json::value(key) == Some(key), "{key}");
            assert_eq!(json::value(value), Some(value));
        }
    }
}
