//! Why somebody left the room, as reported to the others.

use serde::{Deserialize, Serialize};
use zetra_domain::UserId;

use crate::Refusal;

/// The second argument of `user-disconnected`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisconnectReason {
    /// The client left: `leave-room`, another room, a disconnect packet, a closed tab.
    Left,
    /// The connection was lost and did not come back in time, or the server ended it.
    Lost,
    /// The same user joined from elsewhere.
    Replaced,
    /// By the host.
    Removed,
    RoomEnded,
    TokenExpired,
    TokenRevoked,
    AccountDeleted,
    /// The client sent more events than it may.
    Flooded,
}

impl DisconnectReason {
    /// All reasons.
    pub const ALL: [Self; 9] = [
        Self::Left,
        Self::Lost,
        Self::Replaced,
        Self::Removed,
        Self::RoomEnded,
        Self::TokenExpired,
        Self::TokenRevoked,
        Self::AccountDeleted,
        Self::Flooded,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Lost => "lost",
            Self::Replaced => "replaced",
            Self::Removed => "removed",
            Self::RoomEnded => "room_ended",
            Self::TokenExpired => "token_expired",
            Self::TokenRevoked => "token_revoked",
            Self::AccountDeleted => "account_deleted",
            Self::Flooded => "flooded",
        }
    }

    /// For a connection whose token is no longer valid.
    pub(crate) fn of_token(refusal: Refusal) -> Self {
        match refusal {
            Refusal::AccountDeleted => Self::AccountDeleted,
            Refusal::TokenExpired => Self::TokenExpired,
            // There is no other reason.
            _ => Self::TokenRevoked,
        }
    }
}

/// What a host did to the people in its room. The store already has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HostAction {
    #[serde(rename = "end")]
    End { by: UserId },
    #[serde(rename = "remove")]
    Remove { user: UserId, by: UserId },
}
