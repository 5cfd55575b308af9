//! Tokens: JWT (RFC 7519) signed with HMAC-SHA-256.
//!
//! A token is valid while its signature, issuer and expiry are, *and* while its user exists and still honours
//! it ([`HonouredTokens`]). The second half needs the store.

use base64ct::{Base64UrlUnpadded, Encoding};
use chrono::Duration;
use jwt_compact::{
    AlgorithmExt, Claims as JwtClaims, Header, TimeOptions, UntrustedToken, ValidationError,
    alg::{Hs256, Hs256Key},
};
use serde::{Deserialize, Deserializer, Serialize, de::IgnoredAny};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use thiserror::Error;

use crate::{SigningSecret, Timestamp, UserId, limits};

const ISSUER: &str = "zetra-api";

/// The claims of a token about its bearer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    #[serde(rename = "u")]
    pub user: UserId,
    #[serde(rename = "n")]
    pub username: String,
    /// 0 in tokens of the Node backend, which had no versions.
    #[serde(rename = "v")]
    pub version: i64,
    #[serde(rename = "e")]
    pub expires_at: Timestamp,
    #[serde(rename = "f")]
    pub fingerprint: TokenFingerprint,
}

/// A one-way fingerprint of one token, to distinguish it from its siblings without keeping it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TokenFingerprint(String);

impl TokenFingerprint {
    fn of(token: &str) -> Self {
        Self(Base64UrlUnpadded::encode_string(&Sha256::digest(token.as_bytes())))
    }

    pub fn stored(text: String) -> Self {
        Self(text)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TokenError {
    #[error("Token has expired")]
    Expired,
    #[error("Invalid authentication token")]
    Invalid,
}

/// The tokens of a user that are honoured: those that carry the user's version, and the one that made the last
/// password change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HonouredTokens {
    pub version: i64,
    pub kept: Option<TokenFingerprint>,
}

impl HonouredTokens {
    /// Whether the token with these claims is one of them.
    pub fn include(&self, claims: &Claims) -> bool {
        let kept = self.kept.as_ref();
        let kept = kept.is_some_and(|kept| kept.0.as_bytes().ct_eq(claims.fingerprint.0.as_bytes()).into());
        self.version == claims.version || kept
    }

    /// Whether the token with these claims is not honoured any more. Of a token that is newer than these, which were read
    /// before it was issued, that is not known.
    pub fn have_revoked(&self, claims: &Claims) -> bool {
        claims.version <= self.version && !self.include(claims)
    }
}

/// The part of a token's header that jwt-compact does not check: extensions that must be understood, of which
/// we support none (RFC 7515, 4.1.11).
#[derive(Clone, Deserialize)]
struct Extensions {
    #[serde(rename = "crit", default, deserialize_with = "whatever_it_is")]
    has_critical: bool,
}

fn whatever_it_is<'de, D: Deserializer<'de>>(member: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(member).map(|IgnoredAny| true)
}

#[derive(Serialize, Deserialize)]
struct CustomClaims {
    #[serde(rename = "userId")]
    user: UserId,
    username: String,
    iss: String,
    #[serde(rename = "tokenVersion", default)]
    version: i64,
    /// Distinguishes tokens that are issued to one user within one second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
}

/// The key that signs and verifies tokens, and the previous one, which only verifies them. Their bytes never
/// appear in a `Debug`.
#[derive(Clone)]
pub struct TokenKey {
    current: Hs256Key,
    previous: Option<Hs256Key>,
}

impl TokenKey {
    pub fn new(secret: &SigningSecret) -> Self {
        Self { current: Hs256Key::new(secret.current()), previous: secret.previous().map(Hs256Key::new) }
    }

    /// A token for `user` that is valid for seven days from `now`. `nonce` is random: no two tokens are the
    /// same, so that a password change can keep one of them and revoke its siblings.
    pub fn issue(
        &self,
        user: UserId,
        username: &str,
        version: i64,
        nonce: [u8; 9],
        now: Timestamp,
    ) -> String {
        let custom = CustomClaims {
            user,
            username: username.to_owned(),
            iss: ISSUER.to_owned(),
            version,
            jti: Some(Base64UrlUnpadded::encode_string(&nonce)),
        };
        let claims = JwtClaims::new(custom)
            .set_duration_and_issuance(&time_options(now), Duration::days(limits::TOKEN_DAYS));
        Hs256
            .token(&Header::empty().with_token_type("JWT"), &claims, &self.current)
            // Serialising strings and numbers to JSON cannot fail, and HMAC takes any key.
            .expect("these claims always serialise")
    }

