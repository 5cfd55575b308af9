//! The adapter's `Http` seam over the runtime's `fetch`.

use async_trait::async_trait;
use futures_util::future::{Either, select};
use js_sys::Math;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortController, Request, RequestInit, RequestRedirect, Response, WorkerGlobalScope};
use worker::{Delay, send::IntoSendFuture};
use zetra_socketio_object::body::{self, Body};
use zetra_store::{Http, HttpAnswer, HttpError};

use crate::database::DataApiAccess;

/// How long one attempt may take.
const TIMEOUT_MS: u64 = 5_000;
/// Bytes of an answer: a page of a hundred full rooms is 4 MB.
const LARGEST_ANSWER: usize = 8 * 1024 * 1024;
const EJSON: &str = "application/ejson";

pub(crate) struct DataApi(DataApiAccess);

impl DataApi {
    pub(crate) fn new(access: DataApiAccess) -> Self {
        Self(access)
    }

    async fn fetch(&self, action: &str, body: &str) -> Result<HttpAnswer, HttpError> {
        let controller = AbortController::new().map_err(failed)?;
        let answer = self.answer(action, body, &controller);
        // Dropped with the answer, the timer keeps no object awake.
        let timer = Delay::from(std::time::Duration::from_millis(TIMEOUT_MS));
        match select(Box::pin(answer), timer).await {
            Either::Left((answer, _)) => answer,
            Either::Right(_) => {
                controller.abort();
                Err(HttpError::TimedOut)
            }
        }
    }

    async fn answer(
        &self,
        action: &str,
        body: &str,
        controller: &AbortController,
    ) -> Result<HttpAnswer, HttpError> {
        let DataApiAccess { base_url, credential, .. } = &self.0;
        let init = RequestInit::new();
        init.set_method("POST");
        init.set_body(&JsValue::from_str(body));
        // The key is for this server and no other.
        init.set_redirect(RequestRedirect::Manual);
        init.set_signal(Some(&controller.signal()));
        let url = format!("{base_url}/action/{action}");
        let request = Request::new_with_str_and_init(&url, &init).map_err(failed)?;
        let headers = request.headers();
        let credentials = credential.headers().into_iter();
        for (name, value) in
            credentials.chain(["content-type", "accept"].map(|name| (name, EJSON.to_owned())))
        {
            headers.set(name, &value).map_err(failed)?;
        }
        let global: WorkerGlobalScope = js_sys::global().unchecked_into();
        let response = JsFuture::from(global.fetch_with_request(&request)).await.map_err(failed)?;
        let response: Response = response.unchecked_into();
        let headers = response.headers();
        let retry_after = headers.get("retry-after").ok().flatten().and_then(|text| text.parse().ok());
        match body::read(&headers, response.body(), LARGEST_ANSWER).await {
            Body::Text(body) => Ok(HttpAnswer { status: response.status(), retry_after, body }),
            Body::TooLarge => Err(HttpError::TooLarge),
            Body::Aborted => Err(HttpError::Failed("the answer ended early".to_owned())),
        }
    }
}

#[async_trait]
impl Http for DataApi {
    async fn post(&self, action: &str, body: String) -> Result<HttpAnswer, HttpError> {
        self.fetch(action, &body).into_send().await
    }

    async fn pause(&self, millis: u32) {
        Delay::from(std::time::Duration::from_millis(millis.into())).into_send().await;
    }

    fn random(&self) -> u32 {
        // From 0 to less than 2^32.
        (Math::random() * 4_294_967_296.0) as u32
    }
}

fn failed(error: JsValue) -> HttpError {
    let message = error.dyn_ref::<js_sys::Error>().map(|error| String::from(error.message()));
    HttpError::Failed(message.unwrap_or_else(|| "the request failed".to_owned()))
}
