//! What an object does for a request that the Worker serves: its log has that request's id.

use tracing::Instrument;
use zetra_runtime::request_id;

/// Names the request in what is asked of an object.
pub(crate) const REQUEST_ID_HEADER: &str = "x-request-id";

/// Serves something that was asked for the request with that id, if there is one.
pub(crate) async fn on_behalf_of<F: Future>(id: Option<String>, serving: F) -> F::Output {
    let Some(id) = id else { return serving.await };
    let span = tracing::info_span!("request", requestId = id);
    request_id::scope(&id, serving.instrument(span)).await
}
