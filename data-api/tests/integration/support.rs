//! A real database, the real server in front of it, and the adapter's seam over a native HTTP client.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use clap::Parser;
use mongodb::{Client, Database};
use tokio::{sync::oneshot, task::JoinHandle};
use zetra_data_api::{Options, Server, StartError};
use zetra_runtime::{Bounds, DataApiAccess, DataApiClient, Variables};
use zetra_store::{DataSource, MongoStore};

pub const KEY: &str = "a-key-for-tests-of-the-worker";
pub const READ_ONLY_KEY: &str = "a-key-for-tests-of-reports";
/// May read and write, but only in the fixture's database.
pub const ZETRA_KEY: &str = "a-key-for-tests-of-one-database";

/// The connection string of the tests' database.
pub fn mongodb_uri() -> String {
    std::env::var("TEST_MONGODB_URI").unwrap_or_else(|_| {
        panic!("TEST_MONGODB_URI names no database. `cargo xtask test` starts one; or set it to your own")
    })
}

/// A name that no other test and no earlier run uses.
pub fn fresh_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let now = bson::oid::ObjectId::new().to_hex();
    format!("zetra_test_{now}_{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Waits until the condition holds.
pub async fn eventually<F: Future<Output = bool>>(what: &str, is_so: impl Fn() -> F) {
    for _ in 0..2_000 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it never came to it: {what}");
}

/// The server, in this process, on a free port, in front of a database of its own.
pub struct Fixture {
    pub address: SocketAddr,
    pub database: String,
    stop: oneshot::Sender<()>,
    running: JoinHandle<Result<(), StartError>>,
}

impl Fixture {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    pub async fn start_with(arguments: &[&str]) -> Self {
        let database = fresh_name();
        let indexes = ["--ensure-indexes", &database];
        let arguments: Vec<&str> = indexes.iter().chain(arguments).copied().collect();
        Self::start_at(&mongodb_uri(), database.clone(), &arguments).await
    }

    pub async fn start_at(uri: &str, database: String, arguments: &[&str]) -> Self {
        let server = Self::try_start_at(uri, &database, arguments).await.unwrap();
        let address = server.address().unwrap();
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(server.run(async move { stopped.await.unwrap_or_default() }));
        Self { address, database, stop, running }
    }

    pub async fn try_start_at(uri: &str, database: &str, arguments: &[&str]) -> Result<Server, StartError> {
        let options = ["zetra-data-api", "--listen", "127.0.0.1:0", "--mongodb-uri", uri];
        let options = Options::parse_from(options.iter().chain(arguments));
        let own = format!("databases={database}");
        let keys = format!("worker {KEY}; reports {READ_ONLY_KEY} read-only {own}; zetra {ZETRA_KEY} {own}");
        Server::start(options, Some(keys)).await
    }

    pub fn store(&self) -> MongoStore<DataApiClient> {
        MongoStore::new(self.client(), self.source())
    }

    /// The Worker's own client of the server.
    pub fn client(&self) -> DataApiClient {
        client(&format!("http://{}/data/v1", self.address), &format!("Bearer {KEY}"))
    }

    pub fn source(&self) -> DataSource {
        DataSource { name: "Cluster0".to_owned(), database: self.database.clone() }
    }

    /// The same database, through the driver.
    pub async fn driver(&self) -> Database {
        Client::with_uri_str(mongodb_uri()).await.unwrap().database(&self.database)
    }

    /// Stops the server; await the handle until it has ended.
    pub fn stop(self) -> JoinHandle<Result<(), StartError>> {
        self.stop.send(()).unwrap();
        self.running
    }

    /// Ends the server and drops its database.
    pub async fn end(self) {
        let driver = self.driver().await;
        self.stop().await.unwrap().unwrap();
        driver.drop().await.unwrap();
    }
}

/// The Worker's own client, with the timer of a native program. Its limits are smaller than the Worker's, so
/// that a test need not wait long for them.
pub fn client(base: &str, key: &str) -> DataApiClient {
    let variables = [("MONGO_API_KEY", key), ("MONGO_DATA_SOURCE", "Cluster0"), ("MONGO_DATABASE", "zetra")];
    let known = |name: &str| variables.iter().find(|(known, _)| *known == name);
    let variable = |name: &str| known(name).map(|(_, value)| (*value).to_owned());
    let access = DataApiAccess::read(base, Variables::new(&variable)).unwrap();
    let bounds = Bounds {
        timeout: Duration::from_secs(3),
        largest_answer: 4 * 1024 * 1024,
        sleep: |duration| Box::pin(tokio::time::sleep(duration)),
        random: || {
            static NEXT: AtomicU32 = AtomicU32::new(0);
            NEXT.fetch_add(0x9E37_79B9, Ordering::Relaxed)
        },
    };
    DataApiClient::with_bounds(&access, bounds).unwrap()
}
