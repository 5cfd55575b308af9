//! Engine.IO session ids that only this server can issue: a forged one is refused at the edge, without waking
//! an object.
//!
//! `base64url(nonce || HMAC-SHA256(key, nonce || scope)[..7])`, 15 bytes in 20 characters. The scope is the
//! room in whose object the session lives, so that an id is valid for that object only; a session without a
//! room has none. The key is derived from `JWT_SECRET`.

use base64ct::{Base64UrlUnpadded, Encoding};
use zetra_domain::{DerivedKey, RoomId, SigningSecret};

const NONCE: usize = 8;
const TAG: usize = 7;
const LABEL: &str = "zetra engine.io session ids";

#[derive(Clone)]
pub struct SessionIds(DerivedKey);

impl SessionIds {
    pub fn new(secret: &SigningSecret) -> Self {
        Self(DerivedKey::new(secret, LABEL))
    }

    /// A session id; `nonce` is random.
    pub fn issue(&self, room: Option<RoomId>, nonce: [u8; NONCE]) -> String {
        let tag: [u8; TAG] = self.0.tag(&scoped(&nonce, room));
        Base64UrlUnpadded::encode_string(&[nonce.as_slice(), &tag].concat())
    }

    pub fn is_ours(&self, room: Option<RoomId>, sid: &str) -> bool {
        let mut bytes = [0; NONCE + TAG];
        match Base64UrlUnpadded::decode(sid, &mut bytes).map(<[u8]>::split_last_chunk::<TAG>) {
            Ok(Some((nonce, tag))) if nonce.len() == NONCE => self.0.is_tag_of(tag, &scoped(nonce, room)),
            _ => false,
        }
    }
}

fn scoped(nonce: &[u8], room: Option<RoomId>) -> Vec<u8> {
    [nonce, room.map_or(String::new(), |room| room.to_string()).as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    fn ids_of(secret: &str) -> SessionIds {
        SessionIds::new(&SigningSecret::new(SecretString::from(secret)).unwrap())
    }

    #[test]
    fn an_id_is_good_for_its_room_and_its_secret_only() {
        let ids = ids_of("0123456789abcdef0123456789abcdef");
        let (room, other) = (RoomId::from_random([1; 16]), RoomId::from_random([2; 16]));
        let sid = ids.issue(Some(room), [7; 8]);
        assert_eq!(sid.len(), 20);
        assert!(ids.is_ours(Some(room), &sid));
        assert!(!ids.is_ours(Some(other), &sid) && !ids.is_ours(None, &sid));
        let strangers = ids_of("another secret of more than 32 bytes");
        assert!(!strangers.is_ours(Some(room), &sid));
        assert_ne!(ids.issue(None, [7; 8]), ids.issue(None, [8; 8]));
    }

    #[test]
    fn what_is_made_up_is_refused() {
        let ids = ids_of("0123456789abcdef0123456789abcdef");
        let sid = ids.issue(None, [7; 8]);
        let flipped = sid.replacen(&sid[..1], if sid.starts_with('A') { "B" } else { "A" }, 1);
        for made_up in ["", "x", "__proto__", &flipped, &sid[..19], &format!("{sid}A"), &"€".repeat(20)] {
            assert!(!ids.is_ours(None, made_up), "{made_up}");
        }
    }
}
