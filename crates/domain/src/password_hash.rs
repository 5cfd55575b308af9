//! Password hashes: new ones are argon2id; bcrypt, which the Node backend wrote, can still be verified.

use std::fmt;

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{self, PasswordHasher, PasswordVerifier, SaltString},
};
use base64ct::Encoding;

use crate::{Password, PasswordAttempt};

/// OWASP's first choice: 19 MiB of memory, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// bcrypt uses no more of a password.
const BCRYPT_BYTES: usize = 72;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Argon2,
    Bcrypt,
}

/// Hashes that no password matches and that cost as much to compare as real ones: argon2id with our parameters,
/// bcrypt with the default cost of Node's library.
const DECOYS: [(Kind, &str); 2] = [
    (
        Kind::Argon2,
        "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ),
    (Kind::Bcrypt, "$2b$10$....................................................."),
];

/// A stored hash: a PHC string, or one from bcrypt. It never appears in a `Debug` or a log.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

/// The outcome of comparing a password with a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Wrong,
    Right,
    /// Right, and the hash is of an older kind: store a new one.
    RightButOutdated,
}

impl PasswordHash {
    /// Takes about 30 ms of CPU and 19 MiB. `salt` is random.
    pub fn new(password: &Password, salt: [u8; 16]) -> Self {
        Self::argon2id(password.bytes(), salt)
    }

    /// A new hash of a password that was just verified, even if today's rules for new passwords would refuse
    /// it.
    pub fn renewed(password: &PasswordAttempt, salt: [u8; 16]) -> Self {
        Self::argon2id(password.text().as_bytes(), salt)
    }

    pub fn stored(hash: String) -> Self {
        Self(hash)
    }

    /// The text to store.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether a password is that of an account; `None` if there is no such account. Every wrong attempt takes
    /// the same time, so that nobody learns which emails have accounts and which of those came from the Node
    /// backend: both kinds of hash are computed, one of them in vain if the account has none of that kind.
    pub fn verify_evenly(hash: Option<&Self>, attempt: &PasswordAttempt) -> Verdict {
        let verdict = hash.map_or(Verdict::Wrong, |hash| hash.verify(attempt));
        if verdict == Verdict::Wrong {
            Self::verify_in_vain(hash, attempt);
        }
        verdict
    }

    /// What a wrong attempt takes beside the comparison with the account's own hash. A right one that is refused as if it
    /// were wrong must take it too.
    pub fn verify_in_vain(hash: Option<&Self>, attempt: &PasswordAttempt) {
        let compared = hash.and_then(Self::kind);
        for decoy in DECOYS.into_iter().filter(|(kind, _)| compared != Some(*kind)) {
            let _ = Self(decoy.1.to_owned()).verify(attempt);
        }
    }

    pub fn verify(&self, attempt: &PasswordAttempt) -> Verdict {
        if self.kind() == Some(Kind::Bcrypt) {
            return match bcrypt::verify(attempt.text(), &self.0) {
                // The ignored rest may be a typo: hashed again in full, it would lock the user out.
                Ok(true) if attempt.text().len() > BCRYPT_BYTES => Verdict::Right,
                Ok(true) => Verdict::RightButOutdated,
                Ok(false) | Err(_) => Verdict::Wrong,
            };
        }
        let Ok(hash) = password_hash::PasswordHash::new(&self.0) else {
            return Verdict::Wrong;
        };
        match argon2().verify_password(attempt.text().as_bytes(), &hash) {
            Ok(()) if Params::try_from(&hash).is_ok_and(|stored| is_current(&stored)) => Verdict::Right,
            Ok(()) => Verdict::RightButOutdated,
            Err(_) => Verdict::Wrong,
        }
    }

    fn kind(&self) -> Option<Kind> {
        match self.0.get(..4)? {
            "$2a$" | "$2b$" => Some(Kind::Bcrypt),
            "$arg" => Some(Kind::Argon2),
            _ => None,
        }
    }

