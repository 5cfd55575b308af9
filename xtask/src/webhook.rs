//! `cargo xtask webhook`: a receiver to try out webhooks.

use crate::{
    error::Result,
    process::{command, run_shown},
    setup, workspace,
};

pub fn run() -> Result<()> {
    setup::run()?;
    let mut node = command(workspace::node_bin("node"), &[]);
    node.arg(workspace::path("xtask/webhook.mjs"));
    run_shown(node, "")
}
