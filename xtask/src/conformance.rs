//! `cargo xtask conformance`: serves the fixture of the official protocol suites, to run them by hand.

use crate::{
    build,
    error::Result,
    process::{command, run_shown},
    workspace,
};

pub fn run() -> Result<()> {
    build::conformance()?;
    let mut node = command(workspace::node_bin("node"), &[]);
    node.arg(workspace::path("tests/conformance/serve.mjs"));
    run_shown(node, "Is port 3000 free?")
}
