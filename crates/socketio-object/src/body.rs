//! Bodies of requests and responses, read only up to a limit.

use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Headers, ReadableStream, ReadableStreamDefaultReader};

pub enum Body {
    /// Bytes that are not UTF-8 are replaced, as the reference implementation does.
    Text(String),
    TooLarge,
    /// The body ended early.
    Aborted,
}

/// Calls `note` after each part with the number of bytes held. Dropping the future cancels the rest.
pub async fn read(
    headers: &Headers,
    stream: Option<ReadableStream>,
    max: usize,
    note: impl Fn(usize),
) -> Body {
    let announced = headers.get("content-length").ok().flatten();
    if announced.and_then(|length| length.parse::<u64>().ok()).is_some_and(|length| length > max as u64) {
        return Body::TooLarge;
    }
    let Some(stream) = stream else { return Body::Text(String::new()) };
    let reader = Reader(stream.get_reader().unchecked_into());
    let mut bytes = Vec::new();
    loop {
        match chunk(&reader.0).await {
            Ok(Some(chunk)) if bytes.len() + chunk.length() as usize > max => return Body::TooLarge,
            Ok(Some(chunk)) => {
                bytes.extend(chunk.to_vec());
                note(bytes.len());
            }
            Ok(None) => break,
            Err(_) => return Body::Aborted,
        }
    }
    Body::Text(
        String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()),
    )
}

/// Dropping it cancels the rest of the body; after the end that has no effect.
struct Reader(ReadableStreamDefaultReader);

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = self.0.cancel();
    }
}

async fn chunk(reader: &ReadableStreamDefaultReader) -> Result<Option<Uint8Array>, JsValue> {
    let result = JsFuture::from(reader.read()).await?;
    if Reflect::get(&result, &"done".into())?.is_truthy() {
        return Ok(None);
    }
    Ok(Some(Reflect::get(&result, &"value".into())?.unchecked_into()))
}
