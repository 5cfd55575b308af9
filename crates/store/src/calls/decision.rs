//! Decides, from what the store contains, what to do with a reported or ended call. Pure: the rules are those
//! of [`zetra_domain::CallLog`], documented in its module.

use zetra_domain::{Call, CallLog, CallLogId, Room, Timestamp, UserId};

use crate::{Ended, Recorded, RoomCall};

/// What to write: one log, which replaces its own old version and those that were merged into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) log: CallLog,
    pub(crate) removed: Vec<CallLogId>,
    /// There was no log of this call.
    pub(crate) is_new: bool,
}

impl Change {
    /// A change of one existing log.
    pub(crate) fn of(log: CallLog) -> Self {
        Self { log, removed: Vec::new(), is_new: false }
    }
}

impl From<Change> for RoomCall {
    fn from(Change { log, removed, .. }: Change) -> Self {
        Self { log, joined: removed }
    }
}

impl From<Change> for Recorded {
    fn from(Change { log, is_new, .. }: Change) -> Self {
        if is_new { Self::Created(log) } else { Self::Merged(log) }
    }
}

/// The log that a report creates by itself, or why it is refused. `known` are those of the named people that
/// have accounts.
pub(crate) fn report(
    id: CallLogId,
    call: &Call,
    now: Timestamp,
    room: Option<&Room>,
    known: &[UserId],
) -> Result<CallLog, Recorded> {
    let unknown: Vec<UserId> =
        call.participants.iter().filter(|user| !known.contains(user)).copied().collect();
    if !unknown.is_empty() {
        return Err(Recorded::UnknownUsers(unknown));
    }
    let room = room.ok_or(Recorded::RoomNotFound)?;
    if !call.participants.iter().all(|user| room.admits(*user)) {
        return Err(Recorded::NotParticipant);
    }
    let call = call.within(room.created_at, now).ok_or(Recorded::BeforeStart)?;
    Ok(CallLog::new(id, call).as_of(now))
}

/// Joins a report with every log of its call, and with every log that then belongs to the same call.
///
/// Logs that the room keeps come first, since their times are the call's: reports from clients cannot make one
/// call of two. Then the earliest first: a report without an end belongs to the call that it falls into, and
/// only if there is none to the next one.
pub(crate) fn join(report: CallLog, logs: impl IntoIterator<Item = CallLog>, now: Timestamp) -> Change {
    let mut others: Vec<CallLog> = logs.into_iter().map(|log| log.as_of(now)).collect();
    others.sort_by_key(|log| (!log.kept_by_room, log.start, log.id));
    let by_client = !report.kept_by_room;
    let (mut joined, mut parts) = (report, Vec::new());
    while let Some(at) = others.iter().position(|log| log.is_same_call(&joined)) {
        let part = others.remove(at);
        joined = joined.joined_with(&part);
        // A person that a client names may have been in another call that the room kept, so not in this one.
        let is_another =
            |log: &CallLog| log.kept_by_room && log.is_same_call(&joined) && !log.is_same_call(&part);
        if by_client && part.kept_by_room && others.iter().any(is_another) {
            joined = part.clone();
        }
        parts.push(part);
    }
    let Some(first) = parts.iter().min_by_key(|part| part.id).cloned() else {
        return Change { log: joined, removed: Vec::new(), is_new: true };
    };
    let removed = parts.iter().map(|part| part.id).filter(|id| *id != first.id).collect();
    Change { log: first.joined_with(&joined), removed, is_new: false }
}

/// The log that `user` ends at `at`, over; or why none is. A log that the room keeps stays as it is. `logs` are
/// logs of the room.
pub(crate) fn end(
    user: UserId,
    at: Timestamp,
    now: Timestamp,
    created_at: Timestamp,
    logs: impl IntoIterator<Item = CallLog>,
) -> Result<CallLog, Ended> {
    let at = at.min(now).max(created_at);
    let logs: Vec<_> = logs.into_iter().map(|log| log.as_of(now)).collect();
    let is_mine = |log: &&CallLog| log.participants.contains(&user);
    let (open, over): (Vec<_>, Vec<_>) = logs.iter().partition(|log| log.end().is_none());
    let just_ended = over.into_iter().filter(|log| is_mine(log) && log.was_just_ended_by_room(now));
    match open.iter().copied().filter(is_mine).max_by_key(|log| log.start) {
        Some(log) if log.kept_by_room => Err(Ended::AsItIs(log.clone())),
        Some(log) => log.ended_at(at).ok_or(Ended::BeforeStart),
        None => Err(match just_ended.max_by_key(|log| log.start) {
            Some(log) => Ended::AsItIs(log.clone()),
            None if open.is_empty() => Ended::NotActive,
            None => Ended::NotInCall,
        }),
    }
}

#[cfg(test)]
mod tests;
