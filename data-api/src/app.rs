//! Requests in, responses out: the key is checked before anything is read, and the request before the database
//! sees it.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{Request as HttpRequest, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    middleware,
    response::{IntoResponse, Response},
    routing::{any, get},
};
use serde_json::json;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};

use crate::{
    action::{self, Limits, Request},
    answer::Answer,
    body,
    call::Call,
    database::Database,
    ejson::Format,
    error::ApiError,
    health::Health,
    keys::ApiKeys,
    memory::Memory,
    metrics::{self, Metrics},
    request_id::{self, RequestId},
};

pub struct App {
    pub database: Arc<Database>,
    pub keys: ApiKeys,
    /// The only data source that may be named.
    pub data_source: Option<String>,
    pub limits: Limits,
    /// The time that a request may take, for its body and the database's work together.
    pub time: Duration,
    /// Bytes of a request's body.
    pub max_body: usize,
    /// One permit for each concurrent request; a database task keeps its own even after its client has gone.
    pub permits: Arc<Semaphore>,
    pub memory: Arc<Memory>,
    pub metrics: Arc<Metrics>,
    pub health: Health,
}

/// How much longer than its own limit the database may take to report that it gave up.
const PATIENCE: Duration = Duration::from_secs(1);

pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/data/v1/action/{name}", any(act))
        // As in the hosted service's URLs.
        .route("/app/{app}/endpoint/data/v1/action/{name}", any(act))
        .route("/health", get(health))
        .route("/metrics", get(tell_metrics))
        .fallback(not_found)
        .layer(middleware::from_fn(request_id::name))
        .with_state(app)
}

async fn act(State(app): State<Arc<App>>, id: RequestId, request: HttpRequest) -> Response {
    let mut call = Call::begin(Arc::clone(&app.metrics), id.clone());
    match answer(&mut call, &app, request).await {
        Ok(response) => {
            call.end(response.status().as_u16(), None);
            response
        }
        Err(error) => {
            call.end(error.status().as_u16(), error.cause());
            error.into_response(id.as_str())
        }
    }
}

async fn answer(call: &mut Call, app: &App, request: HttpRequest) -> Result<Response, ApiError> {
    let deadline = call.begun() + app.time;
    let key = app.keys.authenticate(request.headers())?;
    call.key = Some(key.name.clone());
    let name = request.uri().path().rsplit('/').next().unwrap_or_default();
    call.action = action::known(name).ok_or_else(|| ApiError::UnknownAction(name.to_owned()))?;
    if request.method() != Method::POST {
        return Err(ApiError::MethodNotAllowed);
    }
    let format = formats(request.headers())?;
    let permit = app.permits.clone().try_acquire_owned().map_err(|_| ApiError::TooManyRequests)?;
    let mut held = app.memory.hold();
    let body = timeout_at(deadline, body::read(request.into_body(), app.max_body, &mut held)).await;
    let body = body.map_err(|_| ApiError::BodyTimedOut)??;
    let request = Request::parse(call.action, &body, &app.limits, &mut held)?;
    drop(body);
    call.database = Some(request.database.clone());
    call.collection = Some(request.collection.clone());
    request.reaches.iter().try_for_each(|reach| key.allows(&reach.database, reach.writes))?;
    if app.data_source.as_ref().is_some_and(|only| *only != request.data_source) {
        return Err(ApiError::Invalid("there is no dataSource of that name".to_owned()));
    }
    let status = if call.action.starts_with("insert") { StatusCode::CREATED } else { StatusCode::OK };
    let database = Arc::clone(&app.database);
    let answer = Answer::new(held);
    let work =
        async move { database.perform(request, format, deadline, answer).await.map(Answer::into_bytes) };
    let body = detached(permit, deadline + PATIENCE, work).await?;
    Ok((status, [(header::CONTENT_TYPE, format.content_type())], body).into_response())
}

/// Runs in a task of its own: a client that goes away interrupts neither the write nor, half read, a connection
/// of the pool. The permit is given back when the work is done, not when the client has gone. At the deadline
/// the work is dropped, and the driver closes the connection that it may be using.
async fn detached<T: Send + 'static>(
    permit: OwnedSemaphorePermit,
    deadline: Instant,
    work: impl Future<Output = Result<T, ApiError>> + Send + 'static,
) -> Result<T, ApiError> {
    let task = tokio::spawn(async move {
        let outcome = timeout_at(deadline, work).await;
        drop(permit);
        outcome.unwrap_or(Err(ApiError::TimedOut))
    });
    task.await.unwrap_or_else(|_| Err(ApiError::Internal("the task panicked".to_owned())))
}

