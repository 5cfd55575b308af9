//! The Worker: an HTTP request in, a response out.

mod auth;
mod call_log;
mod cors;
mod error;
mod extract;
mod health;
mod ice;
pub mod ports;
mod relays;
mod request;
mod room;
mod room_host;
pub mod router;
mod security_headers;
mod signal;
pub mod state;
mod telemetry;
mod throttle;
mod user;
mod workers;

use axum::body::Body;
use worker::{Context, Env, HttpRequest, Result, event, send::IntoSendFuture};

pub use zetra_durable_objects::{RateLimit, RevocationOutbox, Room, Session};

#[event(start)]
fn start() {
    console_error_panic_hook::set_once();
    telemetry::to_console();
}

#[event(fetch)]
async fn fetch(request: HttpRequest, env: Env, _context: Context) -> Result<http::Response<Body>> {
    Ok(router::serve(workers::router(&env), request.map(Body::new)).into_send().await)
}
