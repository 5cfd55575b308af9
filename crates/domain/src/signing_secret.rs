//! The one secret that an operator sets, and the previous one during a rotation.
//!
//! The server signs everything with the current secret. Signatures of the previous one are still accepted, so
//! that a rotation signs nobody out and breaks no connection. Neither appears in `Debug`.

use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;

/// `JWT_SECRET`, and `JWT_SECRET_PREVIOUS` if it is set.
#[derive(Clone, Debug)]
pub struct SigningSecret {
    current: SecretString,
    previous: Option<SecretString>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("too short: it needs at least {} bytes", SigningSecret::MIN_BYTES)]
pub struct ShortSecret;

impl SigningSecret {
    /// The shortest secret accepted, in bytes (RFC 7518, 3.2).
    pub const MIN_BYTES: usize = 32;

    pub fn new(current: SecretString) -> Result<Self, ShortSecret> {
        Ok(Self { current: long_enough(current)?, previous: None })
    }

    /// Also accepts signatures of `previous`.
    pub fn rotated_from(self, previous: SecretString) -> Result<Self, ShortSecret> {
        Ok(Self { previous: Some(long_enough(previous)?), ..self })
    }

    pub(crate) fn current(&self) -> &[u8] {
        self.current.expose_secret().as_bytes()
    }

    pub(crate) fn previous(&self) -> Option<&[u8]> {
        self.previous.as_ref().map(|secret| secret.expose_secret().as_bytes())
    }
}

fn long_enough(secret: SecretString) -> Result<SecretString, ShortSecret> {
    if secret.expose_secret().len() < SigningSecret::MIN_BYTES { Err(ShortSecret) } else { Ok(secret) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_secret_is_refused_in_either_place() {
        let (short, long) = (|| SecretString::from("x".repeat(31)), || SecretString::from("x".repeat(32)));
        assert_eq!(SigningSecret::new(short()).err(), Some(ShortSecret));
        let secret = SigningSecret::new(long()).unwrap();
        assert_eq!(secret.clone().rotated_from(short()).err(), Some(ShortSecret));
        assert!(secret.rotated_from(long()).is_ok());
    }
}
