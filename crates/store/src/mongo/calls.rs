//! Ensures that one call has one log, though the Data API has no transactions.
//!
//! A write is committed in the room's document: one guarded update increments the room's calls revision from n
//! to n + 1 and stores the log there as `pendingCall`, with the ids of those that it replaces. Then it is
//! applied to `calllogs`: first those are removed, then the log is written under its own revision, so that
//! applying late or twice does no harm. A writer that reads a room's logs overlays the pending write on them,
//! and applies it before committing its own; so nothing is lost if a writer stops between the two steps.
//!
//! A removed log leaves its `_id` and its revision behind, and nothing else ([`removal`]): a writer that comes
//! late would insert it again if its `_id` were free. No query finds these remains.

use std::collections::HashSet;

use async_trait::async_trait;
use serde_json::{Value, json};
use zetra_domain::{Call, CallLog, CallLogId, RoomId, Timestamp, UserId, limits};

use super::{
    CALLS, MongoStore, ROOMS, Result, USERS,
    data_api::{CallError, Http},
    documents::{document, removal},
    ejson::{Document, date, object_id, object_ids},
    pipeline::Stage,
};
use crate::{
    StoreError,
    calls::{CallTable, Change, Found, FoundOpen, MOST_LOGS, Reach, last_forgotten},
    record::{Record, call_log, call_log_fields, room},
};

/// Logs that are read in order to end one of them. One is enough, but the pending write may change it.
const MOST_OPEN: usize = 10;
/// How many logs before a time are read in addition to one for each person.
const SPARE: usize = 8;

/// The part of a room's document about its logs.
struct RoomCalls {
    revision: i64,
    /// The last write, if it is not applied yet.
    pending: Option<Change>,
}

#[async_trait]
impl<H: Http> CallTable for MongoStore<H> {
    /// The room's calls revision.
    type Guard = i64;

    async fn read(&self, call: &Call, reach: &Reach) -> Result<Found<i64>> {
        let document = self.read_beside_people(call, reach).await?;
        let known =
            document.documents("known")?.first().map(|known| known.optional_ids("ids")).transpose()?;
        let known = known.flatten().unwrap_or_default();
        let Some(place) = document.documents("room")?.into_iter().next() else {
            return Ok(Found { known, room: None, guard: 0, logs: vec![], cut_at: None });
        };
        let mut logs = read_logs(&document, "within")?;
        let cut_at = logs.get(MOST_LOGS - 1).map(|last| last.start);
        let before = read_logs(&document, "before")?;
        logs.extend(self.last_of_each(call.room, reach, before).await?);
        let guard = self.brought_up(&place, &mut logs).await?;
        Ok(Found { known, room: Some(room(&place)?), guard, logs, cut_at })
    }

    async fn read_open(&self, id: RoomId, user: UserId, now: Timestamp) -> Result<Option<FoundOpen<i64>>> {
        let forgotten = date(last_forgotten(now));
        let open = json!({
            "roomId": id.to_string(),
            "endTime": null,
            "$or": [{ "openSince": { "$gt": forgotten } }, { "openSince": null, "startTime": { "$gt": forgotten } }],
        });
        let just_ended = json!({
            "roomId": id.to_string(),
            "endTime": { "$gt": date(now.plus_millis(-limits::ENDED_CALL_MS)) },
            "keptByRoom": true,
        });
        let user = object_id(user);
        let mine = json!({ "$or": [
            { "$in": [user, { "$ifNull": ["$participants", []] }] },
            { "$eq": ["$callerId", user] },
            { "$eq": ["$receiverId", user] },
        ] });
        let logs = vec![
            json!({ "$match": { "$or": [open, just_ended] } }).into(),
            json!({ "$addFields": { "mine": mine } }).into(),
            Stage::sort(&[("mine", -1), ("startTime", -1)]),
            json!({ "$limit": MOST_OPEN }).into(),
        ];
        let beside = [last_write(), Stage::lookup(CALLS, logs, "logs")];
        let Some(place) = self.room_with(id, beside).await? else { return Ok(None) };
        let mut logs = read_logs(&place, "logs")?;
        let guard = self.brought_up(&place, &mut logs).await?;
        Ok(Some(FoundOpen { created_at: room(&place)?.created_at, guard, logs }))
    }

