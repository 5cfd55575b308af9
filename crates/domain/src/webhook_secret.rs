//! The webhook secret, as defined by the Standard Webhooks specification
//! (`https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md`).

use std::fmt;

use base64ct::{Base64, Encoding};
use hmac::{Hmac, Mac};
use sha2::Sha256;

const PREFIX: &str = "whsec_";
/// Length in bytes, as the specification recommends.
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// Signs outgoing messages. It never appears in a `Debug`.
#[derive(Clone)]
pub struct WebhookSecret(Hmac<Sha256>);

impl WebhookSecret {
    /// `whsec_` and 24 to 64 bytes in base64.
    pub fn parse(text: &str) -> Option<Self> {
        let key = Base64::decode_vec(text.strip_prefix(PREFIX)?).ok()?;
        let key = Some(key).filter(|key| BYTES.contains(&key.len()))?;
        Hmac::new_from_slice(&key).ok().map(Self)
    }

    /// The `webhook-signature` of a message: `v1,` and HMAC-SHA256 of `id.timestamp.body` in base64.
    /// `timestamp` in seconds since the epoch.
    pub fn sign(&self, id: &str, timestamp: i64, body: &str) -> String {
        let signed = [id, ".", &timestamp.to_string(), ".", body].concat();
        let mac = self.0.clone().chain_update(signed).finalize().into_bytes();
        format!("v1,{}", Base64::encode_string(&mac))
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The specification's own example.
    #[test]
    fn a_message_is_signed_as_the_specification_has_it() {
        let secret = WebhookSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(format!("{secret:?}"), "WebhookSecret(…)");
    }

    #[test]
    fn what_is_no_secret_is_refused() {
        for text in ["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_short", "whsec_!!!!"] {
            assert!(WebhookSecret::parse(text).is_none(), "{text}");
        }
    }
}
