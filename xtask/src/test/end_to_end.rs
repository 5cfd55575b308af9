//! The tests in tests/e2e, run by Node's test runner.

use std::path::PathBuf;

use super::{failures::failures, heading, tools::Tools};
use crate::{
    error::Result,
    process::{command, fail_if_stopping, run_stoppable},
    schemathesis, workspace,
};

/// The tests that say something about a database; they run once for each kind.
const ON_EVERY_DATABASE: [&str; 7] =
    ["authorization", "calls", "hosts", "openapi", "rest", "schemathesis", "signalling"];
/// The tests that start MongoDB's server and database themselves, whatever the others run on.
const ON_MONGODB_ONLY: [&str; 3] = ["faults", "soak_database", "takeover"];
/// The longest of those that run beside others, in this order: nothing would run beside one that began last. Each run prints
/// how long its files took.
const LONG: [&str; 23] = [
    "signalling",
    "schemathesis",
    "cost",
    "recovery",
    "webhooks",
    "hosts",
    "store_faults",
    "envelope",
    "faults",
    "deploy",
    "hostile_frames",
    "wrangler",
    "soak_load",
    "clients",
    "conformance",
    "browser",
    "browser_firefox",
    "browser_call_screen",
    "browser_call_view",
    "browser_devices",
    "browser_losses",
    "browser_refusals",
    "browser_host",
];
/// The browser tests run on their own: browsers take whole cores, and the tests with time-outs would suffer.
const BROWSER: &str = "browser";
const FIREFOX: &str = "browser_firefox";
/// How many files run at once. On two cores most of them wait most of the time, for heartbeats and time-outs; browsers work.
const FILES_AT_ONCE: usize = 4;
const BROWSER_FILES_AT_ONCE: usize = 2;

pub struct EndToEnd<'a> {
    tools: &'a Tools,
    totals: Totals,
    failures: Vec<String>,
}

impl<'a> EndToEnd<'a> {
    pub fn new(tools: &'a Tools) -> Self {
        Self { tools, totals: Totals::default(), failures: Vec::new() }
    }

    pub fn on_workerd(&mut self) -> Result<()> {
        heading("tests on workerd with the real client");
        self.run("e2e", FILES_AT_ONCE, "d1", |name| {
            !name.starts_with(BROWSER) && !ON_MONGODB_ONLY.contains(&name)
        })
    }

    pub fn in_browsers(&mut self) -> Result<()> {
        if self.tools.chromium.is_none() {
            return Ok(());
        }
        heading("the client in a browser");
        let has_firefox = self.tools.firefox.is_some();
        self.run("e2e-browser", BROWSER_FILES_AT_ONCE, "d1", |name| {
            name.starts_with(BROWSER) && (has_firefox || name != FIREFOX)
        })
    }

    pub fn on_mongodb(&mut self) -> Result<()> {
        if self.tools.database.is_none() {
            return Ok(());
        }
        heading("the same on workerd with MongoDB");
        self.run("e2e-mongodb", FILES_AT_ONCE, "mongodb", |name| {
            ON_EVERY_DATABASE.contains(&name) || ON_MONGODB_ONLY.contains(&name)
        })
    }

    /// At the end, where they are looked for: each part has told its failures before the next one began.
    pub fn print_failures_and_totals(&self) {
        if !self.failures.is_empty() {
            heading("what failed");
            self.failures.iter().for_each(|failure| println!("{failure}\n"));
        }
        self.totals.0.iter().for_each(|(label, total)| println!("# {label} {total}"));
    }

    /// Shows the results as they come, and writes them as TAP into target/, from where the totals are added up.
    fn run(&mut self, name: &str, at_once: usize, store: &str, chosen: impl Fn(&str) -> bool) -> Result<()> {
        fail_if_stopping()?;
        let tap = workspace::path(&format!("target/{name}.tap"));
        let mut node = command(workspace::node_bin("node"), &["tests/e2e/run.mjs", &at_once.to_string()]);
        node.arg(&tap);
        let has_schemathesis = self.tools.schemathesis;
        node.args(files(|name| chosen(name) && (has_schemathesis || name != "schemathesis"))?);
        // Each file is a process of its own, which loads Miniflare: half a second less.
        node.env("NODE_COMPILE_CACHE", workspace::path("target/node-compile-cache"));
        node.env("TEST_STORE", store).env("ZETRA_TEST_SCHEMATHESIS", schemathesis::program());
        if let Some(database) = &self.tools.database {
            node.envs(database.variables());
        }
        for (variable, program) in [("CHROMIUM", &self.tools.chromium), ("FIREFOX", &self.tools.firefox)] {
            if let Some(program) = program {
                node.env(variable, program);
            }
        }
        // What an earlier run wrote is not this one's.
        let _ = std::fs::remove_file(&tap);
        let outcome = run_stoppable(node, "See the failing tests above.");
        let tap = std::fs::read_to_string(&tap).unwrap_or_default();
        self.totals.add(&tap);
        self.failures.extend(failures(&tap).into_iter().map(|failure| format!("  {name}: {failure}")));
        outcome
    }
}

/// The sums of the runs' closing lines, such as `# tests 7`.
#[derive(Default)]
struct Totals(Vec<(String, f64)>);

impl Totals {
    fn add(&mut self, tap: &str) {
        for line in tap.lines().filter_map(|line| line.strip_prefix("# ")) {
            let Some((label, Ok(count))) =
                line.rsplit_once(' ').map(|(label, count)| (label, count.parse::<f64>()))
            else {
                continue;
            };
            match self.0.iter_mut().find(|(known, _)| known == label) {
                Some((_, total)) => *total += count,
                None => self.0.push((label.to_owned(), count)),
            }
        }
    }
}

fn files(chosen: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>> {
    let folder = workspace::path("tests/e2e");
    let entries = std::fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let files = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let names = files.filter_map(|file| file.strip_suffix(".test.mjs").map(str::to_owned));
    let mut names: Vec<_> = names.filter(|name| chosen(name)).collect();
    let place = |name: &String| LONG.iter().position(|long| long == name).unwrap_or(LONG.len());
    names.sort_by_key(|name| (place(name), name.clone()));
    let paths: Vec<_> = names.iter().map(|name| folder.join(format!("{name}.test.mjs"))).collect();
    if paths.is_empty() { Err(format!("no tests in {}", folder.display())) } else { Ok(paths) }
}
