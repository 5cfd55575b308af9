//! Builds the Worker with worker-build, which runs cargo for wasm32, wasm-bindgen and esbuild, and then with wasm-opt.
//! All four are pinned and local, so that a build downloads nothing.

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::{
    error::Result,
    process::{command, run_quietly},
    progress::Step,
    setup::{self, newest_change},
    workspace,
};

/// A crate that is built as a Worker.
struct Worker {
    name: &'static str,
    package: &'static str,
    /// Where its manifest and its `build/` are.
    folder: &'static str,
    sources: &'static [&'static str],
}

const SHARED: [&str; 3] = ["crates", "Cargo.lock", "rust-toolchain.toml"];
/// The tools, and how they are called. A change in one of these makes a new bundle, even if the compiled code is the same.
const TOOLS: [&str; 4] = ["package-lock.json", "Cargo.toml", "xtask/src/build.rs", "xtask/src/workspace.rs"];
const PRODUCT: Worker =
    Worker { name: "the Worker", package: "zetra", folder: ".", sources: &["src", "durable_objects"] };
/// The fixture of the official protocol suites.
const CONFORMANCE: Worker = Worker {
    name: "the conformance Worker",
    package: "zetra-conformance",
    folder: "tests/conformance",
    sources: &["tests/conformance/src", "tests/conformance/Cargo.toml"],
};
const CHAT: Worker = Worker {
    name: "the chat example",
    package: "zetra-example-chat",
    folder: "examples/chat",
    sources: &["examples/chat/src", "examples/chat/Cargo.toml", "examples/chat/index.html"],
};
/// The WebAssembly features that workerd supports; the same list as in worker-build.
const FEATURES: [&str; 7] = [
    "--enable-mutable-globals",
    "--enable-sign-ext",
    "--enable-nontrapping-float-to-int",
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-reference-types",
    "--enable-exception-handling",
];

/// Set to `quick` by `dev`, for the builds that wrangler starts after an edit.
pub const EFFORT: &str = "ZETRA_BUILD";
pub const QUICK: &str = "quick";

/// What is done for size and speed. A build with more than is asked for will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Effort {
    /// Without wasm-opt, which takes twice as long as everything else: somebody waits for it, after each edit.
    Quick,
    /// What is deployed, tested and measured.
    Whole,
}

/// Builds what is deployed.
pub fn run() -> Result<()> {
    product(Effort::Whole)
}

/// Builds what can be served on this machine.
pub fn quick() -> Result<()> {
    product(Effort::Quick)
}

/// `cargo xtask build`, by hand or by wrangler.
pub fn as_told() -> Result<()> {
    let is_quick = std::env::var_os(EFFORT).is_some_and(|effort| effort == Effort::Quick.name());
    product(if is_quick { Effort::Quick } else { Effort::Whole })
}

fn product(effort: Effort) -> Result<()> {
    build(&PRODUCT, effort)?;
    site()
}

