//! What a room stores besides its log, row by row: under which key, and with which room, as whom an alarm
//! wakes does not know which room it is.

use std::fmt;

use zetra_domain::{CallLogId, RoomId};
use zetra_signalling::{Peer, PeerId};

use super::{RoomApplication, RoomCommand, member::Stored};

/// A row of the object's storage. As text it is the row's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    /// A member, or who was one and may come back.
    Peer(PeerId),
    /// A call that runs, or that the database does not know as it was.
    Call(CallLogId),
    /// A call that is over, and that a redial may take back.
    EndedCall(CallLogId),
    /// What the webhook is to be told.
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
    /// Whether all that it does is undone where everything is deleted.
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
    /// What has to be stored in a row.
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
        let member = self.members.get(&peer).zip(self.room.peer(peer));
        let member =
            member.map(|(member, machine): (_, &Peer)| Stored::Member(member.clone(), machine.clone()));
        let stored = member.or_else(|| self.lost.get(&peer).cloned().map(Stored::Lost));
        stored?.to_json(self.id)
    }
}

/// Takes the room away again from what [`RoomApplication::stored`] gave. What has none cannot be read by anybody.
pub(super) fn without_room<K>(rows: Vec<(K, String)>, id: &mut Option<RoomId>) -> Vec<(K, String)> {
    let mut read = |text: String| {
        let (room, text) = text.split_once(' ')?;
        *id = id.or(room.parse().ok());
        Some(text.to_owned())
    };
    rows.into_iter().map(|(key, text)| (key, read(text).unwrap_or_default())).collect()
}
