//! The strict limits: on the routes that check passwords, and on what a user creates per hour.
//!
//! [`count`] runs before the token and the body are read: it counts the attempt for the client's address and
//! puts an [`Attempts`] into the request. The handler [`Attempts::admit`]s the account as soon as it
//! is known, and counts the outcome before the client gets its response: [`Admitted::settle`] for the
//! address, [`Admitted::settle_password`] for the account as well.

use std::sync::{Arc, Mutex, PoisonError};

use axum::{
    extract::{FromRequestParts, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, request::Parts};
use zetra_domain::{AccountKey, AddressKey, Hourly, PasswordOutcome, Settlement, Standing, UserId};

use crate::{error::ApiError, request::client_address, state::App};

/// This client's attempts so far and its remaining quota.
#[derive(Clone)]
pub struct Attempts(Arc<Inner>);

struct Inner {
    app: Arc<App>,
    address: AddressKey,
    locked: Vec<(AccountKey, Standing)>,
    standing: Mutex<Standing>,
}

/// Proof that a password for the account may be checked.
pub struct Admitted<'a> {
    attempts: &'a Attempts,
    account: AccountKey,
}

pub async fn count(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let address = AddressKey::of(client_address(request.headers()));
    let attempt = match app.services.limiter.attempt(&address, app.config.auth_limits).await {
        Ok(attempt) => attempt,
        Err(error) => return ApiError::from(error).into_response(),
    };
    if !attempt.allowed {
        let refused = ApiError::RateLimited(attempt.standing).into_response();
        return with_headers(refused, attempt.standing);
    }
    let standing = Mutex::new(attempt.standing);
    let attempts = Attempts(Arc::new(Inner { app, address, locked: attempt.locked, standing }));
    request.extensions_mut().insert(attempts.clone());
    let response = next.run(request).await;
    with_headers(response, attempts.standing())
}

/// Counts one more creation by this user.
///
/// # Errors
/// 429 past `limit` in an hour.
pub async fn spend(app: &App, user: UserId, what: Hourly, limit: u32) -> Result<(), ApiError> {
    let account = AccountKey::of_user(user);
    let spent = app.services.limiter.spend(&account, what, limit, app.config.auth_limits).await?;
    spent.map_err(ApiError::TooManyRequests)
}

impl Attempts {
    /// # Errors
    /// 429 for an account that is past its own limit.
    pub fn admit(&self, account: AccountKey) -> Result<Admitted<'_>, ApiError> {
        let locked = self.0.locked.iter().find(|(locked, _)| *locked == account);
        match locked {
            Some((_, standing)) => Err(self.refuse(*standing)),
            None => Ok(Admitted { attempts: self, account }),
        }
    }

    /// Records a sign-in without a password check: by registering.
    pub async fn note_sign_in(&self, user: UserId) {
        let Inner { app, address, .. } = &*self.0;
        let (account, limits) = (AccountKey::of_user(user), app.config.auth_limits);
        let outcome = PasswordOutcome::SignedIn;
        if let Err(error) = app.services.limiter.settle_password(&account, address, outcome, limits).await {
            tracing::warn!(%error, %user, "this address may be locked out by strangers");
        }
    }

    fn standing(&self) -> Standing {
        *self.0.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, standing: Standing) {
        *self.0.standing.lock().unwrap_or_else(PoisonError::into_inner) = standing;
    }

    fn refuse(&self, standing: Standing) -> ApiError {
        self.note(standing);
        ApiError::RateLimited(standing)
    }
}

impl Admitted<'_> {
    /// Counts the outcome for the address. An error counts as a failure and is the response.
    ///
    /// # Errors
    /// 429 past a limit, whatever the outcome; otherwise the outcome's own error.
    pub async fn settle<T>(&self, outcome: Result<T, ApiError>) -> Result<T, ApiError> {
        let Inner { app, address, .. } = &*self.attempts.0;
        let limits = app.config.auth_limits;
        let verdict = app.services.limiter.settle(address, &self.account, outcome.is_err(), limits).await?;
        self.judge(verdict, outcome)
    }

    /// The same for a password, which is also counted for its account, from any address. `right` states how a
    /// right password counts.
    ///
    /// # Errors
    /// 429 past a limit, whether the password was right or not; otherwise the outcome's own error.
    pub async fn settle_password<T>(
        &self,
        outcome: Result<T, ApiError>,
        right: PasswordOutcome,
    ) -> Result<T, ApiError> {
        let failed = outcome.is_err();
        // An address past its limits learns nothing about the password, so the account need not count it.
        let outcome = match self.settle(outcome).await {
            Err(limited @ ApiError::RateLimited(_)) => return Err(limited),
            outcome => outcome,
        };
        let Inner { app, address, .. } = &*self.attempts.0;
        let told = if failed { PasswordOutcome::Wrong } else { right };
        let limits = app.config.auth_limits;
        let verdict = app.services.limiter.settle_password(&self.account, address, told, limits).await?;
        self.judge(verdict, outcome)
    }

    fn judge<T>(&self, verdict: Settlement, outcome: Result<T, ApiError>) -> Result<T, ApiError> {
        let before = self.attempts.standing();
        match (verdict.allowed, verdict.standing) {
            (false, standing) => Err(self.attempts.refuse(standing.unwrap_or(before))),
            (true, Some(standing)) => {
                self.attempts.note(before.tighter(standing));
                outcome
            }
            (true, None) => outcome,
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Attempts {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let attempts = parts.extensions.get::<Self>().cloned();
        attempts.ok_or_else(|| ApiError::Internal("this route is not throttled".to_owned()))
    }
}

/// `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers).
fn with_headers(mut response: Response, standing: Standing) -> Response {
    let Standing { policy, limit, remaining, reset, window } = standing;
    let name = policy.name();
    let headers = [
        ("ratelimit", format!("\"{name}\";r={remaining};t={reset}")),
        ("ratelimit-policy", format!("\"{name}\";q={limit};w={window}")),
    ];
    for (header, value) in headers {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(header, value);
        }
    }
    response
}
