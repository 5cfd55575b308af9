//! How a batch travels from one object to another: as the argument of a call (RPC) of its method `receiveBatch`.
//!
//! The calls are made in `transport.js`. No future is involved: what is awaited is awaited there. The class
//! that the runtime sees (`socketio-object/js`) passes a call on to the one that is exported from WASM.

use std::{cell::RefCell, collections::HashMap, fmt::Display, rc::Rc};

use js_sys::Promise;
use serde::{Serialize, de::DeserializeOwned};
use wasm_bindgen::prelude::*;
use worker::ObjectNamespace;

use super::{Mailboxes, Message, Next};

#[wasm_bindgen(module = "/src/exchange/transport.js")]
extern "C" {
    fn send(namespace: &JsValue, name: &str, next: &NextBatch) -> Promise;
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
    /// For each object that a call is under way to.
    sending: RefCell<HashMap<String, NextBatch>>,
}

/// Gets the addressee's name, and why it did not accept the last batch.
type NextBatch = Closure<dyn FnMut(String, Option<String>) -> Option<String>>;

impl<T: Message + Serialize + DeserializeOwned + 'static> BatchSender<T> {
    pub fn new(namespace: &ObjectNamespace) -> Rc<Self> {
        let (mailboxes, namespace) = (Mailboxes::new(), namespace.as_ref().clone());
        Rc::new(Self { mailboxes, namespace, sending: RefCell::default() })
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
        // It must not own the object: if its memory is given up while a call is under way, nothing would ever free it.
        let (sender, object_in_memory) = (Rc::downgrade(self), object.downgrade());
        let next = Closure::new(move |to: String, failure: Option<String>| {
            let sender = sender.upgrade()?;
            if let Some(failure) = &failure {
                tracing::warn!(%failure, "a batch was not accepted");
            }
            let next = sender.mailboxes.next(&to, failure.is_none());
            if let Next::Batch(batch) = next {
                return Some(batch.into_text());
            }
            sender.sending.borrow_mut().remove(&to);
            if let (Next::Undelivered, Some(object)) = (next, object_in_memory()) {
                undelivered(&object, &to);
            }
            None
        });
        object.wait_until(&send(&self.namespace, to, &next));
        self.sending.borrow_mut().insert(to.to_owned(), next);
    }

    /// Whether anything is being sent.
    pub fn is_sending(&self) -> bool {
        !self.sending.borrow().is_empty()
    }

    /// Whether anything is being sent to that object.
    pub fn is_sending_to(&self, name: &str) -> bool {
        self.sending.borrow().contains_key(name)
    }

    /// Bytes of all waiting messages.
    pub fn bytes(&self) -> usize {
        self.mailboxes.bytes()
    }
}
