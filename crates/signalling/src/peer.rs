//! A peer: one connection, who it is, and what must survive a hibernation.

use serde::{Deserialize, Serialize};
use zetra_domain::{Claims, TokenFingerprint, UserId};

use crate::{Media, rate::Rate};

/// By what right a connection is here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Credential {
    #[serde(rename = "t")]
    Token(Claims),
    /// An old front end without a token (`SOCKET_AUTH=optional`).
    #[serde(rename = "o")]
    None,
}

/// Why tokens stop being good while their sockets are open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Revocation {
    /// All but tokens of this version and the one that made the change.
    PasswordChanged {
        user: UserId,
        version: i64,
        kept: TokenFingerprint,
    },
    AccountDeleted {
        user: UserId,
    },
}

impl Credential {
    pub fn user(&self) -> Option<UserId> {
        self.claims().map(|claims| claims.user)
    }

    pub fn claims(&self) -> Option<&Claims> {
        match self {
            Self::Token(claims) => Some(claims),
            Self::None => None,
        }
    }

    pub(crate) fn is_revoked_by(&self, revocation: &Revocation) -> bool {
        self.claims().is_some_and(|claims| revocation.revokes(claims))
    }
}

impl Revocation {
    pub fn revokes(&self, claims: &Claims) -> bool {
        match self {
            Self::PasswordChanged { user, version, kept } => {
                claims.user == *user && !claims.is_honoured(*version, Some(kept))
            }
            Self::AccountDeleted { user } => claims.user == *user,
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
    /// Milliseconds since the epoch; only while the connection is lost.
    #[serde(rename = "h", default, skip_serializing_if = "Option::is_none")]
    pub(crate) held_until: Option<i64>,
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
        Self { credential, joined: None, rate: Rate::default(), held_until: None }
    }

    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    pub fn is_joined(&self) -> bool {
        self.joined.is_some()
    }

    pub(crate) fn is_tokenless(&self) -> bool {
        self.credential == Credential::None
    }
}
