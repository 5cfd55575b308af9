//! Call logs in SQLite.
//!
//! A write is one batch that first changes the room's calls revision from the one that was read to its own id;
//! every further statement checks whether that succeeded.
//!
//! Logs of one person in one room never touch. So the last one that starts before a given time is the only
//! earlier one that can extend past it, and a search from there on reads no more rows than it returns.

use async_trait::async_trait;
use zetra_domain::{
    Call, CallLog, CallLogId, CallStats, Cursor, Page, PageLimit, Person, RoomId, Timestamp, UserId,
};

use super::{
    Result, Sql, SqlValue, SqliteStore, Statement, id_list, keys_after, rooms::room_statement, statement,
    values,
};
use crate::{
    StoreError,
    calls::{CallTable, Change, Found, FoundOpen, MOST_LOGS, Reach, last_forgotten},
    record::{self, Record},
};

/// The columns of a log, by name, so that a database with an older schema refuses them.
macro_rules! select_calls {
    ($($more:literal)?) => {
        concat!(
            "SELECT c.id, c.room_id, c.caller_id, c.receiver_id, c.participants, c.start_time, c.end_time,
               c.open_since, c.kept_by_room ",
            $($more)?
        )
    };
}

#[async_trait]
impl<S: Sql> CallTable for SqliteStore<S> {
    type Guard = String;

    async fn read(&self, call: &Call, reach: &Reach) -> Result<Found<String>> {
        let [room, known, logs] = self
            .batch([
                room_statement(call.room),
                statement(
                    "SELECT id FROM users WHERE id IN (SELECT value FROM json_each(?1))",
                    [id_list(&call.participants).as_str().into()],
                ),
                in_reach(call.room, reach),
            ])
            .await?;
        let logs = logs.iter().map(record::call_log).collect::<Result<Vec<_>>>()?;
        Ok(Found {
            known: known.iter().map(|row| row.id("_id")).collect::<Result<_>>()?,
            guard: room.first().map(|row| row.text("callsRevision")).transpose()?.unwrap_or_default(),
            room: room.first().map(record::room).transpose()?,
            cut_at: logs.get(MOST_LOGS - 1).map(|last| last.start),
            logs,
        })
    }

    async fn read_open(
        &self,
        room: RoomId,
        user: UserId,
        now: Timestamp,
    ) -> Result<Option<FoundOpen<String>>> {
        let [room, open, last] = self
            .batch([
                statement("SELECT created_at, calls_revision FROM rooms WHERE room_id = ?1", [room.into()]),
                statement(
                    select_calls!(
                        ", EXISTS (SELECT 1 FROM call_participants p WHERE p.user_id = ?2
                             AND p.start_time = c.start_time AND p.call_id = c.id) AS mine
                         FROM call_logs c WHERE c.room_id = ?1 AND c.end_time IS NULL
                         AND coalesce(c.open_since, c.start_time) > ?3
                         ORDER BY mine DESC, c.start_time DESC LIMIT 1"
                    ),
                    [room.into(), user.into(), last_forgotten(now).into()],
                ),
                // As logs of one person in one room never touch, the one that began last also ended last.
                statement(
                    select_calls!(
                        "FROM call_participants p JOIN call_logs c ON c.id = p.call_id
                         WHERE p.room_id = ?1 AND p.user_id = ?2 AND c.kept_by_room = 1
                         ORDER BY p.start_time DESC LIMIT 1"
                    ),
                    [room.into(), user.into()],
                ),
            ])
            .await?;
        let Some(room) = room.first() else { return Ok(None) };
        Ok(Some(FoundOpen {
            created_at: room.time("createdAt")?,
            guard: room.text("callsRevision")?,
            logs: open.iter().chain(&last).map(record::call_log).collect::<Result<_>>()?,
        }))
    }

    async fn write(&self, write: CallLogId, guard: &String, change: &Change) -> Result<bool> {
        let Change { log, removed, .. } = change;
        let [room, id, write] = [log.room.to_string(), log.id.to_string(), write.to_string()];
        let guarded = || [room.as_str().into(), write.as_str().into()];
        let people = id_list(&log.participants);
        let removed: Vec<_> = removed.iter().map(ToString::to_string).collect();
        let removed = serde_json::Value::from(removed).to_string();
        let [.., rows] = self
            .batch([
                statement(
                    "UPDATE rooms SET calls_revision = ?2 WHERE room_id = ?1 AND calls_revision = ?3",
                    with(guarded(), [guard.as_str().into()]),
                ),
                statement(
                    "INSERT INTO call_logs (id, caller_id, receiver_id, room_id, participants, start_time,
                       end_time, open_since, duration, kept_by_room)
                     SELECT ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12
                     FROM rooms WHERE room_id = ?1 AND calls_revision = ?2
                     ON CONFLICT (id) DO UPDATE SET participants = excluded.participants,
                       start_time = excluded.start_time, end_time = excluded.end_time,
                       open_since = excluded.open_since, duration = excluded.duration,
                       kept_by_room = excluded.kept_by_room",
                    with(guarded(), values(record::call_log_fields(log))),
                ),
                statement(
                    "DELETE FROM call_participants
                     WHERE (call_id = ?3 OR call_id IN (SELECT value FROM json_each(?4)))
                     AND EXISTS (SELECT 1 FROM rooms WHERE room_id = ?1 AND calls_revision = ?2)",
                    with(guarded(), [id.as_str().into(), removed.as_str().into()]),
                ),
                statement(
                    "DELETE FROM call_logs WHERE id IN (SELECT value FROM json_each(?3))
                     AND EXISTS (SELECT 1 FROM rooms WHERE room_id = ?1 AND calls_revision = ?2)",
                    with(guarded(), [removed.as_str().into()]),
                ),
                statement(
                    "INSERT INTO call_participants (user_id, start_time, call_id, room_id)
                     SELECT value, ?5, ?3, ?1 FROM json_each(?4)
                     WHERE EXISTS (SELECT 1 FROM rooms WHERE room_id = ?1 AND calls_revision = ?2)",
                    with(guarded(), [id.as_str().into(), people.as_str().into(), log.start.into()]),
                ),
                statement("SELECT calls_revision FROM rooms WHERE room_id = ?1", [room.as_str().into()]),
            ])
            .await?;
        Ok(rows.first().map(|row| row.text("callsRevision")).transpose()?.as_ref() == Some(&write))
    }
}

