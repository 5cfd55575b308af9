//! Extractors: the caller, the path, the query and the body of a request.
//!
//! Authorisation is in these types: a handler that has a [`Caller`] has an authenticated one. Extractors run in
//! the order of the handler's arguments, which fixes the order of the checks: token, then body, then the rest,
//! which a handler therefore takes as [`AfterBody`].

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts, Path, Request},
};
use http::{HeaderMap, header, request::Parts};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use zetra_domain::{
    Claims, Cursor, CursorId, Fields, Invalid, JsonValue, PageLimit, RoomId, RoomWithPeople, TokenError,
    UserId, all2, limits,
};
use zetra_store::Account;

use crate::{error::ApiError, request::bearer, state::App};

/// The authenticated user, whose token is still valid.
pub struct Caller {
    pub account: Account,
    pub claims: Claims,
}

impl Caller {
    pub fn id(&self) -> UserId {
        self.account.user.id
    }
}

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let claims = app.config.token_key.verify(bearer(&parts.headers)?, app.now())?;
        let account = app.store().account(claims.user).await?;
        let honoured = |account: &Account| account.tokens.include(&claims);
        let account = account.filter(honoured).ok_or(TokenError::Invalid)?;
        Ok(Self { account, claims })
    }
}

/// The caller, or `None` if no token was sent. A bad token is still an error.
pub struct MaybeCaller(pub Option<Caller>);

impl FromRequestParts<Arc<App>> for MaybeCaller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        match Caller::from_request_parts(parts, app).await {
            Ok(caller) => Ok(Self(Some(caller))),
            Err(ApiError::TokenMissing) => Ok(Self(None)),
            Err(error) => Err(error),
        }
    }
}

/// The `roomId` of the path.
struct RoomPath(RoomId);

impl<S: Send + Sync> FromRequestParts<S> for RoomPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let text: Result<Path<String>, _> = Path::from_request_parts(parts, state).await;
        let id = text.ok().and_then(|Path(text)| text.parse().ok());
        id.map(Self).ok_or_else(|| Invalid::field("roomId", "Invalid room ID format").into())
    }
}

/// The room of the path with its people. The caller must be one of them. Includes ended rooms.
pub struct RoomAsParticipant(pub RoomWithPeople);

impl FromRequest<Arc<App>> for RoomAsParticipant {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, ApiError> {
        let RoomRequest { caller, room, .. } = RoomRequest::from_request(request, app).await?;
        let found = app.store().room(room).await?.ok_or(ApiError::RoomNotFound("Room not found"))?;
        if found.room.admits(caller.id()) { Ok(Self(found)) } else { Err(ApiError::NotParticipant) }
    }
}

/// `?limit&cursor` of a list whose rows have ids of type `K`.
pub struct Paging<K> {
    pub limit: PageLimit,
    pub after: Option<Cursor<K>>,
}

impl<K: CursorId> FromRequestParts<Arc<App>> for Paging<K> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let (mut limit, mut cursor) = (None, None);
        for (key, value) in form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()) {
            match key.as_ref() {
                "limit" => limit = Some(value),
                "cursor" => cursor = Some(value),
                _ => {}
            }
        }
        let limit = PageLimit::parse(limit.as_deref());
        let cursor = cursor.filter(|cursor| !cursor.is_empty());
        let after = cursor.map(|cursor| app.config.cursor_key.open(&cursor)).transpose();
        let (limit, after) = all2(limit, after)?;
        Ok(Self { limit, after })
    }
}

/// The caller, the body's fields and the room of the path, checked in that order.
pub struct RoomRequest {
    pub caller: Caller,
    pub room: RoomId,
    pub body: Fields,
}

impl FromRequest<Arc<App>> for RoomRequest {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, ApiError> {
        let (mut parts, body) = request.into_parts();
        let caller = Caller::from_request_parts(&mut parts, app).await?;
        let request = Request::from_parts(parts, body);
        let AfterBody(RoomPath(room), body) = AfterBody::from_request(request, app).await?;
        Ok(Self { caller, room, body })
    }
}

/// What of the path or the query is checked after the body, and the body's fields.
pub struct AfterBody<T>(pub T, pub Fields);

impl<T: FromRequestParts<Arc<App>, Rejection = ApiError>> FromRequest<Arc<App>> for AfterBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, ApiError> {
        let (mut parts, body) = request.into_parts();
        let fields = read_fields(&parts.headers, body).await?;
        Ok(Self(T::from_request_parts(&mut parts, app).await?, fields))
    }
}

/// The fields of a JSON body. No body at all is the same as `{}`.
pub struct JsonBody(pub Fields);

impl<S: Send + Sync> FromRequest<S> for JsonBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        read_fields(&parts.headers, body).await.map(Self)
    }
}

/// A body that the handler does not use. It is still validated.
pub struct UnusedBody;

impl<S: Send + Sync> FromRequest<S> for UnusedBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        JsonBody::from_request(request, state).await.map(|_| Self)
    }
}

async fn read_fields(headers: &HeaderMap, body: Body) -> Result<Fields, ApiError> {
    // The declared length is checked before a byte is read, the real one while reading.
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    if announced
        .and_then(|length| length.parse().ok())
        .is_some_and(|length: usize| length > limits::BODY_BYTES)
    {
        return Err(ApiError::BodyTooLarge);
    }
    let bytes = read(body).await?;
    if bytes.is_empty() {
        return Ok(Fields::default());
    }
    if !is_json(headers) {
        return Err(ApiError::UnsupportedMediaType);
    }
    let value = JsonValue::parse(&bytes).ok_or(ApiError::MalformedJson)?;
    Ok(Fields::from_json(value)?)
}

async fn read(body: Body) -> Result<axum::body::Bytes, ApiError> {
    match Limited::new(body, limits::BODY_BYTES).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(ApiError::BodyTooLarge),
        // The client disconnected in the middle of its body.
        Err(_) => Err(ApiError::MalformedJson),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = content_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
    let subtype =
        essence.split_once('/').map(|(kind, subtype)| (kind.to_lowercase(), subtype.to_lowercase()));
    subtype.is_some_and(|(kind, subtype)| kind == "application" && subtype == "json")
}
