//! Requests in, responses out: who asks is checked before anything is read, what is asked before the
//! database hears of it.

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::{Path, Request as HttpRequest, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{any, get},
};
use bson::doc;
use http_body_util::LengthLimitError;
use mongodb::Client;
use serde_json::json;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use crate::{
    action::{self, Limits, Request},
    database::{Bounds, perform},
    ejson::Format,
    error::ApiError,
    keys::ApiKeys,
    metrics::{self, Metrics},
};

pub struct App {
    pub client: Client,
    pub keys: ApiKeys,
    /// The only one that may be named.
    pub data_source: Option<String>,
    pub limits: Limits,
    pub bounds: Bounds,
    /// Bytes of a request's body.
    pub max_body: usize,
    /// One permit for each request that may be under way; a task of the database holds on to its own
    /// even when its client has gone.
    pub permits: Arc<Semaphore>,
    pub metrics: Metrics,
}

/// How much longer than its own limit the database may take to say that it is over.
const PATIENCE: Duration = Duration::from_secs(1);

pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/data/v1/action/{name}", any(act))
        // As the hosted service's URLs were.
        .route("/app/{app}/endpoint/data/v1/action/{name}", any(act_of_app))
        .route("/health", get(health))
        .route("/metrics", get(tell_metrics))
        .fallback(not_found)
        .with_state(app)
}

async fn act_of_app(
    app: State<Arc<App>>,
    Path((_, name)): Path<(String, String)>,
    request: HttpRequest,
) -> Response {
    act(app, Path(name), request).await
}

async fn act(State(app): State<Arc<App>>, Path(name): Path<String>, request: HttpRequest) -> Response {
    let begun = now();
    let mut call = Call { id: request_id(request.headers()), ..Call::default() };
    app.metrics.begin();
    let answer = call.answer(&app, &name, request).await;
    let (response, cause) = match answer {
        Ok(response) => (response, None),
        Err(error) => {
            let cause = error.cause().map(str::to_owned);
            (error.into_response(&call.id), cause)
        }
    };
    let (status, time) = (response.status().as_u16(), begun.elapsed());
    app.metrics.end(call.action, status, time);
    let Call { id, action, key, database, collection } = call;
    // To a tenth.
    let ms = (time.as_secs_f64() * 10_000.0).round() / 10.0;
    if status >= 500 {
        tracing::error!(request_id = id, key, action, database, collection, status, ms, cause, "request");
    } else {
        tracing::info!(request_id = id, key, action, database, collection, status, ms, "request");
    }
    response
}

/// What is known of a request while it is served, for its line in the log.
struct Call {
    id: String,
    action: &'static str,
    key: Option<String>,
    database: Option<String>,
    collection: Option<String>,
}

impl Default for Call {
    fn default() -> Self {
        Self { id: String::new(), action: "none", key: None, database: None, collection: None }
    }
}

impl Call {
    async fn answer(&mut self, app: &App, name: &str, request: HttpRequest) -> Result<Response, ApiError> {
        let key = app.keys.authenticate(request.headers())?;
        self.key = Some(key.name.clone());
        self.action = action::known(name).ok_or_else(|| ApiError::UnknownAction(name.to_owned()))?;
        if request.method() != Method::POST {
            return Err(ApiError::MethodNotAllowed);
        }
        let format = formats(request.headers())?;
        let permit = app.permits.clone().try_acquire_owned().map_err(|_| ApiError::TooManyRequests)?;
        let body = read(request.into_body(), app).await?;
        let request = Request::parse(self.action, &body, &app.limits)?;
        self.database = Some(request.database.clone());
        self.collection = Some(request.collection.clone());
        key.allows(&request.database, request.action.writes())?;
        if app.data_source.as_ref().is_some_and(|only| *only != request.data_source) {
            return Err(ApiError::Invalid("there is no dataSource of that name".to_owned()));
        }
        let status = if self.action.starts_with("insert") { StatusCode::CREATED } else { StatusCode::OK };
        let (client, bounds) = (app.client.clone(), app.bounds);
        let work = async move { perform(&client, request, bounds, format).await };
        let body = detached(permit, bounds.time + PATIENCE, work).await?;
        Ok((status, [(header::CONTENT_TYPE, format.content_type())], body).into_response())
    }
}

