//! The object's storage: what it holds, the one alarm, and whether there is anything at all.
//!
//! Each alarm that is set costs as much as a row that is written. So the alarm is moved only to an
//! earlier time: one that comes too early finds out what is due next and is set again.

use std::cell::Cell;

use js_sys::{Array, Function};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use crate::bindings::{KeyValues, ObjectStorage, then};

/// The storage of one object, as strings by key. A failure is logged; it does not stop the object. The alarm is
/// the object's own.
pub struct Storage {
    storage: ObjectStorage,
    values: KeyValues,
    /// When the alarm is due, as far as is known.
    alarm: Cell<Option<i64>>,
    /// Something may be there.
    used: Cell<bool>,
}

impl Storage {
    pub(crate) fn new(storage: ObjectStorage) -> Self {
        let values = storage.kv();
        Self { storage, values, alarm: Cell::new(None), used: Cell::new(false) }
    }

    /// What is stored under the key.
    pub fn get(&self, key: &str) -> Option<String> {
        let value = self.values.get(key).unwrap_or_else(|error| {
            log("read", &error);
            JsValue::UNDEFINED
        });
        let value = value.as_string();
        self.used.set(self.used.get() || value.is_some());
        value
    }

    /// What is stored under keys that begin so, with the rest of the key.
    pub fn list(&self, prefix: &str) -> Vec<(String, String)> {
        let listed = self.values.list(prefix).unwrap_or_else(|error| {
            log("read", &error);
            Array::new().into()
        });
        let pairs = Array::from(&listed).into_iter().map(JsCast::unchecked_into::<Array>);
        let read = |pair: Array| {
            let key = pair.get(0).as_string()?;
            Some((key.strip_prefix(prefix)?.to_owned(), pair.get(1).as_string()?))
        };
        let read: Vec<_> = pairs.filter_map(read).collect();
        self.used.set(self.used.get() || !read.is_empty());
        read
    }

    /// Stores a value; nothing is sent before this is durable. Key and value together have at most 2 MB. False
    /// where it failed.
    pub fn put(&self, key: &str, value: &str) -> bool {
        self.used.set(true);
        done("written", self.values.put(key, value))
    }

    /// Stores a value; what is sent does not wait for this. False where it failed.
    pub fn put_unconfirmed(&self, key: &str, value: &str) -> bool {
        self.used.set(true);
        done("written", self.storage.put_unconfirmed(key, value))
    }

    /// Deletes a value; what is sent does not wait for this. False where it failed.
    pub fn delete(&self, key: &str) -> bool {
        done("deleted", self.storage.delete_unconfirmed(key))
    }

    pub(crate) fn is_used(&self) -> bool {
        self.used.get()
    }

    /// `at` in milliseconds since the epoch; what is due already is due now, as the runtime takes no
    /// time of long ago.
    pub(crate) fn set_alarm(&self, at: i64, now: i64) {
        let at = at.max(now);
        if self.alarm.get().is_none_or(|set| at < set) {
            self.used.set(true);
            if done("written", self.storage.set_alarm(at as f64)) {
                self.alarm.set(Some(at));
            }
        }
    }

    /// After a sleep: the alarm that was set before it, if it can still come.
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

    /// Deletes everything, at once for whoever reads or writes after this.
    pub(crate) fn delete_all(&self) -> impl Future<Output = ()> + use<> {
        self.alarm.set(None);
        self.used.set(false);
        let deleting = self.storage.delete_all_promise();
        async move {
            let deleted = match deleting {
                Ok(deleting) => JsFuture::from(deleting).await.map(drop),
                Err(error) => Err(error),
            };
            done("deleted", deleted);
        }
    }
}

fn done(what: &str, result: Result<(), JsValue>) -> bool {
    result.inspect_err(|error| log(what, error)).is_ok()
}

fn log(what: &str, error: &JsValue) {
    tracing::error!(?error, "the object's storage could not be {what}");
}
