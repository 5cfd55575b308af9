//! Keys for internal purposes, derived from the one secret that an operator sets.
//!
//! `HMAC-SHA256(secret, label)` is the key; `HMAC-SHA256(key, message)`, truncated, is a tag. Each purpose has
//! its own label, so that a tag for one is not valid for another. While the secret is being rotated, tags of
//! the previous one are valid too. The keys never appear in a `Debug`.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::SigningSecret;

#[derive(Clone)]
pub struct DerivedKey {
    current: Hmac<Sha256>,
    previous: Option<Hmac<Sha256>>,
}

impl DerivedKey {
    pub fn new(secret: &SigningSecret, label: &str) -> Self {
        let derive = |secret| keyed(&keyed(secret).chain_update(label.as_bytes()).finalize().into_bytes());
        Self { current: derive(secret.current()), previous: secret.previous().map(derive) }
    }

    /// The first `N` of 32 bytes, with the current secret.
    pub fn tag<const N: usize>(&self, message: &[u8]) -> [u8; N] {
        const { assert!(N <= 32, "SHA-256 has 32 bytes") };
        let mac = self.current.clone().chain_update(message).finalize().into_bytes();
        let mut tag = [0; N];
        tag.iter_mut().zip(mac).for_each(|(to, from)| *to = from);
        tag
    }

    /// Whether `tag` is the message's, under either secret, in constant time.
    pub fn is_tag_of<const N: usize>(&self, tag: &[u8; N], message: &[u8]) -> bool {
        let is_tag_by =
            |key: &Hmac<Sha256>| key.clone().chain_update(message).verify_truncated_left(tag).is_ok();
        is_tag_by(&self.current) || self.previous.as_ref().is_some_and(is_tag_by)
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
    use secrecy::SecretString;

    use super::*;

    fn secret(text: &str) -> SigningSecret {
        SigningSecret::new(SecretString::from(text.repeat(32))).unwrap()
    }

    #[test]
    fn a_tag_of_the_previous_secret_is_good_and_none_is_made() {
        let before = DerivedKey::new(&secret("a"), "one");
        let rotated = secret("b").rotated_from(SecretString::from("a".repeat(32))).unwrap();
        let rotated = DerivedKey::new(&rotated, "one");
        assert!(rotated.is_tag_of(&before.tag::<8>(b"message"), b"message"));
        assert!(!before.is_tag_of(&rotated.tag::<8>(b"message"), b"message"));
        assert!(!rotated.is_tag_of(&DerivedKey::new(&secret("c"), "one").tag::<8>(b"message"), b"message"));
    }

    #[test]
    fn a_tag_is_good_for_its_secret_its_label_and_its_message_only() {
        let secret = secret("a");
        let key = DerivedKey::new(&secret, "one");
        let tag = key.tag::<8>(b"message");
        assert!(key.is_tag_of(&tag, b"message"));
        assert!(!key.is_tag_of(&tag, b"massage"));
        assert!(!DerivedKey::new(&secret, "two").is_tag_of(&tag, b"message"));
        assert!(!DerivedKey::new(&self::secret("b"), "one").is_tag_of(&tag, b"message"));
        assert!(!format!("{key:?}").contains("aaa"));
    }
}
