//! The id of a request, which links its line in this log, its answer and the client's own log.

use std::{
    convert::Infallible,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    extract::{FromRequestParts, Request},
    http::{HeaderMap, HeaderName, HeaderValue, request::Parts},
    middleware::Next,
    response::Response,
};

const HEADER: HeaderName = HeaderName::from_static("x-request-id");
/// The most characters of an id that a client chooses.
const LONGEST: usize = 64;

#[derive(Clone, Debug)]
pub struct RequestId(String);

impl RequestId {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The client's own if it is short and plain, else a new one.
    fn of(headers: &HeaderMap) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        // Distinguishes this process from others.
        static PROCESS: LazyLock<String> = LazyLock::new(|| bson::oid::ObjectId::new().to_hex());
        let plain = |id: &&str| {
            (1..=LONGEST).contains(&id.len())
                && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        };
        let given = headers.get(HEADER).and_then(|id| id.to_str().ok()).filter(plain);
        let made = || format!("{}-{:x}", *PROCESS, NEXT.fetch_add(1, Ordering::Relaxed));
        Self(given.map_or_else(made, str::to_owned))
    }
}

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().cloned().unwrap_or_else(|| Self::of(&parts.headers)))
    }
}

/// Gives each request an id, and returns it with each answer.
pub async fn name(mut request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers());
    // The id is plain, or our own.
    let header = HeaderValue::from_str(id.as_str());
    request.extensions_mut().insert(id);
    let mut response = next.run(request).await;
    if let Ok(header) = header {
        response.headers_mut().insert(HEADER, header);
    }
    response
}
