#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| zetra_fuzz_targets::run("session", data));
