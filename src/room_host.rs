//! The host's actions on a room: end it, name it, remove and readmit people, lock it.
//!
//! The store checks that the caller is the host in the same step that changes the room, so that no handler can
//! forget the check and no race can come between. Then the Room object is notified, because of the people who
//! are in the room and those whom the store has just admitted.

use std::sync::Arc;

use axum::{
    Json,
    extract::{FromRequest, Request},
};
use serde::Serialize;
use zetra_domain::{Fields, Invalid, Room, RoomChange, RoomId, RoomName, UserId};
use zetra_signalling::HostAction;
use zetra_store::{Membership, RoomChanged};

use crate::{
    error::ApiError,
    extract::{Caller, RoomRequest},
    state::App,
};

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = RoomChanged))]
pub struct Changed {
    message: &'static str,
    room: Room,
}

type Answer = Result<Json<Changed>, ApiError>;

/// The caller, the body and the room of the path. [`HostRequest::change`] checks that the caller is its host.
pub struct HostRequest {
    app: Arc<App>,
    caller: Caller,
    room: RoomId,
    body: Fields,
}

impl FromRequest<Arc<App>> for HostRequest {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, ApiError> {
        let RoomRequest { caller, room, body } = RoomRequest::from_request(request, app).await?;
        Ok(Self { app: Arc::clone(app), caller, room, body })
    }
}

/// End a room
#[cfg_attr(feature = "openapi", utoipa::path(
    delete, path = "/api/room/{roomId}", operation_id = "endRoom", tag = "host",
    security(("token" = [])),
    params(crate::openapi::requests::RoomOfPath),
    responses((status = 200, description = "Ended, for everybody in it.", body = Changed)),
    extensions(("x-errors" = json!(["room_not_found", "not_host"]))),
))]
pub async fn end(request: HostRequest) -> Answer {
    request.change(RoomChange::End, "Room ended successfully").await
}

/// Name a room
///
/// No name, or `null`, removes it.
#[cfg_attr(feature = "openapi", utoipa::path(
    put, path = "/api/room/{roomId}", operation_id = "renameRoom", tag = "host",
    security(("token" = [])),
    params(crate::openapi::requests::RoomOfPath),
    request_body = Option<crate::openapi::requests::RoomRenaming>,
    responses((status = 200, description = "Renamed.", body = Changed)),
    extensions(("x-errors" = json!(["room_not_found", "not_host"]))),
))]
pub async fn rename(request: HostRequest) -> Answer {
    let name = request.body.text("name")?.map(RoomName::parse).transpose()?;
    request.change(RoomChange::Rename(name), "Room updated successfully").await
}

/// Remove a participant
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/api/room/{roomId}/kick", operation_id = "removeUser", tag = "host",
    security(("token" = [])),
    params(crate::openapi::requests::RoomOfPath),
    request_body = crate::openapi::requests::UserOfRoom,
    responses((status = 200, description = "The user is removed, from a running call too, and stays out until readmitted.", body = Changed)),
    extensions(("x-errors" = json!(["room_not_found", "user_not_found", "not_host"]))),
))]
pub async fn kick(request: HostRequest) -> Answer {
    let user = named(&request.body)?;
    if user == request.caller.id() {
        return Err(Invalid::field("userId", "You cannot remove yourself").into());
    }
    request.change(RoomChange::Remove(user), "User removed successfully").await
}

/// Readmit a removed user
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/api/room/{roomId}/readmit", operation_id = "readmitUser", tag = "host",
    security(("token" = [])),
    params(crate::openapi::requests::RoomOfPath),
    request_body = crate::openapi::requests::UserOfRoom,
    responses((status = 200, description = "The user may join again.", body = Changed)),
    extensions(("x-errors" = json!(["room_not_found", "user_not_found", "not_host"]))),
))]
pub async fn readmit(request: HostRequest) -> Answer {
    let user = named(&request.body)?;
    request.change(RoomChange::Readmit(user), "User readmitted successfully").await
}

/// Lock a room
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/api/room/{roomId}/lock", operation_id = "lockRoom", tag = "host",
    security(("token" = [])),
    params(crate::openapi::requests::RoomOfPath),
    responses((status = 200, description = "Only participants may join.", body = Changed)),
    extensions(("x-errors" = json!(["room_not_found", "not_host"]))),
))]
pub async fn lock(request: HostRequest) -> Answer {
    request.change(RoomChange::Lock, "Room locked successfully").await
}

/// Unlock a room
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/api/room/{roomId}/unlock", operation_id = "unlockRoom", tag = "host",
    security(("token" = [])),
    params(crate::openapi::requests::RoomOfPath),
    responses((status = 200, description = "Anyone with its link may join.", body = Changed)),
    extensions(("x-errors" = json!(["room_not_found", "not_host"]))),
))]
pub async fn unlock(request: HostRequest) -> Answer {
    request.change(RoomChange::Unlock, "Room unlocked successfully").await
}

fn named(body: &Fields) -> Result<UserId, Invalid> {
    let [user] = body.required(["userId"], "User ID is required")?;
    user.parse().map_err(|_| Invalid::field("userId", "Invalid user ID"))
}

impl HostRequest {
    async fn change(self, change: RoomChange, message: &'static str) -> Answer {
        let Self { app, caller, room, .. } = self;
        let by = caller.id();
        let changed = app.store().change_room(room, by, &change).await?;
        let action = match (&change, &changed) {
            (_, RoomChanged::NotHost) => None,
            // If the room was already in that state, an earlier request may have failed to notify the object.
            (RoomChange::End, RoomChanged::Changed(_)) => Some(HostAction::End { by }),
            (RoomChange::End, RoomChanged::NotFound) => {
                has_ended(&app, room, by).await?.then_some(HostAction::End { by })
            }
            (RoomChange::Remove(user), RoomChanged::Changed(_)) => {
                Some(HostAction::Remove { user: *user, by })
            }
            (RoomChange::Remove(user), RoomChanged::NotConcerned) => {
                let admission = app.store().admission(room, *user).await?;
                let is_removed = admission.membership == Membership::Removed;
                is_removed.then_some(HostAction::Remove { user: *user, by })
            }
            // Other changes do not affect the people in the room, and every join reads them from the store.
            _ => None,
        };
        if let Some(action) = action {
            app.services.rooms.host_acts(room, action).await?;
        }
        match changed {
            RoomChanged::Changed(changed) => {
                tracing::info!(%room, host = %by, %change, "a room was changed by its host");
                Ok(Json(Changed { message, room: changed }))
            }
            RoomChanged::NotFound => Err(ApiError::RoomNotFound("Room not found or inactive")),
            RoomChanged::NotHost => Err(ApiError::NotHost),
            RoomChanged::NotConcerned => Err(ApiError::UserNotFound(match change {
                RoomChange::Readmit(_) => "User was not removed from this room",
                _ => "User is not in this room",
            })),
        }
    }
}

/// Whether the room has ended and `host` is its host.
async fn has_ended(app: &App, room: RoomId, host: UserId) -> Result<bool, ApiError> {
    let found = app.store().room(room).await?;
    Ok(found.is_some_and(|found| !found.room.active && found.room.host == host))
}