impl<S: Sql> SqliteStore<S> {
    pub(super) async fn page_of_calls(
        &self,
        user: UserId,
        limit: PageLimit,
        after: Option<&Cursor<CallLogId>>,
        now: Timestamp,
    ) -> Result<Page<CallLog<Option<Person>>>> {
        let [time, id] = keys_after(after);
        let rows = self
            .rows(statement(
                select_calls!(
                    ", a.id AS \"caller.id\", a.username AS \"caller.username\", a.email AS \"caller.email\",
                       b.id AS \"receiver.id\", b.username AS \"receiver.username\",
                       b.email AS \"receiver.email\"
                     FROM call_participants p JOIN call_logs c ON c.id = p.call_id
                     LEFT JOIN users a ON a.id = c.caller_id LEFT JOIN users b ON b.id = c.receiver_id
                     WHERE p.user_id = ?1 AND (p.start_time, p.call_id) < (?2, ?3)
                     ORDER BY p.start_time DESC, p.call_id DESC LIMIT ?4"
                ),
                [user.into(), time, id, (i64::from(limit.get()) + 1).into()],
            ))
            .await?;
        let logs = rows.iter().map(|row| Ok(record::call_log_with_people(row)?.as_of(now)));
        Ok(Page::cut(logs.collect::<Result<_>>()?, limit))
    }

    pub(super) async fn stats_of_calls(&self, user: UserId, now: Timestamp) -> Result<CallStats> {
        let rows = self
            .rows(statement(
                "WITH calls AS (
                   SELECT c.start_time, CASE WHEN c.end_time IS NOT NULL THEN c.end_time
                     WHEN coalesce(c.open_since, c.start_time) <= ?2 THEN coalesce(c.open_since, c.start_time)
                     END AS end_time
                   FROM call_participants p JOIN call_logs c ON c.id = p.call_id WHERE p.user_id = ?1)
                 SELECT count(*) AS total, count(end_time) AS completed,
                   coalesce(sum(max(end_time - start_time, 0) / 1000), 0) AS duration
                 FROM calls",
                [user.into(), last_forgotten(now).into()],
            ))
            .await?;
        let row = rows.first().ok_or_else(|| StoreError::Corrupt("no statistics".to_owned()))?;
        Ok(CallStats::new(
            row.required_integer("total")?,
            row.required_integer("completed")?,
            row.required_integer("duration")?,
        ))
    }
}

/// `CROSS JOIN` makes SQLite begin with the people, whatever it estimates of the tables' sizes.
fn in_reach(room: RoomId, reach: &Reach) -> Statement {
    statement(
        select_calls!(
            "FROM call_logs c WHERE c.id IN (
               SELECT p.call_id FROM json_each(?2) CROSS JOIN call_participants p
               ON p.room_id = ?1 AND p.user_id = json_each.value AND p.start_time < ?4
               AND p.start_time >= coalesce(
                 (SELECT max(q.start_time) FROM call_participants q
                  WHERE q.room_id = ?1 AND q.user_id = json_each.value AND q.start_time <= ?3), ?3))
             ORDER BY c.start_time, c.id LIMIT ?5"
        ),
        [
            room.into(),
            id_list(&reach.people).as_str().into(),
            reach.from.into(),
            reach.until.into(),
            i64::try_from(MOST_LOGS).unwrap_or(i64::MAX).into(),
        ],
    )
}

fn with<const N: usize>(guarded: [SqlValue; 2], more: [SqlValue; N]) -> Vec<SqlValue> {
    guarded.into_iter().chain(more).collect()
}