/// Bundles the client and the documentation into the folder of static assets, together with their pages.
fn site() -> Result<()> {
    const OUTPUT: &str = "target/site";
    // The viewer of the documentation is an npm package.
    let begun = now();
    let bundled = workspace::path(&format!("{OUTPUT}/docs/docs.js"));
    if modified(&bundled) >= newest_of(&["web", "package-lock.json", "xtask/src/build.rs"]) {
        return Ok(());
    }
    let mut step = Step::begin("building the client");
    // Half of a build must not be taken for a whole one.
    let _ = fs::remove_file(&bundled);
    let copy = |file: &str, to: &str| {
        let (file, to) =
            (workspace::path(&format!("web/static/{file}")), workspace::path(&format!("{OUTPUT}/{to}")));
        fs::copy(&file, &to).map(|_| ()).map_err(|error| format!("{}: {error}", file.display()))
    };
    for folder in ["app", "docs", "docs/events"] {
        let folder = workspace::path(&format!("{OUTPUT}/{folder}"));
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    for file in ["_headers", "openapi.json", "asyncapi.json"] {
        copy(file, file)?;
    }
    for file in ["docs/index.html", "docs/events/index.html", "docs/events/events.css"] {
        copy(file, file)?;
    }
    copy("index.html", "app/index.html")?;
    copy("icon.svg", "app/icon.svg")?;
    let mut bundle = command(workspace::node_bin("esbuild"), &[]);
    bundle.args(["app/app=web/src/app.js", "app/app=web/src/app.css"]);
    bundle.args(["docs/docs=web/src/docs.js", "docs/docs=web/src/docs.css"]);
    bundle.args(["--bundle", "--minify", "--format=esm", "--target=es2022", "--external:./icon.svg"]);
    bundle.args(["--log-level=warning", &format!("--outdir={OUTPUT}")]);
    run_quietly(bundle, &mut step, "The output of esbuild:")?;
    // What was edited meanwhile is newer.
    set_modified(&bundled, begun)?;
    step.done("");
    Ok(())
}

pub fn conformance() -> Result<()> {
    build(&CONFORMANCE, Effort::Quick)
}

pub fn chat() -> Result<()> {
    build(&CHAT, Effort::Quick)
}

fn build(worker: &Worker, effort: Effort) -> Result<()> {
    let Worker { name, package, folder, sources } = worker;
    let begun = now();
    let folder = workspace::path(folder);
    let output = folder.join("build/index_bg.wasm");
    let file = workspace::path(&format!("target/{package}.built"));
    // Of what is there now, and of nothing else that may have been put there.
    let stamp = Stamp::read(&file).filter(|stamp| modified(&output) == Some(stamp.output));
    let stamp = stamp.filter(|stamp| stamp.effort >= effort);
    let newest = [*sources, &SHARED, &TOOLS].into_iter().map(newest_of).max().flatten();
    if stamp.is_some_and(|stamp| Some(stamp.begun) >= newest) {
        return setup::run();
    }
    let mut step = Step::begin(&format!("building {name}"));
    // Cargo decides whether a change affects the Worker; a changed test, for example, does not.
    let compiled = setup::run_beside(|| compile(package, &mut step))?;
    if let Some(stamp) = stamp.filter(|stamp| stamp.compiled == compiled)
        && Some(stamp.begun) >= newest_of(&TOOLS)
    {
        step.done("(unchanged) ");
        return Stamp { begun, ..stamp }.write(&file);
    }
    let _ = fs::remove_file(&file);
    bundle(package, &folder, &mut step)?;
    if effort == Effort::Whole {
        optimise(&output, &mut step)?;
    }
    Stamp { begun, compiled, output: time_of(&output)?, effort }.write(&file)?;
    let size = fs::metadata(&output).map_or(0, |file| file.len()) / 1_024;
    step.done(&format!("{size} KiB of WASM "));
    Ok(())
}

/// What is noted after the last step of a build, so that half of one is not taken for a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    /// When the build began: what was edited meanwhile is newer.
    begun: SystemTime,
    /// The times of the compiled code that was bundled, and of the result.
    compiled: SystemTime,
    output: SystemTime,
    effort: Effort,
}

impl Stamp {
    fn read(file: &Path) -> Option<Self> {
        Self::parse(&fs::read_to_string(file).ok()?)
    }

    fn write(&self, file: &Path) -> Result<()> {
        fs::write(file, self.text()).map_err(|error| format!("{}: {error}", file.display()))
    }

    fn text(&self) -> String {
        let since = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let [begun, compiled, output] = [self.begun, self.compiled, self.output].map(since);
        format!("{begun} {compiled} {output} {}\n", self.effort.name())
    }

    /// Half a text is none.
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.strip_suffix('\n')?.split(' ');
        let mut time = || Some(UNIX_EPOCH + Duration::from_nanos(words.next()?.parse().ok()?));
        let (begun, compiled, output) = (time()?, time()?, time()?);
        let name = words.next()?;
        let effort = [Effort::Quick, Effort::Whole].into_iter().find(|effort| effort.name() == name)?;
        Some(Self { begun, compiled, output, effort })
    }
}

