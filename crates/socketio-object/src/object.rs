//! The object: accepts, delegates, performs.

use std::{
    cell::{Cell, RefCell},
    future::Future,
    pin::Pin,
    rc::Rc,
};

use js_sys::{Function, JsString, Promise, Uint8Array};
use vecmap::VecMap;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::future_to_promise;
use web_sys::{Headers, Request, ResponseInit, Url};
use worker::{WebSocket, WebSocketPair};
use zetra_socketio::engine::{
    Action, Attachment, LinkId, Message, Method, Opening, Outbox, Protocol, Query, Reception, RequestId,
    Response, Server, SessionKey, Settings,
};

use crate::{
    bindings::{ObjectState, Socket, SocketIds},
    body::{self, Body},
    now,
    text::{Source, TextIn, TextOut},
};

/// The id that a new session gets.
pub const SESSION_HEADER: &str = "x-session-id";
/// What the protocol is told of the request that opens a session.
pub const HANDSHAKE_HEADER: &str = "x-handshake";

/// Something that takes a while. It may use the object, but never holds on to its state.
pub type Errand = Pin<Box<dyn Future<Output = ()>>>;

/// What an object is for.
pub trait Embedding: Sized + 'static {
    type Protocol: Protocol;

    fn settings(&self) -> Settings;

    /// The protocol as it is after a start or a sleep; `kept` is what was kept of its sessions that
    /// are still open.
    fn protocol(&self, kept: Vec<(SessionKey, <Self::Protocol as Protocol>::Kept)>) -> Self::Protocol;

    /// Performs a command of the protocol; what takes a while is left to an errand.
    fn perform(
        object: &Rc<Object<Self>>,
        protocol: &Self::Protocol,
        command: <Self::Protocol as Protocol>::Command,
    ) -> Option<Errand>;
}

pub struct Object<E: Embedding> {
    state: ObjectState,
    embedding: E,
    /// Empty until it is needed for the first time after a start or a sleep.
    live: RefCell<Option<Live<E::Protocol>>>,
    text_in: RefCell<TextIn>,
    /// How many are under way.
    errands: Cell<usize>,
}

struct Live<P: Protocol> {
    server: Server<P>,
    links: VecMap<LinkId, Link>,
    /// Socket → link, by the identity of the JavaScript object.
    ids: SocketIds,
    /// Requests that were not answered yet.
    requests: VecMap<RequestId, Pending>,
    next_request: RequestId,
    alarm: Option<i64>,
    text_out: TextOut,
    /// A WebSocket was closed on which nothing had ever come.
    dangling: bool,
}

struct Link {
    socket: Socket,
    spoken: bool,
}

struct Pending {
    resolve: Function,
    /// Called when the client gives up.
    _aborted: Closure<dyn FnMut()>,
}

type Actions<'a, E> = Vec<Action<'a, <<E as Embedding>::Protocol as Protocol>::Command>>;

impl<E: Embedding> Object<E> {
    pub fn new(state: ObjectState, embedding: E) -> Rc<Self> {
        let text_in = RefCell::new(TextIn::new());
        Rc::new(Self { state, embedding, live: RefCell::new(None), text_in, errands: Cell::new(0) })
    }

    pub fn embedding(&self) -> &E {
        &self.embedding
    }

    pub fn state(&self) -> &ObjectState {
        &self.state
    }

    /// Looks at the protocol.
    pub fn look<T>(self: &Rc<Self>, look: impl FnOnce(&E::Protocol) -> T) -> T {
        self.with_live(|live| look(live.server.protocol()))
    }

