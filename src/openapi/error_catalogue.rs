//! One example error for each code.

use http::Method;
use zetra_domain::{Invalid, Policy, Standing, TokenError};

use crate::error::ApiError;

/// In the order of their statuses. `x-errors` may contain only codes that are listed here.
pub(super) fn errors() -> Vec<ApiError> {
    let standing =
        Standing { policy: Policy::AccountFailures, limit: 5, remaining: 0, reset: 840, window: 900 };
    vec![
        Invalid::field("email", "Invalid email format").into(),
        ApiError::MalformedJson,
        ApiError::TokenMissing,
        ApiError::TokenMalformed,
        TokenError::Expired.into(),
        TokenError::Invalid.into(),
        ApiError::InvalidCredentials,
        ApiError::WrongPassword("Invalid password"),
        ApiError::NotParticipant,
        ApiError::NotHost,
        ApiError::Removed,
        ApiError::RoomLocked,
        ApiError::NotInCall,
        ApiError::OriginRefused,
        ApiError::RouteNotFound { method: Method::GET, path: "/api/nothing".to_owned() },
        ApiError::RoomNotFound("Room not found or inactive"),
        ApiError::UserNotFound("User is not in this room"),
        ApiError::CallLogNotFound,
        ApiError::MethodNotAllowed,
        ApiError::EmailTaken("User with this email already exists"),
        ApiError::UsernameTaken("User with this username already exists"),
        ApiError::RoomFull,
        ApiError::BodyTooLarge,
        ApiError::UnsupportedMediaType,
        ApiError::RateLimited(standing),
        ApiError::Internal("a cause that stays in the log".to_owned()),
        ApiError::Misconfigured,
        ApiError::StoreUnavailable("a cause that stays in the log".to_owned()),
    ]
}