impl Effort {
    fn name(self) -> &'static str {
        match self {
            Self::Quick => QUICK,
            Self::Whole => "whole",
        }
    }
}

/// The time of the code that is compiled now.
fn compile(package: &str, step: &mut Step) -> Result<SystemTime> {
    let arguments =
        ["build", "--release", "--lib", "--target", "wasm32-unknown-unknown", "--package", package];
    run_quietly(with_environment(command("cargo", &arguments)), step, "The compiler's output:")?;
    let file = format!("target/wasm32-unknown-unknown/release/{}.wasm", package.replace('-', "_"));
    time_of(&workspace::path(&file))
}

/// Makes what a Worker in that folder is served as.
fn bundle(package: &str, folder: &Path, step: &mut Step) -> Result<()> {
    let mut build = with_environment(command(workspace::tool("worker-build"), &["--release"]));
    // In the workspace's root cargo would build other members too, with the features of all of them.
    build.arg(folder).args(["--package", package]);
    run_quietly(build, step, "The output of worker-build:")
}

fn optimise(output: &Path, step: &mut Step) -> Result<()> {
    let (before, smaller) = (time_of(output)?, output.with_extension("optimised.wasm"));
    // Function names would be a fifth of what a cold start loads.
    let mut optimise = command(workspace::node_bin("wasm-opt"), &["-Os"]);
    // Copies of one generic function for several types resemble each other: side by side they compress better.
    optimise.args(["--reorder-functions-by-name", "--strip-debug", "--strip-producers"]);
    optimise.args(FEATURES).arg(output).arg("-o").arg(&smaller);
    run_quietly(optimise, step, "The output of wasm-opt:")?;
    if time_of(output)? != before {
        return Err(
            "another build, perhaps that of `cargo xtask dev`, has changed build/ meanwhile; run it again"
                .to_owned(),
        );
    }
    fs::rename(&smaller, output).map_err(|error| format!("{}: {error}", output.display()))
}

fn with_environment(mut build: Command) -> Command {
    let root = workspace::root();
    let home = std::env::var("CARGO_HOME").or_else(|_| std::env::var("HOME").map(|home| home + "/.cargo"));
    // Panic messages contain file names; keep this machine's absolute paths out of them.
    let paths = [(root.display().to_string(), "."), (home.unwrap_or_default() + "/registry/src", "crates")];
    let flags = paths.map(|(from, to)| format!("--remap-path-prefix={from}={to}"));
    build
        // Before all other settings of this kind; a path may contain spaces.
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"))
        .env("WASM_BINDGEN_BIN", workspace::tool("wasm-bindgen"))
        .env("ESBUILD_BIN", workspace::node_bin("esbuild"))
        .env("RUST_BACKTRACE", "0");
    build
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|file| file.modified()).ok()
}

fn time_of(path: &Path) -> Result<SystemTime> {
    modified(path).ok_or_else(|| format!("{} was not made", path.display()))
}

fn newest_of(sources: &[&str]) -> Option<SystemTime> {
    sources.iter().filter_map(|source| newest_change(&workspace::path(source))).max()
}

fn set_modified(path: &Path, time: SystemTime) -> Result<()> {
    let file = fs::File::options().append(true).open(path);
    file.and_then(|file| file.set_modified(time)).map_err(|error| format!("{}: {error}", path.display()))
}

#[allow(clippy::disallowed_methods, reason = "nothing here runs on wasm32")]
fn now() -> SystemTime {
    SystemTime::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_read_as_it_was_written_and_half_of_one_is_none() {
        let at = |nanoseconds| UNIX_EPOCH + Duration::from_nanos(nanoseconds);
        let stamp = Stamp {
            begun: at(1),
            compiled: at(1_700_000_000_123_456_789),
            output: at(3),
            effort: Effort::Quick,
        };
        let text = stamp.text();
        assert_eq!(Stamp::parse(&text), Some(stamp));
        for end in 0..text.len() {
            assert_eq!(Stamp::parse(&text[..end]), None, "{}", &text[..end]);
        }
    }
}
