//! A room as it is stored: who may enter it. Who is in it right now is the Room object's to say.

use serde::Serialize;

use crate::{RoomId, Timestamp, UserId};

/// `{roomId, host, participants, active, locked, createdAt}`, everywhere in this shape.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Room {
    #[serde(rename = "roomId")]
    pub id: RoomId,
    pub host: UserId,
    /// In the order in which they joined; the host is the first unless it has passed on.
    pub participants: Vec<UserId>,
    pub active: bool,
    pub locked: bool,
    #[serde(rename = "createdAt")]
    pub created_at: Timestamp,
}

impl Room {
    /// A new room: its maker is host and first participant.
    pub fn new(id: RoomId, host: UserId, created_at: Timestamp) -> Self {
        Self { id, host, participants: vec![host], active: true, locked: false, created_at }
    }

    pub fn admits(&self, user: UserId) -> bool {
        self.participants.contains(&user)
    }
}
