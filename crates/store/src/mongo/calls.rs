//! One call has one log, though the Data API has no transaction.
//!
//! A write is committed in the room's document: one guarded update takes the room's calls revision
//! from n to n + 1 and puts the log there as `pendingCall`. Then it is applied to `calllogs`, under the
//! log's own revision, so that applying late or twice does no harm. Whoever reads a room's logs in order
//! to write lays the pending one over them, and applies it before committing its own; so nothing is lost
//! by a writer that stops between the two.

use serde_json::{Value, json};
use zetra_domain::{Call, CallLog, CallLogId, RoomId, Timestamp, UserId, limits};

use super::{
    CALLS, MongoStore, ROOMS, Result, USERS,
    data_api::{CallError, Http, Stage},
    documents::{call_log, call_log_fields, room},
    ejson::{Document, Sort, date, object_id, object_ids},
};
use crate::{Ended, Recorded, StoreError, calls};

/// A room's logs as they are once everything committed is applied.
struct RoomCalls {
    revision: i64,
    pending: Option<Pending>,
    logs: Vec<CallLog>,
}

struct Pending {
    /// Names the write.
    write: CallLogId,
    log: CallLog,
    applied: bool,
}

enum Commit {
    Done,
    /// Somebody else was faster.
    Lost,
    /// Somebody else was faster, or an answer of ours was lost.
    Unknown,
}

impl<H: Http> MongoStore<H> {
    pub(super) async fn record(&self, id: CallLogId, call: &Call) -> Result<Recorded> {
        let mut unsure: Option<(i64, Recorded)> = None;
        for _ in 0..calls::ATTEMPTS {
            let Some(document) = self.read_for_record(call).await? else { return Ok(Recorded::UnknownUser) };
            let known: Vec<UserId> = document.optional_ids("known")?.unwrap_or_default();
            let place = document.documents("room")?.into_iter().next();
            let calls = place.as_ref().map(|place| room_calls(place, &document)).transpose()?;
            if let Some((revision, recorded)) = unsure.take()
                && self.settle(id, revision, calls.as_ref()).await?
            {
                return Ok(recorded);
            }
            let participants = place.as_ref().map(room).transpose()?.map(|room| room.participants);
            let logs = calls.as_ref().map_or(&[][..], |calls| &calls.logs);
            let recorded = calls::record(id, call, participants.as_deref(), &known, logs);
            let (Recorded::Created(log) | Recorded::Merged(log)) = &recorded else { return Ok(recorded) };
            // Without a room there is nothing to record.
            let Some(calls) = &calls else { return Ok(Recorded::RoomNotFound) };
            match self.commit(id, calls, log).await? {
                Commit::Done => return Ok(recorded),
                Commit::Lost => {}
                Commit::Unknown => unsure = Some((calls.revision, recorded)),
            }
        }
        Err(calls::contention())
    }

    pub(super) async fn end(
        &self,
        write: CallLogId,
        room: RoomId,
        user: UserId,
        end: Timestamp,
    ) -> Result<Ended> {
        let mut unsure: Option<(i64, Ended)> = None;
        for _ in 0..calls::ATTEMPTS {
            let Some(document) = self.read_for_end(room).await? else { return Ok(Ended::NotActive) };
            let calls = room_calls(&document, &document)?;
            if let Some((revision, ended)) = unsure.take()
                && self.settle(write, revision, Some(&calls)).await?
            {
                return Ok(ended);
            }
            let active: Vec<_> = calls.logs.iter().filter(|log| log.end.is_none()).cloned().collect();
            let ended = calls::end(user, end, &active);
            let Ended::Ended(log) = &ended else { return Ok(ended) };
            match self.commit(write, &calls, log).await? {
                Commit::Done => return Ok(ended),
                Commit::Lost => {}
                Commit::Unknown => unsure = Some((calls.revision, ended)),
            }
        }
        Err(calls::contention())
    }

    /// The people that exist, with the room and its logs about that time beside them; `None` when
    /// nobody of them exists. The room comes first: its logs must not be older than its revision.
    async fn read_for_record(&self, call: &Call) -> Result<Option<Document>> {
        let gap = limits::SAME_CALL_GAP_MS;
        let until =
            call.end.map_or(json!({ "$exists": true }), |end| json!({ "$lt": date(end.plus_millis(gap)) }));
        let about = json!({
            "roomId": call.room.to_string(),
            "startTime": until,
            "$or": [{ "endTime": null }, { "endTime": { "$gt": date(call.start.plus_millis(-gap)) } }],
        });
        let logs = [
            Stage::from(json!({ "$match": about })),
            Stage::Sort { sort: Sort(&[("startTime", -1)]) },
            Stage::from(json!({ "$limit": calls::SAME_CALL_CANDIDATES })),
        ];
        let people = call.participants.len();
        let found = self
            .api
            .aggregate(
                USERS,
                vec![
                    json!({ "$match": { "_id": { "$in": object_ids(&call.participants) } } }).into(),
                    json!({ "$limit": people }).into(),
                    json!({ "$group": { "_id": null, "known": { "$push": "$_id" } } }).into(),
                    json!({ "$lookup": {
                        "from": ROOMS,
                        "pipeline": [{ "$match": { "roomId": call.room.to_string() } }, { "$limit": 1 }],
                        "as": "room",
                    } })
                    .into(),
                    lookup_logs(&logs)?,
                ],
            )
            .await?;
        Ok(found.into_iter().next())
    }