    fn argon2id(password: &[u8], salt: [u8; 16]) -> Self {
        let mut encoded = [0; 24];
        let hash = base64ct::Base64Unpadded::encode(&salt, &mut encoded)
            .ok()
            .and_then(|salt| SaltString::from_b64(salt).ok())
            .and_then(|salt| Some(argon2().hash_password(password, &salt).ok()?.to_string()))
            // Fails only for a salt or a password out of range: the salt has its 16 bytes, and a password is at
            // most 4 KiB.
            .expect("argon2 takes every password of ours");
        Self(hash)
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

fn argon2() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None)
        // Checked by every test that hashes: the three are constants within argon2's ranges.
        .expect("constant parameters are in range");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn is_current(stored: &Params) -> bool {
    (stored.m_cost(), stored.t_cost(), stored.p_cost()) == (MEMORY_KIB, PASSES, LANES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(text: &str) -> PasswordAttempt {
        PasswordAttempt::parse("password", text).unwrap()
    }

    #[test]
    fn a_new_hash_is_argon2id_with_owasp_parameters() {
        let password = Password::parse("password", "Sup3rSecret").unwrap();
        let hash = PasswordHash::new(&password, [9; 16]);
        assert!(hash.expose().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.expose());
        assert_eq!(hash.verify(&attempt("Sup3rSecret")), Verdict::Right);
        assert_eq!(hash.verify(&attempt("sup3rsecret")), Verdict::Wrong);
        assert!(!format!("{hash:?}").contains("argon2id"));
    }

    #[test]
    fn bcrypt_hashes_of_the_node_backend_still_verify() {
        let stored = bcrypt::hash("weak", 4).unwrap();
        for prefix in ["$2a$", "$2b$"] {
            let hash = PasswordHash::stored(stored.replacen("$2b$", prefix, 1));
            assert_eq!(hash.verify(&attempt("weak")), Verdict::RightButOutdated, "{prefix}");
            assert_eq!(hash.verify(&attempt("Weak")), Verdict::Wrong, "{prefix}");
        }
    }

    #[test]
    fn weaker_argon2_parameters_are_renewed() {
        let salt = SaltString::from_b64("CQkJCQkJCQkJCQkJCQkJCQ").unwrap();
        let weak = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(64, 1, 1, None).unwrap());
        let hash = PasswordHash::stored(weak.hash_password(b"Sup3rSecret", &salt).unwrap().to_string());
        assert_eq!(hash.verify(&attempt("Sup3rSecret")), Verdict::RightButOutdated);
    }

    #[test]
    fn garbage_in_the_store_matches_nothing() {
        for stored in ["", "plain", "$2b$", "$argon2id$", "$2b$99$abc"] {
            assert_eq!(
                PasswordHash::stored(stored.to_owned()).verify(&attempt("plain")),
                Verdict::Wrong,
                "{stored}"
            );
        }
    }

    #[test]
    fn decoys_are_wrong_and_cost_a_real_comparison() {
        for (kind, decoy) in DECOYS {
            let hash = PasswordHash::stored(decoy.to_owned());
            assert_eq!((hash.kind(), hash.verify(&attempt("x"))), (Some(kind), Verdict::Wrong));
        }
        let [(_, argon2id), (_, bcrypt)] = DECOYS;
        let parameters = password_hash::PasswordHash::new(argon2id).map(|hash| Params::try_from(&hash));
        assert!(parameters.unwrap().is_ok_and(|parameters| is_current(&parameters)));
        assert_eq!(bcrypt.parse::<bcrypt::HashParts>().unwrap().get_cost(), 10);
        assert!(matches!(bcrypt::verify("x", bcrypt), Ok(false)), "it is computed, not refused");
    }

    #[test]
    fn wrong_is_wrong_for_everybody_and_right_is_right() {
        let password = Password::parse("password", "Sup3rSecret").unwrap();
        let current = PasswordHash::new(&password, [9; 16]);
        let outdated = PasswordHash::stored(bcrypt::hash("Sup3rSecret", 4).unwrap());
        for hash in [None, Some(&current), Some(&outdated)] {
            assert_eq!(PasswordHash::verify_evenly(hash, &attempt("wrong")), Verdict::Wrong);
        }
        let right = attempt("Sup3rSecret");
        assert_eq!(PasswordHash::verify_evenly(Some(&current), &right), Verdict::Right);
        assert_eq!(PasswordHash::verify_evenly(Some(&outdated), &right), Verdict::RightButOutdated);
    }

    #[test]
    fn what_bcrypt_did_not_look_at_is_not_stored_anew() {
        let seen = "a".repeat(72);
        let hash = PasswordHash::stored(bcrypt::hash(&seen, 4).unwrap());
        assert_eq!(hash.verify(&attempt(&seen)), Verdict::RightButOutdated);
        for slip in ["b", " and more"] {
            assert_eq!(hash.verify(&attempt(&format!("{seen}{slip}"))), Verdict::Right, "{slip}");
        }
        assert_eq!(hash.verify(&attempt(&"a".repeat(71))), Verdict::Wrong);
    }
}
