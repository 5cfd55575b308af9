//! The browser for the tests of the client: the machine's own Chromium or Chrome.

use std::path::{Path, PathBuf};

use nix::unistd::Uid;

use crate::{
    build,
    error::Result,
    process::{command, run_quietly, run_shown},
    progress::Step,
    workspace,
};

/// The `CHROMIUM` variable takes precedence over these.
const PROGRAMS: [&str; 5] = [
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome",
    "/usr/bin/google-chrome-stable",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/// Finds the browser. As root on Debian and its derivatives, such as in CI, installs it if it is missing.
pub fn program() -> Result<PathBuf> {
    if let Some(program) = std::env::var_os("CHROMIUM").filter(|program| !program.is_empty()) {
        return Ok(program.into());
    }
    if let Some(program) = found() {
        return Ok(program);
    }
    let remedy =
        "Install Chromium or Chrome (Debian: sudo apt-get install chromium), or set CHROMIUM to its path.";
    if !Uid::effective().is_root() || !Path::new("/usr/bin/apt-get").exists() {
        return Err(format!("no browser was found for the client tests. {remedy}"));
    }
    let mut step = Step::begin("installing Chromium, the browser for the tests, once");
    run_quietly(command("apt-get", &["update"]), &mut step, remedy)?;
    let mut install = command("apt-get", &["install", "--yes", "--no-install-recommends", "chromium"]);
    install.env("DEBIAN_FRONTEND", "noninteractive");
    run_quietly(install, &mut step, remedy)?;
    step.done("");
    found().ok_or_else(|| format!("apt-get did not install Chromium. {remedy}"))
}

/// Takes screenshots of every page into docs/screenshots.
pub fn screenshots() -> Result<()> {
    build::run()?;
    let mut node = command(workspace::node_bin("node"), &[]);
    node.arg(workspace::path("tests/e2e/screenshots.mjs")).env("CHROMIUM", program()?);
    run_shown(node, "")
}

fn found() -> Option<PathBuf> {
    PROGRAMS.into_iter().map(PathBuf::from).find(|program| program.exists())
}
