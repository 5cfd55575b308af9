use std::io::Write;
fn main() { let _ = std::io::stdout().write_all(serde_json::to_string_pretty(&zetra::openapi::document()).unwrap().as_bytes()); }