/// The format of the answer: as in `Accept`, else that of the request.
fn formats(headers: &HeaderMap) -> Result<Format, ApiError> {
    let header = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let media = |text: &str| text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let content = match media(header(header::CONTENT_TYPE).unwrap_or_default()).as_str() {
        "application/json" => Format::Json,
        "application/ejson" => Format::Ejson,
        _ => return Err(ApiError::UnsupportedMediaType),
    };
    let mut accepted = header(header::ACCEPT).unwrap_or_default().split(',').map(media);
    Ok(accepted
        .find_map(|media| match media.as_str() {
            "application/ejson" => Some(Format::Ejson),
            "application/json" => Some(Format::Json),
            _ => None,
        })
        .unwrap_or(content))
}

async fn health(State(app): State<Arc<App>>) -> Response {
    let (code, status, database) = if app.health.connected(app.database.client(), app.time).await {
        (StatusCode::OK, "ok", "connected")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "error", "disconnected")
    };
    let version = env!("CARGO_PKG_VERSION");
    (code, Json(json!({ "status": status, "database": database, "version": version }))).into_response()
}

async fn tell_metrics(State(app): State<Arc<App>>, id: RequestId, headers: HeaderMap) -> Response {
    if let Err(error) = app.keys.authenticate(&headers) {
        return error.into_response(id.as_str());
    }
    match app.metrics.text(app.memory.taken()) {
        Ok(text) => ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(error) => ApiError::Internal(error.to_string()).into_response(id.as_str()),
    }
}

async fn not_found(id: RequestId, uri: Uri) -> Response {
    ApiError::NotFound(uri.path().to_owned()).into_response(id.as_str())
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    fn in_a_minute() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[tokio::test]
    async fn work_that_has_begun_is_finished_though_its_client_goes_away() {
        let permits = Arc::new(Semaphore::new(1));
        let permit = permits.clone().try_acquire_owned().unwrap();
        let (begin, begun) = oneshot::channel();
        let (finish, finished) = oneshot::channel();
        let work = async move {
            begin.send(()).unwrap();
            finished.await.unwrap();
            Ok(())
        };
        let client = tokio::spawn(detached(permit, in_a_minute(), work));
        begun.await.unwrap();
        client.abort();
        assert!(client.await.unwrap_err().is_cancelled());
        assert_eq!(permits.available_permits(), 0, "it still goes on");
        finish.send(()).unwrap();
        let _all = permits.acquire().await.unwrap();
    }

    #[tokio::test]
    async fn work_that_takes_too_long_is_stopped_though_its_client_has_gone() {
        let permits = Arc::new(Semaphore::new(1));
        let permit = permits.clone().try_acquire_owned().unwrap();
        let (mut stopped, running) = oneshot::channel::<()>();
        let work = async move {
            let _running = running;
            std::future::pending::<Result<(), _>>().await
        };
        let soon = Instant::now() + Duration::from_millis(20);
        let client = tokio::spawn(detached(permit, soon, work));
        tokio::task::yield_now().await;
        client.abort();
        stopped.closed().await;
        let _all = permits.acquire().await.unwrap();
    }

    #[tokio::test]
    async fn work_that_takes_too_long_is_told() {
        let permits = Arc::new(Semaphore::new(1));
        let permit = permits.clone().try_acquire_owned().unwrap();
        let outcome = detached::<()>(permit, Instant::now(), std::future::pending()).await;
        assert!(matches!(outcome, Err(ApiError::TimedOut)));
        assert_eq!(permits.available_permits(), 1);
    }

    #[tokio::test]
    async fn a_panic_is_an_error_and_gives_the_permit_back() {
        let permits = Arc::new(Semaphore::new(1));
        let permit = permits.clone().try_acquire_owned().unwrap();
        let outcome = detached::<()>(permit, in_a_minute(), async { panic!("on purpose") }).await;
        assert!(matches!(outcome, Err(ApiError::Internal(_))));
        assert_eq!(permits.available_permits(), 1);
    }
}
