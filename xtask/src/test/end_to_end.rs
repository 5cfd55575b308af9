//! The tests in tests/e2e, run by Node's test runner.

use std::path::PathBuf;

use super::{heading, tools::Tools};
use crate::{
    error::Result,
    process::{command, run_shown},
    schemathesis, workspace,
};

/// The tests that say something about a database; they run once for each kind.
const ON_EVERY_DATABASE: [&str; 9] = [
    "authorization",
    "calls",
    "clients",
    "hosts",
    "openapi",
    "rest",
    "schemathesis",
    "signalling",
    "survival",
];
/// The tests that start MongoDB's server and database themselves, whatever the others run on.
const ON_MONGODB_ONLY: [&str; 3] = ["faults", "soak_database", "takeover"];
/// The browser tests run on their own: browsers take whole cores, and the tests with time-outs would suffer.
const BROWSER: &str = "browser";
const FIREFOX: &str = "browser_firefox";
/// How many files run at once. On two cores most of them wait most of the time, for heartbeats and time-outs; browsers work.
const FILES_AT_ONCE: usize = 4;
const BROWSER_FILES_AT_ONCE: usize = 2;

pub struct EndToEnd<'a> {
    tools: &'a Tools,
    totals: Totals,
}

impl<'a> EndToEnd<'a> {
    pub fn new(tools: &'a Tools) -> Self {
        Self { tools, totals: Totals::default() }
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

    pub fn print_totals(&self) {
        self.totals.0.iter().for_each(|(label, total)| println!("# {label} {total}"));
    }

    /// Shows the results as they come, and writes them as TAP into target/, from where the totals are added up.
    fn run(&mut self, name: &str, at_once: usize, store: &str, chosen: impl Fn(&str) -> bool) -> Result<()> {
        let tap = workspace::path(&format!("target/{name}.tap"));
        let mut node =
            command(workspace::node_bin("node"), &["--test", &format!("--test-concurrency={at_once}")]);
        node.args(["--test-reporter=spec", "--test-reporter-destination=stdout", "--test-reporter=tap"]);
        node.arg(format!("--test-reporter-destination={}", tap.display()));
        let has_schemathesis = self.tools.schemathesis;
        node.args(files(|name| chosen(name) && (has_schemathesis || name != "schemathesis"))?);
        node.env("TEST_STORE", store).env("ZETRA_TEST_SCHEMATHESIS", schemathesis::program());
        if let Some(database) = &self.tools.database {
            node.envs(database.variables());
        }
        for (variable, program) in [("CHROMIUM", &self.tools.chromium), ("FIREFOX", &self.tools.firefox)] {
            if let Some(program) = program {
                node.env(variable, program);
            }
        }
        let outcome = run_shown(node, "See the failing tests above.");
        self.totals.add(&std::fs::read_to_string(&tap).unwrap_or_default());
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
    let mut tests: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    tests.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.strip_suffix(".test.mjs").is_some_and(&chosen)
    });
    tests.sort();
    if tests.is_empty() { Err(format!("no tests in {}", folder.display())) } else { Ok(tests) }
}
