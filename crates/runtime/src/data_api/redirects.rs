//! Prevents redirects of the Data API from being followed.
//!
//! reqwest's client for wasm32 follows them and cannot be configured otherwise; with a 307 the key and the
//! documents would go to wherever the server points. It looks `fetch` up on the global object at each call, so
//! that is where redirects are stopped: only for addresses below the Data API's base URL.

use wasm_bindgen::prelude::*;

use crate::variables::ConfigError;

#[wasm_bindgen(module = "/src/data_api/redirects.js")]
extern "C" {
    #[wasm_bindgen(js_name = answerRedirects, catch)]
    fn answer_redirects(base: &str) -> Result<bool, JsValue>;
}

/// # Errors
/// If that is impossible: then the store must not open.
pub(super) fn refuse(base_url: &str) -> Result<(), ConfigError> {
    match answer_redirects(base_url) {
        Ok(true) => Ok(()),
        Ok(false) | Err(_) => Err(ConfigError::new(
            "MONGO_URI cannot be used: this runtime does not let redirects of the Data API be refused",
        )),
    }
}
