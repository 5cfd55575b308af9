//! Builds the Worker: cargo for wasm32, wasm-bindgen, wasm-opt, esbuild, by way of worker-build.
//! All four are pinned and local, so that a build downloads nothing.

use std::{fs, time::SystemTime};

use crate::{
    Result,
    process::{command, run_quietly},
    progress::Step,
    setup::{self, newest_change},
    workspace,
};

/// What the Worker is made of.
const SOURCES: [&str; 6] =
    ["src", "crates", "durable_objects", "Cargo.toml", "Cargo.lock", "package-lock.json"];
const OUTPUT: &str = "build/index_bg.wasm";

pub fn run() -> Result<()> {
    setup::run()?;
    if is_current() {
        return Ok(());
    }
    let mut step = Step::begin("building the Worker");
    let mut build = command(workspace::tool("worker-build"), &["--release"]);
    build
        .env("WASM_BINDGEN_BIN", workspace::tool("wasm-bindgen"))
        .env("WASM_OPT_BIN", workspace::node_bin("wasm-opt"))
        .env("ESBUILD_BIN", workspace::node_bin("esbuild"))
        .env("RUST_BACKTRACE", "0");
    run_quietly(build, &mut step, "The compiler says:")?;
    let size = fs::metadata(workspace::path(OUTPUT)).map_or(0, |file| file.len()) / 1_024;
    step.done(&format!("{size} KiB of WASM "));
    Ok(())
}

fn is_current() -> bool {
    let built: Option<SystemTime> =
        fs::metadata(workspace::path(OUTPUT)).and_then(|file| file.modified()).ok();
    let newest = SOURCES.iter().filter_map(|source| newest_change(&workspace::path(source))).max();
    built.is_some() && built >= newest
}
