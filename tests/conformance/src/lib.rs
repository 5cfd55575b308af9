//! The fixture that the official suites of Engine.IO v4 and Socket.IO v5 run against (socketio/socket.io,
//! `docs/engine.io-protocol/v4-test-suite` and `docs/socket.io-protocol/v5-test-suite`), served by
//! the code that serves the product. There is nothing of the product in here.
//!
//! One object per session, named by its id.

mod engine_fixture;
mod socket_fixture;
mod variables;

use worker::{Context, Env, Request, Response, Result, Url, event};
use zetra_socketio::engine::Opening;
use zetra_socketio_object::{forward, new_id};

pub use engine_fixture::EngineFixture;
pub use socket_fixture::SocketFixture;

#[event(start)]
fn start() {
    console_error_panic_hook::set_once();
}

#[event(fetch)]
async fn fetch(request: Request, env: Env, _context: Context) -> Result<Response> {
    let url = request.url()?;
    let objects = match url.path() {
        "/engine.io/" => env.durable_object("ENGINE")?,
        "/socket.io/" => env.durable_object("SOCKET")?,
        _ => return Response::error("Not Found", 404),
    };
    let name = session(&url).unwrap_or_else(new_id);
    let opening = Opening { sid: &name, handshake: "" };
    let mut response = forward(request, &objects.get_by_name(&name)?, opening).await?;
    if response.status_code() != 101 {
        response = response.cloned()?;
        response.headers_mut().set("access-control-allow-origin", "*")?;
    }
    Ok(response)
}

fn session(url: &Url) -> Option<String> {
    url.query_pairs()
        .filter(|(key, sid)| key == "sid" && !sid.is_empty())
        .last()
        .map(|(_, sid)| sid.into_owned())
}
