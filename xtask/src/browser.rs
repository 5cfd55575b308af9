//! The browsers for the tests of the client: the machine's own.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use nix::unistd::Uid;

use crate::{
    build,
    error::Result,
    process::{command, run_quietly, run_shown},
    progress::Step,
    workspace,
};

#[derive(Clone, Copy)]
pub enum Browser {
    /// Chromium or Chrome.
    Chromium,
    Firefox,
}

impl Browser {
    /// Where it usually is.
    fn programs(self) -> &'static [&'static str] {
        match self {
            Self::Chromium => &[
                "/usr/bin/chromium",
                "/usr/bin/chromium-browser",
                "/usr/bin/google-chrome",
                "/usr/bin/google-chrome-stable",
                "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
            ],
            Self::Firefox => &[
                "/usr/bin/firefox-esr",
                "/usr/bin/firefox",
                "/Applications/Firefox.app/Contents/MacOS/firefox",
            ],
        }
    }

    /// The variable that names another program.
    fn variable(self) -> &'static str {
        match self {
            Self::Chromium => "CHROMIUM",
            Self::Firefox => "FIREFOX",
        }
    }

    /// Debian's package.
    fn package(self) -> &'static str {
        match self {
            Self::Chromium => "chromium",
            Self::Firefox => "firefox-esr",
        }
    }
}

impl fmt::Display for Browser {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Chromium => "Chromium",
            Self::Firefox => "Firefox",
        })
    }
}

/// Finds the browser. As root on Debian and its derivatives, such as in CI, installs it if it is missing.
pub fn program(browser: Browser) -> Result<PathBuf> {
    let (variable, package) = (browser.variable(), browser.package());
    if let Some(program) = std::env::var_os(variable).filter(|program| !program.is_empty()) {
        return Ok(program.into());
    }
    if let Some(program) = found(browser) {
        return Ok(program);
    }
    let remedy =
        format!("Install {browser} (Debian: sudo apt-get install {package}), or set {variable} to its path.");
    if !Uid::effective().is_root() || !Path::new("/usr/bin/apt-get").exists() {
        return Err(format!("it was not found. {remedy}"));
    }
    println!(
        "  {browser} is not on this machine. As this is root, apt-get installs it, for the whole system."
    );
    let mut step = Step::begin(&format!("installing {browser} for the tests, once"));
    run_quietly(command("apt-get", &["update"]), &mut step, &remedy)?;
    let mut install = command("apt-get", &["install", "--yes", "--no-install-recommends", package]);
    install.env("DEBIAN_FRONTEND", "noninteractive");
    run_quietly(install, &mut step, &remedy)?;
    step.done("");
    found(browser).ok_or_else(|| format!("apt-get did not install {browser}. {remedy}"))
}

/// Takes screenshots of every page into docs/screenshots.
pub fn screenshots() -> Result<()> {
    build::run()?;
    let mut node = command(workspace::node_bin("node"), &[]);
    node.arg(workspace::path("tests/e2e/screenshots.mjs")).env("CHROMIUM", program(Browser::Chromium)?);
    run_shown(node, "")
}

fn found(browser: Browser) -> Option<PathBuf> {
    browser.programs().iter().map(PathBuf::from).find(|program| program.exists())
}
