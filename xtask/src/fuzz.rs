//! `cargo xtask fuzz`: runs the targets of `tests/fuzz` under libFuzzer, one after the other, each for a while.
//!
//! Without a sanitizer: there is no unsafe code of ours for one to judge, and so the pinned compiler will do instead
//! of a nightly one.

use std::fs;

use crate::{
    error::Result,
    options::Options,
    process::{command, output_of, run_noting, run_quietly},
    progress::Step,
    setup, workspace,
};

pub const HELP: &str = "\
cargo xtask fuzz [TARGET] [--seconds N]

Runs all fuzz targets, or one, for N seconds each (60), from the seeds in fuzz/seeds and what earlier runs found,
which is kept in target/fuzz-corpus. An input that breaks a promise ends the run and is kept in target/fuzz-findings:
add it to the seeds, mend what it shows, and `cargo test -p zetra-fuzz-targets` holds that.";

/// What a large input may take: bytes, seconds and MB.
const LIMITS: [&str; 3] = ["-max_len=4096", "-timeout=10", "-rss_limit_mb=2048"];

pub fn run(arguments: &[&str]) -> Result<()> {
    let (mut chosen, mut seconds) = (None, 60);
    let mut options = Options::new(arguments);
    while let Some(name) = options.next_name() {
        match name {
            "--seconds" => seconds = options.number(1..=86_400)?,
            target if !target.starts_with('-') && chosen.is_none() => chosen = Some(target),
            _ => return Err(options.unknown(HELP)),
        }
    }
    let mut targets = targets()?;
    if let Some(chosen) = chosen {
        let all = targets.join(", ");
        targets.retain(|target| target == chosen);
        if targets.is_empty() {
            return Err(format!("there is no target {chosen}; choose one of {all}"));
        }
    }
    setup::cargo_fuzz()?;
    build()?;
    targets.iter().try_for_each(|target| fuzz(target, seconds))
}

fn targets() -> Result<Vec<String>> {
    let folder = workspace::path("fuzz/fuzz_targets");
    let entries = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let files = entries.flatten().map(|entry| entry.path());
    let mut names: Vec<String> =
        files.filter_map(|file| Some(file.file_stem()?.to_string_lossy().into_owned())).collect();
    names.sort();
    Ok(names)
}

fn build() -> Result<()> {
    let mut step = Step::begin("building the fuzz targets");
    // One unit for each crate would take twice the time.
    let arguments = ["build", "--sanitizer", "none", "--codegen-units", "16", "--target-dir", "target/fuzz"];
    let build = command(workspace::tool("cargo-fuzz"), &arguments);
    run_quietly(build, &mut step, "libFuzzer needs a C++ compiler (Debian: g++). The output:")?;
    step.done("");
    Ok(())
}

fn fuzz(target: &str, seconds: u32) -> Result<()> {
    let host =
        output_of(command("rustc", &["--print", "host-tuple"])).ok_or("rustc does not tell its host")?;
    let [corpus, findings] = ["corpus", "findings"].map(|kind| format!("target/fuzz-{kind}/{target}"));
    for folder in [&corpus, &findings] {
        fs::create_dir_all(workspace::path(folder)).map_err(|error| format!("{folder}: {error}"))?;
    }
    let mut step = Step::begin(&format!("fuzzing {target} for {seconds} s"));
    let mut fuzzer = command(workspace::path(&format!("target/fuzz/{host}/release/{target}")), &LIMITS);
    fuzzer.arg(format!("-max_total_time={seconds}")).arg(format!("-artifact_prefix={findings}/"));
    fuzzer.args(["-print_final_stats=1", &corpus, &format!("fuzz/seeds/{target}")]);
    let mut executions = String::new();
    let remedy = format!("What broke it is in {findings}/. The output:");
    run_noting(fuzzer, &mut step, &remedy, |line| {
        if let Some(count) = line.strip_prefix("stat::number_of_executed_units:") {
            count.trim().clone_into(&mut executions);
        }
    })?;
    step.done(&format!("{executions} executions "));
    Ok(())
}
