//! A peer: one connection, who it is, and what must survive a hibernation.

use serde::{Deserialize, Serialize};
use zetra_domain::{Claims, TokenFingerprint, UserId};

use crate::{Media, rate::Rate};

/// By what right a connection is here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Credential {
    #[serde(rename = "t")]
    Token {
        #[serde(rename = "u")]
        user: UserId,
        #[serde(rename = "n")]
        username: String,
        #[serde(rename = "v")]
        version: i64,
        /// Milliseconds since the epoch.
        #[serde(rename = "e")]
        expires_at: i64,
        #[serde(rename = "f")]
        fingerprint: TokenFingerprint,
    },
    /// An old front end without a token (`SOCKET_AUTH=optional`).
    #[serde(rename = "o")]
    None,
}

impl Credential {
    pub fn user(&self) -> Option<UserId> {
        match self {
            Self::Token { user, .. } => Some(*user),
            Self::None => None,
        }
    }
}

impl From<Claims> for Credential {
    fn from(claims: Claims) -> Self {
        Self::Token {
            user: claims.user,
            username: claims.username,
            version: claims.version,
            expires_at: claims.expires_at.millis(),
            fingerprint: claims.fingerprint,
        }
    }
}

/// A connection as the room knows it. Serialised into the socket's attachment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    #[serde(rename = "c")]
    pub(crate) credential: Credential,
    #[serde(rename = "j", default, skip_serializing_if = "Option::is_none")]
    pub(crate) joined: Option<Joined>,
    #[serde(rename = "r", default)]
    pub(crate) rate: Rate,
}

/// A presence in the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joined {
    #[serde(rename = "u")]
    pub(crate) user: UserId,
    /// Orders the people of a room by their coming.
    #[serde(rename = "s")]
    pub(crate) sequence: u64,
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    pub(crate) media: Option<Media>,
}

impl Peer {
    pub fn new(credential: Credential) -> Self {
        Self { credential, joined: None, rate: Rate::default() }
    }

    pub(crate) fn is_tokenless(&self) -> bool {
        self.credential == Credential::None
    }
}
