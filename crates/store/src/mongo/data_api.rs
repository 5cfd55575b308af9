//! A client of MongoDB's Data API over the [`Http`] seam: calls, retries, and the meaning of responses.
//!
//! Every call is written so that repeating it does no harm (an insert carries its own unique key, an update its
//! guard), so a call whose response was lost is repeated, a few times and with jitter. [`Reply::retried`]
//! informs callers that an earlier attempt may have succeeded. Errors name the status and the server's error
//! code, never a key, a filter or a document.

use async_trait::async_trait;
use serde::Serialize;
use serde_json::Value;
use thiserror::Error;

use super::{
    ejson::{Document, read_integer},
    pipeline::{Sort, Stage},
};
use crate::StoreError;

/// The cluster and the database that actions refer to.
#[derive(Clone, Debug)]
pub struct DataSource {
    /// The cluster's name, which the server may check.
    pub name: String,
    pub database: String,
}

/// A response of the server, whatever its status.
#[derive(Clone, Debug)]
pub struct HttpAnswer {
    pub status: u16,
    /// `Retry-After`, in seconds.
    pub retry_after: Option<u32>,
    pub body: String,
}

/// Why there is no response.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HttpError {
    #[error("no answer in time")]
    TimedOut,
    #[error("the answer is too large")]
    TooLarge,
    /// Refused, reset, or ended in the middle.
    #[error("{0}")]
    Failed(String),
}

/// The seam: requests, pauses and randomness.
#[async_trait]
pub trait Http: Send + Sync {
    /// `POST {base}/action/{action}` with the key, `application/ejson` both ways, a time-out, and a bound on
    /// the response's size.
    async fn post(&self, action: &str, body: String) -> Result<HttpAnswer, HttpError>;
    async fn pause(&self, millis: u32);
    fn random(&self) -> u32;
}

/// Attempts of one call, the first included.
const ATTEMPTS: u32 = 3;
/// The first pause is between half and all of this; each further one doubles.
const PAUSE_MS: u32 = 100;
/// A server that requests a longer pause is not waited for.
const LONGEST_RETRY_AFTER: u32 = 1;

pub(super) struct DataApi<H> {
    http: H,
    source: DataSource,
}

/// What went wrong with a call.
#[derive(Debug)]
pub(super) enum CallError {
    /// A unique index refused the write.
    Duplicate,
    Store(StoreError),
}

impl From<CallError> for StoreError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Duplicate => Self::Corrupt("an unexpected duplicate key".to_owned()),
            CallError::Store(error) => error,
        }
    }
}

pub(super) struct Reply<T> {
    pub(super) value: T,
    /// An earlier attempt got no response, and may have succeeded.
    pub(super) retried: bool,
}

/// The fields of an action besides the database and collection.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Arguments<'a> {
    data_source: &'a str,
    database: &'a str,
    collection: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    filter: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    projection: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sort: Option<Sort>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    update: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upsert: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pipeline: Option<Vec<Stage>>,
}

impl<H: Http> DataApi<H> {
    pub(super) fn new(http: H, source: DataSource) -> Self {
        Self { http, source }
    }

    pub(super) async fn find_one(
        &self,
        collection: &str,
        filter: Value,
    ) -> Result<Option<Document>, StoreError> {
        self.find_one_projected(collection, filter, None).await
    }

    pub(super) async fn find_one_projected(
        &self,
        collection: &str,
        filter: Value,
        projection: Option<Value>,
    ) -> Result<Option<Document>, StoreError> {
        let arguments = Arguments { filter: Some(filter), projection, ..self.arguments(collection) };
        let read = |answer: &mut Value| match answer.get_mut("document")?.take() {
            Value::Null => Some(None),
            document => Document::from_value(document, "document").ok().map(Some),
        };
        Ok(self.call("findOne", &arguments, read).await?.value)
    }

    pub(super) async fn find(
        &self,
        collection: &str,
        filter: Value,
        projection: Option<Value>,
        sort: Option<Sort>,
        limit: u32,
    ) -> Result<Vec<Document>, StoreError> {
        let (filter, limit) = (Some(filter), Some(limit));
        let arguments = Arguments { filter, projection, sort, limit, ..self.arguments(collection) };
        Ok(self.call("find", &arguments, documents).await?.value)
    }

    pub(super) async fn aggregate(
        &self,
        collection: &str,
        pipeline: Vec<Stage>,
    ) -> Result<Vec<Document>, StoreError> {
        let arguments = Arguments { pipeline: Some(pipeline), ..self.arguments(collection) };
        Ok(self.call("aggregate", &arguments, documents).await?.value)
    }

    /// The document must carry a value that a unique index guards.
    pub(super) async fn insert_one(&self, collection: &str, document: Value) -> Result<(), CallError> {
        let arguments = Arguments { document: Some(document), ..self.arguments(collection) };
        // A response without an id may hide an error of the write.
        let read = |answer: &mut Value| answer.get("insertedId").filter(|id| !id.is_null()).map(|_| ());
        self.call("insertOne", &arguments, read).await?;
        Ok(())
    }

