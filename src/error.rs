//! Everything that can go wrong with a request, and the only place that creates error bodies:
//! `{"error","code","requestId"}`.
//!
//! A handler returns an [`ApiError`]; it is carried in the response's extensions until
//! [`ApiError::render`] writes the body with the request's id. The cause of a 5xx is logged there,
//! once, and never leaves the server.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, Method, StatusCode, header};
use serde_json::{Map, Value, json};
use thiserror::Error;
use zetra_domain::{Invalid, Standing, TokenError};
use zetra_store::StoreError;

use crate::ports::Unavailable;

/// `code` is stable, the text may be improved.
#[derive(Clone, Debug, Error)]
pub enum ApiError {
    #[error("{0}")]
    Invalid(#[from] Invalid),
    #[error("Malformed JSON")]
    MalformedJson,
    #[error("No authentication token provided")]
    TokenMissing,
    #[error("Invalid token format. Use: Bearer <token>")]
    TokenMalformed,
    #[error("{0}")]
    Token(#[from] TokenError),
    #[error("Invalid credentials")]
    InvalidCredentials,
    #[error("{0}")]
    WrongPassword(&'static str),
    #[error("You are not a participant of this room")]
    NotParticipant,
    #[error("Only the host can do this")]
    NotHost,
    #[error("You were removed from this room")]
    Removed,
    #[error("Room is locked")]
    RoomLocked,
    #[error("You are not part of this call")]
    NotInCall,
    #[error("Origin not allowed")]
    OriginRefused,
    #[error("Route not found")]
    RouteNotFound { method: Method, path: String },
    #[error("{0}")]
    RoomNotFound(&'static str),
    #[error("{0}")]
    UserNotFound(&'static str),
    #[error("Active call log not found")]
    CallLogNotFound,
    #[error("Method not allowed")]
    MethodNotAllowed,
    #[error("{0}")]
    EmailTaken(&'static str),
    #[error("{0}")]
    UsernameTaken(&'static str),
    #[error("Room is full")]
    RoomFull,
    #[error("Request body too large")]
    BodyTooLarge,
    #[error("Content-Type must be application/json")]
    UnsupportedMediaType,
    #[error("Too many authentication attempts, please try again later")]
    RateLimited(Standing),
    /// With the number of seconds until the next one is allowed.
    #[error("Too many requests, please try again later")]
    TooManyRequests(i64),
    #[error("Server is not configured")]
    Misconfigured,
    #[error("Internal server error")]
    Internal(String),
    #[error("Database unavailable")]
    StoreUnavailable(String),
}

/// Seconds after which a client may retry when the store could not be reached.
pub const STORE_RETRY_AFTER: i64 = 2;

impl ApiError {
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Invalid(_) | Self::MalformedJson => StatusCode::BAD_REQUEST,
            Self::TokenMissing
            | Self::TokenMalformed
            | Self::Token(_)
            | Self::InvalidCredentials
            | Self::WrongPassword(_) => StatusCode::UNAUTHORIZED,
            Self::NotParticipant
            | Self::NotHost
            | Self::Removed
            | Self::RoomLocked
            | Self::NotInCall
            | Self::OriginRefused => StatusCode::FORBIDDEN,
            Self::RouteNotFound { .. }
            | Self::RoomNotFound(_)
            | Self::UserNotFound(_)
            | Self::CallLogNotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::EmailTaken(_) | Self::UsernameTaken(_) | Self::RoomFull => StatusCode::CONFLICT,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::RateLimited(_) | Self::TooManyRequests(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Misconfigured | Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::StoreUnavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid_input",
            Self::MalformedJson => "malformed_json",
            Self::TokenMissing => "token_missing",
            Self::TokenMalformed => "token_malformed",
            Self::Token(TokenError::Expired) => "token_expired",
            Self::Token(TokenError::Invalid) => "token_invalid",
            Self::InvalidCredentials => "invalid_credentials",
            Self::WrongPassword(_) => "wrong_password",
            Self::NotParticipant => "not_participant",
            Self::NotHost => "not_host",
            Self::Removed => "removed",
            Self::RoomLocked => "room_locked",
            Self::NotInCall => "not_in_call",
            Self::OriginRefused => "origin_refused",
            Self::RouteNotFound { .. } => "route_not_found",
            Self::RoomNotFound(_) => "room_not_found",
            Self::UserNotFound(_) => "user_not_found",
            Self::CallLogNotFound => "call_log_not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::EmailTaken(_) => "email_taken",
            Self::UsernameTaken(_) => "username_taken",
            Self::RoomFull => "room_full",
            Self::BodyTooLarge => "body_too_large",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::RateLimited(_) | Self::TooManyRequests(_) => "rate_limited",
            Self::Misconfigured => "misconfigured",
            Self::Internal(_) => "internal",
            Self::StoreUnavailable(_) => "store_unavailable",
        }
    }

    /// Writes the body of a response that carries an error; other responses pass unchanged.
    pub fn render(mut response: Response, request_id: &str) -> Response {
        let Some(error) = response.extensions_mut().remove::<Self>() else { return response };
        if let Self::Internal(cause) | Self::StoreUnavailable(cause) = &error {
            tracing::error!(cause, code = error.code(), "the request failed");
        }
        let body = Value::Object(error.body(request_id)).to_string();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CONTENT_LENGTH, body.len().into());
        if let Some(seconds) = error.retry_after() {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        *response.body_mut() = Body::from(body);
        response
    }

    pub fn body(&self, request_id: &str) -> Map<String, Value> {
        let mut body = Map::new();
        body.insert("error".to_owned(), self.to_string().into());
        body.insert("code".to_owned(), self.code().into());
        body.insert("requestId".to_owned(), request_id.into());
        match self {
            Self::Invalid(invalid) => body.insert("fields".to_owned(), json!(invalid.fields)),
            Self::RouteNotFound { method, path } => {
                body.insert("method".to_owned(), method.as_str().into());
                body.insert("path".to_owned(), path.as_str().into())
            }
            Self::RateLimited(Standing { reset: seconds, .. }) | Self::TooManyRequests(seconds) => {
                body.insert("retryAfter".to_owned(), (*seconds).into())
            }
            _ => None,
        };
        body
    }

    fn retry_after(&self) -> Option<i64> {
        match self {
            Self::RateLimited(Standing { reset: seconds, .. }) | Self::TooManyRequests(seconds) => {
                Some(*seconds)
            }
            Self::StoreUnavailable(_) => Some(STORE_RETRY_AFTER),
            _ => None,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(cause) => Self::StoreUnavailable(cause),
            StoreError::Corrupt(cause) => Self::Internal(cause),
        }
    }
}

impl From<Unavailable> for ApiError {
    fn from(error: Unavailable) -> Self {
        Self::Internal(error.0)
    }
}
