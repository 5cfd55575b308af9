//! The strict limit on the routes where passwords are tried.
//!
//! [`count`] runs before the token and the body: it counts the attempt with the client's address and
//! puts an [`Attempts`] into the request. The handler [`Attempts::admit`]s the account as soon as it
//! is known, and [`Attempts::settle`]s what came of it before the client learns of it.

use std::sync::{Arc, Mutex, PoisonError};

use axum::{
    extract::{FromRequestParts, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, request::Parts};
use zetra_domain::Email;
use zetra_durable_objects::{AccountKey, Standing};

use crate::{app::App, error::ApiError};

/// This client's attempts so far, and how it stands.
#[derive(Clone)]
pub struct Attempts(Arc<Inner>);

struct Inner {
    app: Arc<App>,
    address: String,
    locked: Vec<(AccountKey, Standing)>,
    standing: Mutex<Standing>,
}

/// Proof that an account may be tried.
pub struct Admitted<'a> {
    attempts: &'a Attempts,
    account: AccountKey,
}

pub async fn count(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let address = client_address(request.headers()).to_owned();
    let attempt = match app.limiter.attempt(&address, app.config.auth_limits).await {
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

/// The address as the edge saw it. Requests that did not come through the edge share one.
pub fn client_address(headers: &HeaderMap) -> &str {
    headers.get("cf-connecting-ip").and_then(|address| address.to_str().ok()).unwrap_or("unknown")
}

impl Attempts {
    /// # Errors
    /// 429 for an account that is past its own limit.
    pub fn admit(&self, email: &Email) -> Result<Admitted<'_>, ApiError> {
        let account = AccountKey::of(email.as_str());
        let locked = self.0.locked.iter().find(|(locked, _)| *locked == account);
        match locked {
            Some((_, standing)) => Err(self.refuse(*standing)),
            None => Ok(Admitted { attempts: self, account }),
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
    /// Counts the outcome; `failure` is what to answer when it was one.
    ///
    /// # Errors
    /// 429 past a limit, whether the password was right or not; else the failure itself.
    pub async fn settle<T>(self, outcome: Result<T, ApiError>) -> Result<T, ApiError> {
        let Inner { app, address, .. } = &*self.attempts.0;
        let limits = app.config.auth_limits;
        let verdict = app.limiter.settle(address, &self.account, outcome.is_err(), limits).await?;
        if !verdict.allowed {
            return Err(self.attempts.refuse(verdict.standing));
        }
        self.attempts.note(verdict.standing);
        outcome
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
