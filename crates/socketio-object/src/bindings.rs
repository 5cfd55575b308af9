//! The few JavaScript methods that `worker` does not offer, or only with a copy or a promise that
//! the hot path can do without.
//!
//! `https://developers.cloudflare.com/durable-objects/api/state/` and `…/api/sqlite-storage-api/`.

use js_sys::{Array, Function, Object, Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

#[wasm_bindgen]
extern "C" {
    /// `DurableObjectState`, the constructor's first argument.
    pub type ObjectState;

    /// The object's own storage; its class must be one of `new_sqlite_classes`.
    #[wasm_bindgen(method, getter)]
    pub fn storage(this: &ObjectState) -> ObjectStorage;

    /// Accepts a socket that may outlive the object's memory.
    #[wasm_bindgen(method, catch, js_name = acceptWebSocket)]
    pub fn accept_web_socket(this: &ObjectState, socket: &Socket) -> Result<(), JsValue>;

    /// The accepted sockets, including those that are closing; an array of [`Socket`].
    #[wasm_bindgen(method, js_name = getWebSockets)]
    pub fn web_sockets(this: &ObjectState) -> Array;

    /// Keeps the object until the promise is settled.
    #[wasm_bindgen(method, js_name = waitUntil)]
    pub fn wait_until(this: &ObjectState, promise: &Promise);

    /// Ends the object's memory, and throws.
    #[wasm_bindgen(method, catch)]
    pub fn abort(this: &ObjectState, reason: &str) -> Result<(), JsValue>;

    /// `DurableObjectStorage`, of an object with SQLite.
    pub type ObjectStorage;

    /// The synchronous key-value API.
    #[wasm_bindgen(method, getter)]
    pub fn kv(this: &ObjectStorage) -> KeyValues;

    #[wasm_bindgen(method, catch, js_name = setAlarm)]
    fn set_alarm_with(this: &ObjectStorage, time: f64, options: &JsValue) -> Result<Promise, JsValue>;

    #[wasm_bindgen(method, catch, js_name = put)]
    fn put_with(this: &ObjectStorage, key: &str, value: &str, options: &JsValue) -> Result<Promise, JsValue>;

    /// Settles when everything that was written is durable.
    #[wasm_bindgen(method, catch)]
    pub fn sync(this: &ObjectStorage) -> Result<Promise, JsValue>;

    #[wasm_bindgen(method, catch, js_name = deleteAll)]
    pub(crate) fn delete_all_promise(this: &ObjectStorage) -> Result<Promise, JsValue>;

    #[wasm_bindgen(method, catch, js_name = delete)]
    fn delete_with(this: &ObjectStorage, key: &str, options: &JsValue) -> Result<Promise, JsValue>;

    /// `SyncKvStorage`: reads and writes without a promise; the runtime holds back what leaves the
    /// object until the writes are durable.
    pub type KeyValues;

    /// A string, or `undefined`.
    #[wasm_bindgen(method, catch)]
    pub fn get(this: &KeyValues, key: &str) -> Result<JsValue, JsValue>;

    /// Key and value together have at most 2 MB.
    #[wasm_bindgen(method, catch)]
    pub fn put(this: &KeyValues, key: &str, value: &str) -> Result<(), JsValue>;

    /// Whether the key existed.
    #[wasm_bindgen(method, catch)]
    pub fn delete(this: &KeyValues, key: &str) -> Result<bool, JsValue>;

    /// An iterable of `[key, value]`.
    #[wasm_bindgen(method, catch, js_name = list)]
    fn list_with(this: &KeyValues, options: &JsValue) -> Result<JsValue, JsValue>;

    /// The server's end of a `WebSocket`.
    pub type Socket;

    /// Closes it without a code.
    #[wasm_bindgen(method, catch)]
    pub fn close(this: &Socket) -> Result<(), JsValue>;

    /// Closes it with a code (RFC 6455, 7.4).
    #[wasm_bindgen(method, catch, js_name = close)]
    pub fn close_with_code(this: &Socket, code: u16) -> Result<(), JsValue>;

    /// Keeps a text with the socket while the object sleeps; throws past 16,384 bytes.
    #[wasm_bindgen(method, catch, js_name = serializeAttachment)]
    pub fn serialize_attachment(this: &Socket, value: &str) -> Result<(), JsValue>;

    /// What was kept: a string, or `null`.
    #[wasm_bindgen(method, catch, js_name = deserializeAttachment)]
    pub fn deserialize_attachment(this: &Socket) -> Result<JsValue, JsValue>;

    /// `Array.from`, which may throw while it iterates.
    #[wasm_bindgen(catch, js_namespace = Array, js_name = from)]
    pub(crate) fn array_from(iterable: &JsValue) -> Result<Array, JsValue>;

    /// `Promise.prototype.then`, with a function owned by JavaScript.
    #[wasm_bindgen(js_name = Promise)]
    type AnyPromise;

    #[wasm_bindgen(method, js_class = "Promise", js_name = then)]
    fn then_with(this: &AnyPromise, callback: &Function) -> Promise;
}

impl ObjectStorage {
    /// Deletes everything, including the alarm (with a compatibility date of 2026-02-24 or later), so that the
    /// object no longer costs anything.
    ///
    /// # Errors
    /// What the runtime throws.
    pub async fn delete_all(&self) -> Result<(), JsValue> {
        JsFuture::from(self.delete_all_promise()?).await.map(|_| ())
    }
}

/// Outgoing messages do not wait until these writes are durable. They take effect in order, and later reads see
/// them at once; the object is kept alive until they are done, so there is nothing to wait for.
impl ObjectStorage {
    /// Sets the one alarm. `time` in milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// What the runtime throws.
    pub fn set_alarm(&self, time: f64) -> Result<(), JsValue> {
        self.set_alarm_with(time, &unconfirmed()).map(drop)
    }

    /// Stores a value.
    ///
    /// # Errors
    /// What the runtime throws.
    pub fn put_unconfirmed(&self, key: &str, value: &str) -> Result<(), JsValue> {
        self.put_with(key, value, &unconfirmed()).map(drop)
    }

    /// Deletes a value.
    ///
    /// # Errors
    /// What the runtime throws.
    pub fn delete_unconfirmed(&self, key: &str) -> Result<(), JsValue> {
        self.delete_with(key, &unconfirmed()).map(drop)
    }
}

/// Calls back when the promise is fulfilled.
pub(crate) fn then(promise: &Promise, callback: &Function) {
    let _ = promise.unchecked_ref::<AnyPromise>().then_with(callback);
}

fn unconfirmed() -> JsValue {
    let options = Object::new();
    // Setting a property of a fresh object cannot fail.
    let _ = Reflect::set(&options, &"allowUnconfirmed".into(), &JsValue::TRUE);
    options.into()
}

impl KeyValues {
    /// An iterable of `[key, value]`, for the keys with that prefix.
    ///
    /// # Errors
    /// What the runtime throws.
    pub fn list(&self, prefix: &str) -> Result<JsValue, JsValue> {
        let options = Object::new();
        // Setting a property of a fresh object cannot fail.
        let _ = Reflect::set(&options, &"prefix".into(), &prefix.into());
        self.list_with(&options)
    }
}
