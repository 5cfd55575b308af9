//! Calls that are over, as the database has them, until it is certain that nobody dials again: a redial within
//! a minute, with somebody in common, is the same call.

use serde::{Deserialize, Serialize};
use vecmap::VecMap;
use zetra_domain::{CallLog, CallLogId, RoomId, UserId, limits};

const VERSION: u32 = 1;

/// What follows, to be performed in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndedEffect {
    /// Store [`EndedCalls::stored`].
    Store(CallLogId),
    /// Delete what was stored of it.
    Forget(CallLogId),
    /// It is over for good; with the log as JSON.
    Announce(String),
}

#[derive(Debug, Default)]
pub struct EndedCalls(VecMap<CallLogId, EndedCall>);

#[derive(Debug, Serialize, Deserialize)]
struct EndedCall {
    v: u32,
    log: String,
    people: Vec<UserId>,
    end: i64,
    /// When to look whether it is over for good.
    due: i64,
}

impl EndedCalls {
    /// As it was stored. What cannot be read is forgotten: those are the effects.
    pub fn restore(room: RoomId, stored: Vec<(CallLogId, String)>) -> (Self, Vec<EndedEffect>) {
        let (mut calls, mut effects) = (VecMap::new(), Vec::new());
        for (id, text) in stored {
            match serde_json::from_str::<EndedCall>(&text) {
                Ok(call) if call.v == VERSION => drop(calls.insert(id, call)),
                _ => {
                    tracing::error!(%room, call = %id, "a stored call cannot be read");
                    effects.push(EndedEffect::Forget(id));
                }
            }
        }
        (Self(calls), effects)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn stored(&self, id: CallLogId) -> Option<String> {
        serde_json::to_string(self.0.get(&id)?).ok()
    }

    /// The database has the log so: over, or open again.
    pub fn recorded(&mut self, log: &CallLog) -> Vec<EndedEffect> {
        let Some(end) = log.end() else {
            return self.0.remove(&log.id).map(|_| EndedEffect::Forget(log.id)).into_iter().collect();
        };
        let end = end.millis();
        let text = serde_json::to_string(log).unwrap_or_default();
        let (people, due) = (log.participants.clone(), end + limits::SAME_CALL_GAP_MS);
        self.0.insert(log.id, EndedCall { v: VERSION, log: text, people, end, due });
        vec![EndedEffect::Store(log.id)]
    }

    /// When [`EndedCalls::tick`] wants to be called next, in milliseconds since the epoch.
    pub fn next_deadline(&self) -> Option<i64> {
        self.0.values().map(|call| call.due).min()
    }

    /// Announces those that are over for good. `may_go_on` says whether there is a call that began before that
    /// time with one of these people and that the database does not know: then it has to be known first.
    pub fn tick(&mut self, now: i64, may_go_on: impl Fn(i64, &[UserId]) -> bool) -> Vec<EndedEffect> {
        let mut effects = Vec::new();
        let due: Vec<CallLogId> =
            self.0.iter().filter(|(_, call)| call.due <= now).map(|(id, _)| *id).collect();
        for id in due {
            let Some(call) = self.0.get_mut(&id) else { continue };
            if may_go_on(call.end + limits::SAME_CALL_GAP_MS, &call.people) {
                call.due = now + limits::SAME_CALL_GAP_MS;
                continue;
            }
            effects.extend(self.0.remove(&id).map(|call| EndedEffect::Announce(call.log)));
            effects.push(EndedEffect::Forget(id));
        }
        effects
    }
}

#[cfg(test)]
mod tests {
    use zetra_domain::{Call, CallState, ObjectIds, Timestamp};

    use super::*;

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
        assert_eq!(ended.recorded(&log), [EndedEffect::Store(log.id)]);
        assert_eq!((ended.next_deadline(), ended.tick(60_999, |_, _| false)), (Some(61_000), vec![]));
        let (restored, broken) = EndedCalls::restore(
            log.room,
            vec![(log.id, ended.stored(log.id).unwrap()), (ids.call_log(log.start), "{".to_owned())],
        );
        ended = restored;
        assert_eq!(broken.len(), 1);
        let announced = ended.tick(61_000, |_, _| false);
        let json = serde_json::to_string(&log).unwrap();
        assert_eq!(announced, [EndedEffect::Announce(json), EndedEffect::Forget(log.id)]);
        assert!(ended.is_empty() && ended.next_deadline().is_none());
    }

    #[test]
    fn a_redial_takes_it_back_and_its_own_end_counts() {
        let mut ids = ObjectIds::new([5; 8]);
        let (mut ended, log) = (EndedCalls::default(), log(&mut ids, 1_000));
        ended.recorded(&log);
        let open =
            CallLog { state: CallState::Open { since: Timestamp::from_millis(50_000) }, ..log.clone() };
        assert_eq!(ended.recorded(&open), [EndedEffect::Forget(log.id)]);
        assert_eq!(ended.tick(100_000, |_, _| false), []);
        let over = CallLog { state: CallState::Over { at: Timestamp::from_millis(90_000) }, ..log.clone() };
        ended.recorded(&over);
        let announced = ended.tick(150_000, |_, _| false);
        assert!(
            matches!(&announced[..], [EndedEffect::Announce(json), _] if json.contains("\"duration\":90"))
        );
    }

    #[test]
    fn where_a_redial_is_not_recorded_yet_it_waits() {
        let mut ids = ObjectIds::new([5; 8]);
        let (mut ended, log) = (EndedCalls::default(), log(&mut ids, 1_000));
        ended.recorded(&log);
        let asked = |before: i64, people: &[UserId]| before == 61_000 && people == log.participants;
        assert_eq!((ended.tick(61_000, asked), ended.next_deadline()), (vec![], Some(121_000)));
        assert_eq!(ended.tick(121_000, |_, _| false).len(), 2);
    }
}