    async fn write(&self, write: CallLogId, guard: &i64, change: &Change) -> Result<bool> {
        let Change { log, removed, .. } = change;
        let revision = guard + 1;
        let mut pending = document(call_log_fields(log));
        pending.insert("removed".to_owned(), removed.iter().map(object_id).collect());
        pending.insert("write".to_owned(), object_id(write));
        // A room that has had no call, perhaps one of the Node backend, has no revision.
        let before = if *guard == 0 { json!({ "$in": [null, 0] }) } else { json!(guard) };
        let filter = json!({ "roomId": log.room.to_string(), "callsRevision": before });
        let update = json!({ "$set": { "callsRevision": revision, "pendingCall": pending } });
        let reply = self.api.update_one(ROOMS, filter, update, false).await?;
        let committed =
            reply.value > 0 || (reply.retried && self.is_committed(write, log.room, revision).await?);
        if committed {
            self.apply(change, revision).await?;
        }
        Ok(committed)
    }
}

impl<H: Http> MongoStore<H> {
    /// The people that exist, with the room and its logs in reach beside them. The room is read first: its logs
    /// must not be older than its revision.
    async fn read_beside_people(&self, call: &Call, reach: &Reach) -> Result<Document> {
        let place = vec![
            json!({ "$match": { "roomId": call.room.to_string() } }).into(),
            json!({ "$limit": 1 }).into(),
            last_write(),
        ];
        let within = json!({ "$gt": date(reach.from), "$lt": date(reach.until) });
        let within = vec![
            json!({ "$match": in_room(call.room, &reach.people, within) }).into(),
            Stage::sort(&[("startTime", 1)]),
            json!({ "$limit": MOST_LOGS }).into(),
        ];
        let pipeline = vec![
            json!({ "$match": { "_id": { "$in": object_ids(&call.participants) } } }).into(),
            json!({ "$limit": call.participants.len() }).into(),
            // One document whether anybody exists or not: the room is needed even if its people are gone.
            json!({ "$facet": { "known": [{ "$group": { "_id": null, "ids": { "$push": "$_id" } } }] } })
                .into(),
            Stage::lookup(ROOMS, place, "room"),
            Stage::lookup(CALLS, within, "within"),
            Stage::lookup(CALLS, last_before(call.room, &reach.people, reach.from), "before"),
        ];
        let found = self.api.aggregate(USERS, pipeline).await?.into_iter().next();
        found.ok_or_else(|| StoreError::Corrupt("no answer about a call".to_owned()))
    }

    /// The last log of each of the people that starts before the range: since logs of one person in one room
    /// never touch, no earlier one reaches into it. `logs` are the last ones of all of them together, which
    /// seldom leave somebody out.
    async fn last_of_each(&self, room: RoomId, reach: &Reach, logs: Vec<CallLog>) -> Result<Vec<CallLog>> {
        let (mut missing, mut found, mut page) = (reach.people.clone(), Vec::new(), logs);
        loop {
            let asked_for = missing.len();
            let is_last = page.len() < asked_for + SPARE;
            let seen: HashSet<UserId> = page.iter().flat_map(|log| &log.participants).copied().collect();
            missing.retain(|user| !seen.contains(user));
            found.extend(page);
            // A page without anybody who was asked for would come again.
            if is_last || missing.is_empty() || missing.len() == asked_for {
                return Ok(found);
            }
            let more = self.api.aggregate(CALLS, last_before(room, &missing, reach.from)).await?;
            page = more.iter().map(call_log).collect::<Result<_>>()?;
        }
    }

