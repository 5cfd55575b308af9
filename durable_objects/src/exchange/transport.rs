//! How a batch travels from one object to another: as the body of a request whose response is only a status.
//!
//! Its other end is `transport.js`. No future is involved: what is awaited is awaited there.

use std::{cell::RefCell, collections::HashMap, fmt::Display, rc::Rc};

use js_sys::Promise;
use serde::{Serialize, de::DeserializeOwned};
use wasm_bindgen::prelude::*;
use web_sys::Request;
use worker::ObjectNamespace;
use zetra_socketio_object::{Answering, Embedding, Object};

use super::{Batch, Mailboxes, Message, Next};

/// The path of a Session's batches to its room.
pub(crate) const TELL: &str = "/tell";
/// The path of a room's batches to a Session.
pub(crate) const DELIVER: &str = "/deliver";
pub(crate) const ACCEPTED: u16 = 200;
pub(crate) const GONE: u16 = 410;
const BAD_REQUEST: u16 = 400;

#[wasm_bindgen(module = "/src/exchange/transport.js")]
extern "C" {
    fn send(
        namespace: &JsValue,
        name: &str,
        path: &str,
        next: &Closure<dyn FnMut(String, bool) -> Option<String>>,
    ) -> Promise;

    /// The name of the object that a batch is for; `None` if the request is something else.
    pub(crate) fn addressee(request: &Request, path: &str) -> Option<String>;

    fn receive(request: &Request, take: &Closure<dyn Fn(Option<String>) -> u16>) -> Promise;
}

/// The object that sends.
pub(crate) trait SendingObject: Clone + 'static {
    fn wait_until(&self, promise: &Promise);

    /// The object, as long as it is in memory.
    fn downgrade(&self) -> impl Fn() -> Option<Self> + use<Self> + 'static;
}

/// The messages of an object for others of one class.
pub(crate) struct BatchSender<T> {
    mailboxes: Mailboxes<T>,
    /// The class, as a `DurableObjectNamespace`.
    namespace: JsValue,
    path: &'static str,
    /// For each object that a request is under way to.
    sending: RefCell<HashMap<String, NextBody>>,
}

type NextBody = Closure<dyn FnMut(String, bool) -> Option<String>>;

impl<T: Message + Serialize + DeserializeOwned + 'static> BatchSender<T> {
    pub fn new(namespace: &ObjectNamespace, path: &'static str) -> Rc<Self> {
        let (mailboxes, namespace) = (Mailboxes::new(), namespace.as_ref().clone());
        Rc::new(Self { mailboxes, namespace, path, sending: RefCell::default() })
    }

    /// Sends a message after earlier ones.
    ///
    /// `undelivered` is called later, with the addressee's name, if it did not accept what was sent and the object is
    /// still in memory; whatever else was for that addressee is lost too.
    pub fn post<O: SendingObject>(
        self: &Rc<Self>,
        object: &O,
        from: &dyn Display,
        to: &str,
        message: T,
        undelivered: impl Fn(&O, &str) + 'static,
    ) {
        if !self.mailboxes.post(from, to, message) {
            return;
        }
        // It must not own the object: if its memory is given up while a request is under way, nothing would ever free it.
        let (sender, object_in_memory) = (Rc::downgrade(self), object.downgrade());
        let next = Closure::new(move |to: String, accepted: bool| {
            let sender = sender.upgrade()?;
            let next = sender.mailboxes.next(&to, accepted);
            if let Next::Batch(batch) = next {
                return Some(batch.into_body());
            }
            sender.sending.borrow_mut().remove(&to);
            if let (Next::Undelivered, Some(object)) = (next, object_in_memory()) {
                undelivered(&object, &to);
            }
            None
        });
        object.wait_until(&send(&self.namespace, to, self.path, &next));
        self.sending.borrow_mut().insert(to.to_owned(), next);
    }

    /// Whether anything is being sent.
    pub fn is_sending(&self) -> bool {
        !self.sending.borrow().is_empty()
    }

    /// Bytes of all waiting messages.
    pub fn bytes(&self) -> usize {
        self.mailboxes.bytes()
    }
}

/// Takes the batches that arrive at an object.
pub(crate) struct BatchReceiver<E: Embedding> {
    take: Closure<dyn Fn(Option<String>) -> u16>,
    /// One for each request whose body is being read; which of them is dropped first does not matter.
    reading: Rc<RefCell<Vec<Answering<E>>>>,
}

impl<E: Embedding> BatchReceiver<E> {
    /// `take` returns the status of the response.
    pub fn new<T: Message + Serialize + DeserializeOwned>(
        object: &Rc<Object<E>>,
        take: impl Fn(&Rc<Object<E>>, Batch<T>) -> u16 + 'static,
    ) -> Self {
        let object = Rc::downgrade(object);
        let reading: Rc<RefCell<Vec<Answering<E>>>> = Rc::default();
        let done = Rc::clone(&reading);
        let take = Closure::new(move |text: Option<String>| {
            let _answering = done.borrow_mut().pop();
            let (Some(object), Some(text)) = (object.upgrade(), text) else { return BAD_REQUEST };
            match Batch::from_body(&text) {
                Ok(batch) => take(&object, batch),
                Err(error) => {
                    tracing::error!(%error, "a batch cannot be read");
                    BAD_REQUEST
                }
            }
        });
        Self { take, reading }
    }

    /// Reads and takes the batch in the request; resolves to its response.
    pub fn receive(&self, object: &Rc<Object<E>>, request: &Request) -> Promise {
        self.reading.borrow_mut().push(object.answering());
        receive(request, &self.take)
    }
}
