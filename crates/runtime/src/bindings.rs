//! The few JavaScript methods of D1 that `worker` offers only with a copy per value.
//!
//! `https://developers.cloudflare.com/d1/worker-api/`.

use js_sys::Promise;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// `D1Database`
    pub type Database;

    #[wasm_bindgen(method)]
    pub fn prepare(this: &Database, sql: &str) -> Prepared;

    /// Runs the statements in one transaction; an array of `{results, …}`.
    #[wasm_bindgen(method)]
    pub fn batch(this: &Database, statements: Vec<Prepared>) -> Promise;

    /// `D1PreparedStatement`
    pub type Prepared;

    #[wasm_bindgen(method, catch, variadic)]
    pub fn bind(this: &Prepared, values: Vec<JsValue>) -> Result<Prepared, JsValue>;
}
