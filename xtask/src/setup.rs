//! Installs what is missing, into target/ and node_modules/ only. Each step does nothing if it is already done,
//! so this can run before every command.

use std::{fs, io::ErrorKind, path::Path, time::SystemTime};

use crate::{
    error::Result,
    process::{command, output_of, run_quietly},
    progress::Step,
    workspace,
};

const OLDEST_NODE: (u32, u32) = (22, 12);

pub fn run() -> Result<()> {
    run_beside(|| Ok(()))
}

/// Does `work`, which needs no more than the wasm32 target, while the rest is installed.
pub fn run_beside<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    wasm_target()?;
    // They wait for different things, so they run side by side.
    let done = std::thread::scope(|scope| {
        let steps = [scope.spawn(worker_build), scope.spawn(wasm_bindgen), scope.spawn(npm_packages)];
        let done = work();
        let outcomes =
            steps.map(|step| step.join().unwrap_or_else(|_| Err("a set-up step panicked".to_owned())));
        outcomes.into_iter().collect::<Result<()>>().and(done)
    })?;
    dev_vars()?;
    Ok(done)
}

fn wasm_target() -> Result<()> {
    const TARGET: &str = "wasm32-unknown-unknown";
    let sysroot = output_of(command("rustc", &["--print", "sysroot"]))
        .ok_or("rustc was not found. Install Rust from https://rustup.rs")?;
    if Path::new(&sysroot).join("lib/rustlib").join(TARGET).is_dir() {
        return Ok(());
    }
    let mut step = Step::begin("adding the wasm32 target");
    let remedy = "Install Rust with rustup (https://rustup.rs), or add your distribution's wasm32 target.";
    run_quietly(command("rustup", &["target", "add", TARGET]), &mut step, remedy)?;
    step.done("");
    Ok(())
}

fn worker_build() -> Result<()> {
    cargo_install("worker-build", workspace::WORKER_BUILD, "worker-build", &[])
}

/// The command-line tool must have exactly the library's version.
fn wasm_bindgen() -> Result<()> {
    let version =
        workspace::locked_version("wasm-bindgen").ok_or("Cargo.lock does not contain wasm-bindgen")?;
    // Its default feature is the TLS of a test runner, which is not used.
    cargo_install("wasm-bindgen-cli", &version, "wasm-bindgen", &["--no-default-features"])
}

/// Only for `cargo xtask fuzz`.
pub fn cargo_fuzz() -> Result<()> {
    cargo_install("cargo-fuzz", workspace::CARGO_FUZZ, "cargo-fuzz", &[])
}

fn cargo_install(package: &str, version: &str, program: &str, features: &[&str]) -> Result<()> {
    let stamp = workspace::path("target/tools").join(format!("{package}-{version}"));
    if stamp.exists() && workspace::tool(program).exists() {
        return Ok(());
    }
    // Of other versions, whose programs are replaced.
    for other in fs::read_dir(workspace::path("target/tools")).into_iter().flatten().flatten() {
        if other.file_name().to_string_lossy().starts_with(&format!("{package}-")) && other.path().is_file() {
            let _ = fs::remove_file(other.path());
        }
    }
    let mut step = Step::begin(&format!("building {package} {version}, once"));
    let target_dir = workspace::path("target/tools-build").join(package);
    let install = |locked: bool| {
        let mut install = command("cargo", &["install", package, "--version", version, "--debug", "--force"]);
        if locked {
            install.arg("--locked");
        }
        install.args(features).args(["--bin", program]);
        install.arg("--root").arg(workspace::path("target/tools")).arg("--target-dir").arg(&target_dir);
        // The profile that builds fastest: these tools run only for seconds.
        install.env("CARGO_PROFILE_DEV_DEBUG", "0");
        install
    };
    let remedy = "Is crates.io reachable? Run the command again; it continues where it stopped.";
    // A published lock file may contain a version that has been yanked since.
    run_quietly(install(true), &mut step, remedy)
        .or_else(|_| run_quietly(install(false), &mut step, remedy))?;
    fs::write(&stamp, "").map_err(|error| format!("cannot write {}: {error}", stamp.display()))?;
    // Keep the tools, delete their build artifacts.
    let _ = fs::remove_dir_all(target_dir);
    step.done("");
    Ok(())
}

fn npm_packages() -> Result<()> {
    let installed = workspace::path("node_modules/.package-lock.json");
    let lock = workspace::path("package-lock.json");
    let modified = |path: &Path| fs::metadata(path).and_then(|file| file.modified()).ok();
    if modified(&installed).is_none() || modified(&installed) < modified(&lock) {
        let mut step = Step::begin("installing npm packages");
        let remedy = "npm is needed: install Node.js from https://nodejs.org. Is the npm registry reachable?";
        let npm = command("npm", &["ci", "--no-audit", "--no-fund", "--loglevel", "error"]);
        run_quietly(npm, &mut step, remedy)?;
        step.done("");
    }
    let version = output_of(command(workspace::node_bin("node"), &["--version"])).unwrap_or_default();
    let mut numbers = version.trim_start_matches('v').split('.').map_while(|part| part.parse::<u32>().ok());
    let found = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if found < OLDEST_NODE {
        return Err(format!(
            "the npm package `node` reports version {version:?}, but {}.{} or later is needed. Remove node_modules and \
             run again; npm must be allowed to run install scripts.",
            OLDEST_NODE.0, OLDEST_NODE.1
        ));
    }
    Ok(())
}

/// Adds a random JWT_SECRET to .dev.vars, this machine's secrets, unless one is set.
fn dev_vars() -> Result<()> {
    let path = workspace::path(".dev.vars");
    let mut text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            "# Secrets of the local server. Never commit this file.\n".to_owned()
        }
        Err(error) => return Err(format!("cannot read {}: {error}", path.display())),
    };
    if variable_in(&text, "JWT_SECRET").is_some() {
        return Ok(());
    }
    if !text.ends_with('\n') {
        text.push('\n');
    }
    let secret = random_hex()? + &random_hex()?;
    fs::write(&path, format!("{text}JWT_SECRET={secret}\n"))
        .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    println!("✓ put a random JWT_SECRET into .dev.vars");
    Ok(())
}

/// The value of a variable in the text of `.dev.vars` or `wrangler.toml`, unless it is empty.
pub fn variable_in(text: &str, name: &str) -> Option<String> {
    let mut values = text.lines().filter_map(|line| {
        let (given, value) = line.split_once('=')?;
        (given.trim() == name).then(|| value.trim().trim_matches(['"', '\'']).to_owned())
    });
    values.find(|value| !value.is_empty())
}

/// 128 random bits in hexadecimal, from the system's secure generator.
pub fn random_hex() -> Result<String> {
    let mut random = [0; 16];
    let read =
        fs::File::open("/dev/urandom").and_then(|mut file| std::io::Read::read_exact(&mut file, &mut random));
    read.map_err(|error| format!("/dev/urandom: {error}"))?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// When anything below a folder was last changed.
pub fn newest_change(path: &Path) -> Option<SystemTime> {
    let metadata = fs::metadata(path).ok()?;
    let below = fs::read_dir(path).ok().into_iter().flatten().flatten();
    below.filter_map(|entry| newest_change(&entry.path())).chain(metadata.modified()).max()
}
