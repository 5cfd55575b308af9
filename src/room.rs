//! `/api/room`: make, join, look at and list rooms.

use std::sync::Arc;

use axum::{Json, extract::State};
use http::StatusCode;
use serde::Serialize;
use zetra_domain::{Cursor, Room, RoomId, UserId};
use zetra_store::Join;

use crate::{
    app::App,
    error::ApiError,
    extract::{Caller, Paging, RoomAsParticipant, RoomPath},
};

#[derive(Serialize)]
pub struct Created {
    message: &'static str,
    #[serde(rename = "roomId")]
    room_id: RoomId,
    room: Room,
}

#[derive(Serialize)]
pub struct Joined {
    message: &'static str,
    room: Room,
}

#[derive(Serialize)]
pub struct Shown {
    room: WithPresence,
}

#[derive(Serialize)]
struct WithPresence {
    #[serde(flatten)]
    room: Room,
    online: Vec<UserId>,
}

#[derive(Serialize)]
pub struct Listed {
    rooms: Vec<Room>,
    #[serde(rename = "nextCursor")]
    next_cursor: Option<Cursor>,
}

pub async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
) -> Result<(StatusCode, Json<Created>), ApiError> {
    let room = Room::new(app.new_room_id(), caller.id(), app.now());
    app.store.insert_room(&room).await?;
    tracing::info!(room = %room.id, user = %caller.id(), "a room was made");
    Ok((StatusCode::CREATED, Json(Created { message: "Room created successfully", room_id: room.id, room })))
}

pub async fn join(
    State(app): State<Arc<App>>,
    caller: Caller,
    RoomPath(id): RoomPath,
) -> Result<Json<Joined>, ApiError> {
    match app.store.join_room(id, caller.id()).await? {
        Join::Joined(room) => Ok(Json(Joined { message: "Joined room successfully", room })),
        Join::NotFound => Err(ApiError::RoomNotFound("Room not found or inactive")),
        Join::Full => Err(ApiError::RoomFull),
    }
}

pub async fn show(
    State(app): State<Arc<App>>,
    RoomAsParticipant(room): RoomAsParticipant,
) -> Result<Json<Shown>, ApiError> {
    let online = if room.active { app.rooms.online(room.id).await? } else { Vec::new() };
    Ok(Json(Shown { room: WithPresence { room, online } }))
}

pub async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    paging: Paging,
) -> Result<Json<Listed>, ApiError> {
    let page = app.store.rooms_of(caller.id(), paging.limit, paging.after.as_ref()).await?;
    Ok(Json(Listed { rooms: page.items, next_cursor: page.next }))
}
