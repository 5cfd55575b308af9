//! `/api/auth`: register, log in, change the password.

use std::sync::Arc;

use axum::{Json, extract::State};
use http::StatusCode;
use serde::Serialize;
use zetra_domain::{
    Email, Invalid, Password, PasswordAttempt, PasswordHash, User, UserId, Username, Verdict, all2, all3,
};
use zetra_signalling::Revocation;
use zetra_store::{Account, NewUser, Taken};

use crate::{
    app::App,
    error::ApiError,
    extract::{Caller, JsonBody},
    throttle::Attempts,
};

#[derive(Serialize)]
pub struct SignedIn {
    message: &'static str,
    token: String,
    user: Me,
}

#[derive(Serialize)]
struct Me {
    id: UserId,
    username: Username,
    email: Email,
}

#[derive(Serialize)]
pub struct PasswordChanged {
    message: &'static str,
    token: String,
}

pub async fn register(
    State(app): State<Arc<App>>,
    attempts: Attempts,
    JsonBody(body): JsonBody,
) -> Result<(StatusCode, Json<SignedIn>), ApiError> {
    let [username, email, password] =
        body.required(["username", "email", "password"], "All fields are required")?;
    let (username, email, password) =
        all3(Username::parse(username), Email::parse(email), Password::parse("password", password))?;
    let admitted = attempts.admit(&email)?;
    let password_hash = PasswordHash::new(&password, app.platform.random());
    let user = User { id: app.new_user_id(), username, email, created_at: app.now() };
    let new = NewUser { user, password_hash };
    if let Err(taken) = app.store.insert_user(&new).await? {
        return admitted.settle(Err(conflict(taken))).await;
    }
    tracing::info!(user = %new.user.id, "a user registered");
    Ok((StatusCode::CREATED, Json(SignedIn::new(&app, "User registered successfully", new.user, 0))))
}

pub async fn login(
    State(app): State<Arc<App>>,
    attempts: Attempts,
    JsonBody(body): JsonBody,
) -> Result<Json<SignedIn>, ApiError> {
    let [email, password] = body.required(["email", "password"], "Email and password are required")?;
    let (email, password) = all2(Email::parse(email), PasswordAttempt::parse("password", password))?;
    let admitted = attempts.admit(&email)?;
    let account = app.store.account_by_email(&email).await?;
    let found = match account {
        Some(account) => Some((account.password_hash.verify(&password), account)),
        // An unknown email takes the time of a wrong password.
        None => {
            let _ = PasswordHash::of_nobody().verify(&password);
            None
        }
    };
    let right = found.filter(|(verdict, _)| *verdict != Verdict::Wrong);
    let (verdict, account) = admitted.settle(right.ok_or(ApiError::InvalidCredentials)).await?;
    if verdict == Verdict::RightButOutdated {
        renew_hash(&app, &account, &password).await;
    }
    Ok(Json(SignedIn::new(&app, "Login successful", account.user, account.token_version)))
}

pub async fn change_password(
    State(app): State<Arc<App>>,
    attempts: Attempts,
    caller: Caller,
    JsonBody(body): JsonBody,
) -> Result<Json<PasswordChanged>, ApiError> {
    let [current, new] =
        body.required(["currentPassword", "newPassword"], "Current and new password are required")?;
    if current == new {
        let message = "New password must be different from current password";
        return Err(Invalid::field("newPassword", message).into());
    }
    let (current, new) =
        all2(PasswordAttempt::parse("currentPassword", current), Password::parse("newPassword", new))?;
    confirm(&attempts, &caller, &current, "Current password is incorrect").await?;
    let hash = PasswordHash::new(&new, app.platform.random());
    let Caller { account, claims } = caller;
    let kept = claims.fingerprint;
    let version = app.store.change_password(account.user.id, &account.password_hash, &hash, &kept).await?;
    // Somebody changed it between the check and now: then the current one was not given.
    let version = version.ok_or(ApiError::WrongPassword("Current password is incorrect"))?;
    tracing::info!(user = %account.user.id, "a password was changed");
    let rooms = app.store.active_rooms_of(account.user.id).await?;
    let revocation = Revocation::PasswordChanged { user: account.user.id, version, kept };
    if let Err(error) = app.rooms.revoke(rooms, &revocation).await {
        // The tokens are dead already; only sockets that are open stay open until they expire.
        tracing::error!(%error, "sockets of revoked tokens may be open still");
    }
    let token = issue_token(&app, &account.user, version);
    Ok(Json(PasswordChanged { message: "Password changed successfully", token }))
}

/// Checks the caller's own password under the strict limit.
pub async fn confirm(
    attempts: &Attempts,
    caller: &Caller,
    password: &PasswordAttempt,
    refusal: &'static str,
) -> Result<(), ApiError> {
    let admitted = attempts.admit(&caller.account.user.email)?;
    let right = caller.account.password_hash.verify(password) != Verdict::Wrong;
    admitted.settle(right.then_some(()).ok_or(ApiError::WrongPassword(refusal))).await
}

impl SignedIn {
    fn new(app: &App, message: &'static str, user: User, version: i64) -> Self {
        let token = issue_token(app, &user, version);
        let User { id, username, email, .. } = user;
        Self { message, token, user: Me { id, username, email } }
    }
}

fn issue_token(app: &App, user: &User, version: i64) -> String {
    let nonce = app.platform.random();
    app.config.token_key.issue(user.id, user.username.as_str(), version, nonce, app.now())
}

/// Replaces a hash of an older kind. The login is good either way, so a failure is only logged.
async fn renew_hash(app: &App, account: &Account, password: &PasswordAttempt) {
    let renewed = PasswordHash::renewed(password, app.platform.random());
    if let Err(error) = app.store.renew_hash(account.user.id, &account.password_hash, &renewed).await {
        tracing::warn!(%error, user = %account.user.id, "an old password hash was not renewed");
    }
}

fn conflict(taken: Taken) -> ApiError {
    match taken {
        Taken::Email => ApiError::EmailTaken("User with this email already exists"),
        Taken::Username => ApiError::UsernameTaken("User with this username already exists"),
    }
}
