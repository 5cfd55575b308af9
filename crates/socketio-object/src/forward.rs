//! From the Worker to the object.

use worker::{Request, Response, Result, Stub};
use zetra_socketio::engine::Opening;

use crate::{HANDSHAKE_HEADER, SESSION_HEADER};

/// Sends a request to the Engine.IO path on to an object, as one that may open a session there. Every request
/// of a session must reach the same object: name it by something that all of them carry, such as a parameter
/// of the query that the client was given.
///
/// `opening.sid` is a new id for each request, of [`new_id`](crate::new_id) for instance; it counts only where a
/// session is opened. `opening.handshake` goes in a header, so it is visible ASCII. Headers of the client
/// that would say the same are replaced.
///
/// The answer has no CORS headers: a page of another origin needs some from you.
///
/// # Errors
/// What the runtime throws: the object cannot be reached, or `opening` does not fit into headers.
pub async fn forward(request: Request, object: &Stub, opening: Opening<'_>) -> Result<Response> {
    // The headers of a request that came are immutable.
    let request = Request::from(web_sys::Request::new_with_request(request.inner())?);
    request.headers().set(SESSION_HEADER, opening.sid)?;
    request.headers().set(HANDSHAKE_HEADER, opening.handshake)?;
    object.fetch_with_request(request).await
}
