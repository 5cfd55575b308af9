//! The handshake: what the query of `/socket.io/` must say (Engine.IO v4, "Handshake").

use serde::Serialize;
use thiserror::Error;

/// The query of a request that opens a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// The room named in the query, if any, as it was spelt.
    pub room_id: Option<String>,
}

/// Refusals, with Engine.IO's own codes and texts: `{"code":0,"message":"Transport unknown"}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error, Serialize)]
#[error("{message}")]
pub struct HandshakeError {
    pub code: u8,
    pub message: &'static str,
}

impl HandshakeError {
    pub const TRANSPORT_UNKNOWN: Self = Self { code: 0, message: "Transport unknown" };
    pub const SESSION_UNKNOWN: Self = Self { code: 1, message: "Session ID unknown" };
    pub const BAD_METHOD: Self = Self { code: 2, message: "Bad handshake method" };
    pub const BAD_REQUEST: Self = Self { code: 3, message: "Bad request" };
    pub const UNSUPPORTED_VERSION: Self = Self { code: 5, message: "Unsupported protocol version" };
}

impl Handshake {
    /// Checks in the reference's order: transport, session, method, version.
    ///
    /// `query` holds decoded pairs; of a repeated key the last counts. `is_upgrade` tells whether
    /// the request asks for a WebSocket.
    pub fn parse<'a>(
        query: impl IntoIterator<Item = (&'a str, &'a str)>,
        is_get: bool,
        is_upgrade: bool,
    ) -> Result<Self, HandshakeError> {
        let (mut transport, mut sid, mut version, mut room_id) = (None, None, None, None);
        for (key, value) in query {
            match key {
                "transport" => transport = Some(value),
                "sid" => sid = Some(value),
                "EIO" => version = Some(value),
                "roomId" => room_id = Some(value.to_owned()),
                _ => {}
            }
        }
        if transport != Some("websocket") {
            return Err(HandshakeError::TRANSPORT_UNKNOWN);
        }
        if sid.is_some_and(|sid| !sid.is_empty()) {
            return Err(HandshakeError::SESSION_UNKNOWN);
        }
        if !is_get {
            return Err(HandshakeError::BAD_METHOD);
        }
        if !is_upgrade {
            return Err(HandshakeError::BAD_REQUEST);
        }
        if version != Some("4") {
            return Err(HandshakeError::UNSUPPORTED_VERSION);
        }
        Ok(Self { room_id: room_id.filter(|room_id| !room_id.is_empty()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &[(&str, &str)], is_get: bool, is_upgrade: bool) -> Result<Handshake, HandshakeError> {
        Handshake::parse(query.iter().copied(), is_get, is_upgrade)
    }

    #[test]
    fn a_websocket_handshake_may_name_its_room() {
        let query = [("EIO", "3"), ("EIO", "4"), ("transport", "websocket"), ("roomId", "r"), ("sid", "")];
        assert_eq!(parse(&query, true, true), Ok(Handshake { room_id: Some("r".to_owned()) }));
    }

    #[test]
    fn refusals_come_in_the_references_order() {
        let good = [("EIO", "4"), ("transport", "websocket")];
        assert_eq!(
            parse(&[("transport", "__proto__")], false, false),
            Err(HandshakeError::TRANSPORT_UNKNOWN)
        );
        assert_eq!(parse(&[], true, true), Err(HandshakeError::TRANSPORT_UNKNOWN));
        let known = [("transport", "websocket"), ("sid", "x")];
        assert_eq!(parse(&known, true, true), Err(HandshakeError::SESSION_UNKNOWN));
        assert_eq!(parse(&good, false, false), Err(HandshakeError::BAD_METHOD));
        assert_eq!(parse(&good, true, false), Err(HandshakeError::BAD_REQUEST));
        let old = [("EIO", "3"), ("transport", "websocket")];
        assert_eq!(parse(&old, true, true), Err(HandshakeError::UNSUPPORTED_VERSION));
    }
}
