//! `/api/call-logs`: who called whom, when and for how long.

use std::{str::FromStr, sync::Arc};

use axum::{Json, extract::State};
use http::StatusCode;
use serde::Serialize;
use zetra_domain::{
    Call, CallLog, CallLogId, CallStats, Fields, Hourly, Invalid, Person, RoomId, UserId, all2,
};
use zetra_store::{Ended, Recorded};

use crate::{
    error::ApiError,
    extract::{AfterBody, Caller, JsonBody, Paging, RoomRequest, UnusedBody},
    state::App,
    throttle,
};

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = CallLogShown))]
pub struct One {
    #[serde(rename = "callLog")]
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::schemas::CallLog))]
    call_log: CallLog,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = CallLogPage))]
pub struct Listed {
    #[serde(rename = "callLogs")]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<crate::openapi::schemas::ListedCallLog>))]
    call_logs: Vec<CallLog<Option<Person>>>,
    #[serde(rename = "nextCursor")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    next_cursor: Option<String>,
}

/// List call logs
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/api/call-logs", operation_id = "listCallLogs", tag = "call-logs",
    security(("token" = [])),
    params(crate::openapi::requests::Page),
    responses((status = 200, description = "A page of the caller's calls, newest start first.", body = Listed)),
))]
pub async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    AfterBody(paging, _): AfterBody<Paging<CallLogId>>,
) -> Result<Json<Listed>, ApiError> {
    let page = app.store().calls_of(caller.id(), paging.limit, paging.after.as_ref(), app.now()).await?;
    let next_cursor = page.next.map(|next| app.config.cursor_key.seal(&next));
    Ok(Json(Listed { call_logs: page.items, next_cursor }))
}

/// Record a call
///
/// Rooms keep the logs of their calls by themselves; a report joins the log of the same call.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/api/call-logs", operation_id = "recordCall", tag = "call-logs",
    security(("token" = [])),
    request_body = crate::openapi::requests::CallReport,
    responses((status = 201, description = "A new log.", body = One), (status = 200, description = "The existing log of this call.", body = One)),
    extensions(("x-errors" = json!(["room_not_found", "not_in_call", "rate_limited"]))),
))]
pub async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    JsonBody(body): JsonBody,
) -> Result<(StatusCode, Json<One>), ApiError> {
    let call = read_call(&body, &app)?;
    if ![call.caller, call.receiver].contains(&caller.id()) {
        return Err(ApiError::NotInCall);
    }
    let allowance = (Hourly::CallLogs, app.config.hourly_limits.call_logs);
    let recording = app.store().record_call(app.new_call_log_id(), &call, app.now());
    match throttle::create(&app, caller.id(), allowance, recording).await? {
        Recorded::Created(call_log) => Ok((StatusCode::CREATED, Json(One { call_log }))),
        Recorded::Merged(call_log) => Ok((StatusCode::OK, Json(One { call_log }))),
        Recorded::UnknownUsers(unknown) => Err(unknown_people(&call, &unknown).into()),
        Recorded::RoomNotFound => Err(ApiError::RoomNotFound("Room not found or inactive")),
        Recorded::NotParticipant => Err(ApiError::NotInCall),
        Recorded::BeforeStart => Err(before_start().into()),
    }
}

/// End a call
#[cfg_attr(feature = "openapi", utoipa::path(
    put, path = "/api/call-logs/{roomId}/end", operation_id = "endCall", tag = "call-logs",
    security(("token" = [])),
    params(crate::openapi::requests::RoomOfPath),
    request_body = Option<crate::openapi::requests::CallEnd>,
    responses((status = 200, description = "The log. One that the room itself keeps is returned as it is.", body = One)),
    extensions(("x-errors" = json!(["call_log_not_found", "not_in_call"]))),
))]
pub async fn end(
    State(app): State<Arc<App>>,
    RoomRequest { caller, room, body }: RoomRequest,
) -> Result<Json<One>, ApiError> {
    let now = app.now();
    let end = body.date("endTime")?.unwrap_or(now);
    match app.store().end_call(app.new_call_log_id(), room, caller.id(), end, now).await? {
        Ended::Ended(call_log) | Ended::AsItIs(call_log) => Ok(Json(One { call_log })),
        Ended::BeforeStart => Err(before_start().into()),
        Ended::NotActive => Err(ApiError::CallLogNotFound),
        Ended::NotInCall => Err(ApiError::NotInCall),
    }
}

/// Get call statistics
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/api/call-logs/stats", operation_id = "getCallStats", tag = "call-logs",
    security(("token" = [])),
    responses((status = 200, description = "Sums over the caller's calls. Durations are in seconds.", body = CallStats)),
))]
pub async fn stats(
    State(app): State<Arc<App>>,
    caller: Caller,
    _: UnusedBody,
) -> Result<Json<CallStats>, ApiError> {
    Ok(Json(app.store().call_stats(caller.id(), app.now()).await?))
}

fn read_call(body: &Fields, app: &App) -> Result<Call, Invalid> {
    let [caller, receiver, room] = body
        .required(["callerId", "receiverId", "roomId"], "Caller ID, receiver ID, and room ID are required")?;
    let ((caller, receiver), room) = all2(
        all2(user_id("callerId", caller), user_id("receiverId", receiver)),
        room.parse::<RoomId>().map_err(|_| Invalid::field("roomId", "Invalid room ID format")),
    )?;
    if caller == receiver {
        return Err(Invalid::field("receiverId", "Caller and receiver cannot be the same"));
    }
    let (start, end) = all2(body.date("startTime"), body.date("endTime"))?;
    let start = start.unwrap_or_else(|| app.now());
    let mut participants = vec![caller, receiver];
    for text in body.texts("participants")? {
        let user = user_id("participants", text)?;
        if !participants.contains(&user) {
            participants.push(user);
        }
    }
    Ok(Call { room, caller, receiver, participants, start, end })
}

fn user_id(field: &'static str, text: &str) -> Result<UserId, Invalid> {
    UserId::from_str(text).map_err(|_| invalid_person(field))
}

fn unknown_people(call: &Call, unknown: &[UserId]) -> Invalid {
    let named = [("callerId", call.caller), ("receiverId", call.receiver)];
    let fields = named.into_iter().filter(|(_, user)| unknown.contains(user)).map(|(field, _)| field);
    fields.map(invalid_person).reduce(Invalid::and).unwrap_or_else(|| invalid_person("participants"))
}

fn invalid_person(field: &'static str) -> Invalid {
    Invalid::field(field, "Invalid caller or receiver ID")
}

fn before_start() -> Invalid {
    Invalid::field("endTime", "End time cannot be before start time")
}
