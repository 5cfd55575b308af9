//! Domain records as documents, in the Node backend's names and types, and back.
//!
//! `users {_id, username, email, passwordHash, createdAt}`, `rooms {roomId, participants, active,
//! createdAt}`, `calllogs {_id, callerId, receiverId, roomId, startTime, endTime, duration}` are the
//! Node backend's. What it did not have may be absent from a document: `tokenVersion`, `keptToken`;
//! `host` (then the first participant), `locked`, `callsRevision`, `pendingCall`; a log's
//! `participants` (then caller and receiver), `openSince` (then its start) and `revision`. A log that was joined
//! to another is `{_id, revision, joinedTo}`.

use std::collections::HashMap;

use serde_json::{Map, Value, json};
use zetra_domain::{
    CallLog, CallLogId, CallState, Email, HonouredTokens, Participant, PasswordHash, Person, Room,
    TokenFingerprint, User, UserId, Username,
};

use super::ejson::{Document, date, object_id, object_ids};
use crate::{Account, NewUser, StoreError};

type Result<T> = std::result::Result<T, StoreError>;

pub(super) fn new_user(NewUser { user, password_hash }: &NewUser) -> Value {
    json!({
        "_id": object_id(user.id),
        "username": user.username.as_str(),
        "email": user.email.as_str(),
        "passwordHash": password_hash.expose(),
        "tokenVersion": 0,
        "createdAt": date(user.created_at),
    })
}

pub(super) fn account(document: &Document) -> Result<Account> {
    Ok(Account {
        user: User {
            id: document.id("_id")?,
            username: Username::stored(document.text("username")?),
            email: Email::stored(document.text("email")?),
            created_at: document.date("createdAt")?,
        },
        password_hash: PasswordHash::stored(document.text("passwordHash")?),
        tokens: honoured_tokens(document)?,
    })
}

pub(super) fn honoured_tokens(document: &Document) -> Result<HonouredTokens> {
    Ok(HonouredTokens {
        version: document.integer("tokenVersion")?,
        kept: document.optional_text("keptToken")?.map(TokenFingerprint::stored),
    })
}

pub(super) fn new_room(room: &Room) -> Value {
    json!({
        "roomId": room.id.to_string(),
        "host": object_id(room.host),
        "participants": object_ids(&room.participants),
        "active": room.active,
        "locked": room.locked,
        "createdAt": date(room.created_at),
    })
}

pub(super) fn room(document: &Document) -> Result<Room> {
    let participants: Vec<UserId> = document.optional_ids("participants")?.unwrap_or_default();
    let host = match document.optional_id("host")? {
        Some(host) => host,
        // Nobody is in it, so nobody sees this: the id of no user.
        None => participants.first().copied().map_or_else(nobody, Ok)?,
    };
    Ok(Room {
        id: document.parsed("roomId")?,
        host,
        participants,
        active: document.optional_bool("active")?.unwrap_or(true),
        locked: document.optional_bool("locked")?.unwrap_or(false),
        created_at: document.date("createdAt")?,
    })
}

/// The people that `$lookup` put beside a room, in the order of its participants.
pub(super) fn people(document: &Document, participants: &[UserId]) -> Result<Vec<Participant>> {
    let found = document.documents("people")?;
    let names = found.iter().map(|user| Ok((user.id("_id")?, Username::stored(user.text("username")?))));
    let mut names = names.collect::<Result<HashMap<UserId, Username>>>()?;
    let named = |id: &UserId| names.remove(id).map(|username| Participant { id: *id, username });
    Ok(participants.iter().filter_map(named).collect())
}

fn nobody() -> Result<UserId> {
    "0".repeat(24).parse().map_err(|_| StoreError::Corrupt("field host".to_owned()))
}

/// Everything of a log but its id.
pub(super) fn call_log_fields(log: &CallLog) -> Map<String, Value> {
    let fields = [
        ("callerId", object_id(log.caller)),
        ("receiverId", object_id(log.receiver)),
        ("roomId", log.room.to_string().into()),
        ("participants", object_ids(&log.participants)),
        ("startTime", date(log.start)),
        ("endTime", log.end().map_or(Value::Null, date)),
        ("openSince", log.state.open_since().map_or(Value::Null, date)),
        ("duration", log.duration().into()),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Takes from a log everything by which it is found.
pub(super) fn removal(joined_to: CallLogId, revision: i64) -> Value {
    json!({
        "$set": { "revision": revision, "joinedTo": object_id(joined_to) },
        "$unset": {
            "callerId": "", "receiverId": "", "roomId": "", "participants": "",
            "startTime": "", "endTime": "", "openSince": "", "duration": "",
        },
    })
}

pub(super) fn call_log(document: &Document) -> Result<CallLog> {
    let (caller, receiver) = (document.id("callerId")?, document.id("receiverId")?);
    let start = document.date("startTime")?;
    Ok(CallLog {
        id: document.id("_id")?,
        caller,
        receiver,
        room: document.parsed("roomId")?,
        participants: document.optional_ids("participants")?.unwrap_or_else(|| vec![caller, receiver]),
        start,
        state: CallState::stored(
            start,
            document.optional_date("endTime")?,
            document.optional_date("openSince")?,
        ),
    })
}

/// A log with the people that `$lookup` put beside it.
pub(super) fn populated(document: &Document) -> Result<CallLog<Option<Person>>> {
    Ok(call_log(document)?.with_people(person(document, "caller")?, person(document, "receiver")?))
}

fn person(document: &Document, field: &str) -> Result<Option<Person>> {
    let found = document.documents(field)?;
    let read = |user: &Document| {
        Ok(Person {
            id: user.id("_id")?,
            username: Username::stored(user.text("username")?),
            email: Email::stored(user.text("email")?),
        })
    };
    found.first().map(read).transpose()
}
