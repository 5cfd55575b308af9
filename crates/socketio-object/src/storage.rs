//! The object's storage: its values, its one alarm, and whether it contains anything at all.
//!
//! Setting an alarm costs as much as writing a row. So the alarm is moved only to an earlier time: one that
//! fires too early finds out what is due next and is set again.

use std::cell::Cell;

use js_sys::{Array, Function};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use crate::{
    bindings::{KeyValues, ObjectStorage, array_from, then},
    now,
};

/// The storage of one object, as strings by key. A failure is logged. The alarm is reserved for the object itself.
///
/// What could not be read may be there all the same: from then on nothing is written, and the object gives up its memory,
/// so that the next event reads again. The runtime itself does so when a write fails.
pub struct Storage {
    storage: ObjectStorage,
    values: KeyValues,
    /// When the alarm is due, as far as is known.
    alarm: Cell<Option<i64>>,
    /// The storage may contain something.
    used: Cell<bool>,
    unreadable: Cell<bool>,
}

impl Storage {
    pub(crate) fn new(storage: ObjectStorage) -> Self {
        let values = storage.kv();
        let (alarm, used, unreadable) = Default::default();
        Self { storage, values, alarm, used, unreadable }
    }

    /// The value stored under the key.
    pub fn get(&self, key: &str) -> Option<String> {
        let value = self.values.get(key).inspect_err(|error| self.cannot_be_read(error));
        let value = value.ok().and_then(|value| value.as_string());
        self.used.set(self.used.get() || value.is_some());
        value
    }

    /// The values stored under keys with that prefix, each with the rest of its key.
    pub fn list(&self, prefix: &str) -> Vec<(String, String)> {
        // The rows are read while the array is made.
        let listed = self.values.list(prefix).and_then(|listed| array_from(&listed));
        let listed = listed.inspect_err(|error| self.cannot_be_read(error)).unwrap_or_default();
        let pairs = listed.into_iter().map(JsCast::unchecked_into::<Array>);
        let read = |pair: Array| {
            let key = pair.get(0).as_string()?;
            Some((key.strip_prefix(prefix)?.to_owned(), pair.get(1).as_string()?))
        };
        let read: Vec<_> = pairs.filter_map(read).collect();
        self.used.set(self.used.get() || !read.is_empty());
        read
    }

    fn cannot_be_read(&self, error: &JsValue) {
        log("read", error);
        self.unreadable.set(true);
    }

    pub(crate) fn is_unreadable(&self) -> bool {
        self.unreadable.get()
    }

    /// Stores a value; nothing is sent before this is durable. Key and value together have at most 2 MB.
    /// Returns false on failure.
    pub fn put(&self, key: &str, value: &str) -> bool {
        self.used.set(true);
        self.writes("written", || self.values.put(key, value))
    }

    /// Stores a value; outgoing messages do not wait for this. Returns false if the runtime refuses it.
    pub fn put_unconfirmed(&self, key: &str, value: &str) -> bool {
        self.used.set(true);
        self.writes("written", || self.storage.put_unconfirmed(key, value))
    }

    /// Deletes a value; outgoing messages do not wait for this. Returns false if the runtime refuses it.
    pub fn delete(&self, key: &str) -> bool {
        self.writes("deleted", || self.storage.delete_unconfirmed(key))
    }

    pub(crate) fn is_used(&self) -> bool {
        self.used.get()
    }

    /// `at` is in milliseconds since the epoch; a time in the past becomes the present, since the runtime does not
    /// accept times long past.
    pub(crate) fn set_alarm(&self, at: i64) {
        let is_earlier = |at| self.alarm.get().is_none_or(|set| at < set);
        // Asked after most turns, which leave the alarm as it is.
        if !is_earlier(at) {
            return;
        }
        let at = at.max(now());
        if is_earlier(at) {
            self.used.set(true);
            if self.writes("written", || self.storage.set_alarm(at as f64)) {
                self.alarm.set(Some(at));
            }
        }
    }

    /// After a sleep: restores the alarm that was set before it, if it can still fire.
    pub(crate) fn assume_alarm(&self, at: Option<i64>, now: i64) {
        self.alarm.set(at.filter(|at| *at > now));
        self.used.set(self.used.get() || at.is_some());
    }

    pub(crate) fn alarm_fired(&self) {
        self.alarm.set(None);
        self.used.set(true);
    }

    /// Calls back once everything that was written is durable.
    pub(crate) fn once_durable(&self, callback: &Function) {
        if let Ok(durable) = self.storage.sync() {
            then(&durable, callback);
        }
    }

    /// Deletes everything; later reads and writes see the effect at once.
    pub(crate) fn delete_all(&self) -> impl Future<Output = ()> + use<> {
        self.alarm.set(None);
        self.used.set(false);
        let deleting = (!self.is_unreadable()).then(|| self.storage.delete_all_promise());
        async move {
            let deleted = match deleting {
                Some(Ok(deleting)) => JsFuture::from(deleting).await.map(drop),
                Some(Err(error)) => Err(error),
                None => Ok(()),
            };
            let _ = deleted.inspect_err(|error| log("deleted", error));
        }
    }

    fn writes(&self, what: &str, write: impl FnOnce() -> Result<(), JsValue>) -> bool {
        !self.is_unreadable() && write().inspect_err(|error| log(what, error)).is_ok()
    }
}

fn log(what: &str, error: &JsValue) {
    tracing::error!(?error, "the object's storage could not be {what}");
}
