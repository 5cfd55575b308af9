//! `/openapi.json` and `/asyncapi.json`: machine-readable descriptions of the API. `cargo xtask api` generates
//! the files. They are served from here rather than as plain assets, so that front ends elsewhere can read them
//! (CORS).

use std::sync::Arc;

use axum::{extract::State, response::Response};
use http::StatusCode;

use crate::{error::ApiError, extract::UnusedBody, state::App};

#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/openapi.json", operation_id = "getOpenApi", tag = "service",
    responses((status = 200, description = "OpenAPI 3.1.", body = serde_json::Value)),
))]
/// Get this document
pub async fn openapi(State(app): State<Arc<App>>, _: UnusedBody) -> Result<Response, ApiError> {
    file(&app, "/openapi.json").await
}

#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/asyncapi.json", operation_id = "getAsyncApi", tag = "service",
    responses((status = 200, description = "AsyncAPI 3.0.", body = serde_json::Value)),
))]
/// Get the description of the Socket.IO events
pub async fn asyncapi(State(app): State<Arc<App>>, _: UnusedBody) -> Result<Response, ApiError> {
    file(&app, "/asyncapi.json").await
}

async fn file(app: &App, path: &str) -> Result<Response, ApiError> {
    let file = app.services.assets.file(path).await?;
    match file.status() {
        StatusCode::OK => Ok(file),
        status => Err(ApiError::Internal(format!("{path}: status {status}"))),
    }
}
