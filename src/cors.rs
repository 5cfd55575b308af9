//! CORS (Fetch standard) for the front ends whose origins are in `NEXT_PUBLIC_API_BASE_URL`.
//!
//! Written by hand rather than with tower-http: the API sends a foreign origin no CORS header at all and
//! answers its WebSocket upgrade with 403, and it answers a preflight before it looks at the path.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, Method, StatusCode, Uri, header};

use crate::{error::ApiError, request::is_upgrade};

const METHODS: &str = "GET, POST, PUT, DELETE, PATCH, OPTIONS";
const HEADERS: &str = "Content-Type, Authorization, X-Request-Id";
const EXPOSED: &str = "X-Request-Id, Retry-After, RateLimit, RateLimit-Policy";
const MAX_AGE: &str = "86400";

pub struct Origins(Vec<HeaderValue>);

impl Origins {
    pub fn new(origins: &[String]) -> Self {
        Self(origins.iter().filter_map(|origin| HeaderValue::try_from(origin).ok()).collect())
    }

    fn allowed<B>(&self, request: &http::Request<B>) -> Result<Option<HeaderValue>, ()> {
        match request.headers().get(header::ORIGIN) {
            None => Ok(None),
            Some(origin) if self.0.contains(origin) => Ok(Some(origin.clone())),
            // The client that the Worker itself serves.
            Some(origin) if is_own(origin, request.uri()) => Ok(Some(origin.clone())),
            Some(_) => Err(()),
        }
    }
}

fn is_own(origin: &HeaderValue, uri: &Uri) -> bool {
    let own = uri.scheme_str().zip(uri.authority());
    own.is_some_and(|(scheme, authority)| origin.as_bytes() == format!("{scheme}://{authority}").as_bytes())
}

pub async fn apply(State(origins): State<Arc<Origins>>, request: Request, next: Next) -> Response {
    let origin = origins.allowed(&request);
    let preflight = request.method() == Method::OPTIONS;
    let mut response = if preflight {
        StatusCode::NO_CONTENT.into_response()
    } else if origin.is_err() && is_upgrade(&request) {
        ApiError::OriginRefused.into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Ok(Some(origin)) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        let mut set = |name, value| headers.insert(name, HeaderValue::from_static(value));
        set(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
        set(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        if preflight {
            set(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
            set(header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
            set(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        }
    }
    response
}
