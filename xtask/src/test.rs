//! `cargo xtask test`: runs every check and every test, as CI does, or some parts of them.

mod end_to_end;
mod failures;
mod tools;

use crate::{
    build, data_api,
    error::Result,
    process::{catch_stop_signals, command, run_stoppable, side_by_side},
    progress,
};

use self::{end_to_end::EndToEnd, tools::Tools};

pub const HELP: &str = "\
cargo xtask test [part…]

Sets up what is missing, then runs the checks and tests of these parts (all), from fast to slow:

  native   formatting, clippy, documentation, and the tests that need no runtime
  workerd  the Worker on the real runtime with D1, with the real clients
  browser  the client in Chromium and Firefox
  mongodb  what uses a database again, on workerd with MongoDB behind the Data API server

What cannot be run because something is missing is named at the end, with what to install; the rest runs.";

/// Which parts to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Parts {
    native: bool,
    workerd: bool,
    browser: bool,
    mongodb: bool,
}

impl Parts {
    const ALL: Self = Self { native: true, workerd: true, browser: true, mongodb: true };

    fn read(arguments: &[&str]) -> Result<Self> {
        let none = Self { native: false, workerd: false, browser: false, mongodb: false };
        let mut parts = if arguments.is_empty() { Self::ALL } else { none };
        for &argument in arguments {
            match argument {
                "native" => parts.native = true,
                "workerd" => parts.workerd = true,
                "browser" => parts.browser = true,
                "mongodb" => parts.mongodb = true,
                "all" => parts = Self::ALL,
                unknown => return Err(format!("there is no part {unknown} of the tests.\n\n{HELP}")),
            }
        }
        Ok(parts)
    }

    /// Whether anything runs on workerd.
    fn has_end_to_end(self) -> bool {
        self.workerd || self.browser || self.mongodb
    }
}

pub fn run(arguments: &[&str]) -> Result<()> {
    let parts = Parts::read(arguments)?;
    catch_stop_signals()?;
    let begun = progress::now();
    if parts.native {
        formatting()?;
    }
    // The linker and wasm-opt keep one core busy for minutes, while the native tests are compiled on the others.
    let (tools, ()) = side_by_side(|| get_and_check(parts), || build_workers(parts))?;
    let mut tests = EndToEnd::new(&tools);
    let mut outcomes = Vec::new();
    // The native tests have built it; alone it is built with other features of its dependencies.
    if parts.has_end_to_end() && !parts.native && tools.database.is_some() {
        data_api::build()?;
    }
    if parts.workerd {
        outcomes.push(tests.on_workerd());
    }
    if parts.browser {
        outcomes.push(tests.in_browsers());
    }
    if parts.mongodb {
        outcomes.push(tests.on_mongodb());
    }
    tests.print_failures_and_totals();
    outcomes.into_iter().collect::<Result<()>>()?;
    let seconds = begun.elapsed().as_secs();
    match tools.missing.as_slice() {
        [] => println!("\n✓ everything passed ({seconds} s)"),
        missing => {
            return Err(format!("what could run has passed ({seconds} s). Not run:\n{}", missing.join("\n")));
        }
    }
    Ok(())
}

/// Seconds, and what fails most often.
fn formatting() -> Result<()> {
    heading("formatting");
    run_stoppable(command("cargo", &["fmt", "--all", "--check"]), "Run `cargo fmt --all`.")
}

fn build_workers(parts: Parts) -> Result<()> {
    if parts.has_end_to_end() {
        build::run()?;
    }
    if parts.workerd {
        build::conformance()?;
        build::chat()?;
    }
    Ok(())
}

fn get_and_check(parts: Parts) -> Result<Tools> {
    let tools = Tools::get(parts);
    if parts.native {
        native(&tools)?;
    }
    Ok(tools)
}

fn native(tools: &Tools) -> Result<()> {
    let cargo = |arguments: &[&str]| command("cargo", arguments);
    heading("clippy");
    let clippy = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"];
    run_stoppable(cargo(&clippy), "Fix the warnings above.")?;
    heading("documentation");
    let mut documentation = cargo(&["doc", "--workspace", "--no-deps", "--quiet"]);
    documentation.env("RUSTDOCFLAGS", "-D warnings");
    run_stoppable(documentation, "Fix the documentation warnings above.")?;
    heading("native tests");
    let mut tests = cargo(&["test", "--workspace", "--quiet"]);
    match &tools.database {
        Some(database) => tests.envs(database.variables()),
        None => tests.args(["--exclude", "zetra-data-api"]),
    };
    run_stoppable(tests, "See the failing tests above.")
}

fn heading(text: &str) {
    println!("\n── {text}");
}

#[cfg(test)]
mod tests {
    use super::Parts;

    #[test]
    fn no_part_means_all_and_an_unknown_one_is_refused_with_those_that_there_are() {
        assert_eq!(Parts::read(&[]), Ok(Parts::ALL));
        assert_eq!(Parts::read(&["native", "all"]), Ok(Parts::ALL));
        let some = Parts { native: true, workerd: false, browser: false, mongodb: true };
        assert_eq!(Parts::read(&["mongodb", "native"]), Ok(some));
        assert!(!Parts { mongodb: false, ..some }.has_end_to_end());
        let refusal = Parts::read(&["brwoser"]).err().unwrap_or_default();
        assert!(
            refusal.starts_with("there is no part brwoser") && refusal.contains("\n  browser "),
            "{refusal}"
        );
    }
}
