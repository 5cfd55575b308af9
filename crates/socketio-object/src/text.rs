//! Strings across the boundary between JavaScript and WASM, where relaying spends its time.
//!
//! wasm-bindgen copies a string in by a loop over its code units and out by a decoder. A relayed
//! frame is copied in by the runtime's own encoder and never copied out: what goes on is a slice of
//! the string that came, after a head that is kept on the JavaScript side.

use std::collections::HashMap;

use js_sys::JsString;

use zetra_socketio::engine::Frame;

use crate::bindings::TextEncoder;

/// Heads that are kept: a few for each person who sends.
const KEPT_HEADS: usize = 512;
/// Shorter values are cheaper to copy than to cut.
const WORTH_CUTTING: usize = 128;
/// The buffer for frames coming in is kept while it is no larger.
const KEPT_BYTES: usize = 64 * 1024;

pub struct TextIn {
    encoder: TextEncoder,
    buffer: Vec<u8>,
}

impl TextIn {
    pub fn new() -> Self {
        Self { encoder: TextEncoder::new(), buffer: Vec::new() }
    }

    /// Gives `read` the text, of `units` code units, as Rust sees it.
    pub fn copy<T>(&mut self, text: &JsString, units: u32, read: impl FnOnce(&str) -> T) -> T {
        let units = units as usize;
        if self.buffer.len() < units {
            self.buffer.resize(units, 0);
        }
        let ascii = self.buffer.get_mut(..units).is_some_and(|buffer| {
            // Where not every unit fits into a byte each, the text is not ASCII.
            self.encoder.encode_into(text, buffer).read() as usize == units
        });
        let bytes = self.buffer.get(..units).filter(|_| ascii);
        let outcome = match bytes.and_then(|bytes| std::str::from_utf8(bytes).ok()) {
            Some(frame) => read(frame),
            None => read(&String::from(text)),
        };
        if self.buffer.len() > KEPT_BYTES {
            self.buffer = Vec::new();
        }
        outcome
    }
}

#[derive(Default)]
pub struct TextOut {
    heads: HashMap<String, JsString>,
}

/// The frame that is being handled, as it came and as it was copied in.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    pub frame: &'a str,
    pub text: &'a JsString,
    /// Code units of `text`; asked for once, as every question crosses the boundary.
    pub units: u32,
}

impl TextOut {
    pub fn new() -> Self {
        Self::default()
    }

    /// The frame as one JavaScript string.
    pub fn text(&mut self, frame: &Frame<'_>, source: Option<Source<'_>>) -> JsString {
        let worth_it = source.filter(|_| frame.relayed.len() >= WORTH_CUTTING);
        match worth_it.and_then(|source| source.cut(frame.relayed, &frame.tail)) {
            Some((value, true)) => self.head(&frame.head).concat(&value),
            Some((value, false)) => {
                self.head(&frame.head).concat(&value).concat(&JsString::from(&*frame.tail))
            }
            None => frame.text().into(),
        }
    }

    fn head(&mut self, head: &str) -> &JsString {
        if self.heads.len() >= KEPT_HEADS {
            self.heads.clear();
        }
        self.heads.entry(head.to_owned()).or_insert_with(|| head.into())
    }
}

impl Source<'_> {
    /// `part` of the frame as a slice of the JavaScript string, with `tail` if that follows and ends
    /// the frame. Where all characters are ASCII their places are the same in both.
    fn cut(self, part: &str, tail: &str) -> Option<(JsString, bool)> {
        if self.frame.len() != self.units as usize {
            return None;
        }
        let start = (part.as_ptr() as usize).checked_sub(self.frame.as_ptr() as usize)?;
        let end = start + part.len();
        let with_tail = self.frame.get(end..)? == tail;
        let end = if with_tail { self.units } else { u32::try_from(end).ok()? };
        Some((self.text.slice(u32::try_from(start).ok()?, end), with_tail))
    }
}