    async fn read_for_end(&self, room: RoomId) -> Result<Option<Document>> {
        let logs = [Stage::from(json!({ "$match": { "roomId": room.to_string(), "endTime": null } }))];
        self.room_with(room, [lookup_logs(&logs)?]).await
    }

    async fn commit(&self, write: CallLogId, calls: &RoomCalls, log: &CallLog) -> Result<Commit> {
        if let Some(pending) = calls.pending.as_ref().filter(|pending| !pending.applied) {
            self.apply(&pending.log, calls.revision).await?;
        }
        let revision = calls.revision + 1;
        let mut pending = call_log_fields(log);
        pending.insert("_id".to_owned(), object_id(log.id));
        pending.insert("write".to_owned(), object_id(write));
        // A room that has had no call, of the Node backend perhaps, has no revision.
        let before = if calls.revision == 0 { json!({ "$in": [null, 0] }) } else { calls.revision.into() };
        let filter = json!({ "roomId": log.room.to_string(), "callsRevision": before });
        let update = json!({ "$set": { "callsRevision": revision, "pendingCall": pending } });
        let reply = self.api.update_one(ROOMS, filter, update, false).await?;
        if reply.value == 0 {
            return Ok(if reply.repeated { Commit::Unknown } else { Commit::Lost });
        }
        self.apply(log, revision).await?;
        Ok(Commit::Done)
    }

    /// Whether a write of which the answer was lost is done: then it is applied.
    async fn settle(&self, write: CallLogId, before: i64, calls: Option<&RoomCalls>) -> Result<bool> {
        let Some(calls) = calls else { return Ok(false) };
        match &calls.pending {
            Some(pending) if pending.write == write => {
                self.apply(&pending.log, calls.revision).await?;
                Ok(true)
            }
            _ if calls.revision > before + 1 => {
                Err(StoreError::Unavailable("the fate of a write is unknown".to_owned()))
            }
            _ => Ok(false),
        }
    }

    async fn apply(&self, log: &CallLog, revision: i64) -> Result<()> {
        let mut fields = call_log_fields(log);
        fields.insert("revision".to_owned(), revision.into());
        // A log that is further on does not match, and its `_id` then refuses the insertion.
        let filter = json!({ "_id": object_id(log.id), "revision": { "$not": { "$gte": revision } } });
        match self.api.update_one(CALLS, filter, json!({ "$set": fields }), true).await {
            Ok(_) | Err(CallError::Duplicate) => Ok(()),
            Err(CallError::Store(error)) => Err(error),
        }
    }
}

fn lookup_logs(pipeline: &[Stage]) -> Result<Stage> {
    let pipeline =
        serde_json::to_value(pipeline).map_err(|error| StoreError::Unavailable(error.to_string()))?;
    Ok(json!({ "$lookup": { "from": CALLS, "pipeline": pipeline, "as": "logs" } }).into())
}

fn room_calls(place: &Document, beside: &Document) -> Result<RoomCalls> {
    let revision = place.integer("callsRevision")?;
    let documents = beside.documents("logs")?;
    let mut logs = documents.iter().map(call_log).collect::<Result<Vec<_>>>()?;
    let pending = match place.optional_document("pendingCall")? {
        Some(pending) => {
            let (write, log) = (pending.id("write")?, call_log(&pending)?);
            let stored = documents.iter().zip(&logs).find(|(_, stored)| stored.id == log.id);
            let stored = stored.map(|(document, _)| document.integer("revision")).transpose()?;
            Some(Pending { write, applied: stored.is_some_and(|stored| stored >= revision), log })
        }
        None => None,
    };
    if let Some(Pending { log, .. }) = pending.as_ref().filter(|pending| !pending.applied) {
        logs.retain(|stored| stored.id != log.id);
        logs.push(log.clone());
    }
    Ok(RoomCalls { revision, pending, logs })
}

/// Which logs a user took part in. A log of the Node backend names only its two.
pub(super) fn took_part(user: UserId) -> Value {
    let user = object_id(user);
    json!({ "$or": [{ "participants": user }, { "callerId": user }, { "receiverId": user }] })
}
