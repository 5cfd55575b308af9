//! The state that a WebSocket carries through a sleep of the server.

use serde::{Deserialize, Serialize};

use super::LinkId;
use crate::engine::{SessionKey, heartbeat::Heartbeat};

pub(super) const VERSION: u32 = 2;

/// Everything that survives of a session over WebSocket while the server sleeps.
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
    /// The WebSocket with which it was stored.
    pub fn link(&self) -> LinkId {
        self.link
    }

    /// Whether it was written by a version of this crate that this one can read. If not, close the WebSocket:
    /// its client connects again.
    pub fn is_readable(&self) -> bool {
        self.version == VERSION
    }

    /// When its session is pinged next, in milliseconds since the Unix epoch.
    pub fn next_beat(&self) -> i64 {
        self.heartbeat.next_beat()
    }
}
