//! The Worker: an HTTP request in, a response out.

pub mod app;
mod auth;
mod call_log;
mod cors;
mod error;
mod extract;
mod health;
mod ice;
pub mod ports;
mod room;
mod security_headers;
mod signal;
mod telemetry;
mod throttle;
mod user;
mod workers;

use axum::body::Body;
use worker::{Context, Env, HttpRequest, Result, event, send::IntoSendFuture};

pub use zetra_durable_objects::{RateLimit, Room, Session};

#[event(start)]
fn start() {
    console_error_panic_hook::set_once();
    telemetry::to_console();
}

#[event(fetch)]
async fn fetch(request: HttpRequest, env: Env, _context: Context) -> Result<http::Response<Body>> {
    Ok(app::serve(workers::router(&env), request.map(Body::new)).into_send().await)
}
