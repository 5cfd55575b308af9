//! `/api/auth`: register, log in, change the password.

use std::sync::Arc;

use axum::{Json, extract::State};
use http::StatusCode;
use serde::Serialize;
use zetra_domain::{
    AccountKey, Email, Invalid, Password, PasswordAttempt, PasswordHash, PasswordOutcome, RoomId, TokenError,
    User, UserId, Username, Verdict, all2, all3,
};
use zetra_store::{Account, NewUser, PasswordChange, Taken};

use crate::{
    error::ApiError,
    extract::{Caller, JsonBody},
    state::App,
    throttle::Attempts,
};

const WRONG_PASSWORD: &str = "Current password is incorrect";

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignedIn {
    message: &'static str,
    token: String,
    user: Me,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = SignedInUser))]
struct Me {
    id: UserId,
    username: Username,
    email: Email,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PasswordChanged {
    message: &'static str,
    token: String,
}

/// Register
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/api/auth/register", operation_id = "register", tag = "auth",
    request_body = crate::openapi::requests::Registration,
    responses((status = 201, description = "Registered, and signed in.", body = SignedIn)),
    extensions(("x-rate-limit" = json!("auth")), ("x-errors" = json!(["email_taken", "username_taken"]))),
))]
pub async fn register(
    State(app): State<Arc<App>>,
    attempts: Attempts,
    JsonBody(body): JsonBody,
) -> Result<(StatusCode, Json<SignedIn>), ApiError> {
    let [username, email, password] =
        body.required(["username", "email", "password"], "All fields are required")?;
    let (username, email, password) =
        all3(Username::parse(username), Email::parse(email), Password::parse("password", password))?;
    let admitted = attempts.admit(AccountKey::of_email(&email))?;
    let password_hash = PasswordHash::new(&password, app.random());
    let user = User { id: app.new_user_id(), username, email, created_at: app.now() };
    let new = NewUser { user, password_hash };
    // A conflict reveals which names are taken.
    admitted.presume_failure().await?;
    let inserted = app.store().insert_user(&new).await;
    if !matches!(inserted, Ok(Err(_))) {
        admitted.take_back().await;
    }
    inserted?.map_err(conflict)?;
    tracing::info!(user = %new.user.id, "a user registered");
    attempts.note_sign_in(new.user.id).await;
    Ok((StatusCode::CREATED, Json(SignedIn::new(&app, "User registered successfully", new.user, 0))))
}

/// Sign in
///
/// An unknown email and a wrong password get the same answer, in the same time.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/api/auth/login", operation_id = "login", tag = "auth",
    request_body = crate::openapi::requests::Login,
    responses((status = 200, description = "Signed in.", body = SignedIn)),
    extensions(("x-rate-limit" = json!("auth")), ("x-errors" = json!(["invalid_credentials"]))),
))]
pub async fn login(
    State(app): State<Arc<App>>,
    attempts: Attempts,
    JsonBody(body): JsonBody,
) -> Result<Json<SignedIn>, ApiError> {
    let [email, password] = body.required(["email", "password"], "Email and password are required")?;
    let (email, password) = all2(Email::parse(email), PasswordAttempt::parse("password", password))?;
    let account = app.store().account_by_email(&email).await?;
    let key = account
        .as_ref()
        .map_or_else(|| AccountKey::of_email(&email), |account| AccountKey::of_user(account.user.id));
    let admitted = attempts.admit(key)?;
    let hash = account.as_ref().map(|account| account.password_hash.clone());
    let verdict = PasswordHash::verify_evenly(hash.as_ref(), &password);
    let right = account.filter(|_| verdict != Verdict::Wrong).ok_or(ApiError::InvalidCredentials);
    let settled = admitted.settle_password(right, PasswordOutcome::SignedIn).await;
    if settled.is_err() && verdict != Verdict::Wrong {
        PasswordHash::verify_in_vain(hash.as_ref(), &password);
    }
    let account = settled?;
    if verdict == Verdict::RightButOutdated {
        renew_hash(&app, &account, &password).await;
    }
    Ok(Json(SignedIn::new(&app, "Login successful", account.user, account.tokens.version)))
}

