//! `cargo xtask bench`: the codec under criterion; the relay side by side with the official server and with the
//! runtime's own minimum; what the duration of a login reveals; the path to MongoDB compared with the driver
//! called directly.

use crate::{
    build,
    error::Result,
    mongodb::TestDatabase,
    process::{catch_stop_signals, command, run_shown, run_stoppable},
    workspace,
};

pub fn run(arguments: &[&str]) -> Result<()> {
    match arguments {
        [] => codec().and_then(|()| relay()).and_then(|()| login()).and_then(|()| mongodb()),
        ["codec"] => codec(),
        ["relay"] => relay(),
        ["login"] => login(),
        ["mongodb"] => mongodb(),
        [other, ..] => {
            Err(format!("unknown benchmark: {other}; choose `codec`, `relay`, `login` or `mongodb`"))
        }
    }
}

fn codec() -> Result<()> {
    run_shown(command("cargo", &["bench", "--package", "zetra-bench", "--quiet"]), "")
}

fn relay() -> Result<()> {
    on_workerd("bench/relay/run.mjs")
}

fn login() -> Result<()> {
    on_workerd("bench/login/run.mjs")
}

fn on_workerd(script: &str) -> Result<()> {
    build::run()?;
    let mut node = command(workspace::node_bin("node"), &[]);
    node.arg(workspace::path(script));
    run_shown(node, "")
}

fn mongodb() -> Result<()> {
    catch_stop_signals()?;
    let database = TestDatabase::open()?;
    let mut bench = command("cargo", &["bench", "--profile", "server", "--package", "zetra-data-api"]);
    run_stoppable(
        {
            bench.args(["--bench", "overhead"]).envs(database.variables());
            bench
        },
        "",
    )
}