    /// Lets the protocol act on something that came from elsewhere.
    pub fn act(
        self: &Rc<Self>,
        act: impl FnOnce(&mut E::Protocol, &mut Outbox<'static, <E::Protocol as Protocol>::Command>),
    ) {
        self.with_live(|live| {
            let actions = live.server.act(now(), act);
            self.perform(live, actions, None);
        });
    }

    /// A request to the Engine.IO path.
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
            live.next_request = live.next_request.wrapping_add(1);
            let (reception, actions) = live.server.request(id, &query, method, octets, opening, now());
            match reception {
                Reception::Refused => (refuse(), None),
                Reception::WebSocket(link) => {
                    let response = self.accept(live, link);
                    self.perform(live, actions, None);
                    (response, None)
                }
                Reception::Http | Reception::Body => {
                    let answer = self.expect_answer(live, id, &request);
                    self.perform(live, actions, None);
                    (Ok(answer), (reception == Reception::Body).then_some(id))
                }
            }
        });
        if let Some(id) = body {
            self.read_body(id, &request).await;
        }
        let answer = wasm_bindgen_futures::JsFuture::from(answer?).await?;
        Ok(answer.unchecked_into())
    }

    pub fn web_socket_message(self: &Rc<Self>, socket: &Socket, message: JsValue) {
        match message.dyn_into::<JsString>() {
            Ok(text) => self.receive_text(socket, &text),
            Err(bytes) => self.receive_binary(socket, &Uint8Array::new(&bytes)),
        }
    }

    pub fn web_socket_close(self: &Rc<Self>, socket: &Socket, code: u16) {
        self.closed(socket, Some(code));
        // Completes the closing handshake where the runtime has not done so already.
        let _ = socket.close();
        self.release_dangling();
    }

    pub fn web_socket_error(self: &Rc<Self>, socket: &Socket) {
        self.closed(socket, None);
    }

    pub fn alarm(self: &Rc<Self>) {
        self.with_live(|live| {
            live.alarm = None;
            let actions = live.server.tick(now());
            self.perform(live, actions, None);
        });
    }

    /// The runtime keeps the connection of a WebSocket that the object closed, if nothing ever came on
    /// it, until the object's memory goes (workerd 1.20261023). Where nobody else is here and nothing is
    /// under way that is now; else the client has to give up by itself.
    fn release_dangling(&self) {
        let unneeded = |live: &Live<E::Protocol>| {
            live.dangling && live.server.is_empty() && live.links.is_empty() && live.requests.is_empty()
        };
        if self.errands.get() == 0 && self.live.borrow().as_ref().is_some_and(unneeded) {
            // It throws, by design.
            let _ = self.state.abort("nobody is here");
        }
    }

    /// Lets an errand run on after the event that began it.
    fn run(self: &Rc<Self>, errand: Errand) {
        let object = Rc::clone(self);
        self.errands.update(|errands| errands + 1);
        let errand = async move {
            errand.await;
            object.errands.update(|errands| errands - 1);
            Ok(JsValue::UNDEFINED)
        };
        self.state.wait_until(&future_to_promise(errand));
    }

    fn accept(&self, live: &mut Live<E::Protocol>, link: LinkId) -> Result<Promise, JsValue> {
        let WebSocketPair { client, server } = WebSocketPair::new().map_err(js_error)?;
        let socket: Socket = server.as_ref().clone().unchecked_into();
        self.state.accept_web_socket(&socket);
        live.ids.set(&socket, link);
        live.links.insert(link, Link { socket, spoken: false });
        web_socket_response(client)
    }

    /// A promise of the answer that [`Action::Respond`] will give.
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
        let body =
            body::read(&request.headers(), request.body(), self.embedding.settings().limits.max_payload)
                .await;
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

    fn receive_text(self: &Rc<Self>, socket: &Socket, text: &JsString) {
        let units = text.length();
        self.with_link(socket, |live, link| {
            if units as usize > self.embedding.settings().limits.max_payload {
                let actions = live.server.oversize(link, now());
                return self.perform(live, actions, None);
            }
            self.text_in.borrow_mut().copy(text, units, |frame| {
                let actions = live.server.receive_text(link, frame, now());
                self.perform(live, actions, Some(Source { frame, text, units }));
            });
        });
    }

    fn receive_binary(self: &Rc<Self>, socket: &Socket, bytes: &Uint8Array) {
        self.with_link(socket, |live, link| {
            let oversize = bytes.length() as usize > self.embedding.settings().limits.max_payload;
            let actions = if oversize {
                live.server.oversize(link, now())
            } else {
                live.server.receive_binary(link, bytes.to_vec(), now())
            };
            self.perform(live, actions, None);
        });
    }

    fn closed(self: &Rc<Self>, socket: &Socket, code: Option<u16>) {
        self.with_link(socket, |live, link| {
            live.forget(link);
            let actions = live.server.closed(link, code, now());
            self.perform(live, actions, None);
        });
    }

    /// Performs in order and never waits.
    fn perform(
        self: &Rc<Self>,
        live: &mut Live<E::Protocol>,
        actions: Actions<'_, E>,
        source: Option<Source<'_>>,
    ) {
        for action in actions {
            match action {
                Action::Send { to, message } => live.send(&to, &message, source),
                Action::Close { link, code } => live.close(link, code),
                Action::Respond { request, response } => live.respond(request, response),
                Action::Attach(link) => live.attach(link),
                Action::Command(command) => {
                    if let Some(errand) = E::perform(self, live.server.protocol(), command) {
                        self.run(errand);
                    }
                }
            }
        }
        if let Some(at) = live.server.next_deadline().filter(|at| live.wants_alarm(*at)) {
            live.alarm = Some(at);
            self.state.storage().set_alarm(at as f64);
        }
    }

    fn with_link(self: &Rc<Self>, socket: &Socket, act: impl FnOnce(&mut Live<E::Protocol>, LinkId)) {
        self.with_live(|live| {
            if let Some(id) = live.ids.get(socket) {
                if let Some(link) = live.links.get_mut(&id) {
                    link.spoken = true;
                }
                act(live, id);
            }
        });
    }

    fn with_live<T>(self: &Rc<Self>, act: impl FnOnce(&mut Live<E::Protocol>) -> T) -> T {
        let mut live = self.live.borrow_mut();
        act(live.get_or_insert_with(|| self.wake_up()))
    }

    fn wake_up(&self) -> Live<E::Protocol> {
        let ids = SocketIds::new();
        let (mut links, mut attachments) = (VecMap::new(), Vec::new());
        for socket in self.state.web_sockets().iter().map(Socket::unchecked_from_js) {
            let attachment = socket.deserialize_attachment().as_string();
            let attachment: Option<Attachment<_>> =
                attachment.and_then(|attachment| serde_json::from_str(&attachment).ok());
            if let Some(attachment) = attachment {
                ids.set(&socket, attachment.link());
                links.insert(attachment.link(), Link { socket, spoken: true });
                attachments.push(attachment);
            } else {
                // One that only probed, or that closes already: its session is not here any more.
                let _ = socket.close();
            }
        }
        let server =
            Server::restore(self.embedding.settings(), attachments, |kept| self.embedding.protocol(kept));
        Live {
            server,
            links,
            ids,
            requests: VecMap::new(),
            next_request: 0,
            alarm: None,
            text_out: TextOut::new(),
            dangling: false,
        }
    }
}

