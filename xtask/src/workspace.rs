//! Paths in the workspace, and the pinned versions of the tools.

use std::{
    num::NonZeroU16,
    path::{Path, PathBuf},
};

pub const WORKER_BUILD: &str = "0.8.7";
pub const CARGO_FUZZ: &str = "0.13.2";

pub fn root() -> PathBuf {
    // This package's manifest is one folder below the workspace's.
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_owned()
}

pub fn path(relative: &str) -> PathBuf {
    root().join(relative)
}

/// A program that npm installed.
pub fn node_bin(name: &str) -> PathBuf {
    path("node_modules/.bin").join(name)
}

/// A program that `cargo install` put into target/.
pub fn tool(name: &str) -> PathBuf {
    path("target/tools/bin").join(name)
}

/// The version of a package in Cargo.lock.
pub fn locked_version(package: &str) -> Option<String> {
    let lock = std::fs::read_to_string(path("Cargo.lock")).ok()?;
    let (_, after) = lock.split_once(&format!("name = \"{package}\"\nversion = \""))?;
    after.split_once('"').map(|(version, _)| version.to_owned())
}

/// The port of the local server.
pub fn port() -> Result<u16, String> {
    match std::env::var("PORT") {
        Ok(port) if !port.is_empty() => {
            let number = port.parse().map(NonZeroU16::get);
            number.map_err(|_| format!("PORT must be a number from 1 to 65535, not {port:?}"))
        }
        _ => Ok(4000),
    }
}

/// Where the local runtime keeps D1 and the objects' storage.
pub fn state_dir() -> PathBuf {
    std::env::var_os("ZETRA_STATE_DIR").map_or_else(|| path(".wrangler/state"), PathBuf::from)
}
