//! From the Worker to the object.

use worker::{Request, Response, Result, Stub};
use zetra_socketio::engine::Opening;

use crate::{HANDSHAKE_HEADER, SESSION_HEADER};

/// Forwards a request to the Engine.IO path to an object, as one that may open a session there. Every request
/// of a session must reach the same object: choose its name from something that all of them carry, such as a
/// query parameter that the client was given.
///
/// `opening.sid` is a new id for each request, for instance from [`new_id`](crate::new_id); it is used only if
/// a session is opened. `opening.handshake` is sent in a header, so it must be visible ASCII. Headers of the
/// same names from the client are replaced.
///
/// The response has no CORS headers: add them if a page of another origin needs them.
///
/// # Errors
/// What the runtime throws: the object cannot be reached, or `opening` does not fit into headers.
pub async fn forward(request: Request, object: &Stub, opening: Opening<'_>) -> Result<Response> {
    // The headers of an incoming request are immutable.
    let request = Request::from(web_sys::Request::new_with_request(request.inner())?);
    request.headers().set(SESSION_HEADER, opening.sid)?;
    request.headers().set(HANDSHAKE_HEADER, opening.handshake)?;
    object.fetch_with_request(request).await
}
