//! Logs: one JSON line per event on the console, and the request id that connects them.
//!
//! `{"level","message","requestId",…fields}`. The logging code chooses the fields; none of them is
//! ever a password, a token or a hash, because the types that hold those cannot be formatted.

use std::fmt;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderMap, HeaderValue};
use serde_json::{Map, Value};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id},
};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt},
    registry::LookupSpan,
};
use zetra_runtime::request_id;

use crate::{error::ApiError, ports::Platform, request::client_address};

const REQUEST_ID_MAX: usize = 64;

/// Assigns the request id, logs the request and its response, and writes the bodies of errors.
pub async fn observe(State(platform): State<Platform>, request: Request, next: Next) -> Response {
    let id = given_request_id(request.headers()).unwrap_or_else(|| new_request_id(platform));
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let address = client_address(request.headers()).to_owned();
    let handled = async {
        let begun = platform.now();
        tracing::debug!(%method, path, address, "request");
        let response = ApiError::render(next.run(request).await, &id);
        let (status, duration) = (response.status().as_u16(), platform.now().since(begun));
        tracing::info!(%method, path, status, duration, address, "response");
        response
    };
    let mut response = request_id::scope(&id, handled).await;
    if let Ok(id) = HeaderValue::try_from(&id) {
        response.headers_mut().insert(request_id::HEADER, id);
    }
    response
}

/// Writes every event to the console from now on.
pub fn to_console() {
    let subscriber = tracing_subscriber::registry().with(JsonLines(console));
    // Fails only if a subscriber is already set; then that one is used.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// Whether debug events are written. Set once the configuration is known.
static DEBUG: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

pub fn show_debug(show: bool) {
    DEBUG.store(show, std::sync::atomic::Ordering::Relaxed);
}

fn console(level: Level, line: &str) {
    match level {
        Level::ERROR => worker::console_error!("{line}"),
        Level::WARN => worker::console_warn!("{line}"),
        Level::INFO => worker::console_log!("{line}"),
        Level::DEBUG | Level::TRACE => worker::console_debug!("{line}"),
    }
}

fn given_request_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(request_id::HEADER)?.to_str().ok()?;
    let plain = id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    ((1..=REQUEST_ID_MAX).contains(&id.len()) && plain).then(|| id.to_owned())
}

fn new_request_id(platform: Platform) -> String {
    platform.random::<12>().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A layer that writes events as flat JSON objects, including the fields of their enclosing spans.
struct JsonLines<W>(W);

struct SpanFields(Map<String, Value>);

impl<S, W> Layer<S> for JsonLines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: Fn(Level, &str) + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(SpanFields(fields.0));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let level = *event.metadata().level();
        if level > Level::INFO && !DEBUG.load(std::sync::atomic::Ordering::Relaxed) {
            return;
        }
        let mut line = Fields::default();
        line.0.insert("level".to_owned(), level.as_str().to_lowercase().into());
        event.record(&mut line);
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(SpanFields(fields)) = span.extensions().get() {
                line.0.extend(fields.clone());
            }
        }
        (self.0)(level, &Value::Object(line.0).to_string());
    }
}

#[derive(Default)]
struct Fields(Map<String, Value>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}
