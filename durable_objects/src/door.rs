//! Who may connect: the credentials of a CONNECT packet or of the handshake's `Authorization` header.

use serde::{Deserialize, Serialize};
use zetra_domain::{Claims, Timestamp, TokenError, TokenFingerprint, TokenKey};
use zetra_signalling::Credential;

use crate::SocketAuth;

pub struct Door {
    pub token_key: TokenKey,
    pub socket_auth: SocketAuth,
}

/// What the Worker tells an object of the request that opens a session.
#[derive(Default, Serialize, Deserialize)]
pub struct Handshake {
    /// The token of the `Authorization` header; empty for a header that is no bearer token.
    pub bearer: Option<String>,
}

/// What a client brings to come in.
pub struct Knock {
    /// Checked but for the store's word, if it is a token.
    pub credential: Credential,
    /// It was here before.
    pub recovery: Option<Recovery>,
}

/// `pid` and `offset` of a CONNECT packet: the connection that was lost and the last event it saw.
/// Both are the client's secrets.
#[derive(Serialize, Deserialize)]
pub struct Recovery {
    pub pid: String,
    pub offset: String,
}

/// The store's word on the user of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verification {
    Account {
        version: i64,
        kept: Option<TokenFingerprint>,
    },
    /// The account was deleted.
    NoAccount,
    StoreUnavailable,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turned {
    AuthRequired,
    TokenInvalid,
    TokenExpired,
    StoreUnavailable,
}

impl Turned {
    /// The `error` of a CONNECT_ERROR.
    pub fn json(self) -> String {
        let (message, code) = match self {
            Self::AuthRequired => ("Authentication required", "auth_required"),
            Self::TokenInvalid => ("Invalid authentication token", "token_invalid"),
            Self::TokenExpired => ("Token has expired", "token_expired"),
            Self::StoreUnavailable => ("Database unavailable", "store_unavailable"),
        };
        format!(r#"{{"message":"{message}","data":{{"code":"{code}"}}}}"#)
    }
}

/// The payload of a CONNECT packet; what is no string stands for itself.
#[derive(Default, Deserialize)]
struct Auth {
    token: Option<serde_json::Value>,
    pid: Option<serde_json::Value>,
    offset: Option<serde_json::Value>,
}

impl Door {
    /// `auth` is the payload of the CONNECT packet, `handshake` a [`Handshake`]. A token in the
    /// payload counts before one in the header.
    pub fn knock(&self, auth: Option<&str>, handshake: &str, now: i64) -> Result<Knock, Turned> {
        let auth: Auth = match auth {
            Some(auth) => serde_json::from_str(auth).map_err(|_| Turned::TokenInvalid)?,
            None => Auth::default(),
        };
        let handshake: Handshake = serde_json::from_str(handshake).unwrap_or_default();
        let token = match auth.token {
            None => handshake.bearer,
            Some(serde_json::Value::String(token)) => Some(token),
            Some(_) => return Err(Turned::TokenInvalid),
        };
        let credential = match token {
            Some(token) => Credential::Token(self.check(&token, now)?),
            None if self.socket_auth == SocketAuth::Optional => Credential::None,
            None => return Err(Turned::AuthRequired),
        };
        let recovery = match (auth.pid, auth.offset) {
            (Some(serde_json::Value::String(pid)), Some(serde_json::Value::String(offset))) => {
                Some(Recovery { pid, offset })
            }
            _ => None,
        };
        Ok(Knock { credential, recovery })
    }

    fn check(&self, token: &str, now: i64) -> Result<Claims, Turned> {
        self.token_key.verify(token, Timestamp::from_millis(now)).map_err(|error| match error {
            TokenError::Expired => Turned::TokenExpired,
            TokenError::Invalid => Turned::TokenInvalid,
        })
    }
}

impl Verification {
    /// Whether the store lets these claims in.
    pub fn admits(self, claims: &Claims) -> Result<(), Turned> {
        match self {
            Self::Account { version, kept } if claims.is_honoured(version, kept.as_ref()) => Ok(()),
            Self::Account { .. } | Self::NoAccount => Err(Turned::TokenInvalid),
            Self::StoreUnavailable => Err(Turned::StoreUnavailable),
        }
    }
}
