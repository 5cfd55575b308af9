//! The connection to the database, observed: a proxy on loopback that records the commands passing through and
//! can hold back the replies to some of them.

use std::{
    net::Ipv4Addr,
    sync::{Arc, Mutex},
};

use bson::Document;
use mongodb::options::{ClientOptions, ServerAddress};
use tokio::{
    io::{self, AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

use crate::support::{eventually, mongodb_uri};

/// The wire protocol's only message that is not legacy.
const OP_MSG: i32 = 2013;

pub struct Wire {
    /// The database's connection string, through this proxy.
    pub uri: String,
    watched: Arc<Watched>,
}

struct Watched {
    commands: Mutex<Vec<Document>>,
    /// The last command of each connection that the server under test has closed.
    closed: Mutex<Vec<String>>,
    held: watch::Sender<Option<&'static str>>,
}

impl Wire {
    pub async fn start() -> Self {
        let uri = mongodb_uri();
        let options = ClientOptions::parse(&uri).await.unwrap();
        assert!(options.tls.is_none(), "TEST_MONGODB_URI has TLS: what it says cannot be watched");
        let Some(ServerAddress::Tcp { host, port }) = options.hosts.first().cloned() else {
            panic!("TEST_MONGODB_URI names no host")
        };
        let database = format!("{host}:{}", port.unwrap_or(27_017));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let here = listener.local_addr().unwrap();
        let credentials = uri.split_once("://").and_then(|(_, rest)| rest.rsplit_once('@'));
        let credentials = credentials.map_or(String::new(), |(credentials, _)| format!("{credentials}@"));
        let uri = format!("mongodb://{credentials}{here}/?directConnection=true");
        let watched =
            Watched { commands: Mutex::default(), closed: Mutex::default(), held: watch::Sender::new(None) };
        let watched = Arc::new(watched);
        tokio::spawn(accept(listener, database, Arc::clone(&watched)));
        Self { uri, watched }
    }

    /// From now on replies to this command are held back until [`Self::release`].
    pub fn hold(&self, command: &'static str) {
        self.watched.held.send_replace(Some(command));
    }

    pub fn release(&self) {
        self.watched.held.send_replace(None);
    }

    /// The commands of this name that have passed through.
    pub fn seen(&self, command: &str) -> Vec<Document> {
        let commands = self.watched.commands.lock().unwrap();
        commands.iter().filter(|document| name(document) == command).cloned().collect()
    }

    pub async fn has_seen(&self, command: &str) {
        eventually(command, || async { !self.seen(command).is_empty() }).await;
    }

    /// Whether a connection whose last command was this one has been closed.
    pub fn closed_after(&self, command: &str) -> bool {
        self.watched.closed.lock().unwrap().iter().any(|last| last == command)
    }
}

async fn accept(listener: TcpListener, database: String, watched: Arc<Watched>) {
    while let Ok((client, _)) = listener.accept().await {
        let Ok(server) = TcpStream::connect(&database).await else { continue };
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        let last = Arc::new(Mutex::new(String::new()));
        tokio::spawn(requests(from_client, to_server, Arc::clone(&last), Arc::clone(&watched)));
        tokio::spawn(replies(from_server, to_client, last, Arc::clone(&watched)));
    }
}

async fn requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    last: Arc<Mutex<String>>,
    watched: Arc<Watched>,
) {
    while let Ok(message) = message(&mut from).await {
        if let Some(command) = command(&message) {
            *last.lock().unwrap() = name(&command);
            watched.commands.lock().unwrap().push(command);
        }
        if to.write_all(&message).await.is_err() {
            return;
        }
    }
    watched.closed.lock().unwrap().push(last.lock().unwrap().clone());
}

async fn replies(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    last: Arc<Mutex<String>>,
    watched: Arc<Watched>,
) {
    let mut held = watched.held.subscribe();
    while let Ok(message) = message(&mut from).await {
        let command = last.lock().unwrap().clone();
        let free = held.wait_for(|held| held.is_none_or(|held| held != command)).await.is_ok();
        if !free || to.write_all(&message).await.is_err() {
            return;
        }
    }
}

async fn message(from: &mut OwnedReadHalf) -> io::Result<Vec<u8>> {
    let mut message = vec![0; 16];
    from.read_exact(&mut message).await?;
    let length = i32::from_le_bytes(message[..4].try_into().unwrap());
    message.resize(usize::try_from(length).unwrap(), 0);
    from.read_exact(&mut message[16..]).await?;
    Ok(message)
}

/// The body of an `OP_MSG`: after the header and the flags, the section of kind 0.
fn command(message: &[u8]) -> Option<Document> {
    let code = i32::from_le_bytes(message[12..16].try_into().unwrap());
    (code == OP_MSG && message[20] == 0).then(|| Document::from_reader(&message[21..]).unwrap())
}

fn name(command: &Document) -> String {
    command.keys().next().cloned().unwrap_or_default()
}
