//! Cloudflare's command-line tool, as installed by npm.

use std::process::Command;

use crate::{process::command, workspace};

/// wrangler, run in the workspace's root. For the tests of `deploy`, which must not need an account,
/// `ZETRA_WRANGLER` names a Node script that stands in for it.
pub fn wrangler(arguments: &[&str]) -> Command {
    let mut wrangler = command(workspace::node_bin("node"), &[]);
    match std::env::var_os("ZETRA_WRANGLER").filter(|script| !script.is_empty()) {
        Some(script) => wrangler.arg(script),
        None => wrangler.arg(workspace::path("node_modules/wrangler/bin/wrangler.js")),
    };
    wrangler.args(arguments).env("WRANGLER_SEND_METRICS", "false");
    wrangler
}
