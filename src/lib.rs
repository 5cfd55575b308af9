//! The Worker: takes an HTTP request and returns a response.

mod auth;
mod call_log;
mod cors;
mod documents;
mod error;
mod extract;
mod health;
mod ice;
#[cfg(feature = "openapi")]
pub mod openapi;
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
use futures_channel::oneshot;
use http::Method;
use worker::{Context, Env, HttpRequest, Result, event, send::IntoSendFuture};

use zetra_durable_objects::leave_renewal_to_shim;
pub use zetra_durable_objects::{RateLimit, RevocationOutbox, Room, Session};

#[event(start)]
fn start() {
    console_error_panic_hook::set_once();
    telemetry::to_console();
}

#[event(fetch)]
async fn fetch(request: HttpRequest, env: Env, context: Context) -> Result<http::Response<Body>> {
    leave_renewal_to_shim();
    let (router, request) = (workers::router(&env), request.map(Body::new));
    if !outlives_its_client(request.method(), request.uri().path()) {
        return Ok(router::serve(router, request).into_send().await);
    }
    let (answer, answered) = oneshot::channel();
    context.wait_until(async move {
        // The receiver may be gone.
        let _ = answer.send(router::serve(router, request).await);
    });
    answered.await.map_err(|_| worker::Error::from("the request was not answered"))
}

/// The runtime cancels a request whose client disconnects. A request that changes something in more than one
/// place must not stop halfway, so it runs to its end.
fn outlives_its_client(method: &Method, path: &str) -> bool {
    !method.is_safe() && path.starts_with("/api/")
}
