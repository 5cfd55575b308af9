//! Identifiers: users and call logs are MongoDB ObjectIds, rooms are UUIDs (version 4).

use std::{fmt, str::FromStr};

use base64ct::{Base64UrlUnpadded, Encoding};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::{Uuid, Variant};

use crate::Timestamp;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a valid id")]
pub struct InvalidId;

/// Twelve bytes, shown as 24 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct ObjectId([u8; 12]);

impl ObjectId {
    fn parse(text: &str) -> Result<Self, InvalidId> {
        let mut bytes = [0; 12];
        decode_hex(text.as_bytes(), &mut bytes).ok_or(InvalidId)?;
        Ok(Self(bytes))
    }
}

/// Decodes exactly `out.len() * 2` hex digits of either case.
fn decode_hex(digits: &[u8], out: &mut [u8]) -> Option<()> {
    if digits.len() != out.len() * 2 {
        return None;
    }
    let nibble = |digit: u8| (digit as char).to_digit(16);
    for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        let &[high, low] = pair else { return None };
        *byte = u8::try_from(nibble(high)? << 4 | nibble(low)?).ok()?;
    }
    Some(())
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

macro_rules! object_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name(ObjectId);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                ObjectId::parse(text).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    };
}

object_id!(
    /// A user's id.
    UserId
);
object_id!(
    /// A call log's id.
    CallLogId
);

/// Creates ObjectIds that are unique across processes: 4 bytes of seconds, 5 random bytes chosen once, 3 bytes
/// of counter (MongoDB, BSON types, ObjectId).
#[derive(Debug)]
pub struct ObjectIds {
    process: [u8; 5],
    counter: u32,
}

impl ObjectIds {
    /// `seed` is random: five bytes for the process, three for the first counter.
    pub fn new(seed: [u8; 8]) -> Self {
        let [a, b, c, d, e, x, y, z] = seed;
        Self { process: [a, b, c, d, e], counter: u32::from_be_bytes([0, x, y, z]) }
    }

    pub fn user(&mut self, now: Timestamp) -> UserId {
        UserId(self.next(now))
    }

    pub fn call_log(&mut self, now: Timestamp) -> CallLogId {
        CallLogId(self.next(now))
    }

    fn next(&mut self, now: Timestamp) -> ObjectId {
        self.counter = self.counter.wrapping_add(1);
        // The format keeps the low four bytes of the seconds and the low three of the counter.
        let [s0, s1, s2, s3] = (now.seconds() as u32).to_be_bytes();
        let [_, c0, c1, c2] = self.counter.to_be_bytes();
        let [p0, p1, p2, p3, p4] = self.process;
        ObjectId([s0, s1, s2, s3, p0, p1, p2, p3, p4, c0, c1, c2])
    }
}

/// A room's id: a UUID version 4, read in either case, written in lower case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct RoomId(Uuid);

impl RoomId {
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }

    /// The same in 22 characters of base64url (RFC 4648, 5), for places where a room is named repeatedly.
    pub fn compact(self) -> String {
        Base64UrlUnpadded::encode_string(self.0.as_bytes())
    }

    /// Parses [`RoomId::compact`].
    pub fn from_compact(text: &str) -> Result<Self, InvalidId> {
        let mut bytes = [0; 16];
        let decoded = Base64UrlUnpadded::decode(text, &mut bytes).map_err(|_| InvalidId)?;
        let uuid = Uuid::from_slice(decoded).map_err(|_| InvalidId)?;
        uuid.as_hyphenated().to_string().parse()
    }
}

impl FromStr for RoomId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        // `Uuid` also reads the braced, URN and dashless spellings, which are no room ids.
        let uuid = Uuid::try_parse(text).map_err(|_| InvalidId)?;
        let hyphenated = text.len() == 36;
        let version_4 = uuid.get_version_num() == 4 && uuid.get_variant() == Variant::RFC4122;
        (hyphenated && version_4).then_some(Self(uuid)).ok_or(InvalidId)
    }
}

impl TryFrom<String> for RoomId {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<RoomId> for String {
    fn from(id: RoomId) -> Self {
        id.to_string()
    }
}

impl fmt::Display for RoomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl fmt::Debug for RoomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn object_ids_count_up_within_a_second() {
        let mut ids = ObjectIds::new([1, 2, 3, 4, 5, 0xff, 0xff, 0xfe]);
        let now = Timestamp::from_millis(0x6553_f100 * 1_000);
        assert_eq!(ids.user(now).to_string(), "6553f1000102030405ffffff");
        assert_eq!(ids.user(now).to_string(), "6553f1000102030405000000");
    }

    #[test]
    fn room_ids_are_version_4_in_any_case() {
        let id: RoomId = "A987FBC9-4BED-4078-8F07-9141BA07C9F3".parse().unwrap();
        assert_eq!(id.to_string(), "a987fbc9-4bed-4078-8f07-9141ba07c9f3");
        for wrong in [
            "",
            "a987fbc9-4bed-1078-8f07-9141ba07c9f3",
            "a987fbc9-4bed-4078-0f07-9141ba07c9f3",
            "a987fbc94bed40788f079141ba07c9f3",
            "{a987fbc9-4bed-4078-8f07-9141ba07c9f3}",
            "a987fbc9-4bed-4078-8f07-9141ba07c9f3 ",
        ] {
            assert_eq!(wrong.parse::<RoomId>(), Err(InvalidId), "{wrong}");
        }
    }

    #[test]
    fn a_room_id_in_compact_form_is_the_same_room() {
        let id = RoomId::from_random([0xfb; 16]);
        assert_eq!(id.compact().len(), 22);
        assert_eq!(RoomId::from_compact(&id.compact()), Ok(id));
        let version_1 = Base64UrlUnpadded::encode_string(&[0x11; 16]);
        for wrong in ["", "AAAA", &id.to_string(), &version_1, &format!("{}A", id.compact()), "é"] {
            assert_eq!(RoomId::from_compact(wrong), Err(InvalidId), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn ids_read_what_they_write(bytes: [u8; 12], random: [u8; 16]) {
            let user = UserId(ObjectId(bytes));
            prop_assert_eq!(user.to_string().parse(), Ok(user));
            prop_assert_eq!(user.to_string().to_uppercase().parse(), Ok(user));
            let room = RoomId::from_random(random);
            prop_assert_eq!(room.to_string().parse(), Ok(room));
        }

        #[test]
        fn reading_an_id_never_panics(text: String) {
            let _ = text.parse::<UserId>();
            let _ = text.parse::<RoomId>();
        }
    }
}
