//! The strict limits: on the routes that check passwords, and on what a user creates per hour.
//!
//! [`count`] runs before the token and the body are read: it counts the attempt for the client's address and
//! puts an [`Attempts`] into the request. The handler [`Attempts::admit`]s the account as soon as it
//! is known, and counts the outcome before the client gets its response: [`Admitted::settle_password`] for a password.
//! An attempt that would reveal whether a name is taken is a failure from the start, [`Admitted::presume_failure`], until
//! it succeeds, [`Admitted::take_back`].

use std::sync::{Arc, Mutex, PoisonError};

use axum::{
    extract::{FromRequestParts, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, request::Parts};
use zetra_domain::{
    AccountKey, AddressKey, AttemptOutcome, Hourly, PasswordOutcome, Settlement, Standing, UserId,
};
use zetra_store::StoreError;

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

/// Counts one more creation by this user, and creates. It is counted first, so that no more are made at once, and taken back
/// if the database fails. What is refused otherwise counts: it costs as much.
///
/// # Errors
/// 429 past `limit` in an hour; otherwise the creation's own error.
pub async fn create<T>(
    app: &App,
    user: UserId,
    (what, limit): (Hourly, u32),
    creation: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, ApiError> {
    let (account, limits) = (AccountKey::of_user(user), app.config.auth_limits);
    let limiter = &app.services.limiter;
    limiter.spend(&account, what, limit, limits).await?.map_err(ApiError::TooManyRequests)?;
    let created = creation.await;
    if created.is_err()
        && let Err(error) = limiter.take_back(&account, what, limits).await
    {
        tracing::warn!(%error, %user, "what was not made stays counted");
    }
    Ok(created?)
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
            tracing::warn!(%error, %user, "a sign-in was not noted for its address");
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
    /// Counts a failure for the address before the outcome is known, so that attempts made at once learn no more than
    /// those made one by one.
    ///
    /// # Errors
    /// 429 past a limit.
    pub async fn presume_failure(&self) -> Result<(), ApiError> {
        let verdict = self.count_for_address(AttemptOutcome::Failed).await?;
        self.judge(verdict)
    }

    /// It was none. What was done is not refused afterwards, so an error is only logged.
    pub async fn take_back(&self) {
        match self.count_for_address(AttemptOutcome::TakenBack).await {
            Ok(Settlement { standing: Some(standing), .. }) => self.attempts.note(standing),
            Ok(Settlement { standing: None, .. }) => {}
            Err(error) => tracing::warn!(%error, "a success stays counted as a failure"),
        }
    }

    /// Counts the outcome for the address, and for the account from any address. An error counts as a failure and is
    /// the response. `right` states how a right password counts.
    ///
    /// # Errors
    /// 429 past a limit, whether the password was right or not; otherwise the outcome's own error.
    pub async fn settle_password<T>(
        &self,
        outcome: Result<T, ApiError>,
        right: PasswordOutcome,
    ) -> Result<T, ApiError> {
        let (for_address, for_account) = match &outcome {
            Ok(_) => (AttemptOutcome::Passed, right),
            Err(_) => (AttemptOutcome::Failed, PasswordOutcome::Wrong),
        };
        // An address past its limits learns nothing about the password, so the account need not count it.
        let verdict = self.count_for_address(for_address).await?;
        self.judge(verdict)?;
        let Inner { app, address, .. } = &*self.attempts.0;
        let limits = app.config.auth_limits;
        let verdict =
            app.services.limiter.settle_password(&self.account, address, for_account, limits).await?;
        if !verdict.allowed {
            // Of a right and a wrong password each is counted once as passed and once as failed, so that neither the
            // address's count nor the time reveals which it was.
            let other = match for_address {
                AttemptOutcome::Failed => AttemptOutcome::Passed,
                AttemptOutcome::Passed | AttemptOutcome::TakenBack => AttemptOutcome::Failed,
            };
            self.count_for_address(other).await?;
        }
        self.judge(verdict)?;
        outcome
    }

    async fn count_for_address(&self, outcome: AttemptOutcome) -> Result<Settlement, ApiError> {
        let Inner { app, address, .. } = &*self.attempts.0;
        let limits = app.config.auth_limits;
        Ok(app.services.limiter.settle(address, &self.account, outcome, limits).await?)
    }

    fn judge(&self, verdict: Settlement) -> Result<(), ApiError> {
        let before = self.attempts.standing();
        if !verdict.allowed {
            return Err(self.attempts.refuse(verdict.standing.unwrap_or(before)));
        }
        if let Some(standing) = verdict.standing {
            self.attempts.note(before.tighter(standing));
        }
        Ok(())
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