    /// Checks form, header, algorithm, signature, issuer and expiry.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Claims, TokenError> {
        if token.len() > limits::TOKEN_BYTES {
            return Err(TokenError::Invalid);
        }
        let untrusted = UntrustedToken::<Extensions>::try_from(token).map_err(|_| TokenError::Invalid)?;
        if untrusted.header().other_fields.has_critical {
            return Err(TokenError::Invalid);
        }
        let validate = |key| Hs256.validator::<CustomClaims>(key).validate(&untrusted).ok();
        let checked = validate(&self.current).or_else(|| self.previous.as_ref().and_then(validate));
        let checked = checked.ok_or(TokenError::Invalid)?;
        let claims = checked.claims();
        if claims.custom.iss != ISSUER {
            return Err(TokenError::Invalid);
        }
        let options = time_options(now);
        if claims.not_before.is_some() {
            claims.validate_maturity(&options).map_err(|_| TokenError::Invalid)?;
        }
        match claims.validate_expiration(&options) {
            Ok(_) => {}
            Err(ValidationError::Expired) => return Err(TokenError::Expired),
            Err(_) => return Err(TokenError::Invalid),
        }
        let expiration = claims.expiration.ok_or(TokenError::Invalid)?;
        Ok(Claims {
            user: claims.custom.user,
            username: claims.custom.username.clone(),
            version: claims.custom.version,
            expires_at: Timestamp::from_millis(expiration.timestamp_millis()),
            fingerprint: TokenFingerprint::of(token),
        })
    }
}

