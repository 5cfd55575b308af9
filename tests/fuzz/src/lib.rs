//! What is fuzzed. A target takes any bytes and panics if something that it calls panics or breaks a promise;
//! each states the promises in its module.
//!
//! libFuzzer calls the targets without end (`cargo xtask fuzz`), the test of this crate calls them with the committed
//! seeds and mutations of these, the same each time.
//!
//! Sequences are scripts, one step a line, so that seeds can be written from the protocol's examples and a
//! finding can be read. Any text is a script: a line that means nothing is no step.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a target that panics says so"
)]

mod cursor;
mod ejson;
mod json;
mod packet;
mod payload;
mod recovery;
mod room;
mod session;
mod token;

/// A function that takes any bytes.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The name of its binary in `fuzz/fuzz_targets` and of its folder in `fuzz/seeds`.
    pub name: &'static str,
    /// Panics if a promise is broken.
    pub run: fn(&[u8]),
}

/// All of them.
pub const TARGETS: [Target; 9] = [
    Target { name: "cursor", run: cursor::run },
    Target { name: "ejson", run: ejson::run },
    Target { name: "json", run: json::run },
    Target { name: "packet", run: packet::run },
    Target { name: "payload", run: payload::run },
    Target { name: "recovery", run: recovery::run },
    Target { name: "room", run: room::run },
    Target { name: "session", run: session::run },
    Target { name: "token", run: token::run },
];

/// Runs the target of that name.
///
/// # Panics
/// If there is none, or it breaks a promise.
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target of that name");
    (target.run)(data);
}

/// By how much a clock is set, in milliseconds: at most ten days.
fn clock(text: &str) -> i64 {
    const MOST: i64 = 10 * 86_400_000;
    text.trim().parse::<i64>().unwrap_or(0).clamp(-MOST, MOST)
}

/// What all targets sign with.
const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn secret() -> zetra_domain::SigningSecret {
    zetra_domain::SigningSecret::new(secrecy::SecretString::from(SECRET)).expect("32 bytes")
}

/// A text with some of its bytes replaced, as pairs of place and byte say; `None` if that is no text.
fn edited(text: &str, edits: &[u8]) -> Option<String> {
    let mut bytes = text.as_bytes().to_vec();
    let length = bytes.len();
    for edit in edits.as_chunks::<2>().0 {
        bytes[usize::from(edit[0]) % length] = edit[1];
    }
    String::from_utf8(bytes).ok()
}
