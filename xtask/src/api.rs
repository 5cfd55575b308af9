//! `cargo xtask api`: the files that describe the API, written anew from the code.

use crate::{
    error::Result,
    process::{command, run_shown},
    setup, workspace,
};

pub fn run() -> Result<()> {
    let write = command("cargo", &["run", "--quiet", "--package", "zetra-api-docs"]);
    run_shown(write, "The compiler or the document says what is wrong.")?;
    setup::run()?;
    run_shown(rest_types(), "openapi-typescript says what is wrong.")
}

/// openapi-typescript, from the document to its types.
fn rest_types() -> std::process::Command {
    let mut types = command(workspace::node_bin("openapi-typescript"), &["web/static/openapi.json"]);
    types.args(["--output", "packages/client-types/rest.d.ts"]);
    types
}
