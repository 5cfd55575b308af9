//! A MongoDB-compatible database for tests: SecantusDB from PyPI, in a virtual environment under target/, as a
//! separate process with SCRAM enabled. Never linked, never shipped.

use std::{
    fs::{self, File},
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::{
    error::Result,
    process::{command, run_quietly},
    progress::{self, Step},
    python::Environment,
    setup, workspace,
};

const ENVIRONMENT: Environment = Environment {
    name: "secantusdb-0.7.0b3",
    purpose: "a database for tests",
    requirements: "--pre\nsecantusdb==0.7.0b3\n",
    fallback: Some("--pre\nsecantusdb\n"),
    pythons: 10..=13,
    remedy: "Python 3.10 to 3.13 with venv and pip is needed (Debian: python3-venv). \
             Alternatively, set TEST_MONGODB_URI to a MongoDB of your own.",
};
const USER: &str = "zetra";
/// Creates a user. Arguments: the connection string of the database, the user name, the password.
const CREATE_USER: &str = "
import sys, pymongo
uri, user, password = sys.argv[1:]
roles = ['readWriteAnyDatabase', 'dbAdminAnyDatabase', 'clusterMonitor']
pymongo.MongoClient(uri).admin.command('createUser', user, pwd=password, roles=roles)
";
/// How long the process may take to start, and how often it is polled.
const START: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);

/// The program, once [`install`] has run.
fn program() -> PathBuf {
    ENVIRONMENT.program("secantusd-py")
}

/// Installs the pinned release, or the newest if the pinned one is no longer published.
pub fn install() -> Result<()> {
    ENVIRONMENT.install()
}

/// The same for tests, which may have been given a database.
pub fn install_for_tests() -> Result<()> {
    if given().is_some() { Ok(()) } else { install() }
}

/// A running database. It is stopped, and its data deleted, on drop.
pub struct Database {
    process: Child,
    uri: String,
    _storage: Storage,
}

/// A folder that is deleted on drop.
struct Storage(PathBuf);

impl Database {
    pub fn start() -> Result<Self> {
        install()?;
        let mut step = Step::begin("starting the database for tests");
        let folder = Storage(workspace::path(&format!("target/tmp/mongodb-{}", std::process::id())));
        let storage = &folder.0;
        let _ = fs::remove_dir_all(storage);
        fs::create_dir_all(storage).map_err(|error| format!("{}: {error}", storage.display()))?;
        let port = free_port()?;
        let address = format!("mongodb://127.0.0.1:{port}/");
        let password = setup::random_hex()?;
        // The first user can only be created while authentication is off.
        let mut open = serve(storage, port, &[])?;
        let made = wait(&mut open, port, storage).and_then(|()| {
            let mut create = command(ENVIRONMENT.program("python"), &["-c", CREATE_USER]);
            create.args([&address, USER, &password]);
            run_quietly(create, &mut step, "The database's output:")
        });
        end(&mut open);
        made?;
        let mut process = serve(storage, port, &["--auth"])?;
        if let Err(error) = wait(&mut process, port, storage) {
            end(&mut process);
            return Err(error);
        }
        step.done("");
        let uri = format!("mongodb://{USER}:{password}@127.0.0.1:{port}/");
        Ok(Self { process, uri, _storage: folder })
    }

    pub fn uri(&self) -> &str {
        &self.uri
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

impl Drop for Storage {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The user's own database, or one that stops with the tests.
pub enum TestDatabase {
    Given(String),
    Ours(Database),
}

impl TestDatabase {
    pub fn open() -> Result<Self> {
        given().map_or_else(|| Database::start().map(Self::Ours), |uri| Ok(Self::Given(uri)))
    }

    /// Environment variables for the tests: the database, and the program from which a test starts a process
    /// that it may kill.
    pub fn variables(&self) -> [(&str, String); 2] {
        let uri = match self {
            Self::Given(uri) => uri.clone(),
            Self::Ours(database) => database.uri().to_owned(),
        };
        [("TEST_MONGODB_URI", uri), program_variable()]
    }
}

/// Tells a test the program from which it starts a database that it may kill.
pub fn program_variable() -> (&'static str, String) {
    ("ZETRA_TEST_DATABASE_PROGRAM", program().display().to_string())
}

fn given() -> Option<String> {
    std::env::var("TEST_MONGODB_URI").ok().filter(|uri| !uri.is_empty())
}

fn serve(storage: &Path, port: u16, arguments: &[&str]) -> Result<Child> {
    let log = File::create(log_of(storage)).map_err(|error| error.to_string())?;
    let errors = log.try_clone().map_err(|error| error.to_string())?;
    let mut serve = Command::new(program());
    serve.args(["--host", "127.0.0.1", "--port", &port.to_string(), "--log-level", "WARNING"]);
    serve.arg("--storage-path").arg(storage.join("data")).args(arguments);
    // Its own process group: Ctrl-C reaches only us, and we stop the database.
    serve.stdin(Stdio::null()).stdout(log).stderr(errors).process_group(0);
    serve.spawn().map_err(|error| format!("cannot start {}: {error}", program().display()))
}

fn wait(process: &mut Child, port: u16, storage: &Path) -> Result<()> {
    let begun = progress::now();
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        let ended = process.try_wait().map_err(|error| error.to_string())?;
        if ended.is_some() || begun.elapsed() > START {
            let log = fs::read_to_string(log_of(storage)).unwrap_or_default();
            return Err(format!("the database for tests did not start:\n{log}"));
        }
        std::thread::sleep(POLL);
    }
    Ok(())
}

fn end(process: &mut Child) {
    // Errors mean that it is gone, which is what we want.
    let _ = process.kill();
    let _ = process.wait();
}

fn log_of(storage: &Path) -> PathBuf {
    storage.join("log")
}

fn free_port() -> Result<u16> {
    let probe = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let address = probe.and_then(|probe| probe.local_addr()).map_err(|error| error.to_string())?;
    Ok(address.port())
}