    /// How many documents matched. Under a guard that the update itself invalidates, that is how many it
    /// changed.
    pub(super) async fn update_one(
        &self,
        collection: &str,
        filter: Value,
        update: Value,
        upsert: bool,
    ) -> Result<Reply<i64>, CallError> {
        let upsert = upsert.then_some(true);
        let (filter, update) = (Some(filter), Some(update));
        let arguments = Arguments { filter, update, upsert, ..self.arguments(collection) };
        self.call("updateOne", &arguments, matched).await
    }

    pub(super) async fn update_many(
        &self,
        collection: &str,
        filter: Value,
        update: Value,
    ) -> Result<(), StoreError> {
        let (filter, update) = (Some(filter), Some(update));
        let arguments = Arguments { filter, update, ..self.arguments(collection) };
        self.call("updateMany", &arguments, matched).await?;
        Ok(())
    }

    pub(super) async fn delete_one(&self, collection: &str, filter: Value) -> Result<(), StoreError> {
        let arguments = Arguments { filter: Some(filter), ..self.arguments(collection) };
        let read = |answer: &mut Value| read_integer(answer.get("deletedCount")?);
        self.call("deleteOne", &arguments, read).await?;
        Ok(())
    }

    fn arguments<'a>(&'a self, collection: &'a str) -> Arguments<'a> {
        let DataSource { name, database } = &self.source;
        Arguments { data_source: name, database, collection, ..Arguments::default() }
    }

    async fn call<T>(
        &self,
        action: &str,
        arguments: &Arguments<'_>,
        read: impl Fn(&mut Value) -> Option<T>,
    ) -> Result<Reply<T>, CallError> {
        // Maps with text keys, text and numbers: serialising them cannot fail.
        let body = serde_json::to_string(arguments).map_err(|error| unavailable(&error.to_string()))?;
        let mut attempt = 1;
        loop {
            let (problem, retry_after) = match self.http.post(action, body.clone()).await {
                Ok(answer) => match judge(&answer, &read) {
                    Judgement::Good(value) => return Ok(Reply { value, retried: attempt > 1 }),
                    Judgement::Duplicate => return Err(CallError::Duplicate),
                    Judgement::Refused(problem) => return Err(unavailable(&problem)),
                    Judgement::TryAgain(problem) => (problem, answer.retry_after.unwrap_or(0)),
                },
                Err(HttpError::Failed(problem)) => (problem, 0),
                // A slow request does not get faster by being repeated.
                Err(error @ (HttpError::TimedOut | HttpError::TooLarge)) => {
                    return Err(unavailable(&error.to_string()));
                }
            };
            if attempt == ATTEMPTS || retry_after > LONGEST_RETRY_AFTER {
                return Err(unavailable(&format!("{action}: {problem} (attempt {attempt})")));
            }
            // Those that were refused together do not come back together.
            let longest = (PAUSE_MS << (attempt - 1)).max(retry_after * 500);
            let pause = longest / 2 + self.http.random() % (longest / 2);
            self.http.pause(retry_after * 1_000 + pause).await;
            attempt += 1;
        }
    }
}

fn matched(answer: &mut Value) -> Option<i64> {
    read_integer(answer.get("matchedCount")?)
}

fn documents(answer: &mut Value) -> Option<Vec<Document>> {
    let Value::Array(documents) = answer.get_mut("documents")?.take() else { return None };
    documents.into_iter().map(|document| Document::from_value(document, "documents").ok()).collect()
}

fn unavailable(problem: &str) -> CallError {
    CallError::Store(StoreError::Unavailable(problem.to_owned()))
}

enum Judgement<T> {
    Good(T),
    Duplicate,
    Refused(String),
    TryAgain(String),
}

fn judge<T>(answer: &HttpAnswer, read: impl Fn(&mut Value) -> Option<T>) -> Judgement<T> {
    let success = (200..300).contains(&answer.status);
    let mut body = serde_json::from_str::<Value>(&answer.body).ok();
    if success && let Some(value) = body.as_mut().and_then(read) {
        return Judgement::Good(value);
    }
    // No two servers agree on the status or the shape of this error; all of them pass the text on.
    if answer.body.contains("E11000") {
        return Judgement::Duplicate;
    }
    match answer.status {
        200..300 => Judgement::TryAgain("the answer is not one of a Data API".to_owned()),
        401 | 403 => Judgement::Refused(format!("status {}: MONGO_API_KEY is not accepted", answer.status)),
        404 => Judgement::Refused("status 404: is MONGO_URI the base URL, up to …/data/v1?".to_owned()),
        // A slow request does not get faster by being repeated.
        504 => Judgement::Refused(told(answer.status, body.as_ref())),
        408 | 429 | 500.. => Judgement::TryAgain(told(answer.status, body.as_ref())),
        status => Judgement::Refused(told(status, body.as_ref())),
    }
}

/// The server's own code for it, if it is one: any other text may quote a document.
fn told(status: u16, body: Option<&Value>) -> String {
    let code = body.and_then(|body| body.get("error_code")).and_then(Value::as_str);
    let plain = |code: &&str| code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    match code.filter(plain) {
        Some(code) => format!("status {status} {code}"),
        None => format!("status {status}"),
    }
}

#[cfg(test)]
mod tests;
