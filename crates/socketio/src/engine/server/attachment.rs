//! What a WebSocket carries through a sleep of the server.

use serde::{Deserialize, Serialize};

use super::LinkId;
use crate::engine::{SessionKey, heartbeat::Heartbeat};

pub(super) const VERSION: u32 = 2;

/// All that survives of a session over WebSocket while the server sleeps.
#[derive(Debug, Serialize, Deserialize)]
pub struct Attachment<K> {
    #[serde(rename = "v")]
    pub(super) version: u32,
    #[serde(rename = "l")]
    pub(super) link: LinkId,
    #[serde(rename = "k")]
    pub(super) key: SessionKey,
    #[serde(rename = "s")]
    pub(super) sid: String,
    #[serde(rename = "h")]
    pub(super) heartbeat: Heartbeat,
    #[serde(rename = "a")]
    pub(super) admitted: bool,
    #[serde(rename = "p")]
    pub(super) kept: K,
}

impl<K> Attachment<K> {
    pub fn link(&self) -> LinkId {
        self.link
    }

    /// Another version is of a connection that did not survive the change of versions.
    pub fn is_readable(&self) -> bool {
        self.version == VERSION
    }

    /// When its session is pinged next, in milliseconds since the epoch.
    pub fn next_beat(&self) -> i64 {
        self.heartbeat.next_beat()
    }
}
