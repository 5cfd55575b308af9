//! Records as documents, in the Node backend's names and types.
//!
//! `users {_id, username, email, passwordHash, createdAt}`, `rooms {roomId, participants, active, createdAt}`,
//! `calllogs {_id, callerId, receiverId, roomId, startTime, endTime, duration}` are the Node backend's. Which
//! of the records' other fields may be absent is documented where they are read ([`crate::record`]). A room
//! also has `removed`, the ids of users removed by its host, and `callsRevision` and `pendingCall` once
//! it has had a call; a log has a `revision`. A log that was joined to another is `{_id, revision, joinedTo}`.

use std::collections::HashMap;

use serde_json::{Map, Value, json};
use zetra_domain::{CallLog, Participant, UserId};

use super::{
    Result,
    ejson::{Document, date, object_id, object_ids},
};
use crate::record::{Fields, Written, call_log_fields, participant};

pub(super) fn document<const N: usize>(fields: Fields<'_, N>) -> Map<String, Value> {
    let field = |(name, written): (&str, Written<'_>)| {
        let value = match written {
            Written::Id(id) => object_id(id),
            Written::Ids(users) => object_ids(users),
            Written::Text(text) => text.into(),
            Written::OptionalText(text) => text.into(),
            Written::Integer(integer) => integer.into(),
            Written::Bool(yes) => yes.into(),
            Written::Time(time) => time.map_or(Value::Null, date),
        };
        (name.to_owned(), value)
    };
    fields.into_iter().map(field).collect()
}

/// What is left of a log once it was merged into `log`: nothing by which it could be found.
pub(super) fn removal(log: &CallLog, revision: i64) -> Value {
    let fields = call_log_fields(log).into_iter().map(|(name, _)| name).filter(|name| *name != "_id");
    json!({
        "$set": { "revision": revision, "joinedTo": object_id(log.id) },
        "$unset": fields.map(|name| (name.to_owned(), "".into())).collect::<Map<String, Value>>(),
    })
}

/// The people that `$lookup` put beside a room, in the order of its participants.
pub(super) fn people(document: &Document, participants: &[UserId]) -> Result<Vec<Participant>> {
    let found = document.documents("people")?;
    let people = found.iter().map(|user| participant(user).map(|person| (person.id, person)));
    let mut people = people.collect::<Result<HashMap<UserId, Participant>>>()?;
    Ok(participants.iter().filter_map(|id| people.remove(id)).collect())
}
