//! `cargo xtask api`: regenerates the files that describe the API from the code.

use crate::{
    error::Result,
    process::{command, run_shown},
    setup, workspace,
};

pub fn run() -> Result<()> {
    let write = command("cargo", &["run", "--quiet", "--package", "zetra-api-docs"]);
    run_shown(write, "See the errors above.")?;
    setup::run()?;
    run_shown(rest_types(), "See the errors of openapi-typescript above.")
}

/// Generates TypeScript types from the OpenAPI document.
fn rest_types() -> std::process::Command {
    let mut types = command(workspace::node_bin("openapi-typescript"), &["web/static/openapi.json"]);
    types.args(["--output", "packages/client-types/rest.d.ts"]);
    types
}
