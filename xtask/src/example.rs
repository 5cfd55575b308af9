//! `cargo xtask example chat`: builds and serves an example of the library, until Ctrl-C or SIGTERM.

use crate::{
    build,
    dev::{Served, serve},
    error::Result,
    workspace,
};

pub fn run(arguments: &[&str]) -> Result<()> {
    match arguments {
        ["chat"] => chat(),
        [] => Err("name an example: cargo xtask example chat".to_owned()),
        [other, ..] => Err(format!("unknown example: {other}; the only one is `chat`")),
    }
}

fn chat() -> Result<()> {
    // Its objects store nothing but alarms.
    let state = workspace::path("target/example-chat");
    let served = Served {
        command: "example chat",
        build: build::chat,
        config: "examples/chat/wrangler.toml",
        state,
        probe: "/",
    };
    serve(&served, |port, _| {
        println!("\n  The chat listens on http://localhost:{port} (open it in two windows)");
        println!(
            "    sockets  io(\"http://localhost:{port}\", {{ query: {{ room: \"lobby\" }}, auth: {{ name: \"ann\" }} }})"
        );
        println!("\n  Ctrl-C ends it.\n");
    })
}
