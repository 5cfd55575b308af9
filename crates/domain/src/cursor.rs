//! Cursors: where the next page of a list begins, in a form that a client can pass back.
//!
//! A client gets it sealed, `base64url(time "." id || tag)`, and can neither forge one nor use one from another
//! list: the tag is an HMAC over the list's name and the rest.

use std::{fmt::Display, str::FromStr};

use base64ct::{Base64UrlUnpadded, Encoding};

use crate::{CallLogId, DerivedKey, Invalid, RoomId, SigningSecret, Timestamp};

/// Bytes of a seal. Guessing one takes 2^63 requests on average.
const TAG: usize = 8;
/// Longer than any cursor of ours; checked before anything is decoded.
const CURSOR_BYTES: usize = 128;
const LABEL: &str = "zetra cursors";

/// A place in a list that is sorted by time, newest first, then by id: the last row already seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor<K> {
    pub time: Timestamp,
    pub id: K,
}

/// An id by which a list is paged.
pub trait CursorId: Display + FromStr {
    /// The list's name. No two lists have the same.
    const LIST: &'static str;
}

impl CursorId for RoomId {
    const LIST: &'static str = "rooms";
}

impl CursorId for CallLogId {
    const LIST: &'static str = "call logs";
}

/// Seals cursors and opens the ones it sealed. Its bytes never appear in a `Debug`.
#[derive(Clone, Debug)]
pub struct CursorKey(DerivedKey);

impl CursorKey {
    pub fn new(secret: &SigningSecret) -> Self {
        Self(DerivedKey::new(secret, LABEL))
    }

    pub fn seal<K: CursorId>(&self, cursor: &Cursor<K>) -> String {
        let mut bytes = format!("{}.{}", cursor.time.millis(), cursor.id).into_bytes();
        let tag: [u8; TAG] = self.0.tag(&sealed::<K>(&bytes));
        bytes.extend(tag);
        Base64UrlUnpadded::encode_string(&bytes)
    }

    pub fn open<K: CursorId>(&self, text: &str) -> Result<Cursor<K>, Invalid> {
        self.read(text).ok_or_else(|| Invalid::field("cursor", "Invalid cursor"))
    }

    fn read<K: CursorId>(&self, text: &str) -> Option<Cursor<K>> {
        if text.len() > CURSOR_BYTES {
            return None;
        }
        let bytes = Base64UrlUnpadded::decode_vec(text).ok()?;
        let (plain, tag) = bytes.split_last_chunk::<TAG>()?;
        if !self.0.is_tag_of(tag, &sealed::<K>(plain)) {
            return None;
        }
        let (time, id) = std::str::from_utf8(plain).ok()?.split_once('.')?;
        Some(Cursor { time: Timestamp::from_millis(time.parse().ok()?), id: id.parse().ok()? })
    }
}

/// The sealed message. No list's name contains the byte that ends it.
fn sealed<K: CursorId>(plain: &[u8]) -> Vec<u8> {
    [K::LIST.as_bytes(), b"\0", plain].concat()
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;
    use crate::ObjectIds;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_123);

    fn key() -> CursorKey {
        key_of("0123456789abcdef0123456789abcdef")
    }

    fn key_of(secret: &str) -> CursorKey {
        CursorKey::new(&SigningSecret::new(SecretString::from(secret)).unwrap())
    }

    fn of_calls() -> Cursor<CallLogId> {
        Cursor { time: NOW, id: ObjectIds::new([1; 8]).call_log(NOW) }
    }

    fn refuses<K: CursorId>(key: &CursorKey, text: &str) {
        assert!(key.open::<K>(text).is_err_and(|error| error.message == "Invalid cursor"), "{text}");
    }

    #[test]
    fn a_cursor_reads_what_it_writes() {
        let of_rooms = Cursor { time: NOW, id: RoomId::from_random([7; 16]) };
        assert_eq!(key().open(&key().seal(&of_rooms)), Ok(of_rooms));
        assert_eq!(key().open(&key().seal(&of_calls())), Ok(of_calls()));
        let long_ago = Cursor { time: Timestamp::from_millis(-1), ..of_calls() };
        assert_eq!(key().open(&key().seal(&long_ago)), Ok(long_ago));
    }

    /// Ids that both lists could read, so that only the seal distinguishes them.
    #[test]
    fn a_cursor_of_another_list_is_refused() {
        #[derive(Debug, PartialEq)]
        struct Other(CallLogId);
        impl Display for Other {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
        impl FromStr for Other {
            type Err = crate::InvalidId;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
        impl CursorId for Other {
            const LIST: &'static str = "others";
        }
        let text = key().seal(&of_calls());
        refuses::<Other>(&key(), &text);
        refuses::<RoomId>(&key(), &text);
    }

    #[test]
    fn a_cursor_of_another_secret_is_refused() {
        let strangers = key_of("another secret of more than 32 bytes");
        refuses::<CallLogId>(&key(), &strangers.seal(&of_calls()));
    }

    #[test]
    fn a_cursor_with_a_flipped_bit_is_refused() {
        let bytes = Base64UrlUnpadded::decode_vec(&key().seal(&of_calls())).unwrap();
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            refuses::<CallLogId>(&key(), &Base64UrlUnpadded::encode_string(&flipped));
        }
    }

    #[test]
    fn a_made_up_cursor_is_refused() {
        let plain = format!("{}.{}", NOW.millis(), of_calls().id);
        let unsealed = Base64UrlUnpadded::encode_string(plain.as_bytes());
        let zeros = Base64UrlUnpadded::encode_string(&[plain.as_bytes(), &[0; TAG]].concat());
        let padded = format!("{}=", key().seal(&of_calls()));
        for text in ["", "x", "!!!", "MTIz", &unsealed, &zeros, &padded, &"A".repeat(128), &"A".repeat(200)] {
            refuses::<CallLogId>(&key(), text);
        }
    }
}
