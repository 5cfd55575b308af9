//! A long-polling payload that can be read is exactly what is written from its packets.

use zetra_socketio::engine::payload::{self, Part, SEPARATOR};

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let parts: Vec<_> = payload::split(text).collect();
    assert_eq!(parts.len(), text.split(SEPARATOR).count(), "no packet is skipped");
    let written: Option<Vec<String>> = parts
        .into_iter()
        .map(|part| match part? {
            Part::Text(text) => Some(text.to_owned()),
            Part::Binary(bytes) => Some(payload::binary(&bytes)),
        })
        .collect();
    if let Some(written) = written {
        assert_eq!(written.join(&SEPARATOR.to_string()), text);
    }
}
