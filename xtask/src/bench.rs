//! `cargo xtask bench`: the codec under criterion, then the relay side by side with the official
//! server and with the floor of the runtime.

use crate::{
    Result, build,
    process::{command, run_shown},
    workspace,
};

pub fn run(arguments: &[&str]) -> Result<()> {
    build::run()?;
    let (codec, relay) = match arguments {
        [] => (true, true),
        ["codec"] => (true, false),
        ["relay"] => (false, true),
        [other, ..] => return Err(format!("unknown benchmark: {other}; there are `codec` and `relay`")),
    };
    if codec {
        run_shown(command("cargo", &["bench", "--package", "zetra-bench", "--quiet"]), "")?;
    }
    if relay {
        let script = workspace::path("bench/relay/run.mjs");
        let mut node = command(workspace::node_bin("node"), &[]);
        node.arg(script);
        run_shown(node, "")?;
    }
    Ok(())
}
