//! Posts to the operator's webhook according to the Standard Webhooks specification.

use std::time::Duration;

use futures_util::future::{Either, select};
use worker::{AbortController, Delay, Fetch, Headers, Method, Request, RequestInit, RequestRedirect};
use zetra_runtime::Webhook;
use zetra_signalling::WebhookMessage;

/// How long the receiver may take. Meanwhile the object is awake and handles everything else.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Posts a message and returns whether it was accepted: answered with a 2xx in time. The rest of the response
/// is not read.
pub(super) async fn post(webhook: &Webhook, message: &WebhookMessage, now: i64) -> bool {
    let controller = AbortController::default();
    let signal = controller.signal();
    let posted = async {
        let request = request(webhook, message, now)?;
        Ok::<_, worker::Error>(Fetch::Request(request).send_with_signal(&signal).await?.status_code())
    };
    let outcome = select(Box::pin(posted), Delay::from(TIMEOUT)).await;
    // The response body may be endless.
    controller.abort();
    let outcome = match outcome {
        Either::Left((Ok(status), _)) if (200..300).contains(&status) => return true,
        Either::Left((Ok(status), _)) => format!("status {status}"),
        Either::Left((Err(error), _)) => error.to_string(),
        Either::Right(_) => "no answer in time".to_owned(),
    };
    tracing::warn!(message = message.id, outcome, "the webhook did not take a message");
    false
}

fn request(webhook: &Webhook, message: &WebhookMessage, now: i64) -> worker::Result<Request> {
    let seconds = now.div_euclid(1_000);
    let headers = Headers::new();
    headers.set("content-type", "application/json")?;
    headers.set("webhook-id", &message.id)?;
    headers.set("webhook-timestamp", &seconds.to_string())?;
    headers.set("webhook-signature", &webhook.secret.sign(&message.id, seconds, &message.body))?;
    let mut init = RequestInit::new();
    // A redirect would send the message elsewhere, so it counts as a refusal.
    init.with_method(Method::Post).with_headers(headers).with_redirect(RequestRedirect::Manual);
    init.with_body(Some(message.body.as_str().into()));
    Request::new_with_init(&webhook.url, &init)
}
