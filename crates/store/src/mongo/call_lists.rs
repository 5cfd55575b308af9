//! Call logs for display: a user's list, and its totals.

use serde_json::json;
use zetra_domain::{CallLog, CallLogId, CallStats, Cursor, Page, PageLimit, Person, Timestamp, UserId};

use super::{
    CALLS, MongoStore, Result, USERS,
    calls::took_part,
    data_api::Http,
    ejson::{date, object_id},
    pipeline::{Stage, after},
};
use crate::{
    calls::last_forgotten,
    record::{Record, call_log_with_people},
};

impl<H: Http> MongoStore<H> {
    pub(super) async fn page_of_calls(
        &self,
        user: UserId,
        limit: PageLimit,
        cursor: Option<&Cursor<CallLogId>>,
        now: Timestamp,
    ) -> Result<Page<CallLog<Option<Person>>>> {
        let mut filter = took_part(&[user]);
        if let Some(cursor) = cursor {
            let later = after("startTime", date(cursor.time), "_id", object_id(cursor.id));
            filter = json!({ "$and": [filter, later] });
        }
        let pipeline = vec![
            json!({ "$match": filter }).into(),
            Stage::sort(&[("startTime", -1), ("_id", -1)]),
            json!({ "$limit": limit.get() + 1 }).into(),
            Stage::by_id(USERS, "callerId", "caller"),
            Stage::by_id(USERS, "receiverId", "receiver"),
            // Leaves password hashes in the database.
            json!({ "$project": {
                "callerId": 1, "receiverId": 1, "roomId": 1, "participants": 1,
                "startTime": 1, "endTime": 1, "openSince": 1,
                "caller._id": 1, "caller.username": 1, "caller.email": 1,
                "receiver._id": 1, "receiver.username": 1, "receiver.email": 1,
            } })
            .into(),
        ];
        let found = self.api.aggregate(CALLS, pipeline).await?;
        let logs = found.iter().map(|document| Ok(call_log_with_people(document)?.as_of(now)));
        Ok(Page::cut(logs.collect::<Result<_>>()?, limit))
    }

    pub(super) async fn stats_of_calls(&self, user: UserId, now: Timestamp) -> Result<CallStats> {
        let open_since = json!({ "$ifNull": ["$openSince", "$startTime"] });
        let is_forgotten = json!({ "$lte": [open_since, date(last_forgotten(now))] });
        let forgotten = json!({ "$cond": [is_forgotten, open_since, null] });
        let is_over = json!({ "$gt": ["$end", null] });
        let seconds = json!({ "$floor": { "$divide": [{ "$subtract": ["$end", "$startTime"] }, 1_000] } });
        let totals = json!({
            "_id": null,
            "total": { "$sum": 1 },
            "completed": { "$sum": { "$cond": [is_over, 1, 0] } },
            "duration": { "$sum": { "$cond": [is_over, { "$max": [seconds, 0] }, 0] } },
        });
        let pipeline = vec![
            json!({ "$match": took_part(&[user]) }).into(),
            json!({ "$project": { "startTime": 1, "end": { "$ifNull": ["$endTime", forgotten] } } }).into(),
            json!({ "$group": totals }).into(),
        ];
        let found = self.api.aggregate(CALLS, pipeline).await?;
        let Some(totals) = found.first() else { return Ok(CallStats::default()) };
        Ok(CallStats::new(
            totals.required_integer("total")?,
            totals.required_integer("completed")?,
            totals.required_integer("duration")?,
        ))
    }
}
