//! No redirect of the Data API is followed.
//!
//! reqwest's client for wasm32 follows them and cannot be told otherwise, and with a 307 the key and the
//! documents would go to wherever the server says. It looks `fetch` up on the global object at each
//! call, so that is where they are stopped: for addresses below the Data API's base URL only.

use wasm_bindgen::prelude::*;

use crate::variables::ConfigError;

#[wasm_bindgen(module = "/src/data_api/redirects.js")]
extern "C" {
    #[wasm_bindgen(js_name = answerRedirects, catch)]
    fn answer_redirects(base: &str) -> Result<bool, JsValue>;
}

/// # Errors
/// Where that cannot be had: then the store must not open.
pub(super) fn refuse(base_url: &str) -> Result<(), ConfigError> {
    match answer_redirects(base_url) {
        Ok(true) => Ok(()),
        Ok(false) | Err(_) => Err(ConfigError::new(
            "MONGO_URI cannot be used: this runtime does not let redirects of the Data API be refused",
        )),
    }
}
