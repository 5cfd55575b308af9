//! What to do with a reported call, decided from what the store holds. Pure: every adapter reads,
//! decides with these, and writes under its guard.

use zetra_domain::{Call, CallLog, CallLogId, Timestamp, UserId};

use crate::{Ended, Recorded, StoreError};

/// Times a write to a room's call logs starts again before it gives up.
pub(crate) const ATTEMPTS: usize = 8;
/// Logs of one room that are looked at for being the same call.
pub(crate) const SAME_CALL_CANDIDATES: i64 = 100;

/// After so many [`ATTEMPTS`].
pub(crate) fn contention() -> StoreError {
    StoreError::Unavailable("too many writers to one room's call logs".to_owned())
}

/// `participants` are the room's (`None`: no such room), `known` those of the people named that
/// have accounts, `logs` the room's logs about that time.
pub(crate) fn record(
    id: CallLogId,
    call: &Call,
    participants: Option<&[UserId]>,
    known: &[UserId],
    logs: &[CallLog],
) -> Recorded {
    if !call.participants.iter().all(|user| known.contains(user)) {
        return Recorded::UnknownUser;
    }
    let Some(participants) = participants else { return Recorded::RoomNotFound };
    if !call.participants.iter().all(|user| participants.contains(user)) {
        return Recorded::NotParticipant;
    }
    let same =
        logs.iter().filter(|log| log.is_same_call(call)).max_by_key(|log| (log.end.is_none(), log.start));
    match same {
        Some(log) => Recorded::Merged(log.merged_with(call)),
        None => Recorded::Created(CallLog::new(id, call.clone())),
    }
}

/// `active` are the room's logs without an end.
pub(crate) fn end(user: UserId, end: Timestamp, active: &[CallLog]) -> Ended {
    let mine = active.iter().filter(|log| log.participants.contains(&user));
    match mine.max_by_key(|log| log.start) {
        Some(log) => log.ended_at(end).map_or(Ended::BeforeStart, Ended::Ended),
        None if active.is_empty() => Ended::NotActive,
        None => Ended::NotInCall,
    }
}
