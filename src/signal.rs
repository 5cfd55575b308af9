//! `/socket.io/`: check the request, choose the object, hand over.
//!
//! A connection that names its room in the query (`?roomId=`, which stays in the query of every request
//! of its session) lives in that room's object, any other in an object of its own. Which of the two
//! is also in the session id, so that one cannot be taken for the other.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use zetra_domain::{AddressKey, RoomId};
use zetra_durable_objects::{HANDSHAKE_HEADER, Handshake, SESSION_HEADER};
use zetra_runtime::request_id;
use zetra_socketio::engine::{Method, Query, RequestError, Route};

use crate::{
    error::ApiError,
    ports::Connection,
    request::{bearer, client_address, is_upgrade},
    state::App,
};

/// Bytes of the longest token that is handed on; ours have some three hundred.
const MAX_TOKEN: usize = 4_096;

pub async fn engine(State(app): State<Arc<App>>, mut request: Request) -> Result<Response, ApiError> {
    let query = Query::decode(request.uri().query().unwrap_or_default());
    let room = query.room_id.as_deref().map(str::parse::<RoomId>).transpose();
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
    let handshake = opening.then(|| handshake(request.headers(), session)).transpose()?;
    let headers = request.headers_mut();
    // Never the client's own.
    headers.remove(SESSION_HEADER);
    headers.remove(HANDSHAKE_HEADER);
    if let Some(handshake) = handshake {
        headers.insert(SESSION_HEADER, header_value(&sid)?);
        headers.insert(HANDSHAKE_HEADER, handshake);
    }
    let connection = room.map_or(Connection::Session(sid), Connection::Room);
    Ok(app.services.rooms.hand_over(connection, request).await?)
}

/// What the object is told of who connects.
fn handshake(headers: &HeaderMap, session: Option<String>) -> Result<HeaderValue, ApiError> {
    let bearer = match bearer(headers) {
        // The object keeps it while the connection lasts.
        Ok(token) if token.len() > MAX_TOKEN => Some(String::new()),
        Ok(token) => Some(token.to_owned()),
        Err(ApiError::TokenMissing) => None,
        // What is no bearer token is no token at all: the object refuses it at CONNECT.
        Err(_) => Some(String::new()),
    };
    let address = Some(AddressKey::of(client_address(headers)).as_str().to_owned());
    let connection = request_id::current().unwrap_or_default();
    header_value(
        &serde_json::to_string(&Handshake { bearer, address, connection, session }).unwrap_or_default(),
    )
}

/// A bearer token came in a header, so it can go on in one.
fn header_value(value: &str) -> Result<HeaderValue, ApiError> {
    HeaderValue::from_str(value).map_err(|_| ApiError::TokenMalformed)
}

fn refusal(error: RequestError, method: Method) -> Response {
    let (content_type, body) = error.body(method);
    (StatusCode::BAD_REQUEST, [(header::CONTENT_TYPE, content_type)], body).into_response()
}
