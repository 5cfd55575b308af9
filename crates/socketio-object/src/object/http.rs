//! Requests: those that open WebSockets, those that wait for an answer, those that carry a body.

use std::{pin::pin, rc::Rc};

use futures_util::future::{Either, select};
use js_sys::Promise;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Headers, Request, ResponseInit, Url};
use zetra_socketio::engine::{Method, Opening, Protocol, Query, Reception, RequestId, Response};

use super::{Embedding, HANDSHAKE_HEADER, Live, Object, Pending, SESSION_HEADER, websocket::refuse};
use crate::{
    body::{self, Body},
    now,
};

impl<E: Embedding> Object<E> {
    /// Handles a request to the Engine.IO path, with [`SESSION_HEADER`] and [`HANDSHAKE_HEADER`] if it may open
    /// a session. The future resolves once there is a response: a poll waits until the server has something to
    /// send. The response has no CORS headers; the Worker adds them.
    ///
    /// # Errors
    /// Whatever the runtime throws. Anything wrong with the request itself results in a response.
    pub async fn serve(self: Rc<Self>, request: Request) -> Result<web_sys::Response, JsValue> {
        let url = Url::new(&request.url())?;
        let query = Query::decode(url.search().trim_start_matches('?'));
        let headers = request.headers();
        let header = |name: &str| headers.get(name).ok().flatten();
        let is_upgrade = header("upgrade").is_some_and(|to| to.eq_ignore_ascii_case("websocket"));
        let method = Method::of(&request.method(), is_upgrade);
        let octets = header("content-type").is_some_and(|kind| kind.starts_with("application/octet-stream"));
        let (sid, handshake) = (header(SESSION_HEADER), header(HANDSHAKE_HEADER).unwrap_or_default());
        let opening = sid.as_deref().map(|sid| Opening { sid, handshake: &handshake });
        let (answer, body) = self.with_live(|live| {
            let id = live.next_request;
            live.next_request = RequestId(id.0.wrapping_add(1));
            let (reception, actions) = live.server.request(id, &query, method, octets, opening, now());
            match reception {
                Reception::Refused => (refuse(), None),
                Reception::WebSocket(link) => {
                    let response = self.accept(live, link);
                    self.perform(live, actions, None);
                    if let Err(error) = &response {
                        tracing::error!(?error, "a WebSocket could not be accepted");
                        let actions = live.server.closed(link, None, now());
                        self.perform(live, actions, None);
                    }
                    (response, None)
                }
                Reception::Http | Reception::Body => {
                    let answer = self.expect_answer(live, id, &request);
                    self.perform(live, actions, None);
                    (Ok(answer), (reception == Reception::Body).then_some(id))
                }
            }
        });
        let mut answer = JsFuture::from(answer?);
        let answer = match body {
            None => answer.await?,
            // A session that ends has answered already: the rest of the body is not needed.
            Some(id) => match select(pin!(self.read_body(id, &request)), &mut answer).await {
                Either::Left(((), answer)) => answer.await?,
                Either::Right((answer, _)) => answer?,
            },
        };
        Ok(answer.unchecked_into())
    }

    /// A promise of the response that [`Action::Respond`] will give.
    fn expect_answer(
        self: &Rc<Self>,
        live: &mut Live<E::Protocol>,
        id: RequestId,
        request: &Request,
    ) -> Promise {
        let object = Rc::clone(self);
        let aborted = Closure::<dyn FnMut()>::new(move || {
            object.with_live(|live| {
                if live.requests.contains_key(&id) {
                    let actions = live.server.aborted(id, now());
                    object.perform(live, actions, None);
                }
            });
        });
        // A runtime without the signal only learns later that the client is gone.
        let _ = request.signal().add_event_listener_with_callback("abort", aborted.as_ref().unchecked_ref());
        let mut aborted = Some(aborted);
        Promise::new(&mut |resolve, _| {
            if let Some(aborted) = aborted.take() {
                live.requests.insert(id, Pending { resolve, _aborted: aborted });
            }
        })
    }

    async fn read_body(self: &Rc<Self>, id: RequestId, request: &Request) {
        let max = self.with_live(|live| live.server.max_body(id));
        let note = |bytes| {
            self.with_live(|live| {
                let actions = live.server.body_read(id, bytes, now());
                self.perform(live, actions, None);
            });
        };
        let body = body::read(&request.headers(), request.body(), max, note).await;
        self.with_live(|live| {
            const PAYLOAD_TOO_LARGE: u16 = 413;
            match &body {
                Body::Text(text) => {
                    let actions = live.server.post(id, text, now());
                    self.perform(live, actions, None);
                }
                Body::TooLarge => {
                    let actions = live.server.post_refused(id, PAYLOAD_TOO_LARGE);
                    self.perform(live, actions, None);
                }
                Body::Aborted => {
                    let actions = live.server.aborted(id, now());
                    self.perform(live, actions, None);
                }
            }
        });
    }
}

impl<P: Protocol> Live<P> {
    pub(super) fn respond(&mut self, request: RequestId, response: Response) {
        if let Some(pending) = self.requests.remove(&request) {
            let response = http_response(response).unwrap_or_else(|error| error);
            // Resolving a promise cannot throw.
            let _ = pending.resolve.call1(&JsValue::UNDEFINED, &response);
        }
    }
}

/// Seconds after which there may be room for one more connection.
const RETRY_AFTER: &str = "5";

fn http_response(response: Response) -> Result<JsValue, JsValue> {
    let headers = Headers::new()?;
    let (status, content_type, body) = match response {
        Response::Payload(payload) => (200, "text/plain; charset=UTF-8", Some(payload)),
        Response::Ok => (200, "text/html", Some("ok".to_owned())),
        Response::Refused(error, method) => {
            let (content_type, body) = error.body(method);
            if error.status() == 503 {
                headers.set("retry-after", RETRY_AFTER)?;
            }
            (error.status(), content_type, Some(body))
        }
        Response::Empty(status) => (status, "text/html", None),
    };
    headers.set("content-type", content_type)?;
    headers.set("cache-control", "no-store")?;
    let init = ResponseInit::new();
    init.set_status(status);
    init.set_headers(&headers);
    Ok(web_sys::Response::new_with_opt_str_and_init(body.as_deref(), &init)?.into())
}
