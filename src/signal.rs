//! `/socket.io/`: checks the request, chooses the object and forwards the request.
//!
//! A connection that names its room in the query (`?roomId=`, which stays in the query of every request
//! of its session) lives in that room's object, any other in its own object. The session id also contains
//! which of the two it is, so that one cannot be mistaken for the other.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use zetra_domain::{AddressKey, RoomId, limits};
use zetra_durable_objects::{HANDSHAKE_HEADER, Handshake, SESSION_HEADER};
use zetra_runtime::request_id;
use zetra_socketio::engine::{Method, Query, RequestError, Route};

use crate::{
    error::ApiError,
    ports::Connection,
    request::{bearer, client_address, is_upgrade},
    state::App,
};

pub async fn engine(State(app): State<Arc<App>>, mut request: Request) -> Result<Response, ApiError> {
    let query = request.uri().query().unwrap_or_default();
    let room = named_room(query).map(|room| room.parse::<RoomId>()).transpose();
    let query = Query::decode(query);
    let ids = &app.config.session_ids;
    let method = Method::of(request.method().as_str(), is_upgrade(&request));
    let is_ours = |sid: &str| room.as_ref().is_ok_and(|room| ids.is_ours(*room, sid));
    let route = query.route(method, is_ours);
    let opening = matches!(route, Ok(Route::Open(_)));
    let (room, sid) = match (route, room) {
        (Ok(Route::Open(_)), Ok(room)) => (room, ids.issue(room, app.random())),
        (Ok(Route::Session { sid, .. }), Ok(room)) => (room, sid.to_owned()),
        (Ok(_), Err(_)) => return Ok(refusal(RequestError::BAD_REQUEST, method)),
        (Err(error), _) => return Ok(refusal(error, method)),
    };
    let session = room.is_none().then(|| sid.clone());
    let handshake = opening.then(|| handshake(request.headers(), room, session)).transpose()?;
    let headers = request.headers_mut();
    // Never forward the client's own header.
    headers.remove(SESSION_HEADER);
    headers.remove(HANDSHAKE_HEADER);
    if let Some(handshake) = handshake {
        headers.insert(SESSION_HEADER, header_value(&sid)?);
        headers.insert(HANDSHAKE_HEADER, handshake);
    }
    let connection = room.map_or(Connection::Session(sid), Connection::Room);
    Ok(app.services.rooms.hand_over(connection, request).await?)
}

/// `?roomId=`, of which the last one counts; an empty one is none.
fn named_room(query: &str) -> Option<String> {
    let named = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == "roomId").last();
    named.map(|(_, room)| room.into_owned()).filter(|room| !room.is_empty())
}

/// The header that describes the connecting client to the object.
fn handshake(
    headers: &HeaderMap,
    room: Option<RoomId>,
    session: Option<String>,
) -> Result<HeaderValue, ApiError> {
    let bearer = match bearer(headers) {
        // The object keeps the token as long as the connection lasts, so its size is bounded.
        Ok(token) if token.len() > limits::TOKEN_BYTES => Some(String::new()),
        Ok(token) => Some(token.to_owned()),
        Err(ApiError::TokenMissing) => None,
        // A header without a bearer token becomes an empty token, which the object refuses at CONNECT.
        Err(_) => Some(String::new()),
    };
    let address = Some(AddressKey::of(client_address(headers)));
    let connection = request_id::current().unwrap_or_default();
    let handshake = Handshake { bearer, address, connection, session, room };
    header_value(&serde_json::to_string(&handshake).unwrap_or_default())
}

/// Cannot fail for a bearer token: it came in a header, so it fits into one.
fn header_value(value: &str) -> Result<HeaderValue, ApiError> {
    HeaderValue::from_str(value).map_err(|_| ApiError::TokenMalformed)
}

fn refusal(error: RequestError, method: Method) -> Response {
    let (content_type, body) = error.body(method);
    (StatusCode::BAD_REQUEST, [(header::CONTENT_TYPE, content_type)], body).into_response()
}