fn time_options(now: Timestamp) -> TimeOptions<impl Fn() -> chrono::DateTime<chrono::Utc>> {
    TimeOptions::new(Duration::zero(), move || now.to_chrono())
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;
    use crate::ObjectIds;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
    const DAY: i64 = 86_400_000;

    fn key() -> TokenKey {
        TokenKey::new(&secret("0123456789abcdef0123456789abcdef"))
    }

    fn secret(text: &str) -> SigningSecret {
        SigningSecret::new(SecretString::from(text)).unwrap()
    }

    fn user() -> UserId {
        ObjectIds::new([3; 8]).user(NOW)
    }

    /// A token with arbitrary header and payload, signed as `key()` signs.
    fn forged(header: &str, payload: &str) -> String {
        let encode = |text: &str| Base64UrlUnpadded::encode_string(text.as_bytes());
        let signed = format!("{}.{}", encode(header), encode(payload));
        let signature = jwt_compact::Algorithm::sign(&Hs256, &key().current, signed.as_bytes());
        format!(
            "{signed}.{}",
            Base64UrlUnpadded::encode_string(&jwt_compact::AlgorithmSignature::as_bytes(&signature))
        )
    }

    fn payload(more: &str) -> String {
        format!(r#"{{"userId":"{}","username":"ann",{more}}}"#, user())
    }

    #[test]
    fn a_token_is_good_for_seven_days() {
        let token = key().issue(user(), "ann", 4, [0; 9], NOW);
        let claims = key().verify(&token, NOW.plus_millis(7 * DAY - 1)).unwrap();
        assert_eq!((claims.user, claims.username.as_str(), claims.version), (user(), "ann", 4));
        assert_eq!(claims.expires_at, NOW.plus_millis(7 * DAY));
        assert_eq!(key().verify(&token, NOW.plus_millis(7 * DAY + 1)), Err(TokenError::Expired));
    }

    #[test]
    fn a_token_of_the_previous_secret_is_good_until_it_expires_and_none_is_issued() {
        let token = key().issue(user(), "ann", 4, [0; 9], NOW);
        let next = secret("another secret of more than 32 bytes");
        let old = SecretString::from("0123456789abcdef0123456789abcdef");
        let rotated = TokenKey::new(&next.clone().rotated_from(old).unwrap());
        let of = |key: &TokenKey, token: &str| key.verify(token, NOW).map(|claims| claims.user);
        assert_eq!(of(&rotated, &token), Ok(user()));
        assert_eq!(rotated.verify(&token, NOW.plus_millis(7 * DAY + 1)), Err(TokenError::Expired));
        let renewed = rotated.issue(user(), "ann", 4, [0; 9], NOW);
        let after = TokenKey::new(&next);
        assert_eq!(of(&after, &renewed), Ok(user()));
        assert_eq!(of(&after, &token), Err(TokenError::Invalid));
        assert_eq!(of(&key(), &renewed), Err(TokenError::Invalid));
    }

    #[test]
    fn two_tokens_of_one_second_are_not_the_same() {
        let mark = |nonce| {
            key().verify(&key().issue(user(), "ann", 0, nonce, NOW), NOW).map(|claims| claims.fingerprint)
        };
        assert_ne!(mark([0; 9]), mark([1; 9]));
    }

    #[test]
    fn a_token_of_the_node_backend_counts_as_version_0() {
        let body = payload(r#""iss":"zetra-api","iat":1700000000,"exp":1700000100"#);
        let token = forged(r#"{"alg":"HS256","typ":"JWT"}"#, &body);
        assert_eq!(key().verify(&token, NOW).map(|claims| claims.version), Ok(0));
    }

    #[test]
    fn other_algorithms_issuers_and_missing_claims_are_refused() {
        let good = r#""iss":"zetra-api","exp":1700000100"#;
        for (header, more) in [
            (r#"{"alg":"none"}"#, good),
            (r#"{"alg":"HS512"}"#, good),
            (r#"{"alg":"RS256"}"#, good),
            (r#"{"alg":"HS256"}"#, r#""iss":"other","exp":1700000100"#),
            (r#"{"alg":"HS256"}"#, r#""exp":1700000100"#),
            (r#"{"alg":"HS256"}"#, r#""iss":"zetra-api""#),
            (r#"{"alg":"HS256"}"#, r#""iss":"zetra-api","exp":1700000100,"nbf":1700000050"#),
            (r#"{"alg":"HS256"}"#, r#""iss":"zetra-api","exp":"soon""#),
        ] {
            let token = forged(header, &payload(more));
            assert_eq!(key().verify(&token, NOW), Err(TokenError::Invalid), "{header} {more}");
        }
    }

    #[test]
    fn a_critical_header_is_refused_whatever_its_value() {
        let body = payload(r#""iss":"zetra-api","exp":1700000100"#);
        for value in [r#"["b64"]"#, r#"["exp"]"#, "[]", "null", "false", "{}", r#""""#, r#"[1],"crit":null"#]
        {
            for header in [
                format!(r#"{{"alg":"HS256","crit":{value}}}"#),
                format!(r#"{{"crit":{value},"alg":"HS256"}}"#),
            ] {
                let token = forged(&header, &body);
                assert_eq!(key().verify(&token, NOW), Err(TokenError::Invalid), "{header}");
            }
        }
        let token = forged(r#"{"alg":"HS256","typ":"JWT","kid":"1","other":["crit"]}"#, &body);
        assert!(key().verify(&token, NOW).is_ok(), "other members are no obstacle");
    }

    #[test]
    fn a_changed_token_is_refused() {
        let token = key().issue(user(), "ann", 0, [0; 9], NOW);
        let (signed, _) = token.rsplit_once('.').unwrap();
        for wrong in
            ["", ".", "..", "a.b.c", signed, &format!("{signed}."), &format!("{token}x"), &"a".repeat(9_000)]
        {
            assert_eq!(key().verify(wrong, NOW), Err(TokenError::Invalid), "{wrong}");
        }
        let other = TokenKey::new(&secret(&"x".repeat(32)));
        assert_eq!(other.verify(&token, NOW), Err(TokenError::Invalid));
    }

    #[test]
    fn a_version_or_the_kept_mark_makes_a_token_honoured() {
        let claims = key().verify(&key().issue(user(), "ann", 1, [0; 9], NOW), NOW).unwrap();
        let honoured = |version, kept: Option<&TokenFingerprint>| {
            HonouredTokens { version, kept: kept.cloned() }.include(&claims)
        };
        assert!(honoured(1, None));
        assert!(!honoured(2, None));
        assert!(honoured(2, Some(&claims.fingerprint)));
        assert!(!honoured(2, Some(&TokenFingerprint::of("another"))));
    }

    #[test]
    fn what_was_read_before_a_token_was_issued_does_not_revoke_it() {
        let claims = key().verify(&key().issue(user(), "ann", 1, [0; 9], NOW), NOW).unwrap();
        let revoked = |version| HonouredTokens { version, kept: None }.have_revoked(&claims);
        assert_eq!([0, 1, 2].map(revoked), [false, false, true]);
    }
}
