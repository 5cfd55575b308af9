//! The object: accepts, delegates, performs.

use std::{
    cell::{Cell, RefCell},
    future::Future,
    pin::Pin,
    rc::Rc,
};

use js_sys::{Function, Promise};
use vecmap::VecMap;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::future_to_promise;
use zetra_socketio::engine::{
    Action, Attachment, LinkId, Message, Outbox, Protocol, RequestId, Server, SessionKey, Settings,
};

use crate::{
    Storage,
    bindings::{ObjectState, Socket, then},
    budget::Budget,
    leave_renewal_to_shim, now,
    port::{Port, Source},
};

mod http;
mod websocket;

/// The header with the id for a new session. The Worker sets it on every request that may open one, and never
/// passes on a client's own; [`forward`](crate::forward) does both.
pub const SESSION_HEADER: &str = "x-session-id";
/// The header with the `handshake` that the protocol receives for the request that opens a session. The Worker
/// sets it, and never passes on a client's own.
pub const HANDSHAKE_HEADER: &str = "x-handshake";

/// Work that takes a while. It may use the object, but never holds a borrow of its state.
pub type Task = Pin<Box<dyn Future<Output = ()>>>;

/// The purpose of an object: its protocol, and how to perform the protocol's commands. For an application
/// without commands use [`Standalone`](crate::Standalone).
pub trait Embedding: Sized + 'static {
    /// The protocol inside the Engine.IO sessions; [`SocketIo`](zetra_socketio::SocketIo) for Socket.IO.
    type Protocol: Protocol;

    /// Durations and limits of the sessions. Called after every turn, so it should be cheap.
    fn settings(&self) -> Settings;

    /// Creates the protocol after a start or a sleep; `kept` is the stored state of the sessions that are still
    /// open. It may use the object's [`storage`](Object::storage) and [`embedding`](Object::embedding), and
    /// nothing else of it.
    fn protocol(
        &self,
        object: &Object<Self>,
        kept: Vec<(SessionKey, <Self::Protocol as Protocol>::Kept)>,
    ) -> Self::Protocol;

    /// Bytes that it holds for clients, besides those that the protocol accounts for.
    fn held(&self) -> usize {
        0
    }

    /// Whether something is in progress that the object's memory is needed for, besides tasks and requests.
    fn is_busy(&self) -> bool {
        false
    }

    /// Performs a command of the protocol; anything that takes a while is left to a task.
    fn perform(
        object: &Rc<Object<Self>>,
        protocol: &Self::Protocol,
        command: <Self::Protocol as Protocol>::Command,
    ) -> Option<Task>;
}

/// A Durable Object that serves Engine.IO: events from the runtime go to an
/// [`engine::Server`](zetra_socketio::engine::Server), and the resulting actions are performed.
///
/// It is held by the class that is exported to JavaScript, see [`handlers`](crate::handlers). Its methods that
/// take an [`Rc`] of it may be called from a [`Task`], but not from within [`Embedding::perform`] or
/// [`Embedding::protocol`], where its state is borrowed.
pub struct Object<E: Embedding> {
    state: ObjectState,
    embedding: E,
    /// Empty until it is first needed after a start or a sleep.
    live: RefCell<Option<Live<E::Protocol>>>,
    storage: Storage,
    /// How many tasks, and requests of other objects, are in progress.
    under_way: Cell<usize>,
    budget: Budget,
}

struct Live<P: Protocol> {
    server: Server<P>,
    links: VecMap<LinkId, Link>,
    port: Port,
    /// Requests that are not answered yet.
    requests: VecMap<RequestId, Pending>,
    next_request: RequestId,
    /// A WebSocket was closed on which no message had ever arrived.
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
    /// For the class's constructor, with the state that the runtime passes. Nothing is read before the first
    /// event.
    pub fn new(state: ObjectState, embedding: E) -> Rc<Self> {
        leave_renewal_to_shim();
        let storage = Storage::new(state.storage());
        let (live, under_way, budget) = (RefCell::new(None), Cell::new(0), Budget::default());
        Rc::new(Self { state, embedding, live, storage, under_way, budget })
    }

    /// The embedding of the object.
    pub fn embedding(&self) -> &E {
        &self.embedding
    }

    /// The object's storage.
    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    /// Reads from the protocol, after waking it up if need be.
    pub fn query<T>(self: &Rc<Self>, query: impl FnOnce(&E::Protocol) -> T) -> T {
        self.with_live(|live| query(live.server.protocol()))
    }

    /// Deletes everything that is stored, including the alarm. This continues after the event that started it.
    pub fn delete_all(self: &Rc<Self>) {
        self.run(Box::pin(self.storage.delete_all()));
    }

