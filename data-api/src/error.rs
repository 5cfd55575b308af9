//! Everything that can go wrong with a request, as the Data API reports it: `{"error", "error_code", "link"}`.
//! The link identifies the request in the log; there is no page behind it.

use std::io;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use mongodb::error::{Error as DriverError, ErrorKind, WriteFailure};
use serde_json::json;
use thiserror::Error;

use crate::memory::Shortage;

/// Seconds after which a client may try again.
const RETRY_AFTER: &str = "1";
/// The database's error code of an operation that ran out of its `maxTimeMS`.
pub const MAX_TIME_EXPIRED: i32 = 50;

#[derive(Debug, Error)]
pub enum ApiError {
    #[error("{0}")]
    Missing(String),
    #[error("{0}")]
    Invalid(String),
    #[error(
        "must specify some form of authentication: an Authorization header (Bearer <key>) or an apiKey header"
    )]
    NoCredentials,
    #[error("invalid session: the key is not known")]
    UnknownKey,
    #[error("{0}")]
    Forbidden(String),
    #[error("there is nothing at {0}; actions are at /data/v1/action/<name>")]
    NotFound(String),
    #[error("{0} is not an action")]
    UnknownAction(String),
    #[error("actions are called with POST")]
    MethodNotAllowed,
    #[error("the request body is larger than {0} bytes")]
    BodyTooLarge(usize),
    #[error("the request needs more memory than the server has for it")]
    TooLargeForMemory,
    #[error("the request body did not come in time")]
    BodyTimedOut,
    #[error("{0}")]
    ResultTooLarge(String),
    #[error("the Content-Type must be application/json or application/ejson")]
    UnsupportedMediaType,
    #[error("too many requests, or too large ones, are under way")]
    TooManyRequests,
    #[error("the operation took longer than its limit; a write may have happened or not")]
    TimedOut,
    /// The database's own message when it refuses a request.
    #[error("{0}")]
    Refused(String),
    /// The text is for the log.
    #[error("the database cannot be reached; a write may have happened or not")]
    Unavailable(String),
    #[error("an internal error")]
    Internal(String),
}

impl ApiError {
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Missing(_)
            | Self::Invalid(_)
            | Self::NoCredentials
            | Self::ResultTooLarge(_)
            | Self::Refused(_) => StatusCode::BAD_REQUEST,
            Self::UnknownKey => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NotFound(_) | Self::UnknownAction(_) => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTooLarge(_) | Self::TooLargeForMemory => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTimedOut => StatusCode::REQUEST_TIMEOUT,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::TimedOut => StatusCode::GATEWAY_TIMEOUT,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The hosted service's code if it had one for this.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing(_) | Self::NoCredentials => "MissingParameter",
            Self::Invalid(_) | Self::Refused(_) | Self::ResultTooLarge(_) => "InvalidParameter",
            Self::UnknownKey => "InvalidSession",
            Self::Forbidden(_) => "NoMatchingRuleFound",
            Self::NotFound(_) => "NotFound",
            Self::UnknownAction(_) => "FunctionNotFound",
            Self::MethodNotAllowed => "MethodNotAllowed",
            Self::BodyTooLarge(_) | Self::TooLargeForMemory => "RequestTooLarge",
            Self::BodyTimedOut => "RequestTimeout",
            Self::UnsupportedMediaType => "UnsupportedMediaType",
            Self::TooManyRequests => "TooManyRequests",
            Self::TimedOut => "ExecutionTimeLimitExceeded",
            Self::Unavailable(_) => "DatabaseUnavailable",
            Self::Internal(_) => "InternalServerError",
        }
    }

    /// What the log may contain of it: never a document.
    pub fn cause(&self) -> Option<&str> {
        match self {
            Self::Unavailable(cause) | Self::Internal(cause) => Some(cause),
            _ => None,
        }
    }

    pub fn into_response(self, request_id: &str) -> Response {
        let body = json!({
            "error": self.to_string(),
            "error_code": self.code(),
            "link": format!("urn:request:{request_id}"),
        });
        let mut response = (self.status(), axum::Json(body)).into_response();
        let headers = response.headers_mut();
        match self {
            Self::Unavailable(_) | Self::TooManyRequests => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
            }
            Self::MethodNotAllowed => {
                headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
            }
            _ => {}
        }
        response
    }
}

impl From<Shortage> for ApiError {
    fn from(shortage: Shortage) -> Self {
        match shortage {
            Shortage::Now => Self::TooManyRequests,
            Shortage::Ever => Self::TooLargeForMemory,
        }
    }
}

/// For errors while an answer is written: it contains the [`ApiError`].
impl From<io::Error> for ApiError {
    fn from(error: io::Error) -> Self {
        error.downcast().unwrap_or_else(|error| Self::Internal(error.to_string()))
    }
}

/// For commands that read, and for errors of any command; write errors are read in `database/write.rs`.
impl From<DriverError> for ApiError {
    fn from(error: DriverError) -> Self {
        match *error.kind {
            ErrorKind::Command(error) if error.code == MAX_TIME_EXPIRED => Self::TimedOut,
            ErrorKind::Command(command) if !is_transient(command.code) => {
                Self::Refused(format!("({}) {}", command.code_name, command.message))
            }
            ErrorKind::Command(command) => Self::Unavailable(command.code_name),
            ErrorKind::InvalidArgument { message, .. } => Self::Invalid(message),
            ErrorKind::Bson(error) => Self::Invalid(error.to_string()),
            ErrorKind::Write(WriteFailure::WriteConcernError(error)) => {
                Self::Unavailable(format!("write concern {}", error.code_name))
            }
            ErrorKind::ServerSelection { .. } => Self::Unavailable("no server can be selected".to_owned()),
            ErrorKind::Authentication { .. } => Self::Unavailable("authentication failed".to_owned()),
            ErrorKind::Io(error) => Self::Unavailable(error.kind().to_string()),
            ErrorKind::ConnectionPoolCleared { .. } => Self::Unavailable("the pool was cleared".to_owned()),
            ErrorKind::DnsResolve { .. } => Self::Unavailable("a name cannot be resolved".to_owned()),
            ErrorKind::Shutdown => Self::Unavailable("shutting down".to_owned()),
            _ => Self::Internal("the driver failed in an unusual way".to_owned()),
        }
    }
}

/// The beginning of a text that may quote what a client has sent, which may be megabytes.
pub fn brief(error: &impl std::fmt::Display) -> String {
    const LONGEST: usize = 300;
    let text = error.to_string();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// A server that steps down, starts, stops or does not recognise the user: nothing that the request could
/// change. `https://github.com/mongodb/specifications`, retryable writes and server discovery.
pub fn is_transient(code: i32) -> bool {
    const TRANSIENT: [i32; 17] =
        [6, 7, 13, 18, 89, 91, 134, 189, 262, 9001, 10058, 10107, 11600, 11602, 13435, 13436, 50915];
    TRANSIENT.contains(&code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_quotes_megabytes_is_cut() {
        assert_eq!(brief(&"missing"), "missing");
        let long = brief(&"ä".repeat(1_000_000));
        assert_eq!((long.chars().count(), long.ends_with("ä…")), (301, true));
    }

    #[test]
    fn a_write_to_an_answer_that_is_refused_keeps_its_reason() {
        let refused = io::Error::other(ApiError::TooManyRequests);
        assert!(matches!(ApiError::from(refused), ApiError::TooManyRequests));
        assert!(matches!(ApiError::from(io::Error::other("else")), ApiError::Internal(_)));
    }
}
