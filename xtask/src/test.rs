//! `cargo xtask test`: every check and every test. What CI runs.

use crate::{
    Result, build,
    process::{command, run_shown},
    progress, setup, workspace,
};

pub fn run() -> Result<()> {
    let begun = progress::now();
    setup::run()?;
    let cargo = |arguments: &[&str]| command("cargo", arguments);
    heading("formatting");
    run_shown(cargo(&["fmt", "--all", "--check"]), "Run `cargo fmt --all`.")?;
    heading("clippy");
    let clippy = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"];
    run_shown(cargo(&clippy), "Mend what clippy names.")?;
    heading("native tests");
    run_shown(cargo(&["test", "--workspace", "--quiet"]), "The failing test says what was expected.")?;
    heading("the Workers");
    build::run()?;
    build::conformance()?;
    heading("tests on workerd with the real client");
    end_to_end()?;
    println!("\n✓ everything passed ({} s)", begun.elapsed().as_secs());
    Ok(())
}

/// For people as it happens, and its closing lines once more, plain, for machines that read them.
fn end_to_end() -> Result<()> {
    let tap = workspace::path("target/e2e.tap");
    let mut node = command(workspace::node_bin("node"), &["--test", "--test-concurrency=2"]);
    node.args(["--test-reporter=spec", "--test-reporter-destination=stdout", "--test-reporter=tap"]);
    node.arg(format!("--test-reporter-destination={}", tap.display())).args(end_to_end_tests()?);
    let outcome = run_shown(node, "The failing test says what was expected.");
    let closing = std::fs::read_to_string(&tap).unwrap_or_default();
    closing.lines().filter(|line| line.starts_with("# ")).for_each(|line| println!("{line}"));
    outcome
}

fn heading(text: &str) {
    println!("\n── {text}");
}

fn end_to_end_tests() -> Result<Vec<std::path::PathBuf>> {
    let folder = workspace::path("tests/e2e");
    let entries = std::fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut tests: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    tests.retain(|path| path.to_string_lossy().ends_with(".test.mjs"));
    tests.sort();
    if tests.is_empty() { Err(format!("no tests in {}", folder.display())) } else { Ok(tests) }
}