/// Change the password
///
/// Every other token of the user stops working.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/api/auth/change-password", operation_id = "changePassword", tag = "auth",
    security(("token" = [])),
    request_body = crate::openapi::requests::PasswordChange,
    responses((status = 200, description = "Changed. `token` is a new one.", body = PasswordChanged)),
    extensions(("x-rate-limit" = json!("auth")), ("x-errors" = json!(["wrong_password"]))),
))]
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
    confirm(&attempts, &caller, &current, WRONG_PASSWORD).await?;
    let hash = PasswordHash::new(&new, app.random());
    let Caller { account, claims } = caller;
    let user = account.user.id;
    announce_revocation(&app, user).await?;
    let (from, kept) = (&account.password_hash, &claims.fingerprint);
    let mut changed = app.store().change_password(user, from, &hash, kept).await?;
    if changed.is_none() {
        let renewed = renewed_meanwhile(&app, user, &current, WRONG_PASSWORD).await?;
        changed = app.store().change_password(user, &renewed, &hash, kept).await?;
    }
    let PasswordChange { version, rooms } = changed.ok_or(ApiError::WrongPassword(WRONG_PASSWORD))?;
    tracing::info!(%user, "a password was changed");
    tell_rooms(&app, user, rooms).await;
    let token = issue_token(&app, &account.user, version);
    Ok(Json(PasswordChanged { message: "Password changed successfully", token }))
}

/// Call before tokens of the user are revoked: whatever happens then, the user's rooms will be notified.
pub async fn announce_revocation(app: &App, user: UserId) -> Result<(), ApiError> {
    let rooms = app.store().active_rooms_of(user).await?;
    Ok(app.services.revocations.announce(user, rooms).await?)
}

/// Ends the connections whose tokens were just revoked, in the announced rooms and in `rooms`, which the user may have joined
/// since the announcement. Rooms that cannot be
/// notified now are notified later, so this never fails the request.
pub async fn tell_rooms(app: &App, user: UserId, rooms: Vec<RoomId>) {
    if let Err(error) = app.services.revocations.deliver(user, rooms).await {
        tracing::warn!(%error, %user, "rooms will be notified of revoked tokens later");
    }
}

/// The hash of the password that was confirmed, if the account has another one than it had then: a login may have renewed it.
///
/// # Errors
/// 401 if the password was changed or the account deleted meanwhile.
pub async fn renewed_meanwhile(
    app: &App,
    user: UserId,
    confirmed: &PasswordAttempt,
    refusal: &'static str,
) -> Result<PasswordHash, ApiError> {
    let account = app.store().account(user).await?.ok_or(TokenError::Invalid)?;
    let is_same = account.password_hash.verify(confirmed) != Verdict::Wrong;
    is_same.then_some(account.password_hash).ok_or(ApiError::WrongPassword(refusal))
}

/// Checks the caller's own password under the strict limit.
pub async fn confirm(
    attempts: &Attempts,
    caller: &Caller,
    password: &PasswordAttempt,
    refusal: &'static str,
) -> Result<(), ApiError> {
    let admitted = attempts.admit(AccountKey::of_user(caller.id()))?;
    let right = caller.account.password_hash.verify(password) != Verdict::Wrong;
    let outcome = right.then_some(()).ok_or(ApiError::WrongPassword(refusal));
    admitted.settle_password(outcome, PasswordOutcome::Right).await
}

impl SignedIn {
    fn new(app: &App, message: &'static str, user: User, version: i64) -> Self {
        let token = issue_token(app, &user, version);
        let User { id, username, email, .. } = user;
        Self { message, token, user: Me { id, username, email } }
    }
}

fn issue_token(app: &App, user: &User, version: i64) -> String {
    let nonce = app.random();
    app.config.token_key.issue(user.id, user.username.as_str(), version, nonce, app.now())
}

/// Replaces a hash of an older kind. The login succeeds either way, so a failure is only logged.
async fn renew_hash(app: &App, account: &Account, password: &PasswordAttempt) {
    let renewed = PasswordHash::renewed(password, app.random());
    if let Err(error) = app.store().renew_hash(account.user.id, &account.password_hash, &renewed).await {
        tracing::warn!(%error, user = %account.user.id, "an old password hash was not renewed");
    }
}

fn conflict(taken: Taken) -> ApiError {
    match taken {
        Taken::Email => ApiError::EmailTaken("User with this email already exists"),
        Taken::Username => ApiError::UsernameTaken("User with this username already exists"),
    }
}
