//! Users, rooms and call logs as databases store them: their fields and what each means, defined once for rows
//! and documents alike.
//!
//! Fields have the documents' names, `createdAt`; a row has a column for each, `created_at`. Fields added after
//! the Node backend may be absent from its documents: a user's `tokenVersion` and `keptToken`, a room's `name`,
//! `host` (then the first participant), `locked` and `removed`, a log's `participants` (then caller and
//! receiver), `openSince` (then its start) and `keptByRoom`. A room without `active` has ended, as for the Node
//! backend, which looked for rooms with `active: true`.

use std::str::FromStr;

use zetra_domain::{
    CallLog, CallState, Email, HonouredTokens, Participant, PasswordHash, Person, Room, RoomName, Timestamp,
    TokenFingerprint, User, UserId, Username,
};

use crate::{Account, NewUser, StoreError};

type Result<T> = std::result::Result<T, StoreError>;

/// A row or a document. `None` if the field is NULL, `null` or absent; another type is [`StoreError::Corrupt`].
pub(crate) trait Record: Sized {
    fn optional_text(&self, field: &str) -> Result<Option<String>>;
    fn optional_integer(&self, field: &str) -> Result<Option<i64>>;
    fn optional_bool(&self, field: &str) -> Result<Option<bool>>;
    fn optional_time(&self, field: &str) -> Result<Option<Timestamp>>;
    /// An ObjectId.
    fn optional_id<T: FromStr>(&self, field: &str) -> Result<Option<T>>;
    /// A list of ObjectIds.
    fn optional_ids<T: FromStr>(&self, field: &str) -> Result<Option<Vec<T>>>;
    /// A record that was read along with this one, under a name of its own.
    fn beside(&self, name: &str) -> Result<Option<Self>>;

    fn text(&self, field: &str) -> Result<String> {
        required(self.optional_text(field)?, field)
    }

    fn time(&self, field: &str) -> Result<Timestamp> {
        required(self.optional_time(field)?, field)
    }

    fn id<T: FromStr>(&self, field: &str) -> Result<T> {
        required(self.optional_id(field)?, field)
    }

    /// A value stored as text, such as a UUID.
    fn parsed<T: FromStr>(&self, field: &str) -> Result<T> {
        self.text(field)?.parse().map_err(|_| corrupt(field))
    }

    /// A result of the database itself, which is never absent.
    fn required_integer(&self, field: &str) -> Result<i64> {
        required(self.optional_integer(field)?, field)
    }

    /// 0 if there is none.
    fn integer(&self, field: &str) -> Result<i64> {
        Ok(self.optional_integer(field)?.unwrap_or(0))
    }
}

/// Names the field but never its value.
pub(crate) fn corrupt(field: &str) -> StoreError {
    StoreError::Corrupt(format!("field {field}"))
}

pub(crate) fn required<T>(value: Option<T>, field: &str) -> Result<T> {
    value.ok_or_else(|| corrupt(field))
}

pub(crate) fn account(record: &impl Record) -> Result<Account> {
    Ok(Account {
        user: User {
            id: record.id("_id")?,
            username: username(record)?,
            email: email(record)?,
            created_at: record.time("createdAt")?,
        },
        password_hash: PasswordHash::stored(record.text("passwordHash")?),
        tokens: honoured_tokens(record)?,
    })
}

pub(crate) fn honoured_tokens(record: &impl Record) -> Result<HonouredTokens> {
    Ok(HonouredTokens {
        version: record.integer("tokenVersion")?,
        kept: record.optional_text("keptToken")?.map(TokenFingerprint::stored),
    })
}

/// A user as a participant of a room.
pub(crate) fn participant(record: &impl Record) -> Result<Participant> {
    Ok(Participant { id: record.id("_id")?, username: username(record)? })
}

