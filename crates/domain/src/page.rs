//! Paging through lists by key: a page begins after the last row of the one before, so rows that
//! are inserted meanwhile are neither missed nor repeated.

use base64ct::{Base64UrlUnpadded, Encoding};

use crate::{Invalid, Timestamp, limits};

/// One page and, where there is more, the cursor of the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next: Option<Cursor>,
}

impl<T> Page<T> {
    /// Cuts a list that was read one row beyond the limit.
    pub fn cut(mut items: Vec<T>, limit: PageLimit, cursor: impl Fn(&T) -> Cursor) -> Self {
        let limit = limit.get() as usize;
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(cursor);
        Self { items, next }
    }
}

/// How many rows a page holds: 1–100, 50 unless told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageLimit(u32);

impl PageLimit {
    pub fn parse(text: Option<&str>) -> Result<Self, Invalid> {
        let Some(text) = text else {
            return Ok(Self(limits::PAGE_LIMIT_DEFAULT));
        };
        text.parse()
            .ok()
            .filter(|limit| limits::PAGE_LIMIT.contains(limit))
            .map(Self)
            .ok_or_else(|| Invalid::field("limit", "limit must be between 1 and 100"))
    }

    pub fn get(self) -> u32 {
        self.0
    }
}

/// A place in a list that is sorted by time, newest first, then by id: the last row already seen.
/// Clients see it as an opaque string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub time: Timestamp,
    pub id: String,
}

impl Cursor {
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        Self::decode(text).ok_or_else(|| Invalid::field("cursor", "Invalid cursor"))
    }

    fn decode(text: &str) -> Option<Self> {
        if text.len() > 128 {
            return None;
        }
        let bytes = Base64UrlUnpadded::decode_vec(text).ok()?;
        let (time, id) = std::str::from_utf8(&bytes).ok()?.split_once('.')?;
        let well_formed = !id.is_empty() && id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
        let time = Timestamp::from_millis(time.parse().ok()?);
        well_formed.then(|| Self { time, id: id.to_owned() })
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let plain = format!("{}.{}", self.time.millis(), self.id);
        f.write_str(&Base64UrlUnpadded::encode_string(plain.as_bytes()))
    }
}

impl serde::Serialize for Cursor {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_what_it_writes() {
        let cursor = Cursor {
            time: Timestamp::from_millis(1_700_000_000_123),
            id: "6553f1000102030405ffffff".to_owned(),
        };
        assert_eq!(Cursor::parse(&cursor.to_string()), Ok(cursor));
    }

    #[test]
    fn cursors_of_others_are_refused() {
        for text in ["", "x", "!!!", "MTIz", "MTIzLic7IERST1A", &"A".repeat(200)] {
            assert_eq!(Cursor::parse(text).unwrap_err().message, "Invalid cursor", "{text}");
        }
    }

    #[test]
    fn limits_are_1_to_100() {
        assert_eq!(PageLimit::parse(None).map(PageLimit::get), Ok(50));
        assert_eq!(PageLimit::parse(Some("100")).map(PageLimit::get), Ok(100));
        for text in ["0", "101", "-1", "ten", "", "1.5"] {
            assert!(PageLimit::parse(Some(text)).is_err(), "{text}");
        }
    }
}