    /// Applies what a writer has committed but not applied, and overlays it on the logs that were read with the
    /// room. Returns the room's calls revision.
    async fn brought_up(&self, place: &Document, logs: &mut Vec<CallLog>) -> Result<i64> {
        let RoomCalls { revision, pending } = room_calls(place)?;
        if let Some(pending) = pending {
            self.apply(&pending, revision).await?;
            logs.retain(|log| log.id != pending.log.id && !pending.removed.contains(&log.id));
            logs.push(pending.log);
        }
        Ok(revision)
    }

    /// Whether a write whose answer was lost has happened.
    async fn is_committed(&self, write: CallLogId, room: RoomId, revision: i64) -> Result<bool> {
        let filter = json!({ "roomId": room.to_string() });
        let projection = json!({ "_id": 0, "callsRevision": 1, "pendingCall.write": 1 });
        let place = self.api.find_one_projected(ROOMS, filter, Some(projection)).await?.unwrap_or_default();
        let last = place.optional_document("pendingCall")?;
        let last: Option<CallLogId> = last.map(|pending| pending.id("write")).transpose()?;
        match place.integer("callsRevision")? {
            now if now > revision => {
                Err(StoreError::Unavailable("the fate of a write is unknown".to_owned()))
            }
            now => Ok(now == revision && last == Some(write)),
        }
    }

    async fn apply(&self, Change { log, removed, .. }: &Change, revision: i64) -> Result<()> {
        if !removed.is_empty() {
            let filter = json!({ "_id": { "$in": removed.iter().map(object_id).collect::<Value>() } });
            self.api.update_many(CALLS, filter, removal(log, revision)).await?;
        }
        let mut fields = document(call_log_fields(log));
        fields.remove("_id");
        fields.insert("revision".to_owned(), revision.into());
        // A log with a later revision does not match, and its `_id` then refuses the insertion.
        let filter = json!({ "_id": object_id(log.id), "revision": { "$not": { "$gte": revision } } });
        match self.api.update_one(CALLS, filter, json!({ "$set": fields }), true).await {
            Ok(_) | Err(CallError::Duplicate) => Ok(()),
            Err(CallError::Store(error)) => Err(error),
        }
    }
}

/// Puts the log of a room's last write, as it is in `calllogs`, beside the room.
fn last_write() -> Stage {
    Stage::by_id(CALLS, "pendingCall._id", "applied")
}

fn room_calls(place: &Document) -> Result<RoomCalls> {
    let revision = place.integer("callsRevision")?;
    let Some(pending) = place.optional_document("pendingCall")? else {
        return Ok(RoomCalls { revision, pending: None });
    };
    let applied = place.documents("applied")?.first().map(|log| log.integer("revision")).transpose()?;
    let pending = if applied.is_some_and(|applied| applied >= revision) {
        None
    } else {
        let removed = pending.optional_ids("removed")?.unwrap_or_default();
        Some(Change { log: call_log(&pending)?, removed, is_new: false })
    };
    Ok(RoomCalls { revision, pending })
}

fn read_logs(document: &Document, field: &str) -> Result<Vec<CallLog>> {
    document.documents(field)?.iter().map(call_log).collect()
}

/// The last logs of these people that start at `from` or before it.
fn last_before(room: RoomId, people: &[UserId], from: Timestamp) -> Vec<Stage> {
    vec![
        json!({ "$match": in_room(room, people, json!({ "$lte": date(from) })) }).into(),
        Stage::sort(&[("startTime", -1)]),
        json!({ "$limit": people.len() + SPARE }).into(),
    ]
}

fn in_room(room: RoomId, people: &[UserId], start: Value) -> Value {
    json!({ "$and": [{ "roomId": room.to_string(), "startTime": start }, took_part(people)] })
}

/// Matches logs in which any of these people took part. A log of the Node backend names only its two.
pub(super) fn took_part(people: &[UserId]) -> Value {
    let people = json!({ "$in": object_ids(people) });
    json!({ "$or": [{ "participants": people }, { "callerId": people }, { "receiverId": people }] })
}

#[cfg(test)]
mod tests;
