//! The port: the operations that Zetra needs from a database, in the domain's terms.

use async_trait::async_trait;
use thiserror::Error;
use zetra_domain::{
    Call, CallLog, CallLogId, CallStats, Cursor, Email, HonouredTokens, Page, PageLimit, PasswordHash,
    Person, Room, RoomChange, RoomId, RoomWithPeople, Timestamp, TokenFingerprint, User, UserId, Username,
};

pub use zetra_domain::{Admission, Membership};

/// A user, with the fields that only the server may see.
#[derive(Clone, Debug)]
pub struct Account {
    pub user: User,
    pub password_hash: PasswordHash,
    pub tokens: HonouredTokens,
}

#[derive(Clone, Debug)]
pub struct NewUser {
    pub user: User,
    pub password_hash: PasswordHash,
}

/// Which of a user's two names is already taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    Email,
    Username,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProfileUpdate {
    Updated(User),
    Taken(Taken),
    /// The user was deleted in the meantime.
    Gone,
}

/// What a password change has revoked the user's other tokens with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasswordChange {
    /// The new version of the user's tokens.
    pub version: i64,
    /// The active rooms in which the user may be with an older one, the newest [`ACTIVE_ROOMS`] at most.
    ///
    /// [`ACTIVE_ROOMS`]: zetra_domain::limits::ACTIVE_ROOMS
    pub rooms: Vec<RoomId>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Join {
    Joined(Room),
    /// No such room, or one that has ended.
    NotFound,
    /// The host removed the user.
    Removed,
    Locked,
    Full,
}

/// A call that a room reported, as it is stored now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomCall {
    pub log: CallLog,
    /// Logs that turned out to be the same call, and no longer exist.
    pub joined: Vec<CallLogId>,
}

/// The outcome of a change by a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoomChanged {
    Changed(Room),
    /// No such room, or one that has ended.
    NotFound,
    NotHost,
    /// The user to remove is not a participant, or the user to readmit was not removed.
    NotConcerned,
}

impl RoomChanged {
    /// From the room as it is after the attempt.
    pub(crate) fn new(room: Option<Room>, host: UserId, changed: bool) -> Self {
        match room {
            Some(room) if changed => Self::Changed(room),
            Some(room) if room.active && room.host != host => Self::NotHost,
            Some(room) if room.active => Self::NotConcerned,
            Some(_) | None => Self::NotFound,
        }
    }
}

/// The outcome of reporting a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recorded {
    Created(CallLog),
    /// The call already had a log, or several that this report joins.
    Merged(CallLog),
    /// Of the people named these have no account.
    UnknownUsers(Vec<UserId>),
    RoomNotFound,
    /// One of the people named is not a participant of the room.
    NotParticipant,
    /// It ends before it starts, with both times brought within the room's life.
    BeforeStart,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    Ended(CallLog),
    /// The room keeps this call: it is running, or ended a short while ago.
    AsItIs(CallLog),
    BeforeStart,
    NotActive,
    NotInCall,
}

/// The database could not be reached or gave a response that makes no sense. The text is for the log, never for
/// a client.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StoreError {
    #[error("the database cannot be reached: {0}")]
    Unavailable(String),
    #[error("unexpected data in the database: {0}")]
    Corrupt(String),
}

type Result<T> = std::result::Result<T, StoreError>;

#[async_trait]
pub trait Store: Send + Sync {
    /// A real round trip, for the health check.
    async fn ping(&self) -> Result<()>;

    /// The inner `Err` means that the email or the username is taken; if both are, it is the email.
    async fn insert_user(&self, user: &NewUser) -> Result<std::result::Result<(), Taken>>;
    async fn account(&self, id: UserId) -> Result<Option<Account>>;
    async fn account_by_email(&self, email: &Email) -> Result<Option<Account>>;
    /// Changes the given fields. If both names are taken, the error is the username.
    async fn update_profile(
        &self,
        id: UserId,
        username: Option<&Username>,
        email: Option<&Email>,
    ) -> Result<ProfileUpdate>;
    /// Replaces the hash, increments the token version and keeps one token. `None` if the hash is no longer `from`.
    async fn change_password(
        &self,
        id: UserId,
        from: &PasswordHash,
        to: &PasswordHash,
        kept: &TokenFingerprint,
    ) -> Result<Option<PasswordChange>>;
    /// Replaces the hash with another one of the same password, unless it changed in the meantime.
    async fn renew_hash(&self, id: UserId, from: &PasswordHash, to: &PasswordHash) -> Result<()>;
    /// Deletes the account. It leaves every room; a room it hosted passes to the oldest other
    /// participant, one without any ends. Returns the active rooms that it left, the newest [`ACTIVE_ROOMS`] at most and none
    /// if a reply of the database was lost, or `None` if the hash is no longer `from`.
    ///
    /// [`ACTIVE_ROOMS`]: zetra_domain::limits::ACTIVE_ROOMS
    async fn delete_user(&self, id: UserId, from: &PasswordHash) -> Result<Option<Vec<RoomId>>>;

    /// False if the host's account was deleted in the meantime: then there is no such room, or one that has ended.
    async fn insert_room(&self, room: &Room) -> Result<bool>;
    /// Joining twice has the same result as joining once.
    async fn join_room(&self, room: RoomId, user: UserId) -> Result<Join>;
    /// Changes the room if `host` is its host, checked in the same step.
    async fn change_room(&self, room: RoomId, host: UserId, change: &RoomChange) -> Result<RoomChanged>;
    async fn room(&self, id: RoomId) -> Result<Option<RoomWithPeople>>;
    /// Newest first.
    async fn rooms_of(
        &self,
        user: UserId,
        limit: PageLimit,
        after: Option<&Cursor<RoomId>>,
    ) -> Result<Page<Room>>;
    /// The active rooms a user is a participant of, the newest [`ACTIVE_ROOMS`] at most.
    ///
    /// [`ACTIVE_ROOMS`]: zetra_domain::limits::ACTIVE_ROOMS
    async fn active_rooms_of(&self, user: UserId) -> Result<Vec<RoomId>>;
    /// In one round trip: a token that was already revoked at that time is reported as such.
    async fn admission(&self, room: RoomId, user: UserId) -> Result<Admission>;

    /// Records a call under `id`, or merges it into the log of the same call. The rules are documented in the
    /// domain's module of calls.
    async fn record_call(&self, id: CallLogId, call: &Call, now: Timestamp) -> Result<Recorded>;
    /// Records a call as the room saw it: the log as the room has it, even if some of its people are gone.
    /// `None` if there is no such room. `write` identifies this write.
    async fn record_room_call(
        &self,
        write: CallLogId,
        log: &CallLog,
        now: Timestamp,
    ) -> Result<Option<RoomCall>>;
    /// Ends the active call of `user` in `room`. `write` identifies this write.
    async fn end_call(
        &self,
        write: CallLogId,
        room: RoomId,
        user: UserId,
        end: Timestamp,
        now: Timestamp,
    ) -> Result<Ended>;
    /// Newest start first, as of `now`.
    async fn calls_of(
        &self,
        user: UserId,
        limit: PageLimit,
        after: Option<&Cursor<CallLogId>>,
        now: Timestamp,
    ) -> Result<Page<CallLog<Option<Person>>>>;
    /// As of `now`.
    async fn call_stats(&self, user: UserId, now: Timestamp) -> Result<CallStats>;
}
