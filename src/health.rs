//! `/health` for monitoring, and the index `/`: service information for programs, the client for browsers.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use http::{HeaderMap, StatusCode, header};
use serde::Serialize;
use serde_json::json;
use zetra_domain::Timestamp;

use crate::{error::STORE_RETRY_AFTER, extract::UnusedBody, ports::Platform, state::App};

const VERSION: &str = env!("CARGO_PKG_VERSION");

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
struct Health {
    status: &'static str,
    message: String,
    timestamp: Timestamp,
    /// Seconds since this isolate began.
    uptime: i64,
    database: &'static str,
    environment: &'static str,
    version: &'static str,
}

/// Check the health of the service
///
/// Asks the database for real.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/health", operation_id = "getHealth", tag = "service",
    responses(
        (status = 200, description = "The service is well.", body = Health),
        (status = 503, description = "The database or the configuration is not usable; `message` says why.", body = Health),
    ),
))]
pub async fn health(State(app): State<Arc<App>>, _: UnusedBody) -> Response {
    match app.store().ping().await {
        Ok(()) => healthy(app.services.platform).into_response(),
        Err(error) => {
            tracing::error!(%error, "the database does not answer");
            unhealthy(app.services.platform, "Database unavailable".to_owned())
        }
    }
}

/// `reason` contains the variable's name and the remedy.
pub async fn misconfigured(reason: String, platform: Platform) -> Response {
    unhealthy(platform, reason)
}

/// Get the index
///
/// A program gets JSON, a browser the web client.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/", operation_id = "getIndex", tag = "service",
    responses(
        (status = 200, description = "What this service is.", body = crate::openapi::schemas::Index),
        (
            status = 307,
            description = "To `/app/`, for a client that accepts `text/html`.",
            headers(("Location" = String, description = "`/app/`")),
        ),
    ),
))]
pub async fn index(State(app): State<Arc<App>>, headers: HeaderMap, _: UnusedBody) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let vary = [(header::VARY, "Accept")];
    if accept.contains("text/html") {
        return (vary, Redirect::temporary("/app/")).into_response();
    }
    let body = Json(json!({
        "name": "Zetra Backend API",
        "version": VERSION,
        "status": "running",
        "endpoints": {
            "health": "/health",
            "auth": "/api/auth",
            "user": "/api/user",
            "room": "/api/room",
            "callLogs": "/api/call-logs",
            "iceServers": "/api/ice-servers",
            "socket": app.config.socket_url.as_deref().unwrap_or("/socket.io/"),
        },
        "documentation": "/docs/",
    }));
    (vary, body).into_response()
}

fn healthy(platform: Platform) -> Json<Health> {
    Json(Health::new(platform, "ok", "Server is running".to_owned(), "connected"))
}

fn unhealthy(platform: Platform, message: String) -> Response {
    let health = Health::new(platform, "error", message, "disconnected");
    let retry_after = [(header::RETRY_AFTER, STORE_RETRY_AFTER)];
    (StatusCode::SERVICE_UNAVAILABLE, retry_after, Json(health)).into_response()
}

impl Health {
    fn new(platform: Platform, status: &'static str, message: String, database: &'static str) -> Self {
        let timestamp = platform.now();
        let uptime = timestamp.since(platform.started).max(0) / 1_000;
        let environment = if platform.production { "production" } else { "development" };
        Self { status, message, timestamp, uptime, database, environment, version: VERSION }
    }
}
