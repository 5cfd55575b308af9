//! The store's answer about a user who wants to be present in a room.

use crate::HonouredTokens;

/// Whether a user may be present in a room, with the data to decide whether the presented token is still valid:
/// both as of the same moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    pub membership: Membership,
    /// The user's tokens that are honoured; `None` if there is no such account.
    pub tokens: Option<HonouredTokens>,
}

/// The relation of a user to a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Membership {
    Participant,
    NotParticipant,
    /// Not a participant, and the room admits no new ones.
    LockedOut,
    /// The host removed the user.
    Removed,
    /// No such room, or one that has ended.
    RoomNotFound,
}
