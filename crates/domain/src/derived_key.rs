//! Keys for purposes of our own, derived from the one secret an operator sets.
//!
//! `HMAC-SHA256(secret, label)` is the key, `HMAC-SHA256(key, message)` cut short is a tag. Each purpose has
//! its own label, so that no tag of one is good for another. The key shows in no `Debug`.

use std::fmt;

use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

#[derive(Clone)]
pub struct DerivedKey(Hmac<Sha256>);

impl DerivedKey {
    pub fn new(secret: &SecretString, label: &str) -> Self {
        let derived =
            keyed(secret.expose_secret().as_bytes()).chain_update(label.as_bytes()).finalize().into_bytes();
        Self(keyed(&derived))
    }

    /// The first `N` of 32 bytes.
    pub fn tag<const N: usize>(&self, message: &[u8]) -> [u8; N] {
        const { assert!(N <= 32, "SHA-256 has 32 bytes") };
        let mac = self.0.clone().chain_update(message).finalize().into_bytes();
        let mut tag = [0; N];
        tag.iter_mut().zip(mac).for_each(|(to, from)| *to = from);
        tag
    }

    /// Whether `tag` is the message's, in a time that does not tell how much of it is right.
    pub fn is_tag_of<const N: usize>(&self, tag: &[u8; N], message: &[u8]) -> bool {
        self.0.clone().chain_update(message).verify_truncated_left(tag).is_ok()
    }
}

impl fmt::Debug for DerivedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DerivedKey(…)")
    }
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    // HMAC takes keys of any length (RFC 2104, section 2).
    Hmac::new_from_slice(key).expect("any key length is good for HMAC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_good_for_its_secret_its_label_and_its_message_only() {
        let secret = SecretString::from("0123456789abcdef0123456789abcdef");
        let key = DerivedKey::new(&secret, "one");
        let tag = key.tag::<8>(b"message");
        assert!(key.is_tag_of(&tag, b"message"));
        assert!(!key.is_tag_of(&tag, b"massage"));
        assert!(!DerivedKey::new(&secret, "two").is_tag_of(&tag, b"message"));
        assert!(!DerivedKey::new(&SecretString::from("another"), "one").is_tag_of(&tag, b"message"));
        assert!(!format!("{key:?}").contains("0123"));
    }
}
