//! Long-polling payloads: packets joined by U+001E, binary ones as `b` and base64 (Engine.IO v4,
//! "Packet encoding / HTTP long-polling").
//!
//! base64 is decoded as strictly as RFC 4648 defines it, whereas Node accepts anything it can make sense of.

use base64ct::{Base64, Encoding};

/// Separates the packets of a payload.
pub const SEPARATOR: char = '\u{1e}';

/// A packet of a payload.
#[derive(Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// A text packet, its type first.
    Text(&'a str),
    /// A binary message, decoded.
    Binary(Vec<u8>),
}

/// The packets in order; `None` for an unreadable one.
pub fn split(payload: &str) -> impl Iterator<Item = Option<Part<'_>>> {
    payload.split(SEPARATOR).map(|packet| match packet.strip_prefix('b') {
        Some(base64) => Base64::decode_vec(base64).ok().map(Part::Binary),
        None if packet.is_empty() => None,
        None => Some(Part::Text(packet)),
    })
}

/// A binary message as a packet of a payload.
pub fn binary(bytes: &[u8]) -> String {
    let mut packet = Base64::encode_string(bytes);
    packet.insert(0, 'b');
    packet
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_specifications_examples() {
        let parts: Vec<_> = split("4hello\u{1e}2\u{1e}bAQIDBA==").collect();
        assert_eq!(
            parts,
            [Some(Part::Text("4hello")), Some(Part::Text("2")), Some(Part::Binary(vec![1, 2, 3, 4]))]
        );
        assert_eq!(binary(&[1, 2, 3, 4]), "bAQIDBA==");
    }

    #[test]
    fn what_cannot_be_read_is_none_and_what_came_before_it_is_not_lost() {
        assert_eq!(split("").collect::<Vec<_>>(), [None]);
        assert_eq!(split("4a\u{1e}").collect::<Vec<_>>(), [Some(Part::Text("4a")), None]);
        for broken in ["b!!", "bAQIDBA", "bAQ==x", "b A=="] {
            assert_eq!(split(broken).collect::<Vec<_>>(), [None], "{broken}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let payload = binary(&bytes);
            prop_assert_eq!(split(&payload).collect::<Vec<_>>(), [Some(Part::Binary(bytes))]);
        }

        #[test]
        fn any_text_is_split_without_panic(text in ".*") {
            split(&text).for_each(drop);
        }
    }
}
