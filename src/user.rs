//! `/api/user`: the caller's own profile and account.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::Serialize;
use zetra_domain::{Email, Invalid, PasswordAttempt, TokenError, User, Username, all2};
use zetra_signalling::Revocation;
use zetra_store::{ProfileUpdate, Taken};

use crate::{
    app::App,
    auth,
    error::ApiError,
    extract::{Caller, JsonBody},
    throttle::Attempts,
};

#[derive(Serialize)]
pub struct Profile {
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'static str>,
    user: User,
}

#[derive(Serialize)]
pub struct Deleted {
    message: &'static str,
}

pub async fn profile(caller: Caller) -> Json<Profile> {
    Json(Profile { message: None, user: caller.account.user })
}

pub async fn update_profile(
    State(app): State<Arc<App>>,
    caller: Caller,
    JsonBody(body): JsonBody,
) -> Result<Json<Profile>, ApiError> {
    let (username, email) = all2(body.text("username"), body.text("email"))?;
    if username.is_none() && email.is_none() {
        let message = "At least one field (username or email) is required";
        return Err(Invalid::missing(&["username", "email"], message).into());
    }
    let (username, email) =
        all2(username.map(Username::parse).transpose(), email.map(Email::parse).transpose())?;
    match app.store.update_profile(caller.id(), username.as_ref(), email.as_ref()).await? {
        ProfileUpdate::Updated(user) => {
            Ok(Json(Profile { message: Some("Profile updated successfully"), user }))
        }
        ProfileUpdate::Taken(Taken::Username) => Err(ApiError::UsernameTaken("Username already taken")),
        ProfileUpdate::Taken(Taken::Email) => Err(ApiError::EmailTaken("Email already in use")),
        ProfileUpdate::Gone => Err(TokenError::Invalid.into()),
    }
}

pub async fn delete_account(
    State(app): State<Arc<App>>,
    attempts: Attempts,
    caller: Caller,
    JsonBody(body): JsonBody,
) -> Result<Json<Deleted>, ApiError> {
    let [password] = body.required(["password"], "Password is required to delete account")?;
    let password = PasswordAttempt::parse("password", password)?;
    auth::confirm(&attempts, &caller, &password, "Invalid password").await?;
    let rooms = app.store.delete_user(caller.id()).await?;
    tracing::info!(user = %caller.id(), "an account was deleted");
    let revocation = Revocation::AccountDeleted { user: caller.id() };
    if let Err(error) = app.rooms.revoke(rooms, &revocation).await {
        tracing::error!(%error, "sockets of a deleted account may be open still");
    }
    Ok(Json(Deleted { message: "Account deleted successfully" }))
}
