//! Unverified facts about a request: its client address, its token, and whether it is a WebSocket upgrade.

use http::{HeaderMap, header};

use crate::error::ApiError;

/// The client address as the edge saw it. Requests that did not come through the edge share one.
pub fn client_address(headers: &HeaderMap) -> &str {
    headers.get("cf-connecting-ip").and_then(|address| address.to_str().ok()).unwrap_or("unknown")
}

/// The token of an `Authorization: Bearer <token>` header. The scheme is case-insensitive (RFC 9110, 11.1).
pub fn bearer(headers: &HeaderMap) -> Result<&str, ApiError> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().ok_or(ApiError::TokenMissing)?;
    let (scheme, token) =
        value.to_str().ok().and_then(|value| value.split_once(' ')).ok_or(ApiError::TokenMalformed)?;
    let token = token.trim();
    let well_formed = scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && !token.contains(' ');
    if well_formed && values.next().is_none() { Ok(token) } else { Err(ApiError::TokenMalformed) }
}

pub fn is_upgrade<B>(request: &http::Request<B>) -> bool {
    let upgrade = request.headers().get(header::UPGRADE).and_then(|value| value.to_str().ok());
    upgrade.is_some_and(|upgrade| upgrade.eq_ignore_ascii_case("websocket"))
}