/// Runs in a task of its own: a client that goes away takes neither the write with it nor, half read, a
/// connection of the pool. The permit is given back when the work is done, not when the client has gone.
async fn detached<T: Send + 'static>(
    permit: OwnedSemaphorePermit,
    time: Duration,
    work: impl Future<Output = Result<T, ApiError>> + Send + 'static,
) -> Result<T, ApiError> {
    let task = tokio::spawn(async move {
        let outcome = work.await;
        drop(permit);
        outcome
    });
    match timeout(time, task).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Err(ApiError::Internal("the task panicked".to_owned())),
        Err(_) => Err(ApiError::TimedOut),
    }
}

async fn read(body: Body, app: &App) -> Result<axum::body::Bytes, ApiError> {
    let read = timeout(app.bounds.time, to_bytes(body, app.max_body));
    read.await.map_err(|_| ApiError::TimedOut)?.map_err(|error| {
        let source = std::error::Error::source(&error);
        if source.is_some_and(|source| source.is::<LengthLimitError>()) {
            ApiError::BodyTooLarge(app.max_body)
        } else {
            ApiError::Invalid("the request's body ended early".to_owned())
        }
    })
}

/// The format of the answer: as `Accept` says, else as the request came.
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
    let admin = app.client.database("admin");
    let ping = timeout(app.bounds.time, async { admin.run_command(doc! { "ping": 1 }).await });
    let connected = matches!(ping.await, Ok(Ok(_)));
    let (code, status, database) = if connected {
        (StatusCode::OK, "ok", "connected")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "error", "disconnected")
    };
    let version = env!("CARGO_PKG_VERSION");
    (code, Json(json!({ "status": status, "database": database, "version": version }))).into_response()
}

async fn tell_metrics(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    match app.keys.authenticate(&headers) {
        Ok(_) => {}
        Err(error) => return error.into_response(&request_id(&headers)),
    }
    match app.metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(error) => ApiError::Internal(error.to_string()).into_response(&request_id(&headers)),
    }
}

async fn not_found(request: HttpRequest) -> Response {
    let id = request_id(request.headers());
    ApiError::NotFound(request.uri().path().to_owned()).into_response(&id)
}

/// The client's own where it is short and plain, else a new one.
fn request_id(headers: &HeaderMap) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    // Tells this process from the next.
    static PROCESS: LazyLock<String> = LazyLock::new(|| bson::oid::ObjectId::new().to_hex());
    let plain = |id: &&str| {
        (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    let given = headers.get("x-request-id").and_then(|id| id.to_str().ok()).filter(plain);
    given.map_or_else(|| format!("{}-{:x}", *PROCESS, NEXT.fetch_add(1, Ordering::Relaxed)), str::to_owned)
}

#[allow(clippy::disallowed_methods, reason = "nothing here runs on wasm32")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

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
        let client = tokio::spawn(detached(permit, Duration::from_secs(60), work));
        begun.await.unwrap();
        client.abort();
        assert!(client.await.unwrap_err().is_cancelled());
        assert_eq!(permits.available_permits(), 0, "it still goes on");
        finish.send(()).unwrap();
        let _all = permits.acquire().await.unwrap();
    }

    #[tokio::test]
    async fn a_panic_is_an_error_and_gives_the_permit_back() {
        let permits = Arc::new(Semaphore::new(1));
        let permit = permits.clone().try_acquire_owned().unwrap();
        let outcome = detached::<()>(permit, Duration::from_secs(60), async { panic!("on purpose") }).await;
        assert!(matches!(outcome, Err(ApiError::Internal(_))));
        assert_eq!(permits.available_permits(), 1);
    }
}
