//! Schemas of responses that no derived type describes: errors, call logs, the index.

#![allow(dead_code, reason = "described, never built")]

use utoipa::ToSchema;
use zetra_domain::{CallLogId, Person, RoomId, Timestamp, UserId};

/// Every error of the API.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct Error {
    /// For people. It may change.
    error: String,
    /// For programs. It is stable.
    code: String,
    /// That of `X-Request-Id` and of the server's log.
    request_id: String,
    /// With `invalid_input`: what is wrong.
    #[schema(nullable = false)]
    fields: Option<Vec<FieldError>>,
    /// With `rate_limited`: seconds until the next request is accepted.
    #[schema(nullable = false)]
    retry_after: Option<u32>,
    /// With `route_not_found`.
    #[schema(nullable = false)]
    method: Option<String>,
    /// With `route_not_found`.
    #[schema(nullable = false)]
    path: Option<String>,
}

#[derive(ToSchema)]
pub struct FieldError {
    #[schema(example = "email")]
    field: String,
    #[schema(example = "Invalid email format")]
    message: String,
}

/// The record of a call.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct CallLog {
    #[schema(rename = "_id")]
    id: CallLogId,
    caller_id: UserId,
    receiver_id: UserId,
    room_id: RoomId,
    participants: Vec<UserId>,
    start_time: Timestamp,
    /// `null` while the call runs.
    #[schema(required = true)]
    end_time: Option<Timestamp>,
    /// Whole seconds; 0 while the call runs.
    #[schema(minimum = 0, example = 0)]
    duration: i64,
}

/// The record of a call with both people's names; `null` if the account was deleted.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct ListedCallLog {
    #[schema(rename = "_id")]
    id: CallLogId,
    #[schema(required = true)]
    caller_id: Option<Person>,
    #[schema(required = true)]
    receiver_id: Option<Person>,
    room_id: RoomId,
    participants: Vec<UserId>,
    start_time: Timestamp,
    /// `null` while the call runs.
    #[schema(required = true)]
    end_time: Option<Timestamp>,
    /// Whole seconds; 0 while the call runs.
    #[schema(minimum = 0, example = 0)]
    duration: i64,
}

/// `RTCIceServer` (W3C WebRTC, 4.2.2).
#[derive(ToSchema)]
pub struct IceServer {
    urls: Urls,
    #[schema(nullable = false)]
    username: Option<String>,
    #[schema(nullable = false)]
    credential: Option<String>,
}

#[derive(ToSchema)]
#[serde(untagged)]
pub enum Urls {
    One(String),
    Several(Vec<String>),
}

#[derive(ToSchema)]
pub struct Index {
    #[schema(example = "Zetra Backend API")]
    name: String,
    version: String,
    #[schema(example = "running")]
    status: String,
    /// Where things are.
    endpoints: std::collections::BTreeMap<String, String>,
    /// Where this document is shown.
    #[schema(example = "/docs/")]
    documentation: String,
}
