//! The hot path across the boundary between JavaScript and WASM; its other end is `port.js`.
//!
//! wasm-bindgen copies a string in with a loop over its code units and out with a decoder, and creates a handle
//! for each value in between. A relayed frame, or a [`text`], is copied in by the runtime's own encoder, into one
//! buffer that all objects share. A relayed frame is never copied out: the outgoing frame is a slice of the string that
//! arrived, between parts that are kept on the JavaScript side.

use std::{cell::RefCell, collections::HashMap};

use js_sys::JsString;
use wasm_bindgen::prelude::*;
use zetra_socketio::engine::{Frame, LinkId};

use crate::bindings::Socket;

/// Parts that are kept: a few for each sender.
const KEPT_PARTS: usize = 512;
/// Shorter values are cheaper to copy than to cut.
const WORTH_CUTTING: usize = 128;
/// Larger frames take the general way.
const BUFFER_BYTES: usize = 64 * 1024;
/// The result of `copy` for a value that is not text.
const BINARY: i32 = -2;
/// Digits of a number that JavaScript prints unchanged.
const MAX_DIGITS: usize = 15;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; BUFFER_BYTES]);
}

#[wasm_bindgen(module = "/src/port.js")]
extern "C" {
    fn copy(frame: &JsValue, buffer: &mut [u8]) -> i32;

    #[wasm_bindgen(js_name = Port)]
    type JsPort;

    #[wasm_bindgen(constructor, js_class = "Port")]
    fn new() -> JsPort;

    #[wasm_bindgen(method, js_class = "Port")]
    fn add(this: &JsPort, link: u32, socket: &Socket);

    #[wasm_bindgen(method, js_class = "Port")]
    fn remove(this: &JsPort, link: u32);

    #[wasm_bindgen(method, js_class = "Port")]
    fn link(this: &JsPort, socket: &Socket) -> f64;

    #[wasm_bindgen(method, js_class = "Port")]
    fn keep(this: &JsPort, id: u32, part: &str);

    #[wasm_bindgen(method, js_class = "Port")]
    #[allow(clippy::too_many_arguments, reason = "what is not an argument would be a handle")]
    fn relay(
        this: &JsPort,
        frame: &JsValue,
        head: u32,
        start: u32,
        end: u32,
        before: u32,
        number: f64,
        after: u32,
        links: &[u32],
    );

    #[wasm_bindgen(method, js_class = "Port", js_name = send)]
    fn send_text(this: &JsPort, text: &str, links: &[u32]);

    #[wasm_bindgen(method, js_class = "Port", js_name = send)]
    fn send_bytes(this: &JsPort, bytes: &[u8], links: &[u32]);
}

/// The WebSockets of one object, by their links.
pub struct Port {
    js: JsPort,
    parts: HashMap<String, u32>,
}

/// A frame that arrived.
pub enum Incoming<'a> {
    /// ASCII.
    Text(Source<'a>),
    /// Any other text.
    General,
    Binary,
}

/// A text frame as it arrived and as it was copied in. If all characters are ASCII, as they are here, positions
/// are the same in both.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    pub frame: &'a str,
    js: &'a JsValue,
}

