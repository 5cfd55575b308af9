//! `cargo xtask dev`: everything set up, built and served, until Ctrl-C or SIGTERM.

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

/// How long the runtime may take to start, and to end.
const START: Duration = Duration::from_secs(120);
const STOP: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(100);

pub fn run() -> Result<()> {
    let state = workspace::state_dir();
    let served =
        Served { command: "dev", build: build::run, config: "wrangler.toml", state, probe: "/health" };
    serve(&served, announce)
}

/// A Worker that is served until Ctrl-C.
pub struct Served {
    /// What follows `cargo xtask`.
    pub command: &'static str,
    pub build: fn() -> Result<()>,
    /// Its `wrangler.toml`.
    pub config: &'static str,
    /// Where the runtime keeps what the Worker stores.
    pub state: PathBuf,
    /// The path whose answer says that it is there.
    pub probe: &'static str,
}

/// Builds it and serves it on loopback; `announce` is given the port and the body of the probe's answer.
pub fn serve(served: &Served, announce: impl FnOnce(u16, &str)) -> Result<()> {
    let port = workspace::port()?;
    catch_stop_signals()?;
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|error| {
        format!("port {port} cannot be used ({error}). End what runs there, or choose another: PORT=4001 cargo xtask {}", served.command)
    })?;
    (served.build)()?;
    let mut server = start(served, port)?;
    let outcome = watch(&mut server, port, served.probe, announce);
    stop(&mut server);
    outcome
}

fn start(served: &Served, port: u16) -> Result<Child> {
    let mut wrangler =
        wrangler(&["dev", "--config", served.config, "--ip", "127.0.0.1", "--port", &port.to_string()]);
    wrangler.args(["--show-interactive-dev-session", "false", "--persist-to"]).arg(&served.state);
    wrangler.env("WRANGLER_HIDE_BANNER", "true");
    // Where a request came from in the world is nothing a laptop has to ask the network for.
    wrangler.env("CLOUDFLARE_CF_FETCH_ENABLED", "false");
    // A group of its own: Ctrl-C reaches only us, and we end the whole group.
    wrangler.process_group(0);
    wrangler.spawn().map_err(|error| format!("cannot start wrangler: {error}"))
}

fn watch(server: &mut Child, port: u16, probe: &str, announce: impl FnOnce(u16, &str)) -> Result<()> {
    // What wrangler prints is its progress.
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
    println!("\nstopping …");
    Ok(())
}

/// After a moment: whether nobody has told us to stop.
fn goes_on(server: &mut Child) -> Result<bool> {
    if let Some(status) = server.try_wait().map_err(|error| error.to_string())? {
        return Err(format!("wrangler ended by itself ({status}); its last lines are above"));
    }
    std::thread::sleep(POLL);
    Ok(!is_stopping())
}

fn announce(port: u16, health: &str) {
    let healthy = health.contains("\"status\":\"ok\"");
    println!("\n  Zetra listens on http://localhost:{port}");
    println!("    client   http://localhost:{port}/app/   (open it in two windows for a call)");
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
    println!("\n  Ctrl-C ends it; nothing that was answered is lost.\n");
}

/// `MONGO_URI` as wrangler will find it: a line of .dev.vars goes before one of wrangler.toml, of which the
/// environments that can be deployed come last.
fn mongo_uri() -> Option<String> {
    [".dev.vars", "wrangler.toml"].into_iter().find_map(|file| {
        let text = std::fs::read_to_string(workspace::path(file)).ok()?;
        setup::variable_in(text.split("\n[env.").next()?, "MONGO_URI")
    })
}

/// The body of the answer at `path`, once there is any.
fn answer(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.split_once("\r\n\r\n").map(|(_, body)| body.trim().to_owned()).filter(|body| !body.is_empty())
}

/// Asks the whole group to end, and ends it if it does not.
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
