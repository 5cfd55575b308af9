//! `/socket.io/`: check the handshake, choose the object, hand over.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::{Method, StatusCode, header};
use zetra_durable_objects::Handshaking;
use zetra_socketio::{Handshake, HandshakeError};

use crate::{app::App, error::ApiError, extract::bearer};

/// Without a room in the handshake there is no object to hand it to, in this version.
const ROOM_MISSING: HandshakeError =
    HandshakeError { code: 3, message: "Name the room in the query: ?roomId=<uuid>" };

pub async fn handshake(State(app): State<Arc<App>>, request: Request) -> Result<Response, ApiError> {
    let query = request.uri().query().unwrap_or_default();
    let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
    let pairs = pairs.iter().map(|(key, value)| (key.as_ref(), value.as_ref()));
    let handshake = Handshake::parse(pairs, request.method() == Method::GET, is_upgrade(&request));
    let room = match handshake.map(|handshake| handshake.room_id) {
        Ok(Some(room)) => room.parse().map_err(|_| HandshakeError::BAD_REQUEST),
        Ok(None) => Err(ROOM_MISSING),
        Err(error) => Err(error),
    };
    match room {
        Ok(room) => {
            let bearer = match bearer(request.headers()) {
                Ok(token) => Some(token.to_owned()),
                Err(ApiError::TokenMissing) => None,
                // What is no bearer token is no token at all: the object refuses it at CONNECT.
                Err(_) => Some(String::new()),
            };
            Ok(app.rooms.connect(&Handshaking { room, bearer }).await?)
        }
        Err(error) => Ok(refusal(error)),
    }
}

pub fn is_upgrade<B>(request: &http::Request<B>) -> bool {
    let upgrade = request.headers().get(header::UPGRADE).and_then(|value| value.to_str().ok());
    upgrade.is_some_and(|upgrade| upgrade.eq_ignore_ascii_case("websocket"))
}

fn refusal(error: HandshakeError) -> Response {
    (StatusCode::BAD_REQUEST, Json(error)).into_response()
}
