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

const WRONG_PASSWORD: &str = "Invalid password";

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Profile {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    message: Option<&'static str>,
    user: User,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = AccountDeleted))]
pub struct Deleted {
    message: &'static str,
}

/// Get the profile
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/api/user/profile", operation_id = "getProfile", tag = "user",
    security(("token" = [])),
    responses((status = 200, description = "The caller.", body = Profile)),
))]
pub async fn profile(caller: Caller, _: UnusedBody) -> Json<Profile> {
    Json(Profile { message: None, user: caller.account.user })
}

/// Change the username or the email address
#[cfg_attr(feature = "openapi", utoipa::path(
    put, path = "/api/user/profile", operation_id = "updateProfile", tag = "user",
    security(("token" = [])),
    request_body = crate::openapi::requests::ProfileUpdate,
    responses((status = 200, description = "The caller as it is now.", body = Profile)),
    extensions(("x-rate-limit" = json!("auth")), ("x-errors" = json!(["username_taken", "email_taken"]))),
))]
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
    // A conflict reveals which names are taken.
    admitted.presume_failure().await?;
    let updated = app.store().update_profile(caller.id(), username.as_ref(), email.as_ref()).await;
    if !matches!(updated, Ok(ProfileUpdate::Taken(_))) {
        admitted.take_back().await;
    }
    match updated? {
        ProfileUpdate::Updated(user) => {
            Ok(Json(Profile { message: Some("Profile updated successfully"), user }))
        }
        ProfileUpdate::Taken(Taken::Username) => Err(ApiError::UsernameTaken("Username already taken")),
        ProfileUpdate::Taken(Taken::Email) => Err(ApiError::EmailTaken("Email already in use")),
        ProfileUpdate::Gone => Err(TokenError::Invalid.into()),
    }
}

/// Delete the account
///
/// The user leaves every room. A room it hosted passes to its oldest other participant, and ends where there
/// is none. In the call logs of others the user becomes `null`.
#[cfg_attr(feature = "openapi", utoipa::path(
    delete, path = "/api/user/account", operation_id = "deleteAccount", tag = "user",
    security(("token" = [])),
    request_body = crate::openapi::requests::AccountDeletion,
    responses((status = 200, description = "Deleted.", body = Deleted)),
    extensions(("x-rate-limit" = json!("auth")), ("x-errors" = json!(["wrong_password"]))),
))]
pub async fn delete_account(
    State(app): State<Arc<App>>,
    attempts: Attempts,
    caller: Caller,
    JsonBody(body): JsonBody,
) -> Result<Json<Deleted>, ApiError> {
    let [password] = body.required(["password"], "Password is required to delete account")?;
    let password = PasswordAttempt::parse("password", password)?;
    auth::confirm(&attempts, &caller, &password, WRONG_PASSWORD).await?;
    let user = caller.id();
    auth::announce_revocation(&app, user).await?;
    let mut left = app.store().delete_user(user, &caller.account.password_hash).await?;
    if left.is_none() {
        let renewed = auth::renewed_meanwhile(&app, user, &password, WRONG_PASSWORD).await?;
        left = app.store().delete_user(user, &renewed).await?;
    }
    let rooms = left.ok_or(ApiError::WrongPassword(WRONG_PASSWORD))?;
    tracing::info!(%user, "an account was deleted");
    auth::tell_rooms(&app, user, rooms).await;
    if let Err(error) = app.services.limiter.forget(&AccountKey::of_user(user), app.config.auth_limits).await
    {
        tracing::warn!(%error, %user, "a deleted account's counters could not be cleared; they expire");
    }
    Ok(Json(Deleted { message: "Account deleted successfully" }))
}
