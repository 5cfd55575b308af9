//! `/api/user`: the caller's own profile and account.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::Serialize;
use zetra_domain::{AccountKey, Email, Invalid, PasswordAttempt, TokenError, User, Username, all2};
use zetra_store::{ProfileUpdate, Taken};

use crate::{
    auth,
    error::ApiError,
    extract::{Caller, JsonBody, UnusedBody},
    state::App,
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

pub async fn profile(caller: Caller, _: UnusedBody) -> Json<Profile> {
    Json(Profile { message: None, user: caller.account.user })
}

pub async fn update_profile(
    State(app): State<Arc<App>>,
    attempts: Attempts,
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
    let admitted = attempts.admit(AccountKey::of_user(caller.id()))?;
    // Who tries names learns which are taken, so a conflict is a failure.
    let updated = match app.store().update_profile(caller.id(), username.as_ref(), email.as_ref()).await? {
        ProfileUpdate::Updated(user) => Ok(user),
        ProfileUpdate::Taken(Taken::Username) => Err(ApiError::UsernameTaken("Username already taken")),
        ProfileUpdate::Taken(Taken::Email) => Err(ApiError::EmailTaken("Email already in use")),
        ProfileUpdate::Gone => return Err(TokenError::Invalid.into()),
    };
    let user = admitted.settle(updated).await?;
    Ok(Json(Profile { message: Some("Profile updated successfully"), user }))
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
    let user = caller.id();
    app.services.revocations.announce(user).await?;
    app.store().delete_user(user).await?;
    tracing::info!(%user, "an account was deleted");
    auth::tell_rooms(&app, user).await;
    if let Err(error) = app.services.limiter.forget(&AccountKey::of_user(user), app.config.auth_limits).await
    {
        tracing::warn!(%error, %user, "the count of a deleted account ends by itself later");
    }
    Ok(Json(Deleted { message: "Account deleted successfully" }))
}
