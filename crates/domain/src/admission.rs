//! What the store says of a user who wants to be present in a room.

use crate::HonouredTokens;

/// Whether a user may be present in a room, with what tells whether the token that asks still lives: both
/// are of one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    pub membership: Membership,
    /// The user's tokens that are honoured; `None`: there is no such account.
    pub tokens: Option<HonouredTokens>,
}

/// What a user is to a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Membership {
    Participant,
    NotParticipant,
    /// No participant, and the room takes nobody any more.
    LockedOut,
    /// The host removed the user.
    Removed,
    /// No such room, or one that has ended.
    RoomNotFound,
}
