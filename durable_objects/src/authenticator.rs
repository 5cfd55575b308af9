//! Authentication of connections: the credentials of a CONNECT packet or of the handshake's `Authorization`
//! header.

use serde::{Deserialize, Serialize};
use zetra_domain::{AddressKey, Claims, HonouredTokens, JsonValue, RoomId, Timestamp, TokenError, TokenKey};
use zetra_runtime::SocketAuth;
use zetra_signalling::Credential;
use zetra_socketio::{Kept, engine::SessionKey};

pub struct Authenticator {
    pub token_key: TokenKey,
    pub socket_auth: SocketAuth,
}

/// What the Worker passes to an object about the request that opens a session.
#[derive(Default, Serialize, Deserialize)]
pub struct Handshake {
    /// The token of the `Authorization` header; empty for a header without a bearer token.
    pub bearer: Option<String>,
    /// The client address for the limits.
    pub address: Option<AddressKey>,
    /// The connection's name in the log: the id of the request that opened it.
    #[serde(default)]
    pub connection: String,
    /// The session's id, if it is the name of a Session object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The room, if it is in a Room object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<RoomId>,
}

/// What a client presents at CONNECT.
pub struct Introduction {
    /// Checked, except that the store has not yet confirmed a token.
    pub credential: Credential,
    /// Present if the client wants to recover an earlier connection.
    pub recovery: Option<Recovery>,
    /// The connection's name in the log.
    pub connection: String,
}

/// `pid` and `offset` of a CONNECT packet: the lost connection and the last event that it received.
/// Both are the client's secrets.
#[derive(Serialize, Deserialize)]
pub struct Recovery {
    pub pid: String,
    pub offset: String,
}

/// The store's result for the user of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verification {
    /// The user's valid tokens.
    Account(HonouredTokens),
    /// The account was deleted.
    NoAccount,
    StoreUnavailable,
}

/// How long, in milliseconds, a client that came back while the store failed stays connected before it is made to reconnect:
/// Socket.IO does not back off after a transport that worked.
pub(crate) const TURNED_AWAY_MS: i64 = 2_000;

/// Why a CONNECT is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectError {
    AuthRequired,
    TokenInvalid,
    TokenExpired,
    StoreUnavailable,
    /// The user already has the maximum number of connections to this room that have not joined it.
    TooManyConnections,
}

impl ConnectError {
    /// Every one there is.
    pub const ALL: [Self; 5] = [
        Self::AuthRequired,
        Self::TokenInvalid,
        Self::TokenExpired,
        Self::StoreUnavailable,
        Self::TooManyConnections,
    ];

    /// The payload of a CONNECT_ERROR packet.
    pub fn json(self) -> String {
        let message = match self {
            Self::AuthRequired => "Authentication required",
            Self::TokenInvalid => "Invalid authentication token",
            Self::TokenExpired => "Token has expired",
            Self::StoreUnavailable => "Database unavailable",
            Self::TooManyConnections => "Too many connections",
        };
        format!(r#"{{"message":"{message}","data":{{"code":"{}"}}}}"#, self.code())
    }

    /// `data.code` of the client's `connect_error`.
    pub fn code(self) -> &'static str {
        match self {
            Self::AuthRequired => "auth_required",
            Self::TokenInvalid => "token_invalid",
            Self::TokenExpired => "token_expired",
            Self::StoreUnavailable => "store_unavailable",
            Self::TooManyConnections => "rate_limited",
        }
    }
}

/// The payload of a CONNECT packet. `null` is the same as absent.
#[derive(Default, Deserialize)]
struct Auth {
    token: Option<JsonValue>,
    pid: Option<JsonValue>,
    offset: Option<JsonValue>,
}

impl Handshake {
    /// Malformed input yields an empty handshake.
    pub(crate) fn read(handshake: &str) -> Self {
        serde_json::from_str(handshake).unwrap_or_default()
    }

    /// The room of connections to a Room object. One that has not sent CONNECT says nothing else about it.
    pub(crate) fn room_of<K>(kept: &[(SessionKey, Kept<K>)]) -> Option<RoomId> {
        kept.iter().find_map(|(_, kept)| Self::read(kept.handshake()).room)
    }
}

impl Authenticator {
    /// `auth` is the payload of the CONNECT packet, `handshake` a [`Handshake`]. A token in the
    /// payload takes precedence over one in the header.
    pub fn authenticate(
        &self,
        auth: Option<&str>,
        handshake: &str,
        now: i64,
    ) -> Result<Introduction, ConnectError> {
        let auth: Auth = match auth {
            Some(auth) => serde_json::from_str(auth).map_err(|_| ConnectError::TokenInvalid)?,
            None => Auth::default(),
        };
        let handshake = Handshake::read(handshake);
        let token = match auth.token {
            None => handshake.bearer,
            Some(JsonValue::Text(token)) => Some(token),
            Some(_) => return Err(ConnectError::TokenInvalid),
        };
        let credential = match token {
            Some(token) => Credential::Token(self.check(&token, now)?),
            None if self.socket_auth == SocketAuth::Optional => Credential::None,
            None => return Err(ConnectError::AuthRequired),
        };
        let recovery = match (auth.pid, auth.offset) {
            (Some(JsonValue::Text(pid)), Some(JsonValue::Text(offset))) => Some(Recovery { pid, offset }),
            _ => None,
        };
        Ok(Introduction { credential, recovery, connection: handshake.connection })
    }

    fn check(&self, token: &str, now: i64) -> Result<Claims, ConnectError> {
        self.token_key.verify(token, Timestamp::from_millis(now)).map_err(|error| match error {
            TokenError::Expired => ConnectError::TokenExpired,
            TokenError::Invalid => ConnectError::TokenInvalid,
        })
    }
}

impl Verification {
    /// Checks these claims against the store's result.
    pub fn admits(self, claims: &Claims) -> Result<(), ConnectError> {
        match self {
            Self::Account(honoured) if honoured.include(claims) => Ok(()),
            Self::Account(_) | Self::NoAccount => Err(ConnectError::TokenInvalid),
            Self::StoreUnavailable => Err(ConnectError::StoreUnavailable),
        }
    }
}
