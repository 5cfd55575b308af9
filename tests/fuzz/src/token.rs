//! No token is good but one that the key has signed, and of those only one with the claims that make it good.
//!
//! libFuzzer sees what is compared, the right signatures included, and comes up with signed tokens by itself: so what
//! is good must be exactly what the key signs.

use base64ct::{Base64UrlUnpadded, Encoding};
use hmac::{Hmac, Mac};
use serde_json::Value;
use sha2::Sha256;
use zetra_domain::{ObjectIds, Timestamp, TokenKey};

use crate::{SECRET, edited, secret};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// The bytes as they are, as header and payload of a signed token, and as changes of a good one.
pub(crate) fn run(data: &[u8]) {
    let key = TokenKey::new(&secret());
    let user = ObjectIds::new([3; 8]).user(NOW);
    let good = key.issue(user, "ann", 0, [0; 9], NOW);
    assert_eq!(key.verify(&good, NOW).map(|claims| claims.user), Ok(user));
    if let Some(changed) = edited(&good, data) {
        is_entitled(&key, &changed);
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    is_entitled(&key, text);
    if let Some((header, payload)) = text.split_once('\n') {
        is_entitled(&key, &signed(header.as_bytes(), payload.as_bytes()));
    }
}

/// A token as our key signs it, whatever it says.
fn signed(header: &[u8], payload: &[u8]) -> String {
    let encode = |bytes: &[u8]| Base64UrlUnpadded::encode_string(bytes);
    let signed = format!("{}.{}", encode(header), encode(payload));
    let mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("HMAC takes any key");
    let signature = mac.chain_update(signed.as_bytes()).finalize().into_bytes();
    format!("{signed}.{}", encode(&signature))
}

/// If it is good: RFC 7519 and the claims of ours, read by another reader.
fn is_entitled(key: &TokenKey, token: &str) {
    let Ok(claims) = key.verify(token, NOW) else { return };
    let [header, payload, _] = token.split('.').collect::<Vec<_>>()[..] else { panic!("no JWT: {token}") };
    let [header, payload] =
        [header, payload].map(|part| Base64UrlUnpadded::decode_vec(part).expect("base64url"));
    assert_eq!(signed(&header, &payload), token);
    let header: Value = serde_json::from_slice(&header).expect("the header is JSON");
    let payload: Value = serde_json::from_slice(&payload).expect("the payload is JSON");
    assert_eq!((&header["alg"], header.get("crit")), (&Value::from("HS256"), None));
    assert_eq!(
        (&payload["iss"], &payload["username"]),
        (&Value::from("zetra-api"), &claims.username.as_str().into())
    );
    assert_eq!(payload["userId"].as_str().map(str::to_ascii_lowercase), Some(claims.user.to_string()));
    let now = NOW.millis() / 1_000;
    // They may have a fraction (RFC 7519, section 2, NumericDate), which the other reader cuts off.
    let whole = |value: &Value| value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds as i64));
    let seconds = |claim: &str| payload.get(claim).filter(|value| !value.is_null()).map(whole);
    assert_eq!(seconds("exp"), Some(Some(claims.expires_at.millis() / 1_000)));
    assert!(claims.expires_at >= NOW, "it has expired");
    assert!(seconds("nbf").is_none_or(|from| from.is_some_and(|from| from <= now)), "it is not good yet");
}
