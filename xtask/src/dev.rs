//! `cargo xtask dev`: sets up, builds and serves everything, until Ctrl-C or SIGTERM.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::Child,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

use crate::{
    build,
    error::Result,
    process::{catch_stop_signals, is_stopping},
    progress::{self, Step},
    setup, workspace,
    wrangler::wrangler,
};

/// How long the runtime may take to start and to stop.
const START: Duration = Duration::from_secs(120);
const STOP: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(100);

pub fn run() -> Result<()> {
    let state = workspace::state_dir();
    let served =
        Served { command: "dev", build: build::quick, config: "wrangler.toml", state, probe: "/health" };
    serve(&served, announce)
}

/// A Worker to serve until Ctrl-C.
pub struct Served {
    /// The command after `cargo xtask`.
    pub command: &'static str,
    pub build: fn() -> Result<()>,
    /// Its `wrangler.toml`.
    pub config: &'static str,
    /// Where the runtime keeps what the Worker stores.
    pub state: PathBuf,
    /// The path that answers once the Worker is up.
    pub probe: &'static str,
}

/// Builds the Worker and serves it on loopback; `announce` receives the port and the body of the probe's
/// response.
pub fn serve(served: &Served, announce: impl FnOnce(u16, &str)) -> Result<()> {
    let port = workspace::port()?;
    catch_stop_signals()?;
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|error| {
        format!("port {port} cannot be used ({error}). Stop the program that uses it, or choose another: PORT=4001 cargo xtask {}", served.command)
    })?;
    (served.build)()?;
    let mut server = Server(start(served, port)?);
    watch(&mut server.0, port, served.probe, announce)
}

/// wrangler, in a process group of its own, which is stopped on drop: also if the terminal is closed, and
/// printing to it panics.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        stop(&mut self.0);
    }
}

fn start(served: &Served, port: u16) -> Result<Child> {
    let mut wrangler =
        wrangler(&["dev", "--config", served.config, "--ip", "127.0.0.1", "--port", &port.to_string()]);
    wrangler.args(["--show-interactive-dev-session", "false", "--persist-to"]).arg(&served.state);
    wrangler.env("WRANGLER_HIDE_BANNER", "true").env(build::EFFORT, build::QUICK);
    // Do not fetch geolocation data for `request.cf` from the network.
    wrangler.env("CLOUDFLARE_CF_FETCH_ENABLED", "false");
    // Its own process group: Ctrl-C reaches only us, and we stop the whole group.
    wrangler.process_group(0);
    wrangler.spawn().map_err(|error| format!("cannot start wrangler: {error}"))
}

fn watch(server: &mut Child, port: u16, probe: &str, announce: impl FnOnce(u16, &str)) -> Result<()> {
    // wrangler's own output shows the progress.
    let step = Step::begin("starting the runtime");
    let begun = progress::now();
    while goes_on(server)? {
        if let Some(answer) = answer(port, probe) {
            step.done("");
            announce(port, &answer);
            break;
        }
        if begun.elapsed() > START {
            return Err("the runtime did not answer within two minutes".to_owned());
        }
    }
    while goes_on(server)? {}
    // The terminal may be gone.
    let _ = writeln!(std::io::stdout(), "\nstopping …");
    Ok(())
}

/// Waits a moment, then returns whether to continue: false after a stop signal.
fn goes_on(server: &mut Child) -> Result<bool> {
    if let Some(status) = server.try_wait().map_err(|error| error.to_string())? {
        return Err(format!("wrangler exited unexpectedly ({status}); see its output above"));
    }
    std::thread::sleep(POLL);
    Ok(!is_stopping())
}

fn announce(port: u16, health: &str) {
    let healthy = health.contains("\"status\":\"ok\"");
    println!("\n  Zetra listens on http://localhost:{port}");
    println!(
        "    client   http://localhost:{port}/app/   (open it in two browsers, or a normal and a private window, for a call)"
    );
    println!("    REST     http://localhost:{port}/api/…   (try http://localhost:{port}/health)");
    println!(
        "    sockets  io(\"http://localhost:{port}\", {{ auth: {{ token }} }})   (shorter with query: {{ roomId }})"
    );
    match mongo_uri() {
        Some(uri) => println!("    data     MongoDB, at {uri}"),
        None => println!("    data     D1, in {}", workspace::state_dir().display()),
    }
    if !healthy {
        println!("\n  Not healthy yet: {health}");
    }
    println!("\n  Ctrl-C ends it; no acknowledged data is lost.\n");
}

/// `MONGO_URI` as wrangler resolves it: .dev.vars takes precedence over wrangler.toml, whose deployable
/// environments come last.
fn mongo_uri() -> Option<String> {
    [".dev.vars", "wrangler.toml"].into_iter().find_map(|file| {
        let text = std::fs::read_to_string(workspace::path(file)).ok()?;
        setup::variable_in(text.split("\n[env.").next()?, "MONGO_URI")
    })
}

/// The response body at `path`, once there is one.
fn answer(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.split_once("\r\n\r\n").map(|(_, body)| body.trim().to_owned()).filter(|body| !body.is_empty())
}

/// Asks the whole group to stop, and kills it if it does not.
fn stop(server: &mut Child) {
    let Ok(group) = i32::try_from(server.id()).map(Pid::from_raw) else { return };
    // Errors mean that the group is gone, which is what we want.
    let _ = killpg(group, Signal::SIGINT);
    let begun = progress::now();
    while begun.elapsed() < STOP && killpg(group, None).is_ok() {
        let _ = server.try_wait();
        std::thread::sleep(POLL);
    }
    let _ = killpg(group, Signal::SIGKILL);
    let _ = server.wait();
}
