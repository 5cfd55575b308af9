//! The log of the servers in this process.

use std::{
    io::{self, Write},
    sync::{LazyLock, Mutex},
};

use serde_json::Value;

static LINES: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Collector;

impl Write for Collector {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LINES.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Begins to collect; anything logged before the first call is lost.
pub fn collect() {
    static COLLECTING: LazyLock<()> = LazyLock::new(|| {
        tracing_subscriber::fmt().json().flatten_event(true).with_writer(|| Collector).init();
    });
    LazyLock::force(&COLLECTING);
}

/// The lines of one request.
pub fn lines_of(request_id: &str) -> Vec<Value> {
    let lines = LINES.lock().unwrap().clone();
    let lines = lines.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
    lines.filter(|line: &Value| line["request_id"] == request_id).collect()
}
