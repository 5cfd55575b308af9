//! `cargo xtask mongodb`: serves the test database behind the Data API server, to try Zetra on MongoDB without
//! installing one.

use std::{
    io::{BufRead, BufReader, Write},
    os::unix::process::CommandExt,
    process::{Child, Stdio},
    time::Duration,
};

use crate::{
    error::Result,
    mongodb::{self, Database},
    process::{catch_stop_signals, command, is_stopping, run_quietly, terminate},
    progress::Step,
    setup, workspace,
};

/// The default; `DATA_API_LISTEN` overrides it.
const LISTEN: &str = "127.0.0.1:7380";
const DATABASE: &str = "zetra";
const POLL: Duration = Duration::from_millis(100);

pub fn run() -> Result<()> {
    catch_stop_signals()?;
    mongodb::install()?;
    build()?;
    let database = Database::start()?;
    let key = setup::random_hex()?;
    let listen = std::env::var("DATA_API_LISTEN").unwrap_or_else(|_| LISTEN.to_owned());
    let mut server = Server(start(&database, &key, &listen)?);
    announce(&key, &listen);
    let outcome = wait(&mut server.0);
    drop(server);
    // The terminal may be gone.
    let _ = writeln!(std::io::stdout(), "stopped; this database's data was deleted");
    outcome
}

/// The Data API server, which is stopped on drop: also if there is no terminal to print to any more.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        terminate(&mut self.0);
    }
}

pub fn build() -> Result<()> {
    let mut step = Step::begin("building the Data API server");
    run_quietly(
        command("cargo", &["build", "--package", "zetra-data-api"]),
        &mut step,
        "The compiler's output:",
    )?;
    step.done("");
    Ok(())
}

fn start(database: &Database, key: &str, listen: &str) -> Result<Child> {
    let mut server = command(workspace::path("target/debug/zetra-data-api"), &["--ensure-indexes", DATABASE]);
    server.env("DATA_API_LISTEN", listen).env("DATA_API_KEYS", format!("worker {key}"));
    server.env("MONGODB_URI", database.uri()).stdout(Stdio::piped());
    // Its own process group: Ctrl-C reaches only us, and we stop the server.
    server.process_group(0);
    let mut server = server.spawn().map_err(|error| format!("cannot start the Data API server: {error}"))?;
    let log = server.stdout.take().ok_or("the server has no output")?;
    let mut lines = BufReader::new(log).lines().map_while(std::result::Result::ok);
    if !lines.by_ref().any(|line| line.contains("\"listening\"")) {
        let _ = server.wait();
        return Err(format!(
            "the Data API server did not start; choose another address if {listen} is taken: DATA_API_LISTEN=127.0.0.1:7381"
        ));
    }
    // One line per request. If nobody read the pipe, the server would stop.
    std::thread::spawn(move || lines.for_each(|line| println!("{line}")));
    Ok(server)
}

fn announce(key: &str, listen: &str) {
    println!("\n  The Data API listens on http://{listen}/data/v1, in front of a test database.");
    println!("  Put these lines into .dev.vars, then run `cargo xtask dev` in another terminal:\n");
    println!("MONGO_URI=http://{listen}/data/v1");
    println!("MONGO_API_KEY=\"Bearer {key}\"");
    println!("MONGO_DATA_SOURCE=Cluster0");
    println!("MONGO_DATABASE={DATABASE}");
    println!("\n  Ctrl-C stops both. The data is for trials only: it is deleted with them.\n");
}

fn wait(server: &mut Child) -> Result<()> {
    while !is_stopping() {
        if let Some(status) = server.try_wait().map_err(|error| error.to_string())? {
            return Err(format!("the Data API server exited unexpectedly ({status})"));
        }
        std::thread::sleep(POLL);
    }
    Ok(())
}