impl<P: Protocol> Live<P> {
    fn send(&mut self, to: &[LinkId], message: &Message<'_>, source: Option<Source<'_>>) {
        let links = &self.links;
        // A socket that is closing already gets no more; its close event tells the rest.
        let sockets = to.iter().filter_map(|link| links.get(link)).map(|link| &link.socket);
        match message {
            Message::Text(frame) => {
                let text = self.text_out.text(frame, source);
                sockets.for_each(|socket| drop(socket.send(&text)));
            }
            Message::Binary(bytes) => sockets.for_each(|socket| drop(socket.send_bytes(bytes))),
        }
    }

    fn respond(&mut self, request: RequestId, response: Response) {
        if let Some(pending) = self.requests.remove(&request) {
            let response = http_response(response).unwrap_or_else(|error| error);
            // A promise that is resolved cannot throw.
            let _ = pending.resolve.call1(&JsValue::UNDEFINED, &response);
        }
    }

    fn close(&mut self, link: LinkId, code: Option<u16>) {
        if let Some(link) = self.forget(link) {
            let _ = code.map_or_else(|| link.socket.close(), |code| link.socket.close_with_code(code));
            self.dangling |= !link.spoken;
        }
    }

    fn forget(&mut self, link: LinkId) -> Option<Link> {
        let link = self.links.remove(&link)?;
        self.ids.delete(&link.socket);
        // A socket that closes may still be listed: without an attachment it is nobody's.
        let _ = link.socket.serialize_attachment("");
        Some(link)
    }

    fn attach(&self, link: LinkId) {
        let attachment = self.server.attachment(link).and_then(|a| serde_json::to_string(&a).ok());
        if let (Some(attachment), Some(link)) = (attachment, self.links.get(&link)) {
            let _ = link.socket.serialize_attachment(&attachment);
        }
    }

    /// An alarm that is set too early costs a wake-up for nothing, one that is moved a write.
    fn wants_alarm(&self, at: i64) -> bool {
        self.alarm != Some(at)
    }
}

/// A WebSocket that is closed at once.
fn refuse() -> Result<Promise, JsValue> {
    let WebSocketPair { client, server } = WebSocketPair::new().map_err(js_error)?;
    server.accept().map_err(js_error)?;
    let socket: Socket = server.as_ref().clone().unchecked_into();
    socket.close()?;
    web_socket_response(client)
}

fn web_socket_response(client: WebSocket) -> Result<Promise, JsValue> {
    let response: web_sys::Response = worker::Response::from_websocket(client).map_err(js_error)?.into();
    let response: JsValue = response.into();
    Ok(Promise::resolve(&response))
}

fn http_response(response: Response) -> Result<JsValue, JsValue> {
    let (status, content_type, body) = match response {
        Response::Payload(payload) => (200, "text/plain; charset=UTF-8", Some(payload)),
        Response::Ok => (200, "text/html", Some("ok".to_owned())),
        Response::Refused(error, method) => {
            let (content_type, body) = error.body(method);
            (400, content_type, Some(body))
        }
        Response::Empty(status) => (status, "text/html", None),
    };
    let headers = Headers::new()?;
    headers.set("content-type", content_type)?;
    headers.set("cache-control", "no-store")?;
    let init = ResponseInit::new();
    init.set_status(status);
    init.set_headers(&headers);
    Ok(web_sys::Response::new_with_opt_str_and_init(body.as_deref(), &init)?.into())
}

fn js_error(error: worker::Error) -> JsValue {
    JsError::new(&error.to_string()).into()
}
