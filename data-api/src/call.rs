//! A request while it is served, for its line in the log and its entry in the metrics.
//!
//! Invariant: each call that has begun is logged and counted once, whatever its outcome; one that is dropped
//! before it was answered counts as abandoned by its client.

use std::sync::Arc;

use tokio::time::Instant;

use crate::{metrics::Metrics, request_id::RequestId};

/// As in nginx. It is never sent.
const CLIENT_WENT_AWAY: u16 = 499;
const PANICKED: u16 = 500;

pub struct Call {
    metrics: Arc<Metrics>,
    id: RequestId,
    begun: Instant,
    answered: Option<(u16, Option<String>)>,
    pub action: &'static str,
    pub key: Option<String>,
    pub database: Option<String>,
    pub collection: Option<String>,
}

impl Call {
    pub fn begin(metrics: Arc<Metrics>, id: RequestId) -> Self {
        metrics.begin();
        let begun = Instant::now();
        Self {
            metrics,
            id,
            begun,
            answered: None,
            action: "none",
            key: None,
            database: None,
            collection: None,
        }
    }

    pub fn begun(&self) -> Instant {
        self.begun
    }

    /// `cause` is for the log alone.
    pub fn end(mut self, status: u16, cause: Option<&str>) {
        self.answered = Some((status, cause.map(str::to_owned)));
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let (status, cause) = self.answered.take().unwrap_or_else(|| {
            if std::thread::panicking() {
                (PANICKED, Some("it panicked".to_owned()))
            } else {
                (CLIENT_WENT_AWAY, Some("the client went away".to_owned()))
            }
        });
        let time = self.begun.elapsed();
        self.metrics.end(self.action, status, time);
        let Self { id, action, key, database, collection, .. } = self;
        let id = id.as_str();
        // Rounded to a tenth.
        let ms = (time.as_secs_f64() * 10_000.0).round() / 10.0;
        if status >= 500 {
            tracing::error!(request_id = id, key, action, database, collection, status, ms, cause, "request");
        } else {
            tracing::info!(request_id = id, key, action, database, collection, status, ms, cause, "request");
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::{extract::FromRequestParts, http::Request};

    use super::*;

    async fn begun(metrics: &Arc<Metrics>) -> Call {
        let (mut parts, ()) = Request::new(()).into_parts();
        let Ok(id) = RequestId::from_request_parts(&mut parts, &()).await;
        let mut call = Call::begin(Arc::clone(metrics), id);
        call.action = "find";
        call
    }

    #[tokio::test]
    async fn every_call_is_counted_once_whatever_becomes_of_it() {
        let metrics = Arc::new(Metrics::default());
        begun(&metrics).await.end(200, None);
        drop(begun(&metrics).await);
        let call = begun(&metrics).await;
        let panicked = std::thread::spawn(move || {
            let _call = call;
            panic!("on purpose");
        });
        assert!(panicked.join().is_err());
        let _open = begun(&metrics).await;
        let text = metrics.text(0).unwrap();
        for status in [200, 499, 500] {
            let line = format!(r#"data_api_requests_total{{action="find",status="{status}"}} 1"#);
            assert!(text.contains(&line), "{line} is missing in\n{text}");
        }
        assert!(text.contains("data_api_under_way 1\n"), "{text}");
    }
}