pub(crate) fn room(record: &impl Record) -> Result<Room> {
    let participants: Vec<UserId> = record.optional_ids("participants")?.unwrap_or_default();
    let host = match record.optional_id("host")? {
        Some(host) => host,
        // Nobody is in the room, so nobody sees this: the id of no user.
        None => participants.first().copied().map_or_else(nobody, Ok)?,
    };
    Ok(Room {
        id: record.parsed("roomId")?,
        name: record.optional_text("name")?.map(RoomName::stored),
        host,
        participants,
        active: record.optional_bool("active")?.unwrap_or(false),
        locked: record.optional_bool("locked")?.unwrap_or(false),
        created_at: record.time("createdAt")?,
    })
}

pub(crate) fn call_log(record: &impl Record) -> Result<CallLog> {
    let (caller, receiver) = (record.id("callerId")?, record.id("receiverId")?);
    let (start, end) = (record.time("startTime")?, record.optional_time("endTime")?);
    // Mongoose gives a log that names nobody an empty array.
    let participants = record.optional_ids("participants")?.filter(|people| !people.is_empty());
    Ok(CallLog {
        id: record.id("_id")?,
        caller,
        receiver,
        room: record.parsed("roomId")?,
        participants: participants.unwrap_or_else(|| vec![caller, receiver]),
        start,
        state: CallState::stored(start, end, record.optional_time("openSince")?),
        kept_by_room: record.optional_bool("keptByRoom")?.unwrap_or(false),
    })
}

/// A log with the people that were read beside it.
pub(crate) fn call_log_with_people(record: &impl Record) -> Result<CallLog<Option<Person>>> {
    let person = |name| record.beside(name)?.as_ref().map(person).transpose();
    Ok(call_log(record)?.with_people(person("caller")?, person("receiver")?))
}

fn person(record: &impl Record) -> Result<Person> {
    Ok(Person { id: record.id("_id")?, username: username(record)?, email: email(record)? })
}

fn username(record: &impl Record) -> Result<Username> {
    record.text("username").map(Username::stored)
}

fn email(record: &impl Record) -> Result<Email> {
    record.text("email").map(Email::stored)
}

fn nobody() -> Result<UserId> {
    "0".repeat(24).parse().map_err(|_| corrupt("host"))
}

/// The value of a field as it is written.
pub(crate) enum Written<'a> {
    /// An ObjectId.
    Id(String),
    Ids(&'a [UserId]),
    Text(String),
    OptionalText(Option<String>),
    Integer(i64),
    Bool(bool),
    Time(Option<Timestamp>),
}

pub(crate) type Fields<'a, const N: usize> = [(&'static str, Written<'a>); N];

pub(crate) fn user_fields(NewUser { user, password_hash }: &NewUser) -> Fields<'_, 6> {
    [
        ("_id", Written::Id(user.id.to_string())),
        ("username", Written::Text(user.username.as_str().to_owned())),
        ("email", Written::Text(user.email.as_str().to_owned())),
        ("passwordHash", Written::Text(password_hash.expose().to_owned())),
        ("tokenVersion", Written::Integer(0)),
        ("createdAt", Written::Time(Some(user.created_at))),
    ]
}

pub(crate) fn room_fields(room: &Room) -> Fields<'_, 7> {
    [
        ("roomId", Written::Text(room.id.to_string())),
        ("name", Written::OptionalText(room.name.as_ref().map(|name| name.as_str().to_owned()))),
        ("host", Written::Id(room.host.to_string())),
        ("participants", Written::Ids(&room.participants)),
        ("active", Written::Bool(room.active)),
        ("locked", Written::Bool(room.locked)),
        ("createdAt", Written::Time(Some(room.created_at))),
    ]
}

pub(crate) fn call_log_fields(log: &CallLog) -> Fields<'_, 10> {
    [
        ("_id", Written::Id(log.id.to_string())),
        ("callerId", Written::Id(log.caller.to_string())),
        ("receiverId", Written::Id(log.receiver.to_string())),
        ("roomId", Written::Text(log.room.to_string())),
        ("participants", Written::Ids(&log.participants)),
        ("startTime", Written::Time(Some(log.start))),
        ("endTime", Written::Time(log.end())),
        ("openSince", Written::Time(log.state.open_since())),
        ("duration", Written::Integer(log.duration())),
        ("keptByRoom", Written::Bool(log.kept_by_room)),
    ]
}
