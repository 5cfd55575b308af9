//! The Data API over `reqwest`: one client for the Worker, its objects and the tests.
//!
//! Every call has a deadline and a bound on the size of its response; dropping the future of a call ends its
//! request. No redirect is followed: the key and the documents are for one server only. In the Worker
//! [`redirects`] ensures that, natively reqwest itself does.

mod access;
#[cfg(target_arch = "wasm32")]
mod redirects;

use std::{future::Future, pin::Pin, time::Duration};

use async_trait::async_trait;
use futures_util::{
    StreamExt,
    future::{Either, select},
};
use reqwest::{
    Client, ClientBuilder, Response,
    header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER},
};
use worker::send::IntoSendFuture;
use zetra_store::{Http, HttpAnswer, HttpError};

use crate::{request_id, variables::ConfigError};

pub use access::DataApiAccess;

const EJSON: HeaderValue = HeaderValue::from_static("application/ejson");
/// How long one attempt may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of a response: a page of a hundred full rooms is 4 MB.
const LARGEST_ANSWER: usize = 8 * 1024 * 1024;

/// The bounds of a call, and how to wait: the Worker and a native program have different timers.
#[derive(Clone, Copy)]
pub struct Bounds {
    pub timeout: Duration,
    /// Bytes.
    pub largest_answer: usize,
    pub sleep: fn(Duration) -> Sleep,
    pub random: fn() -> u32,
}

pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

pub struct DataApiClient {
    client: Client,
    base_url: String,
    headers: HeaderMap,
    bounds: Bounds,
}

impl DataApiClient {
    /// The client of the Worker and its objects.
    pub fn new(access: &DataApiAccess) -> Result<Self, ConfigError> {
        Self::with_bounds(access, WORKERS)
    }

    pub fn with_bounds(access: &DataApiAccess, bounds: Bounds) -> Result<Self, ConfigError> {
        let client = without_redirects(&access.base_url)?.build();
        let client = client.map_err(|error| ConfigError::new(format!("no HTTP client: {error}")))?;
        let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, EJSON), (ACCEPT, EJSON)]);
        for (name, value) in access.credential.headers() {
            let unusable = || ConfigError::new("MONGO_API_KEY has characters that no header can carry");
            let mut value = HeaderValue::try_from(value).map_err(|_| unusable())?;
            value.set_sensitive(true);
            headers.insert(HeaderName::from_static(name), value);
        }
        Ok(Self { client, base_url: access.base_url.clone(), headers, bounds })
    }

    async fn answer(
        &self,
        action: &str,
        body: String,
        request_id: Option<&str>,
    ) -> Result<HttpAnswer, HttpError> {
        let url = format!("{}/action/{action}", self.base_url);
        let mut request = self.client.post(url).headers(self.headers.clone()).body(body);
        if let Some(id) = request_id {
            request = request.header(request_id::HEADER, id);
        }
        let response = request.send().await.map_err(|error| failed(&error))?;
        let status = response.status().as_u16();
        let retry_after = response.headers().get(RETRY_AFTER);
        let retry_after = retry_after.and_then(|value| value.to_str().ok()?.parse().ok());
        let body = read(response, self.bounds.largest_answer).await?;
        Ok(HttpAnswer { status, retry_after, body })
    }
}

#[async_trait]
impl Http for DataApiClient {
    async fn post(&self, action: &str, body: String) -> Result<HttpAnswer, HttpError> {
        let request_id = request_id::current();
        let answer = Box::pin(self.answer(action, body, request_id.as_deref()).into_send());
        // Dropped with the response, the timer keeps no object awake; dropped by the timer, the response is
        // aborted.
        match select(answer, (self.bounds.sleep)(self.bounds.timeout)).await {
            Either::Left((answer, _)) => answer,
            Either::Right(_) => Err(HttpError::TimedOut),
        }
    }

    async fn pause(&self, millis: u32) {
        (self.bounds.sleep)(Duration::from_millis(millis.into())).await;
    }

    fn random(&self) -> u32 {
        (self.bounds.random)()
    }
}

#[cfg(target_arch = "wasm32")]
fn without_redirects(base_url: &str) -> Result<ClientBuilder, ConfigError> {
    redirects::refuse(base_url).map(|()| Client::builder())
}

#[cfg(not(target_arch = "wasm32"))]
fn without_redirects(_base_url: &str) -> Result<ClientBuilder, ConfigError> {
    Ok(Client::builder().redirect(reqwest::redirect::Policy::none()))
}

const WORKERS: Bounds = Bounds {
    timeout: TIMEOUT,
    largest_answer: LARGEST_ANSWER,
    sleep: |duration| Box::pin(async move { worker::Delay::from(duration).into_send().await }),
    // From 0 to less than 2^32.
    random: || (js_sys::Math::random() * 4_294_967_296.0) as u32,
};

/// The announced length is checked before a byte is read, the actual one while reading.
async fn read(response: Response, largest: usize) -> Result<String, HttpError> {
    if response.content_length().is_some_and(|length| length > largest as u64) {
        return Err(HttpError::TooLarge);
    }
    let mut body = Vec::new();
    let mut chunks = response.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| HttpError::Failed("the answer ended early".to_owned()))?;
        if body.len() + chunk.len() > largest {
            return Err(HttpError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(String::from_utf8(body).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// The root cause, in one short line: reqwest's own texts repeat it at each level.
fn failed(error: &reqwest::Error) -> HttpError {
    let mut cause: &dyn std::error::Error = error;
    while let Some(below) = cause.source() {
        cause = below;
    }
    let text = cause.to_string();
    let line = text.lines().next().unwrap_or_default().trim_start_matches("JsValue(");
    HttpError::Failed(line.chars().take(200).collect())
}
