//! The router: the whole API as one list.

use std::sync::Arc;

use axum::{
    Extension, Router,
    body::Body,
    extract::Request,
    middleware::{from_fn, from_fn_with_state},
    response::Response,
    routing::{any, delete, get, post, put},
};
use http::{Method, Uri};
use tower_service::Service;
use zetra_runtime::ConfigError;

use crate::{
    auth, call_log, cors, documents, error::ApiError, health, ice, ports::Platform, room, room_host,
    security_headers, signal, state::App, telemetry, throttle, user,
};

pub fn router(app: App) -> Router {
    let app = Arc::new(app);
    let origins = cors::Origins::new(&app.config.origins);
    let platform = app.services.platform;
    // Counted strictly per client address, before the token and the body are read.
    let throttled = || from_fn_with_state(app.clone(), throttle::count);

    let routes = Router::new()
        .route("/", get(health::index))
        .route("/health", get(health::health))
        .route("/openapi.json", get(documents::openapi))
        .route("/asyncapi.json", get(documents::asyncapi))
        .route("/api/auth/register", post(auth::register).route_layer(throttled()))
        .route("/api/auth/login", post(auth::login).route_layer(throttled()))
        .route("/api/auth/change-password", post(auth::change_password).route_layer(throttled()))
        .route(
            "/api/user/profile",
            get(user::profile).merge(put(user::update_profile).route_layer(throttled())),
        )
        .route("/api/user/account", delete(user::delete_account).route_layer(throttled()))
        .route("/api/room", get(room::list))
        .route("/api/room/create", post(room::create))
        .route("/api/room/join/{roomId}", post(room::join))
        .route("/api/room/{roomId}", get(room::show).put(room_host::rename).delete(room_host::end))
        .route("/api/room/{roomId}/kick", post(room_host::kick))
        .route("/api/room/{roomId}/readmit", post(room_host::readmit))
        .route("/api/room/{roomId}/lock", post(room_host::lock))
        .route("/api/room/{roomId}/unlock", post(room_host::unlock))
        .route("/api/call-logs", get(call_log::list).post(call_log::create))
        .route("/api/call-logs/stats", get(call_log::stats))
        .route("/api/call-logs/{roomId}/end", put(call_log::end))
        .route("/api/ice-servers", get(ice::ice_servers))
        .route("/socket.io/", any(signal::engine))
        .fallback(route_not_found)
        .with_state(app);
    finish(routes, origins, platform)
}

/// The router while the configuration is unusable: the reason goes to the log and `/health`; every other route
/// answers 500.
pub fn unconfigured(error: &ConfigError, origins: &[String], platform: Platform) -> Router {
    tracing::error!(%error, "the configuration is unusable");
    let reason = error.to_string();
    let health = get(move || health::misconfigured(reason, platform));
    let routes =
        Router::new().route("/health", health).fallback(|| async { Err::<(), _>(ApiError::Misconfigured) });
    finish(routes, cors::Origins::new(origins), platform)
}

/// Answers one request. Infallible: every failure is a response.
pub async fn serve(mut router: Router, mut request: Request) -> Response {
    if let Some(uri) = without_trailing_slash(request.uri()) {
        let sent = std::mem::replace(request.uri_mut(), uri);
        request.extensions_mut().insert(AsSent(sent));
    }
    match router.call(request).await {
        Ok(response) => response.map(Body::new),
        Err(never) => match never {},
    }
}

/// The layers around every route, innermost first.
fn finish(routes: Router, origins: cors::Origins, platform: Platform) -> Router {
    routes
        .method_not_allowed_fallback(|| async { ApiError::MethodNotAllowed })
        .layer(from_fn_with_state(Arc::new(origins), cors::apply))
        .layer(from_fn(security_headers::apply))
        .layer(from_fn_with_state(platform, telemetry::observe))
}

/// The address that the client sent, where it was changed.
#[derive(Clone)]
struct AsSent(Uri);

async fn route_not_found(method: Method, uri: Uri, sent: Option<Extension<AsSent>>) -> ApiError {
    let uri = sent.map_or(uri, |Extension(AsSent(sent))| sent);
    ApiError::RouteNotFound { method, path: uri.path().to_owned() }
}

/// Removes a trailing slash: Express, which the Node backend used, accepted `/api/call-logs/` for
/// `/api/call-logs`.
fn without_trailing_slash(uri: &Uri) -> Option<Uri> {
    let path = uri.path();
    if path == "/" || path == "/socket.io/" || !path.ends_with('/') {
        return None;
    }
    let mut trimmed = path.trim_end_matches('/').to_owned();
    if trimmed.is_empty() {
        trimmed.push('/');
    }
    if let Some(query) = uri.query() {
        trimmed.push('?');
        trimmed.push_str(query);
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = trimmed.parse().ok();
    Uri::from_parts(parts).ok()
}
