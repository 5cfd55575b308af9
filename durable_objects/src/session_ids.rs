//! Engine.IO session ids that only we can make: a made-up one is refused at the edge, without waking
//! an object.
//!
//! `base64url(nonce || HMAC-SHA256(key, nonce || scope)[..7])`, 15 bytes in 20 characters. The scope is
//! the room in whose object the session lives, so that an id is good for that object only; a session
//! without a room has none. The key is derived from `JWT_SECRET`.

use base64ct::{Base64UrlUnpadded, Encoding};
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zetra_domain::RoomId;

const NONCE: usize = 8;
const TAG: usize = 7;
const LABEL: &[u8] = b"zetra engine.io session ids";

#[derive(Clone)]
pub struct SessionIds(Hmac<Sha256>);

impl SessionIds {
    pub fn new(secret: &SecretString) -> Self {
        let derived = keyed(secret.expose_secret().as_bytes()).chain_update(LABEL).finalize().into_bytes();
        Self(keyed(&derived))
    }

    /// A session id; `nonce` is random.
    pub fn issue(&self, room: Option<RoomId>, nonce: [u8; NONCE]) -> String {
        let mut bytes = [0; NONCE + TAG];
        let tag = self.tag(room, &nonce);
        bytes.iter_mut().zip(nonce.iter().chain(&tag)).for_each(|(to, from)| *to = *from);
        Base64UrlUnpadded::encode_string(&bytes)
    }

    pub fn is_ours(&self, room: Option<RoomId>, sid: &str) -> bool {
        let mut bytes = [0; NONCE + TAG];
        match Base64UrlUnpadded::decode(sid, &mut bytes) {
            Ok(bytes) if bytes.len() == NONCE + TAG => {
                let (nonce, tag) = bytes.split_at(NONCE);
                self.tag(room, nonce).ct_eq(tag).into()
            }
            _ => false,
        }
    }

    fn tag(&self, room: Option<RoomId>, nonce: &[u8]) -> [u8; TAG] {
        let scope = room.map_or(String::new(), |room| room.to_string());
        let mac = self.0.clone().chain_update(nonce).chain_update(scope).finalize().into_bytes();
        let mut tag = [0; TAG];
        tag.iter_mut().zip(mac).for_each(|(to, from)| *to = from);
        tag
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
    fn an_id_is_good_for_its_room_and_its_secret_only() {
        let ids = SessionIds::new(&SecretString::from("0123456789abcdef0123456789abcdef"));
        let (room, other) = (RoomId::from_random([1; 16]), RoomId::from_random([2; 16]));
        let sid = ids.issue(Some(room), [7; 8]);
        assert_eq!(sid.len(), 20);
        assert!(ids.is_ours(Some(room), &sid));
        assert!(!ids.is_ours(Some(other), &sid) && !ids.is_ours(None, &sid));
        let strangers = SessionIds::new(&SecretString::from("another secret of more than 32 bytes"));
        assert!(!strangers.is_ours(Some(room), &sid));
        assert_ne!(ids.issue(None, [7; 8]), ids.issue(None, [8; 8]));
    }

    #[test]
    fn what_is_made_up_is_refused() {
        let ids = SessionIds::new(&SecretString::from("0123456789abcdef0123456789abcdef"));
        let sid = ids.issue(None, [7; 8]);
        let flipped = sid.replacen(&sid[..1], if sid.starts_with('A') { "B" } else { "A" }, 1);
        for made_up in ["", "x", "__proto__", &flipped, &sid[..19], &format!("{sid}A"), &"€".repeat(20)] {
            assert!(!ids.is_ours(None, made_up), "{made_up}");
        }
    }
}