    /// Lets what the promise stands for go on after the event that started it.
    pub fn wait_until(&self, promise: &Promise) {
        self.state.wait_until(promise);
    }

    /// While this is held the object counts as answering a request, and its memory is not given up. For
    /// requests other than Engine.IO's, such as those of other objects.
    pub fn answering(self: &Rc<Self>) -> Answering<E> {
        self.under_way.update(|under_way| under_way + 1);
        Answering(Rc::clone(self))
    }

    /// Lets the protocol act on input from elsewhere, such as the outcome of a [`Task`], and performs the
    /// resulting actions. `act` also gets the time, in milliseconds since the epoch.
    pub fn act(
        self: &Rc<Self>,
        act: impl FnOnce(&mut E::Protocol, &mut Outbox<'static, <E::Protocol as Protocol>::Command>, i64),
    ) {
        self.with_live(|live| {
            let now = now();
            let actions = live.server.act(now, |protocol, out| act(protocol, out, now));
            self.perform(live, actions, None);
        });
    }

    /// The alarm that the object has set is due.
    pub fn alarm(self: &Rc<Self>) {
        self.with_live_unnamed(|live| {
            self.storage.alarm_fired();
            let actions = live.server.tick(now());
            self.perform(live, actions, None);
        });
    }

    /// The runtime keeps the connection of a WebSocket that the object closed, if no message ever arrived on
    /// it, until the object's memory is dropped (workerd 1.20261023). If there is no other client and nothing
    /// is in progress, the memory is dropped now, once all writes are durable; else the client has to time
    /// out by itself.
    fn release_dangling(self: &Rc<Self>) {
        if !self.is_only_dangling() {
            return;
        }
        let object = Rc::clone(self);
        // Not in a future: an aborted execution stops where it is, inside the executor that all objects share.
        let abort = Closure::once_into_js(move |_: JsValue| {
            let over = object.is_only_dangling();
            let state: ObjectState = object.state.clone().unchecked_into();
            // Nothing runs after the abort, not even the code that releases the object.
            drop(object);
            if over {
                let _ = state.abort("nobody is here");
            }
        });
        self.storage.once_durable(abort.unchecked_ref());
    }

    fn is_only_dangling(&self) -> bool {
        let is_busy = self.under_way.get() > 0 || self.embedding.is_busy();
        !is_busy
            && self.live.borrow().as_ref().is_some_and(|live| {
                // In a room whose clients all come through Session objects there is something to lose.
                live.dangling && live.is_idle()
            })
    }

    /// Lets a task run on after the event that started it.
    fn run(self: &Rc<Self>, task: Task) {
        let answering = self.answering();
        let task = async move {
            task.await;
            drop(answering);
            Ok(JsValue::UNDEFINED)
        };
        self.state.wait_until(&future_to_promise(task));
    }

    /// Performs the actions in order and never waits.
    fn perform(
        self: &Rc<Self>,
        live: &mut Live<E::Protocol>,
        actions: Actions<'_, E>,
        source: Option<Source<'_>>,
    ) {
        if self.storage.is_unreadable() {
            // Decided without knowing what is stored.
            return;
        }
        let mut unattached = Vec::new();
        for action in actions {
            match action {
                Action::Send { to, message } => live.send(to, &message, source),
                Action::Close { link, code } => live.close(link, code),
                Action::Respond { request, response } => live.respond(request, response),
                Action::Attach(link) => unattached.extend((!live.attach(link)).then_some(link)),
                Action::Command(command) => {
                    if let Some(task) = E::perform(self, live.server.protocol(), command) {
                        self.run(task);
                    }
                }
            }
        }
        // Sessions that would not survive a sleep end here.
        for link in unattached {
            live.close(link, None);
            let actions = live.server.closed(link, None, now());
            self.perform(live, actions, None);
        }
        let max = self.embedding.settings().limits.max_held;
        if self.budget.is_exceeded(live.server.held() + self.embedding.held(), max) {
            let actions = live.server.end_greediest(now());
            if !actions.is_empty() {
                return self.perform(live, actions, None);
            }
        }
        if let Some(at) = live.server.next_deadline() {
            self.storage.set_alarm(at);
        }
        let over = live.server.is_empty() && !live.server.protocol().needs_storage();
        if over && self.storage.is_used() {
            self.delete_all();
        }
    }

    fn with_link(self: &Rc<Self>, socket: &Socket, act: impl FnOnce(&mut Live<E::Protocol>, LinkId)) {
        self.with_live_unnamed(|live| {
            if let Some(id) = live.port.link(socket) {
                if let Some(link) = live.links.get_mut(&id) {
                    link.spoken = true;
                }
                act(live, id);
            }
        });
    }

    /// For what contains no name of the object, unlike a request. If that has woken an object that holds nothing, and sends
    /// nothing, what was restored is forgotten: the next request must find it asleep, and wake it up with its name.
    fn with_live_unnamed(self: &Rc<Self>, act: impl FnOnce(&mut Live<E::Protocol>)) {
        let was_asleep = self.live.borrow().is_none();
        self.with_live(act);
        if was_asleep && !self.embedding.is_busy() {
            self.live.borrow_mut().take_if(|live| live.is_idle());
        }
    }

    fn with_live<T>(self: &Rc<Self>, act: impl FnOnce(&mut Live<E::Protocol>) -> T) -> T {
        let mut live = self.live.borrow_mut();
        let result = act(live.get_or_insert_with(|| self.wake_up()));
        if self.storage.is_unreadable() {
            self.give_up();
        }
        result
    }

    /// Gives up the object's memory after this turn, in which nothing was written. Its WebSockets end, an alarm or a request
    /// that woke it fails, and whoever comes back finds what is stored.
    fn give_up(self: &Rc<Self>) {
        let state: ObjectState = self.state.clone().unchecked_into();
        let abort = Closure::once_into_js(move |_: JsValue| {
            let _ = state.abort("the object's storage could not be read");
        });
        then(&Promise::resolve(&JsValue::UNDEFINED), abort.unchecked_ref());
    }

    fn wake_up(&self) -> Live<E::Protocol> {
        let port = Port::new();
        let (mut links, mut attachments) = (VecMap::new(), Vec::new());
        for socket in self.state.web_sockets().iter().map(Socket::unchecked_from_js) {
            let attachment = socket.deserialize_attachment().ok().and_then(|text| text.as_string());
            // Empty for a WebSocket that only probed or that is already closing: it belongs to no session.
            let text = attachment.filter(|text| !text.is_empty());
            match text.as_deref().map(serde_json::from_str::<Attachment<_>>) {
                Some(Ok(attachment)) if attachment.is_readable() => {
                    port.add(attachment.link(), &socket);
                    links.insert(attachment.link(), Link { socket, spoken: true });
                    attachments.push(attachment);
                }
                unreadable => {
                    if unreadable.is_some() {
                        tracing::error!("what was kept of a WebSocket cannot be read");
                    }
                    let _ = socket.close();
                }
            }
        }
        let settings = self.embedding.settings();
        self.storage.assume_alarm(attachments.iter().map(Attachment::next_beat).min(), now());
        let server = Server::restore(settings, attachments, |kept| self.embedding.protocol(self, kept));
        let requests = VecMap::new();
        Live { server, links, port, requests, next_request: RequestId(0), dangling: false }
    }
}

impl<P: Protocol> Live<P> {
    /// Whether nobody is here, and nothing is stored or waits.
    fn is_idle(&self) -> bool {
        let nobody = self.server.is_empty() && self.links.is_empty() && self.requests.is_empty();
        nobody && !self.server.protocol().needs_storage()
    }

