//! Points in time: milliseconds since the Unix epoch, written as ISO 8601 with milliseconds and `Z`.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize, Serializer};

/// Milliseconds since 1970-01-01T00:00:00Z. Serialises as `2026-11-22T10:05:52.000Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to `self`; negative when `earlier` is later.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Parses the ISO 8601 forms that JavaScript's `Date` parses: a year, a month or a date, or a date and a time, with or
    /// without an offset. A missing offset means UTC, as there is no local time at the edge.
    pub fn parse(text: &str) -> Option<Self> {
        if !text.is_ascii() || text.len() > 40 {
            return None;
        }
        let moment = DateTime::parse_from_rfc3339(&completed(text)?).ok()?;
        // Four-digit years: what the output format can write back.
        let writable = -62_167_219_200_000..=253_402_300_799_999;
        let millis = moment.timestamp_millis();
        writable.contains(&millis).then_some(Self(millis))
    }

    pub(crate) fn to_chrono(self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0).unwrap_or(DateTime::UNIX_EPOCH)
    }
}

/// Fills in what RFC 3339 requires and ISO 8601 allows to omit: the month and day, the time, the seconds, the offset.
fn completed(text: &str) -> Option<String> {
    const YEAR: usize = "2024".len();
    const MONTH: usize = "2024-02".len();
    const DATE: usize = "2024-02-29".len();
    match text.len() {
        YEAR => return Some(format!("{text}-01-01T00:00:00Z")),
        MONTH => return Some(format!("{text}-01T00:00:00Z")),
        DATE => return Some(format!("{text}T00:00:00Z")),
        _ => {}
    }
    let (date, time) = text.split_at_checked(DATE)?;
    // RFC 3339 allows a space.
    if !time.starts_with(['T', 't']) {
        return None;
    }
    let offset_at = time.find(['Z', 'z', '+', '-']).unwrap_or(time.len());
    let (clock, offset) = time.split_at_checked(offset_at)?;
    let seconds = if clock.len() == "T12:30".len() { ":00" } else { "" };
    let offset = if offset.is_empty() { "Z" } else { offset };
    Some(format!("{date}{clock}{seconds}{offset}"))
}

impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.to_chrono().to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not an ISO 8601 date"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_written_with_milliseconds_and_z() {
        let moment = Timestamp::from_millis(1_700_000_000_007);
        assert_eq!(moment.to_string(), "2023-11-14T22:13:20.007Z");
    }

    #[test]
    fn reads_what_javascript_reads() {
        for (text, written) in [
            ("2024", "2024-01-01T00:00:00.000Z"),
            ("2024-02", "2024-02-01T00:00:00.000Z"),
            ("2024-02-29", "2024-02-29T00:00:00.000Z"),
            ("2024-02-29T12:30Z", "2024-02-29T12:30:00.000Z"),
            ("2024-02-29T12:30:01", "2024-02-29T12:30:01.000Z"),
            ("2024-02-29T12:30:01.250+02:00", "2024-02-29T10:30:01.250Z"),
            // A clock that was never set.
            ("1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z"),
            ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00.000Z"),
        ] {
            let parsed = Timestamp::parse(text).unwrap_or_else(|| panic!("{text} was refused"));
            assert_eq!(parsed.to_string(), written, "for {text}");
        }
    }

    #[test]
    fn refuses_what_is_no_date() {
        let spaced = "2024-02-29 12:30:01Z";
        for text in [
            "",
            "yesterday",
            "2024-02-30",
            "1700000000",
            "2024-13-01T00:00:00Z",
            "+275760-09-13",
            spaced,
            "2024-1",
            "12:3",
            "abcd",
        ] {
            assert_eq!(Timestamp::parse(text), None, "{text} was accepted");
        }
    }
}
