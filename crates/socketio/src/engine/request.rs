//! What a request to `/socket.io/` wants: its query, checked in the order of the reference implementation
//! (Engine.IO v4, "Handshake"; the order is that of the official server's `verify`).

use serde::Serialize;
use thiserror::Error;

/// The query of a request. If a key is repeated the last one counts; an empty `sid` counts as absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    transport: Option<String>,
    pub(crate) version: Option<String>,
    sid: Option<String>,
}

/// What a request names as its `transport` (Engine.IO v4, "Transports").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransportName {
    /// HTTP long-polling.
    Polling,
    /// WebSocket.
    WebSocket,
}

/// The parts of a request other than its query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET without an upgrade.
    Get,
    /// GET with `Upgrade: websocket`.
    Upgrade,
    /// POST.
    Post,
    /// Any other.
    Other,
}

/// What a well-formed request wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route<'a> {
    /// A handshake: a new session over this transport.
    Open(TransportName),
    /// A request of the session with that id, if it exists.
    Session {
        /// The session id, as it arrived.
        sid: &'a str,
        /// The transport that the request names.
        transport: TransportName,
    },
}

/// Refusals, with Engine.IO's own codes and texts: `{"code":0,"message":"Transport unknown"}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error, Serialize)]
#[error("{message}")]
pub struct RequestError {
    /// The reference's number.
    pub code: u8,
    /// The reference's text.
    pub message: &'static str,
}

impl RequestError {
    /// `transport` is missing, or neither `polling` nor `websocket`.
    pub const TRANSPORT_UNKNOWN: Self = Self { code: 0, message: "Transport unknown" };
    /// No session with that `sid` exists, or not any longer.
    pub const SESSION_UNKNOWN: Self = Self { code: 1, message: "Session ID unknown" };
    /// A handshake is a GET.
    pub const BAD_METHOD: Self = Self { code: 2, message: "Bad handshake method" };
    /// The transport does not fit the request, or the session.
    pub const BAD_REQUEST: Self = Self { code: 3, message: "Bad request" };
    /// The application does not take any more connections. The reference's `FORBIDDEN`, with a text of its own.
    pub const TOO_MANY: Self = Self { code: 4, message: "Too many connections" };
    /// `EIO` is not 4.
    pub const UNSUPPORTED_VERSION: Self = Self { code: 5, message: "Unsupported protocol version" };

    /// The status of the response.
    pub fn status(self) -> u16 {
        if self == Self::TOO_MANY { 503 } else { 400 }
    }

    /// Content type and body of the response: JSON, or for an upgrade the bare message.
    pub fn body(self, method: Method) -> (&'static str, String) {
        match method {
            Method::Upgrade => ("text/html", self.message.to_owned()),
            Method::Get | Method::Post | Method::Other => ("application/json", self.json()),
        }
    }

    fn json(self) -> String {
        format!(r#"{{"code":{},"message":"{}"}}"#, self.code, self.message)
    }
}

impl Method {
    /// Maps the HTTP method; `is_upgrade` is whether the request has a header `Upgrade: websocket`.
    pub fn of(name: &str, is_upgrade: bool) -> Self {
        match name {
            "GET" if is_upgrade => Self::Upgrade,
            "GET" => Self::Get,
            "POST" => Self::Post,
            _ => Self::Other,
        }
    }
}

impl Query {
    /// Parses the query of a URL, without its question mark.
    pub fn decode(query: &str) -> Self {
        let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
        Self::parse(pairs.iter().map(|(key, value)| (key.as_ref(), value.as_ref())))
    }

    /// Parses a query from pairs that are already decoded.
    pub fn parse<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut query = Self::default();
        for (key, value) in pairs {
            let slot = match key {
                "transport" => &mut query.transport,
                "sid" => &mut query.sid,
                "EIO" => &mut query.version,
                _ => continue,
            };
            *slot = Some(value.to_owned());
        }
        query.sid = query.sid.filter(|sid| !sid.is_empty());
        query
    }

    /// What the request wants. `is_ours` decides whether this server can have issued a session id.
    ///
    /// # Errors
    /// The first [`RequestError`] in the reference's order.
    pub fn route(&self, method: Method, is_ours: impl Fn(&str) -> bool) -> Result<Route<'_>, RequestError> {
        let transport = match self.transport.as_deref() {
            Some("polling") => TransportName::Polling,
            Some("websocket") => TransportName::WebSocket,
            _ => return Err(RequestError::TRANSPORT_UNKNOWN),
        };
        if let Some(sid) = self.sid.as_deref() {
            if !is_ours(sid) {
                return Err(RequestError::SESSION_UNKNOWN);
            }
            return Ok(Route::Session { sid, transport });
        }
        if matches!(method, Method::Post | Method::Other) {
            return Err(RequestError::BAD_METHOD);
        }
        if (method == Method::Upgrade) != (transport == TransportName::WebSocket) {
            return Err(RequestError::BAD_REQUEST);
        }
        if !self.is_version_4() {
            return Err(RequestError::UNSUPPORTED_VERSION);
        }
        Ok(Route::Open(transport))
    }

    pub(crate) fn is_version_4(&self) -> bool {
        self.version.as_deref() == Some("4")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(query: &[(&str, &str)], method: Method) -> Result<String, RequestError> {
        let query = Query::parse(query.iter().copied());
        query.route(method, |sid| sid == "known").map(|route| format!("{route:?}"))
    }

    #[test]
    fn of_repeated_keys_the_last_counts_and_others_are_ignored() {
        let pairs = [("EIO", "3"), ("EIO", "4"), ("transport", "websocket"), ("t", "r"), ("sid", "")];
        assert_eq!(route(&pairs, Method::Upgrade), Ok("Open(WebSocket)".to_owned()));
        let polling = [("EIO", "4"), ("transport", "polling")];
        assert_eq!(route(&polling, Method::Get), Ok("Open(Polling)".to_owned()));
    }

    #[test]
    fn refusals_come_in_the_references_order() {
        use RequestError as E;
        let good = [("EIO", "4"), ("transport", "websocket")];
        let old = [("EIO", "3"), ("transport", "websocket")];
        let forged = [("transport", "websocket"), ("sid", "x")];
        for (query, method, expected) in [
            (&[("transport", "__proto__")][..], Method::Other, E::TRANSPORT_UNKNOWN),
            (&[("transport", "constructor"), ("sid", "x")], Method::Get, E::TRANSPORT_UNKNOWN),
            (&[], Method::Upgrade, E::TRANSPORT_UNKNOWN),
            (&forged, Method::Post, E::SESSION_UNKNOWN),
            (&good, Method::Other, E::BAD_METHOD),
            (&good, Method::Post, E::BAD_METHOD),
            (&good, Method::Get, E::BAD_REQUEST),
            (&[("EIO", "4"), ("transport", "polling")], Method::Upgrade, E::BAD_REQUEST),
            (&old, Method::Upgrade, E::UNSUPPORTED_VERSION),
            (&[("transport", "polling")], Method::Get, E::UNSUPPORTED_VERSION),
        ] {
            assert_eq!(route(query, method), Err(expected), "{query:?} {method:?}");
        }
    }

    #[test]
    fn the_body_of_a_refusal_is_engine_ios() {
        let (unknown, json) = (RequestError::SESSION_UNKNOWN, r#"{"code":1,"message":"Session ID unknown"}"#);
        assert_eq!(unknown.body(Method::Get), ("application/json", json.to_owned()));
        assert_eq!(unknown.body(Method::Upgrade), ("text/html", "Session ID unknown".to_owned()));
    }
}
