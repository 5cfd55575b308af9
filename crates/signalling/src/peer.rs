//! A peer: a person as the room sees them, over one connection after another, and what must survive a hibernation.

use serde::{Deserialize, Serialize};
use zetra_domain::{Claims, HonouredTokens, UserId};

use crate::{Media, Rate, Refusal};

/// The credential of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Credential {
    #[serde(rename = "t")]
    Token(Claims),
    /// An old front end without a token (`SOCKET_AUTH=optional`).
    #[serde(rename = "o")]
    None,
}

/// Some of a user's tokens are revoked while their sockets are open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    pub user: UserId,
    /// The tokens that stay valid; `None` if the account was deleted.
    pub honoured: Option<HonouredTokens>,
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

    /// Why the bearer has to go, given the tokens of the user that the store still honours.
    pub(crate) fn revoked_by(&self, honoured: Option<&HonouredTokens>) -> Option<Refusal> {
        let claims = self.claims()?;
        match honoured {
            None => Some(Refusal::AccountDeleted),
            Some(honoured) => honoured.have_revoked(claims).then_some(Refusal::TokenRevoked),
        }
    }
}

impl Revocation {
    pub fn revokes(&self, claims: &Claims) -> bool {
        claims.user == self.user
            && self.honoured.as_ref().is_none_or(|honoured| honoured.have_revoked(claims))
    }

    pub(crate) fn refusal(&self) -> Refusal {
        if self.honoured.is_some() { Refusal::TokenRevoked } else { Refusal::AccountDeleted }
    }
}

/// A client as the room sees it. The serialised part survives the loss of its connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    #[serde(rename = "c")]
    pub(crate) credential: Credential,
    #[serde(rename = "j", default, skip_serializing_if = "Option::is_none")]
    pub(crate) joined: Option<Joined>,
    /// Survives a sleep, with the connection.
    #[serde(skip)]
    pub(crate) rate: Rate,
    /// Milliseconds since the epoch; set only while the connection is lost.
    #[serde(rename = "h", default, skip_serializing_if = "Option::is_none")]
    pub(crate) held_until: Option<i64>,
}

/// A presence in the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joined {
    #[serde(rename = "u")]
    pub(crate) user: UserId,
    /// Orders the people of a room by arrival.
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

    pub fn with_rate(self, rate: Rate) -> Self {
        Self { rate, ..self }
    }

    pub fn rate(&self) -> Rate {
        self.rate
    }

    pub fn is_joined(&self) -> bool {
        self.joined.is_some()
    }

    /// The user it is in the room.
    pub fn user(&self) -> Option<UserId> {
        self.joined.map(|joined| joined.user)
    }

    /// Until when it is held, if its connection was lost; milliseconds since the epoch.
    pub fn held_until(&self) -> Option<i64> {
        self.held_until
    }

    pub(crate) fn is_tokenless(&self) -> bool {
        self.credential == Credential::None
    }
}
