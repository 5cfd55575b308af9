//! `/api/room`: create, join, get and list rooms.

use std::sync::Arc;

use axum::{Json, extract::State};
use http::StatusCode;
use serde::Serialize;
use zetra_domain::{Hourly, Room, RoomId, RoomName, RoomWithPeople, TokenError, UserId};
use zetra_store::Join;

use crate::{
    error::ApiError,
    extract::{AfterBody, Caller, JsonBody, Paging, RoomAsParticipant, RoomRequest},
    state::App,
    throttle,
};

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = RoomCreated))]
pub struct Created {
    message: &'static str,
    #[serde(rename = "roomId")]
    room_id: RoomId,
    room: Room,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = RoomJoined))]
pub struct Joined {
    message: &'static str,
    room: Room,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = RoomShown))]
pub struct Shown {
    room: WithPresence,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = RoomWithPresence))]
struct WithPresence {
    #[serde(flatten)]
    room: RoomWithPeople,
    online: Vec<UserId>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = RoomPage))]
pub struct Listed {
    rooms: Vec<Room>,
    #[serde(rename = "nextCursor")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    next_cursor: Option<String>,
}

/// Create a room
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/api/room/create", operation_id = "createRoom", tag = "room",
    security(("token" = [])),
    request_body = Option<crate::openapi::requests::NewRoom>,
    responses((status = 201, description = "Created. The caller is its host.", body = Created)),
    extensions(("x-errors" = json!(["rate_limited"]))),
))]
pub async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    JsonBody(body): JsonBody,
) -> Result<(StatusCode, Json<Created>), ApiError> {
    let name = body.text("name")?.map(RoomName::parse).transpose()?;
    let room = Room { name, ..Room::new(app.new_room_id(), caller.id(), app.now()) };
    let allowance = (Hourly::Rooms, app.config.hourly_limits.rooms);
    let insertion = app.store().insert_room(&room);
    if !throttle::create(&app, caller.id(), allowance, insertion).await? {
        return Err(TokenError::Invalid.into());
    }
    tracing::info!(room = %room.id, user = %caller.id(), "a room was made");
    Ok((StatusCode::CREATED, Json(Created { message: "Room created successfully", room_id: room.id, room })))
}

/// Join a room
///
/// Joining twice is the same as joining once. A participant may then enter the room over Socket.IO.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/api/room/join/{roomId}", operation_id = "joinRoom", tag = "room",
    security(("token" = [])),
    params(crate::openapi::requests::RoomOfPath),
    responses((status = 200, description = "The caller is a participant.", body = Joined)),
    extensions(("x-errors" = json!(["room_not_found", "removed", "room_locked", "room_full"]))),
))]
pub async fn join(
    State(app): State<Arc<App>>,
    RoomRequest { caller, room, .. }: RoomRequest,
) -> Result<Json<Joined>, ApiError> {
    match app.store().join_room(room, caller.id()).await? {
        Join::Joined(room) => Ok(Json(Joined { message: "Joined room successfully", room })),
        Join::NotFound => Err(ApiError::RoomNotFound("Room not found or inactive")),
        Join::Removed => Err(ApiError::Removed),
        Join::Locked => Err(ApiError::RoomLocked),
        Join::Full => Err(ApiError::RoomFull),
    }
}

/// Get a room
///
/// Rooms that have ended, too.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/api/room/{roomId}", operation_id = "getRoom", tag = "room",
    security(("token" = [])),
    params(crate::openapi::requests::RoomOfPath),
    responses((status = 200, description = "The room, and who is in it now.", body = Shown)),
    extensions(("x-errors" = json!(["room_not_found", "not_participant"]))),
))]
pub async fn show(
    State(app): State<Arc<App>>,
    RoomAsParticipant(found): RoomAsParticipant,
) -> Result<Json<Shown>, ApiError> {
    let room = &found.room;
    let online = if room.active { app.services.rooms.online(room.id).await? } else { Vec::new() };
    Ok(Json(Shown { room: WithPresence { room: found, online } }))
}

/// List the caller's rooms
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/api/room", operation_id = "listRooms", tag = "room",
    security(("token" = [])),
    params(crate::openapi::requests::Page),
    responses((status = 200, description = "A page of the caller's rooms, newest first.", body = Listed)),
))]
pub async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    AfterBody(paging, _): AfterBody<Paging<RoomId>>,
) -> Result<Json<Listed>, ApiError> {
    let page = app.store().rooms_of(caller.id(), paging.limit, paging.after.as_ref()).await?;
    let next_cursor = page.next.map(|next| app.config.cursor_key.seal(&next));
    Ok(Json(Listed { rooms: page.items, next_cursor }))
}
