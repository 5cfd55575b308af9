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

/// The oldest Firefox that the tests have been run with. Version 140 lacks a command of WebDriver BiDi that Playwright
/// sends.
const OLDEST_FIREFOX: u32 = 153;

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

    fn is_recent_enough(self, program: &Path) -> bool {
        match self {
            Self::Chromium => true,
            // What does not tell its version is tried.
            Self::Firefox => version(program).is_none_or(|version| version >= OLDEST_FIREFOX),
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
    let remedy = format!(
        "Install {browser} (Debian: sudo apt-get update && sudo apt-get install {package}), or set {variable} to its path."
    );
    let is_old = existing(browser).next().is_some();
    let fault = if is_old {
        format!("it is older than version {OLDEST_FIREFOX}")
    } else {
        "it was not found".to_owned()
    };
    if !Uid::effective().is_root() || !Path::new("/usr/bin/apt-get").exists() {
        return Err(format!("{fault}. {remedy}"));
    }
    println!("  {browser}: {fault}. As this is root, apt-get installs it, for the whole system.");
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
    existing(browser).find(|program| browser.is_recent_enough(program))
}

fn existing(browser: Browser) -> impl Iterator<Item = PathBuf> {
    browser.programs().iter().map(PathBuf::from).filter(|program| program.exists())
}

fn version(program: &Path) -> Option<u32> {
    let output = command(program, &["--version"]).output().ok()?;
    major(&String::from_utf8_lossy(&output.stdout))
}

/// The first part of the version in `Mozilla Firefox 153.8.0esr`.
fn major(text: &str) -> Option<u32> {
    let number =
        text.split_whitespace().find(|word| word.starts_with(|first: char| first.is_ascii_digit()))?;
    number.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::major;

    #[test]
    fn a_version_is_read_from_what_a_browser_tells() {
        assert_eq!(major("Mozilla Firefox 140.10.2esr\n"), Some(140));
        assert_eq!(major("Mozilla Firefox 153.0"), Some(153));
        assert_eq!(major("no display"), None);
    }
}
