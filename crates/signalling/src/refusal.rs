//! Why an event was refused: stable codes, each with a text for people.

/// The reason, sent as `code`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    InvalidPayload,
    /// Bad arguments of `join-room`, in the Node backend's words.
    InvalidRoomOrUser,
    TooLarge,
    RoomNotFound,
    NotParticipant,
    RoomFull,
    RoomLocked,
    /// Removed from the room by its host.
    Removed,
    WrongRoom,
    NotInRoom,
    UserMismatch,
    AlreadyInRoom,
    PeerUnavailable,
    RateLimited,
    Replaced,
    TokenExpired,
    TokenRevoked,
    AccountDeleted,
    StoreUnavailable,
}

impl Refusal {
    /// All refusals.
    pub const ALL: [Self; 19] = [
        Self::InvalidPayload,
        Self::InvalidRoomOrUser,
        Self::TooLarge,
        Self::RoomNotFound,
        Self::NotParticipant,
        Self::RoomFull,
        Self::RoomLocked,
        Self::Removed,
        Self::WrongRoom,
        Self::NotInRoom,
        Self::UserMismatch,
        Self::AlreadyInRoom,
        Self::PeerUnavailable,
        Self::RateLimited,
        Self::Replaced,
        Self::TokenExpired,
        Self::TokenRevoked,
        Self::AccountDeleted,
        Self::StoreUnavailable,
    ];

    pub fn code(self) -> &'static str {
        match self {
            Self::InvalidPayload | Self::InvalidRoomOrUser => "invalid_payload",
            Self::TooLarge => "too_large",
            Self::RoomNotFound => "room_not_found",
            Self::NotParticipant => "not_participant",
            Self::RoomFull => "room_full",
            Self::RoomLocked => "room_locked",
            Self::Removed => "removed",
            Self::WrongRoom => "wrong_room",
            Self::NotInRoom => "not_in_room",
            Self::UserMismatch => "user_mismatch",
            Self::AlreadyInRoom => "already_in_room",
            Self::PeerUnavailable => "peer_unavailable",
            Self::RateLimited => "rate_limited",
            Self::Replaced => "replaced",
            Self::TokenExpired => "token_expired",
            Self::TokenRevoked => "token_revoked",
            Self::AccountDeleted => "account_deleted",
            Self::StoreUnavailable => "store_unavailable",
        }
    }

    /// Plain words, without characters that JSON would escape.
    pub fn message(self) -> &'static str {
        match self {
            Self::InvalidPayload => "The event has missing or malformed arguments",
            Self::InvalidRoomOrUser => "Invalid room or user ID",
            Self::TooLarge => "The event is larger than allowed",
            Self::RoomNotFound => "Room not found or inactive",
            Self::NotParticipant => "You are not a participant of this room",
            Self::RoomFull => "Room is full",
            Self::RoomLocked => "Room is locked",
            Self::Removed => "You were removed from this room",
            Self::WrongRoom => "This connection belongs to another room",
            Self::NotInRoom => "Join the room first",
            Self::UserMismatch => "The user ID is not the one of your token",
            Self::AlreadyInRoom => "This user is already in the room",
            Self::PeerUnavailable => "That user is not in the room",
            Self::RateLimited => "Too many events, slow down",
            Self::Replaced => "You joined this room from another connection",
            Self::TokenExpired => "Token has expired",
            Self::TokenRevoked => "Your password was changed, sign in again",
            Self::AccountDeleted => "This account was deleted",
            Self::StoreUnavailable => "Failed to join room",
        }
    }
}
