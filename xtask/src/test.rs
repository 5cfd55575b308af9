//! `cargo xtask test`: runs every check and every test, as CI does.

use crate::{
    browser, build,
    error::Result,
    mongodb::{self, TestDatabase},
    process::{command, run_shown},
    progress, schemathesis, setup, workspace,
};

/// The tests that use a database; they run once for each kind.
const ON_EVERY_DATABASE: [&str; 10] = [
    "authorization",
    "calls",
    "clients",
    "hosts",
    "openapi",
    "recovery",
    "rest",
    "schemathesis",
    "signalling",
    "survival",
];

/// The browser tests run alone: several browsers would slow down tests that measure milliseconds.
const BROWSER: &str = "browser";

pub fn run() -> Result<()> {
    let begun = progress::now();
    let browser = browser::program()?;
    // pip and cargo wait for different things.
    std::thread::scope(|scope| {
        let python = scope.spawn(|| mongodb::install().and_then(|()| schemathesis::install()));
        setup::run()?;
        python.join().unwrap_or_else(|_| Err("a set-up step panicked".to_owned()))
    })?;
    let cargo = |arguments: &[&str]| command("cargo", arguments);
    heading("formatting");
    run_shown(cargo(&["fmt", "--all", "--check"]), "Run `cargo fmt --all`.")?;
    heading("clippy");
    let clippy = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"];
    run_shown(cargo(&clippy), "Fix the warnings above.")?;
    heading("documentation");
    let mut documentation = cargo(&["doc", "--workspace", "--no-deps", "--quiet"]);
    documentation.env("RUSTDOCFLAGS", "-D warnings");
    run_shown(documentation, "Fix the documentation warnings above.")?;
    heading("native tests");
    let database = TestDatabase::open()?;
    let mut native = cargo(&["test", "--workspace", "--quiet"]);
    native.envs(database.variables());
    run_shown(native, "See the failing tests above.")?;
    heading("the Workers");
    build::run()?;
    build::conformance()?;
    build::chat()?;
    heading("tests on workerd with the real client");
    let mut totals = Totals::default();
    let mut variables = database.variables().to_vec();
    variables.push(("CHROMIUM", browser.display().to_string()));
    variables.push(("ZETRA_TEST_SCHEMATHESIS", schemathesis::program().display().to_string()));
    let on_d1 = end_to_end("e2e", |name| !name.starts_with(BROWSER), 2, "d1", &variables, &mut totals);
    heading("the client in a browser");
    let in_browser =
        end_to_end("e2e-browser", |name| name.starts_with(BROWSER), 1, "d1", &variables, &mut totals);
    heading("the same on workerd with MongoDB");
    let on_every_database = |name: &str| ON_EVERY_DATABASE.contains(&name);
    let on_mongodb = end_to_end("e2e-mongodb", on_every_database, 2, "mongodb", &variables, &mut totals);
    totals.print();
    on_d1.and(in_browser).and(on_mongodb)?;
    println!("\n✓ everything passed ({} s)", begun.elapsed().as_secs());
    Ok(())
}

/// Shows the results as they come, and writes them as TAP into target/, from where the totals are added up.
fn end_to_end(
    name: &str,
    chosen: impl Fn(&str) -> bool,
    at_once: usize,
    store: &str,
    variables: &[(&str, String)],
    totals: &mut Totals,
) -> Result<()> {
    let tap = workspace::path(&format!("target/{name}.tap"));
    let mut node =
        command(workspace::node_bin("node"), &["--test", &format!("--test-concurrency={at_once}")]);
    node.args(["--test-reporter=spec", "--test-reporter-destination=stdout", "--test-reporter=tap"]);
    node.arg(format!("--test-reporter-destination={}", tap.display())).args(end_to_end_tests(chosen)?);
    node.env("TEST_STORE", store).envs(variables.iter().cloned());
    let outcome = run_shown(node, "See the failing tests above.");
    totals.add(&std::fs::read_to_string(&tap).unwrap_or_default());
    outcome
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

    fn print(&self) {
        self.0.iter().for_each(|(label, total)| println!("# {label} {total}"));
    }
}

fn heading(text: &str) {
    println!("\n── {text}");
}

fn end_to_end_tests(chosen: impl Fn(&str) -> bool) -> Result<Vec<std::path::PathBuf>> {
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
