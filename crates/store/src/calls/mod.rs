//! Recording and ending calls, over any database that can read some logs and write one under a guard.
//!
//! The decision itself is in [`decision`], which is pure. The procedure is here: read the room and the logs
//! that may concern a report, decide, and write unless the room's logs have changed in the meantime; else start
//! again.
//!
//! Invariants
//! 1. A write is decided on every log that may be the same call as the log it writes: if the log that a report
//!    creates reaches beyond what was read, it is read again, wider.
//! 2. Every read is bounded. If a report joins more logs than one read returns, the logs that were read are
//!    joined and written, and the result requests another attempt.

mod decision;
mod reach;

use std::collections::BTreeMap;

use async_trait::async_trait;
use zetra_domain::{Call, CallLog, CallLogId, Room, RoomId, Timestamp, UserId, limits};

pub(crate) use decision::{Change, end, join, report};
pub(crate) use reach::{MOST_LOGS, Reach};

use crate::{Ended, Recorded, RoomCall, StoreError};

type Result<T> = std::result::Result<T, StoreError>;

/// How often a report or an end starts again before it gives up: because another writer got through, or more had to be read.
/// It makes two requests to the database each time, and on the free plan a Worker has fifty.
const ATTEMPTS: usize = 20;

/// The result of a read for recording a call.
pub(crate) struct Found<G> {
    /// Those of the people in the call that have accounts.
    pub(crate) known: Vec<UserId>,
    pub(crate) room: Option<Room>,
    pub(crate) guard: G,
    /// Logs of the room, at least those in reach.
    pub(crate) logs: Vec<CallLog>,
    /// Where the read was cut off after [`MOST_LOGS`]: logs that start then or later may be missing.
    pub(crate) cut_at: Option<Timestamp>,
}

/// The result of a read for ending a call.
pub(crate) struct FoundOpen<G> {
    pub(crate) created_at: Timestamp,
    pub(crate) guard: G,
    /// Open logs of the room and those that it ended itself a short while ago: at least the user's last open
    /// one, the last one that is over and, if the user has no open one, another open one if there is.
    pub(crate) logs: Vec<CallLog>,
}

/// A database that keeps call logs.
#[async_trait]
pub(crate) trait CallTable: Sync {
    /// Makes a write fail if a room's logs have changed since they were read.
    type Guard: Clone + PartialEq + Send + Sync;

    /// Logs are in the order of their starts.
    async fn read(&self, call: &Call, reach: &Reach) -> Result<Found<Self::Guard>>;

    /// `None` if there is no such room.
    async fn read_open(
        &self,
        room: RoomId,
        user: UserId,
        now: Timestamp,
    ) -> Result<Option<FoundOpen<Self::Guard>>>;

    /// Writes one log and deletes those that it replaces, all or nothing. False if the guard failed. `write`
    /// identifies this write.
    async fn write(&self, write: CallLogId, guard: &Self::Guard, change: &Change) -> Result<bool>;
}

/// A client's report.
pub(crate) async fn record(
    table: &impl CallTable,
    id: CallLogId,
    call: &Call,
    now: Timestamp,
) -> Result<Recorded> {
    let judge = |found: &Found<_>| report(id, call, now, found.room.as_ref(), &found.known);
    Ok(record_as(table, id, call, judge, now).await?.map_or_else(|refusal| refusal, Into::into))
}

/// A room's own report, which is trusted without a check.
pub(crate) async fn record_of_room(
    table: &impl CallTable,
    write: CallLogId,
    log: &CallLog,
    now: Timestamp,
) -> Result<Option<RoomCall>> {
    let (participants, end) = (log.participants.clone(), log.end());
    let CallLog { caller, receiver, room, start, .. } = *log;
    let call = Call { room, caller, receiver, participants, start, end };
    let judge = |found: &Found<_>| match found.room {
        Some(_) => Ok(log.clone()),
        None => Err(Recorded::RoomNotFound),
    };
    Ok(record_as(table, write, &call, judge, now).await?.ok().map(Into::into))
}

/// `write` identifies this write; `judge` creates the report's own log, or returns why it is refused.
async fn record_as<T: CallTable>(
    table: &T,
    write: CallLogId,
    call: &Call,
    judge: impl Fn(&Found<T::Guard>) -> std::result::Result<CallLog, Recorded>,
    now: Timestamp,
) -> Result<std::result::Result<Change, Recorded>> {
    let mut reach = Reach::of_report(&CallLog::new(write, call.clone()));
    let mut seen = Seen { guard: None, logs: BTreeMap::new() };
    for attempt in 1..=ATTEMPTS {
        let found = table.read(call, &reach).await?;
        let report = match judge(&found) {
            Ok(report) => report,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let read = reach.cut(found.cut_at);
        seen.add(&found.guard, found.logs);
        let change = join(report, seen.logs.values().cloned(), now);
        let needed = Reach::of(&change.log);
        let complete = read.covers(&needed);
        // As most reports of a call find it: others were faster.
        let is_stored = change.removed.is_empty() && seen.logs.get(&change.log.id) == Some(&change.log);
        if !complete && needed != reach && attempt < ATTEMPTS {
            reach = needed;
        } else if complete && is_stored {
            return Ok(Ok(change));
        } else if table.write(write, &found.guard, &change).await? {
            return if complete { Ok(Ok(change)) } else { Err(incomplete()) };
        }
    }
    Err(contention())
}

/// Ends a call for a client.
pub(crate) async fn end_call(
    table: &impl CallTable,
    write: CallLogId,
    room: RoomId,
    user: UserId,
    at: Timestamp,
    now: Timestamp,
) -> Result<Ended> {
    for _ in 0..ATTEMPTS {
        let Some(found) = table.read_open(room, user, now).await? else { return Ok(Ended::NotActive) };
        let log = match end(user, at, now, found.created_at, found.logs) {
            Ok(log) => log,
            Err(refusal) => return Ok(refusal),
        };
        if table.write(write, &found.guard, &Change::of(log.clone())).await? {
            return Ok(Ended::Ended(log));
        }
    }
    Err(contention())
}

/// A log that has been open since this time, or an earlier one, is over now.
pub(crate) fn last_forgotten(now: Timestamp) -> Timestamp {
    now.plus_millis(-limits::OPEN_CALL_MS)
}

/// What several reads returned, as long as their guard was the same.
struct Seen<G> {
    guard: Option<G>,
    logs: BTreeMap<CallLogId, CallLog>,
}

impl<G: Clone + PartialEq> Seen<G> {
    fn add(&mut self, guard: &G, logs: Vec<CallLog>) {
        if self.guard.as_ref() != Some(guard) {
            self.guard = Some(guard.clone());
            self.logs.clear();
        }
        self.logs.extend(logs.into_iter().map(|log| (log.id, log)));
    }
}

fn contention() -> StoreError {
    StoreError::Unavailable("too many writers to one room's call logs".to_owned())
}

fn incomplete() -> StoreError {
    StoreError::Unavailable("one call of too many logs: part of them is joined".to_owned())
}
