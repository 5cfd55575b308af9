//! The surviving state of a client: all of it with its socket, its room in the object's storage.

use serde::{Deserialize, Serialize};
use zetra_domain::RoomId;
use zetra_signalling::{Credential, Rate};
use zetra_socketio::SocketId;

use super::arrivals::Arrivals;

const VERSION: u32 = 2;

/// A client that was let in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Client {
    /// Set again by [`KeptClient::into_client`].
    #[serde(skip, default = "no_socket_yet")]
    pub socket: SocketId,
    /// The public id of its socket.
    #[serde(rename = "s")]
    pub sid: String,
    /// Its recovery secret.
    #[serde(rename = "r")]
    pub pid: String,
    #[serde(rename = "c")]
    pub credential: Credential,
    #[serde(rename = "o")]
    pub room: Option<RoomId>,
    /// The connection's name in the log.
    #[serde(rename = "l")]
    pub connection: String,
}

fn no_socket_yet() -> SocketId {
    SocketId(0)
}

/// What is kept of the client's socket while the object hibernates.
#[derive(Debug, Serialize, Deserialize)]
pub struct KeptClient {
    #[serde(rename = "v")]
    version: u32,
    #[serde(rename = "n")]
    name: String,
    #[serde(rename = "g")]
    client: Client,
    #[serde(rename = "a")]
    arrivals: Arrivals,
    /// What the client has sent until now.
    #[serde(rename = "e", default)]
    rate: Rate,
}

impl KeptClient {
    pub(super) fn new(name: String, client: Client, arrivals: Arrivals, rate: Rate) -> Self {
        Self { version: VERSION, name, client, arrivals, rate }
    }

    /// `None` for another version: its socket is gone, or should be.
    pub(super) fn into_client(self, socket: SocketId) -> Option<(String, Client, Arrivals, Rate)> {
        let Self { version: VERSION, name, client, arrivals, rate } = self else { return None };
        Some((name, Client { socket, ..client }, arrivals, rate))
    }
}

/// Which room has to be notified about which client when the object is lost.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredSession {
    v: u32,
    /// The object's name; version 1 stored it in a separate row.
    pub name: Option<String>,
    pub room: Option<RoomId>,
}

impl StoredSession {
    pub fn of(name: String, room: RoomId) -> Self {
        Self { v: VERSION, name: Some(name), room: Some(room) }
    }

    pub fn to_json(&self) -> Option<String> {
        serde_json::to_string(self).ok()
    }

    pub fn from_json(text: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Version1 {
            #[serde(rename = "pid")]
            _pid: String,
            room: Option<RoomId>,
        }
        if let Ok(Version1 { room, .. }) = serde_json::from_str(text) {
            return Some(Self { v: 1, name: None, room });
        }
        serde_json::from_str(text).ok().filter(|stored: &Self| stored.v == VERSION)
    }
}
