//! What a room stores besides its log, row by row: the keys of the rows, and the room's id in each row, because
//! an object that an alarm wakes cannot read its name.

use std::fmt;

use zetra_domain::{CallLogId, RoomId};
use zetra_signalling::{Peer, PeerId};

use super::{RoomApplication, RoomCommand, member::Stored};

/// The keys of the parts of the recovery log begin with it.
pub const LOG: &str = "log:";

/// A row of the object's storage. `Display` writes the row's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    /// A member, or a former one that may return.
    Peer(PeerId),
    /// A call that is running or not fully recorded in the database.
    Call(CallLogId),
    /// A call that is over but that a redial may still continue.
    EndedCall(CallLogId),
    /// A waiting webhook message.
    Message(u64),
}

impl Row {
    pub const PEERS: &str = "peer:";
    pub const CALLS: &str = "call:";
    pub const ENDED_CALLS: &str = "ended:";
    pub const MESSAGES: &str = "message:";
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer(peer) => write!(f, "{}{peer}", Self::PEERS),
            Self::Call(call) => write!(f, "{}{call}", Self::CALLS),
            Self::EndedCall(call) => write!(f, "{}{call}", Self::ENDED_CALLS),
            Self::Message(number) => write!(f, "{}{number}", Self::MESSAGES),
        }
    }
}

impl RoomCommand {
    /// Whether the command only affects storage, so that deleting everything undoes it.
    pub(super) fn is_about_storage(&self) -> bool {
        match self {
            Self::Store(_) | Self::Forget(_) | Self::Save(_) => true,
            Self::Verify { .. }
            | Self::Lookup { .. }
            | Self::ReportCall(_)
            | Self::PostMessage { .. }
            | Self::DeleteAll
            | Self::Deliver { .. } => false,
        }
    }
}

impl RoomApplication {
    /// The contents to store in a row.
    pub fn stored(&self, row: Row) -> Option<String> {
        let text = match row {
            Row::Peer(peer) => return self.stored_peer(peer),
            Row::Call(call) => self.calls.stored(call),
            Row::EndedCall(call) => self.ended_calls.stored(call),
            Row::Message(number) => self.webhook.stored(number),
        };
        text.map(|text| format!("{} {text}", self.id))
    }

    fn stored_peer(&self, peer: PeerId) -> Option<String> {
        // Who is still connected, but was put out, is both.
        let lost = self.lost.get(&peer).cloned().map(Stored::Lost);
        let stored = lost.or_else(|| {
            let (member, machine): (_, &Peer) = self.members.get(&peer).zip(self.room.peer(peer))?;
            Some(Stored::Member(Box::new((member.clone(), machine.clone()))))
        });
        stored?.to_json(self.id)
    }
}

/// Removes the room's id from rows that [`RoomApplication::stored`] returned. Rows without one are unreadable.
pub(super) fn without_room<K>(rows: Vec<(K, String)>, id: &mut Option<RoomId>) -> Vec<(K, String)> {
    let mut read = |text: String| {
        let (room, text) = text.split_once(' ')?;
        *id = id.or(room.parse().ok());
        Some(text.to_owned())
    };
    rows.into_iter().map(|(key, text)| (key, read(text).unwrap_or_default())).collect()
}