/// Passes the frame to `take`.
pub fn receive<T>(frame: &JsValue, take: impl FnOnce(Incoming<'_>) -> T) -> T {
    BUFFER.with_borrow_mut(|buffer| {
        let units = copy(frame, buffer);
        let bytes = usize::try_from(units).ok().and_then(|units| buffer.get(..units));
        match bytes.and_then(|bytes| std::str::from_utf8(bytes).ok()) {
            Some(text) => take(Incoming::Text(Source { frame: text, js: frame })),
            None if units == BINARY => take(Incoming::Binary),
            None => take(Incoming::General),
        }
    })
}

/// Passes the text to `read`. Faster for ASCII of up to 64 KiB than wasm-bindgen's own way.
///
/// `read` must not call this in turn.
pub fn text<T>(text: &JsString, read: impl FnOnce(&str) -> T) -> T {
    receive(text, |incoming| match incoming {
        Incoming::Text(source) => read(source.frame),
        Incoming::General | Incoming::Binary => read(&String::from(text)),
    })
}

impl Port {
    pub fn new() -> Self {
        Self { js: JsPort::new(), parts: HashMap::new() }
    }

    pub fn add(&self, link: LinkId, socket: &Socket) {
        self.js.add(link.0, socket);
    }

    pub fn remove(&self, link: LinkId) {
        self.js.remove(link.0);
    }

    pub fn link(&self, socket: &Socket) -> Option<LinkId> {
        let link = self.js.link(socket);
        // Every link is a whole number from 0 to 2^32 - 1.
        (link >= 0.0).then_some(LinkId(link as u32))
    }

    pub fn send(&mut self, frame: &Frame<'_>, source: Option<Source<'_>>, links: Vec<LinkId>) {
        let links = numbers(links);
        let source = source.filter(|_| frame.relayed.len() >= WORTH_CUTTING);
        if source.and_then(|source| self.relay(frame, source, &links)).is_none() {
            self.js.send_text(&frame.text(), &links);
        }
    }

    pub fn send_bytes(&self, bytes: &[u8], links: Vec<LinkId>) {
        self.js.send_bytes(bytes, &numbers(links));
    }

    /// `None` if the frame does not relay a slice of the source, or its tail has no number.
    fn relay(&mut self, frame: &Frame<'_>, source: Source<'_>, links: &[u32]) -> Option<()> {
        let start = (frame.relayed.as_ptr() as usize).checked_sub(source.frame.as_ptr() as usize)?;
        let end = start + frame.relayed.len();
        source.frame.get(start..end)?;
        let (before, number, after) = around_number(&frame.tail)?;
        if self.parts.len() + 3 > KEPT_PARTS {
            self.parts.clear();
        }
        let [head, before, after] = [&frame.head, before, after].map(|part| self.part(part));
        let (start, end) = (u32::try_from(start).ok()?, u32::try_from(end).ok()?);
        self.js.relay(source.js, head, start, end, before, number, after, links);
        Some(())
    }

    fn part(&mut self, part: &str) -> u32 {
        if let Some(id) = self.parts.get(part) {
            return *id;
        }
        // Fewer than KEPT_PARTS.
        let id = self.parts.len() as u32;
        self.js.keep(id, part);
        self.parts.insert(part.to_owned(), id);
        id
    }
}

/// Reuses the memory, since this happens for every frame.
fn numbers(links: Vec<LinkId>) -> Vec<u32> {
    links.into_iter().map(|link| link.0).collect()
}

/// The last number in the text, which differs each time, and the text around it.
fn around_number(text: &str) -> Option<(&str, f64, &str)> {
    let end = text.rfind(|character: char| character.is_ascii_digit())? + 1;
    let (before, after) = text.split_at_checked(end)?;
    let digits = before.trim_end_matches(|character: char| character.is_ascii_digit());
    let (before, number) = before.split_at_checked(digits.len())?;
    let is_exact = number.len() <= MAX_DIGITS && (number == "0" || !number.starts_with('0'));
    Some((before, number.parse().ok().filter(|_| is_exact)?, after))
}

#[cfg(test)]
mod tests {
    use super::around_number;

    #[test]
    fn the_last_number_of_a_tail_is_told_apart() {
        assert_eq!(around_number(r#","room.x7y.120"]"#), Some((r#","room.x7y."#, 120.0, r#""]"#)));
        assert_eq!(around_number("7"), Some(("", 7.0, "")));
        assert_eq!(around_number("a0"), Some(("a", 0.0, "")));
    }

    #[test]
    fn a_number_that_javascript_would_spell_otherwise_is_not_taken_for_one() {
        for tail in ["", "]", ",\"a.012\"]", ",\"a.00\"]", ",\"a.1234567890123456\"]"] {
            assert_eq!(around_number(tail), None, "{tail}");
        }
    }
}
