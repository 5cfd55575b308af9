//! Calls that are over, as the database has them, until it is certain that nobody redials: a redial within a
//! minute, with a participant in common, is the same call.

use serde::{Deserialize, Serialize};
use vecmap::VecMap;
use zetra_domain::{CallLog, CallLogId, RoomId, UserId, limits};

use crate::versioned::{self, Versioned};

const VERSION: u32 = 1;

/// What to do next, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndedEffect {
    /// Store [`EndedCalls::stored`].
    Store(CallLogId),
    /// Delete the stored state of that call.
    Forget(CallLogId),
    /// The call is over for good; the log as JSON.
    Announce(String),
}

#[derive(Debug, Default)]
pub struct EndedCalls(VecMap<CallLogId, EndedCall>);

#[derive(Debug, Serialize, Deserialize)]
struct EndedCall {
    v: u32,
    log: String,
    people: Vec<UserId>,
    start: i64,
    end: i64,
}

impl EndedCalls {
    /// Restores the stored calls. Rows that cannot be read are dropped; the effects delete them.
    pub fn restore(room: RoomId, stored: Vec<(CallLogId, String)>) -> (Self, Vec<EndedEffect>) {
        let (calls, unreadable) = versioned::read(room, stored);
        (Self(calls.into_iter().collect()), unreadable.into_iter().map(EndedEffect::Forget).collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn stored(&self, id: CallLogId) -> Option<String> {
        serde_json::to_string(self.0.get(&id)?).ok()
    }

    /// The database has this log, ended or open again, and no longer has those that were merged into it. The
    /// answer that named the merged ones may have been lost: a call that lies within the log, with a
    /// participant in common, is one of them, since no two logs of a room that share a participant touch.
    pub fn recorded(&mut self, log: &CallLog, joined: &[CallLogId], now: i64) -> Vec<EndedEffect> {
        let within = |call: &EndedCall| {
            let in_common = call.people.iter().any(|user| log.participants.contains(user));
            let is_before = log.end().is_none_or(|end| call.end <= end.millis());
            in_common && log.start.millis() <= call.start && is_before
        };
        let is_gone = |id: &CallLogId, call: &EndedCall| {
            let is_open_again = *id == log.id && log.end().is_none();
            joined.contains(id) || is_open_again || (*id != log.id && within(call))
        };
        let gone: Vec<CallLogId> =
            self.0.iter().filter(|(id, call)| is_gone(id, call)).map(|(id, _)| *id).collect();
        let mut effects = Vec::new();
        for id in gone {
            self.0.remove(&id);
            effects.push(EndedEffect::Forget(id));
        }
        if let Some(call) = EndedCall::of(log) {
            // The clock may have been set back since.
            self.0.insert(log.id, EndedCall { end: call.end.min(now), ..call });
            effects.push(EndedEffect::Store(log.id));
        }
        effects
    }

    /// The clock was set back: nothing has ended later than now.
    pub fn clock_set_back(&mut self, now: i64) -> Vec<EndedEffect> {
        let mut effects = Vec::new();
        for (id, call) in &mut self.0 {
            effects.extend((call.end > now).then_some(EndedEffect::Store(*id)));
            call.end = call.end.min(now);
        }
        effects
    }

    /// When [`EndedCalls::tick`] wants to be called next, in milliseconds since the epoch. A call that waits
    /// for one still going on is reconsidered when that one changes.
    pub fn next_deadline(&self, goes_on: impl Fn(i64) -> bool) -> Option<i64> {
        self.0.values().map(EndedCall::due).filter(|due| !goes_on(*due)).min()
    }

    /// Announces the calls that are over for good. `goes_on` reports whether a call that began before the given
    /// time still goes on, or is not yet in the database: anyone who joins it may make it the same call.
    pub fn tick(&mut self, now: i64, goes_on: impl Fn(i64) -> bool) -> Vec<EndedEffect> {
        let mut due: Vec<(i64, CallLogId)> = self.0.iter().map(|(id, call)| (call.due(), *id)).collect();
        due.retain(|(due, _)| *due <= now && !goes_on(*due));
        due.sort_unstable();
        let mut effects = Vec::new();
        for (_, id) in due {
            effects.extend(self.0.remove(&id).map(|call| EndedEffect::Announce(call.log)));
            effects.push(EndedEffect::Forget(id));
        }
        effects
    }
}

impl Versioned for EndedCall {
    fn is_current(&self) -> bool {
        self.v == VERSION
    }
}

impl EndedCall {
    /// `None` if the log is open.
    fn of(log: &CallLog) -> Option<Self> {
        let (start, end) = (log.start.millis(), log.end()?.millis());
        let text = serde_json::to_string(log).unwrap_or_default();
        Some(Self { v: VERSION, log: text, people: log.participants.clone(), start, end })
    }

    fn due(&self) -> i64 {
        self.end + limits::SAME_CALL_GAP_MS
    }
}

#[cfg(test)]
mod tests {
    use zetra_domain::{Call, CallState, ObjectIds, Timestamp};

    use super::*;

    const LATER: i64 = 1_000_000;

    fn log(ids: &mut ObjectIds, end: i64) -> CallLog {
        let at = Timestamp::from_millis;
        let people = vec![ids.user(at(0)), ids.user(at(0))];
        let room = RoomId::from_random([1; 16]);
        let (caller, receiver) = (people[0], people[1]);
        let call = Call { room, caller, receiver, participants: people, start: at(0), end: Some(at(end)) };
        CallLog { kept_by_room: true, ..CallLog::new(ids.call_log(at(0)), call) }
    }

    #[test]
    fn a_call_is_announced_once_a_minute_after_its_end() {
        let mut ids = ObjectIds::new([5; 8]);
        let (mut ended, log) = (EndedCalls::default(), log(&mut ids, 1_000));
        assert_eq!(ended.recorded(&log, &[], LATER), [EndedEffect::Store(log.id)]);
        assert_eq!((ended.next_deadline(|_| false), ended.tick(60_999, |_| false)), (Some(61_000), vec![]));
        let (restored, broken) = EndedCalls::restore(
            log.room,
            vec![(log.id, ended.stored(log.id).unwrap()), (ids.call_log(log.start), "{".to_owned())],
        );
        ended = restored;
        assert_eq!(broken.len(), 1);
        let announced = ended.tick(61_000, |_| false);
        let json = serde_json::to_string(&log).unwrap();
        assert_eq!(announced, [EndedEffect::Announce(json), EndedEffect::Forget(log.id)]);
        assert!(ended.is_empty() && ended.next_deadline(|_| false).is_none());
    }

    #[test]
    fn a_redial_takes_it_back_and_its_own_end_counts() {
        let mut ids = ObjectIds::new([5; 8]);
        let (mut ended, log) = (EndedCalls::default(), log(&mut ids, 1_000));
        ended.recorded(&log, &[], LATER);
        let open =
            CallLog { state: CallState::Open { since: Timestamp::from_millis(50_000) }, ..log.clone() };
        assert_eq!(ended.recorded(&open, &[], LATER), [EndedEffect::Forget(log.id)]);
        assert_eq!(ended.tick(100_000, |_| false), []);
        let over = CallLog { state: CallState::Over { at: Timestamp::from_millis(90_000) }, ..log.clone() };
        ended.recorded(&over, &[], LATER);
        let announced = ended.tick(150_000, |_| false);
        assert!(
            matches!(&announced[..], [EndedEffect::Announce(json), _] if json.contains("\"duration\":90"))
        );
    }

    #[test]
    fn while_a_call_goes_on_that_may_be_the_same_it_waits_and_sets_no_alarm() {
        let mut ids = ObjectIds::new([5; 8]);
        let (mut ended, log) = (EndedCalls::default(), log(&mut ids, 1_000));
        ended.recorded(&log, &[], LATER);
        let goes_on = |before: i64| before == 61_000;
        assert_eq!((ended.tick(90_000, goes_on), ended.next_deadline(goes_on)), (vec![], None));
        assert_eq!(ended.tick(90_000, |_| false).len(), 2);
    }

    #[test]
    fn what_was_joined_to_another_is_not_announced_whether_that_was_told_or_not() {
        let mut ids = ObjectIds::new([5; 8]);
        let first = log(&mut ids, 1_000);
        let second = CallLog { id: ids.call_log(first.start), ..first.clone() };
        let strangers = log(&mut ids, 900);
        for joined in [vec![second.id], vec![]] {
            let mut ended = EndedCalls::default();
            for log in [&first, &second, &strangers] {
                ended.0.insert(log.id, EndedCall::of(log).unwrap());
            }
            let effects = ended.recorded(&first, &joined, LATER);
            assert_eq!(effects, [EndedEffect::Forget(second.id), EndedEffect::Store(first.id)]);
            assert_eq!(ended.tick(61_000, |_| false).len(), 4, "the first, and that of others");
        }
    }
}
