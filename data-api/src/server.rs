//! The server's life cycle: it starts from the options and listens; at the end it stops accepting connections,
//! finishes the requests in progress and closes the pool.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum_server::{
    Handle,
    tls_rustls::{RustlsAcceptor, RustlsConfig},
};
use mongodb::{Client, options::ClientOptions};
use rustls::ServerConfig;
use secrecy::ExposeSecret;
use thiserror::Error;
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout, timeout_at},
};

use crate::{
    action::{Limits, Policy},
    app::{App, router},
    connections::WriteTimeout,
    database::{Bounds, Database},
    health::Health,
    indexes::{self, IndexError},
    keys::{ApiKeys, KeysError},
    memory::Memory,
    metrics::Metrics,
    options::Options,
};

/// Why the server cannot run, and what to do about it.
#[derive(Debug, Error)]
pub enum StartError {
    /// Neither `keys_file` nor the variable names a key.
    #[error("there is no API key: give --keys-file, or set DATA_API_KEYS to `NAME KEY` (see --help)")]
    NoKeys,
    /// A line of the API keys cannot be used; the message says which and why, without the key.
    #[error("{0}")]
    Keys(#[from] KeysError),
    /// A file cannot be read, or is not a PEM file.
    #[error("{file}: {error}")]
    File {
        /// Its path; for a certificate and its key, both paths.
        file: String,
        /// Why.
        error: io::Error,
    },
    /// The connection string cannot be used. The message never quotes it.
    #[error("MONGODB_URI: {0}")]
    Uri(String),
    /// An index cannot be made; the message says which and why, without a document.
    #[error(transparent)]
    Indexes(#[from] IndexError),
    /// The address is in use, or does not belong to this machine.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// `Options::listen`.
        address: SocketAddr,
        /// Why.
        error: io::Error,
    },
    /// Serving failed after a successful start.
    #[error("the server ended: {0}")]
    Ended(#[from] io::Error),
}

/// How long to wait for a database that does not answer, unless the URI sets it.
const SERVER_SELECTION: Duration = Duration::from_secs(5);
/// How many attempts are made to create the indexes while the database cannot be reached.
const INDEX_ATTEMPTS: u32 = 12;
/// How long a client may stay connected before its first request.
const FIRST_REQUEST: Duration = Duration::from_secs(15);
/// How long the connections to the database may take to close.
const CLOSING: Duration = Duration::from_secs(2);
/// How long a connection may stay open between requests.
const NEXT_REQUEST: Duration = Duration::from_secs(75);

/// A server that listens and waits to be run. Connections that arrive before then wait too.
pub struct Server {
    app: Arc<App>,
    listener: TcpListener,
    tls: Option<RustlsConfig>,
    max_concurrent: u32,
    grace: Duration,
}

impl Server {
    /// Reads keys and certificates, creates indexes, listens. `keys_variable` is the value of `DATA_API_KEYS`,
    /// which is used if `Options::keys_file` is not set. Only for the indexes it waits for the database: a
    /// minute or more, until it gives up.
    ///
    /// # Errors
    /// Each [`StartError`] except `Ended`.
    pub async fn start(options: Options, keys_variable: Option<String>) -> Result<Self, StartError> {
        let keys = keys(&options, keys_variable)?;
        let client = client(&options).await?;
        for database in &options.ensure_indexes {
            ensure_indexes(&client, database).await?;
        }
        let tls = tls(&options).await?;
        let address = options.listen;
        let listener = TcpListener::bind(address)
            .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
            .map_err(|error| StartError::Listen { address, error })?;
        if tls.is_none() && !address.ip().is_loopback() {
            tracing::warn!(%address, "listening without TLS on an address that others can reach");
        }
        let app = App {
            database: Arc::new(Database::new(
                client,
                Bounds { documents: options.max_documents, bytes: options.max_response },
            )),
            keys,
            data_source: options.data_source,
            limits: Limits {
                documents: options.max_documents,
                policy: Policy {
                    allow_javascript: options.allow_javascript,
                    allow_pipeline_writes: options.allow_pipeline_writes,
                },
            },
            time: Duration::from_secs(options.timeout),
            max_body: options.max_body,
            permits: Arc::new(Semaphore::new(options.max_concurrent as usize)),
            memory: Memory::new(options.max_memory),
            metrics: Arc::new(Metrics::default()),
            health: Health::default(),
        };
        let grace = Duration::from_secs(options.shutdown_grace);
        Ok(Self { app: Arc::new(app), listener, tls, max_concurrent: options.max_concurrent, grace })
    }

    /// The address it listens on: if `Options::listen` has port 0, with the port that was assigned.
    ///
    /// # Errors
    /// The operating system's.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves HTTP/1.1 until `stop`, then refuses new connections, finishes the requests in progress within
    /// `Options::shutdown_grace` seconds and closes the connections to the database.
    ///
    /// # Errors
    /// [`StartError::Ended`].
    pub async fn run(self, stop: impl Future<Output = ()> + Send + 'static) -> Result<(), StartError> {
        let Self { app, listener, tls, max_concurrent, grace } = self;
        let handle = Handle::new();
        let stopper = handle.clone();
        let last_moment = Arc::new(OnceLock::new());
        let stopped = Arc::clone(&last_moment);
        tokio::spawn(async move {
            stop.await;
            tracing::info!(connections = stopper.connection_count(), "stopping");
            stopped.get_or_init(|| Instant::now() + grace);
            stopper.graceful_shutdown(Some(grace));
        });
        let service = router(Arc::clone(&app)).into_make_service();
        // HTTP/2 has no limits of time for the next request, nor for a client that takes nothing.
        let server = axum_server::from_tcp(listener)?.http1_only();
        let mut server = server.first_request_timeout(FIRST_REQUEST).handle(handle);
        server.http_builder().http1().header_read_timeout(NEXT_REQUEST);
        let patience = WriteTimeout(app.time);
        match tls {
            Some(tls) => server.acceptor(RustlsAcceptor::new(tls).acceptor(patience)).serve(service).await?,
            None => server.acceptor(patience).serve(service).await?,
        }
        // Clients that went away may have left work behind; when it is done every permit is free.
        let idle = app.permits.acquire_many(max_concurrent);
        let last_moment = *last_moment.get_or_init(|| Instant::now() + grace);
        if timeout_at(last_moment, idle).await.is_err() {
            tracing::error!("work was still under way when the time of grace was over");
        }
        // This waits for that work too, so it has a limit of its own.
        let closing = app.database.client().clone().shutdown();
        let _ = timeout(CLOSING, closing.into_future()).await;
        tracing::info!("stopped");
        Ok(())
    }
}

fn keys(options: &Options, variable: Option<String>) -> Result<ApiKeys, StartError> {
    let text = match &options.keys_file {
        Some(path) => std::fs::read_to_string(path)
            .map_err(|error| StartError::File { file: path.display().to_string(), error })?,
        None => variable.unwrap_or_default(),
    };
    let keys = ApiKeys::parse(&text)?;
    if keys.is_empty() { Err(StartError::NoKeys) } else { Ok(keys) }
}

async fn client(options: &Options) -> Result<Client, StartError> {
    // The driver's text for a URI that it cannot parse may quote it, including the password.
    let unreadable =
        |_| StartError::Uri("not a connection string; mongodb://host or mongodb+srv://host".to_owned());
    let mut settings = ClientOptions::parse(options.mongodb_uri.expose_secret()).await.map_err(unreadable)?;
    settings.app_name.get_or_insert_with(|| "zetra-data-api".to_owned());
    settings.server_selection_timeout.get_or_insert(SERVER_SELECTION);
    settings.max_pool_size.get_or_insert(options.max_concurrent);
    Client::with_options(settings).map_err(|error| StartError::Uri(error.to_string()))
}

async fn ensure_indexes(client: &Client, database: &str) -> Result<(), StartError> {
    let mut attempt = 1;
    loop {
        match indexes::ensure(&client.database(database)).await {
            Ok(count) => {
                tracing::info!(database, count, "indexes are there");
                return Ok(());
            }
            // The driver itself has waited for a server before it gave up.
            Err(error) if error.is_transient() && attempt < INDEX_ATTEMPTS => {
                tracing::warn!(database, attempt, "waiting for the database");
                attempt += 1;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

async fn tls(options: &Options) -> Result<Option<RustlsConfig>, StartError> {
    let (Some(cert), Some(key)) = (&options.tls_cert, &options.tls_key) else { return Ok(None) };
    // Err: the driver has installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let file = format!("{} and {}", cert.display(), key.display());
    let config = RustlsConfig::from_pem_file(cert, key).await;
    let config = config.map_err(|error| StartError::File { file, error })?;
    // It offers HTTP/2 too.
    let mut http1 = ServerConfig::clone(&config.get_inner());
    http1.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Some(RustlsConfig::from_config(Arc::new(http1))))
}