    fn send(&mut self, to: Vec<LinkId>, message: &Message<'_>, source: Option<Source<'_>>) {
        match message {
            Message::Text(frame) => self.port.send(frame, source, to),
            Message::Binary(bytes) => self.port.send_bytes(bytes, to),
        }
    }

    fn close(&mut self, link: LinkId, code: Option<u16>) {
        if let Some(link) = self.forget(link) {
            let _ = code.map_or_else(|| link.socket.close(), |code| link.socket.close_with_code(code));
            self.dangling |= !link.spoken;
        }
    }

    fn forget(&mut self, link: LinkId) -> Option<Link> {
        self.port.remove(link);
        let link = self.links.remove(&link)?;
        // A socket that is closing may still be listed: without an attachment it belongs to no session.
        let _ = link.socket.serialize_attachment("");
        Some(link)
    }

    /// False if the state that has to survive a sleep could not be stored.
    fn attach(&self, link: LinkId) -> bool {
        let Some(attachment) = self.server.attachment(link) else { return true };
        let Some(link) = self.links.get(&link) else { return true };
        let text = serde_json::to_string(&attachment).unwrap_or_default();
        let kept = link.socket.serialize_attachment(&text);
        kept.inspect_err(|error| tracing::error!(?error, "a WebSocket's attachment was refused")).is_ok()
    }
}

/// Marks the object as answering a request. See [`Object::answering`].
pub struct Answering<E: Embedding>(Rc<Object<E>>);

impl<E: Embedding> Drop for Answering<E> {
    fn drop(&mut self) {
        self.0.under_way.update(|under_way| under_way - 1);
    }
}
