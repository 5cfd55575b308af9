//! Calls: when two reports are about the same call, and what the one log of it says.

use serde::Serialize;

use crate::{CallLogId, Email, RoomId, Timestamp, UserId, Username, limits};

/// What a client reports: who called whom, where, from when, and until when if it is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub room: RoomId,
    pub caller: UserId,
    pub receiver: UserId,
    /// Everybody in the call; always holds the caller and the receiver.
    pub participants: Vec<UserId>,
    pub start: Timestamp,
    pub end: Option<Timestamp>,
}

/// The one record of a call, `{_id, callerId, receiverId, roomId, participants, startTime, endTime,
/// duration}`. The duration counts whole seconds and is 0 while the call goes on.
///
/// `P` is how the two people are told: by id, or as `Option<Person>`, `None` once the account is deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CallLog<P = UserId> {
    #[serde(rename = "_id")]
    pub id: CallLogId,
    #[serde(rename = "callerId")]
    pub caller: P,
    #[serde(rename = "receiverId")]
    pub receiver: P,
    #[serde(rename = "roomId")]
    pub room: RoomId,
    pub participants: Vec<UserId>,
    #[serde(rename = "startTime")]
    pub start: Timestamp,
    #[serde(rename = "endTime")]
    pub end: Option<Timestamp>,
    pub duration: i64,
}

/// A person in a list of calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Person {
    #[serde(rename = "_id")]
    pub id: UserId,
    pub username: Username,
    pub email: Email,
}

/// `{totalCalls, completedCalls, activeCalls, totalDuration, averageDuration}`, durations in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CallStats {
    pub total_calls: i64,
    pub completed_calls: i64,
    pub active_calls: i64,
    pub total_duration: i64,
    pub average_duration: i64,
}

impl CallStats {
    pub fn new(total_calls: i64, completed_calls: i64, total_duration: i64) -> Self {
        Self {
            total_calls,
            completed_calls,
            active_calls: total_calls - completed_calls,
            total_duration,
            average_duration: total_duration.checked_div(total_calls).unwrap_or(0),
        }
    }
}

impl CallLog {
    pub fn new(id: CallLogId, call: Call) -> Self {
        Self {
            id,
            caller: call.caller,
            receiver: call.receiver,
            room: call.room,
            participants: call.participants,
            start: call.start,
            end: call.end,
            duration: seconds_between(call.start, call.end),
        }
    }

    /// Whether `call` is this one: the same room, somebody in common, and times that overlap or lie
    /// less than a minute apart.
    pub fn is_same_call(&self, call: &Call) -> bool {
        let before = |end: Option<Timestamp>, start: Timestamp| {
            end.is_some_and(|end| start.since(end) >= limits::SAME_CALL_GAP_MS)
        };
        let apart = before(self.end, call.start) || before(call.end, self.start);
        let in_common = call.participants.iter().any(|user| self.participants.contains(user));
        self.room == call.room && in_common && !apart
    }

    /// Adds another report of the same call: its people, the earlier start, the later end. A report
    /// that begins after this log's end and has none of its own says that the call goes on.
    #[must_use]
    pub fn merged_with(&self, call: &Call) -> Self {
        let mut merged = self.clone();
        for user in &call.participants {
            if !merged.participants.contains(user) {
                merged.participants.push(*user);
            }
        }
        merged.start = self.start.min(call.start);
        merged.end = match (self.end, call.end) {
            (Some(end), None) if call.start > end => None,
            (end, other) => end.max(other),
        };
        merged.duration = seconds_between(merged.start, merged.end);
        merged
    }

    /// This call, over at `end`; `None` when that is before it began.
    pub fn ended_at(&self, end: Timestamp) -> Option<Self> {
        (end >= self.start).then(|| Self {
            end: Some(end),
            duration: seconds_between(self.start, Some(end)),
            ..self.clone()
        })
    }
}

fn seconds_between(start: Timestamp, end: Option<Timestamp>) -> i64 {
    end.map_or(0, |end| end.since(start).max(0) / 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ObjectIds;

    struct Story {
        ids: ObjectIds,
        people: [UserId; 3],
    }

    impl Story {
        fn new() -> Self {
            let mut ids = ObjectIds::new([7; 8]);
            let people = [(); 3].map(|()| ids.user(at(0)));
            Self { ids, people }
        }

        fn call(&self, people: [usize; 2], start: i64, end: Option<i64>) -> Call {
            let [caller, receiver] = people.map(|index| self.people[index]);
            Call {
                room: RoomId::from_random([1; 16]),
                caller,
                receiver,
                participants: vec![caller, receiver],
                start: at(start),
                end: end.map(at),
            }
        }

        fn log(&mut self, call: Call) -> CallLog {
            CallLog::new(self.ids.call_log(at(0)), call)
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + seconds * 1_000)
    }

    #[test]
    fn both_sides_report_one_call() {
        let mut story = Story::new();
        let log = story.log(story.call([0, 1], 0, None));
        assert!(log.is_same_call(&story.call([1, 0], 2, None)));
        assert!(log.is_same_call(&story.call([1, 2], 2, None)), "one person in common is enough");
    }

    #[test]
    fn a_minute_of_silence_parts_two_calls() {
        let mut story = Story::new();
        let log = story.log(story.call([0, 1], 0, Some(100)));
        assert!(log.is_same_call(&story.call([0, 1], 159, None)));
        assert!(!log.is_same_call(&story.call([0, 1], 160, None)));
        let later = story.log(story.call([0, 1], 300, None));
        assert!(later.is_same_call(&story.call([0, 1], 0, Some(241))));
        assert!(!later.is_same_call(&story.call([0, 1], 0, Some(240))));
    }

    #[test]
    fn strangers_or_another_room_make_another_call() {
        let mut story = Story::new();
        let mut alone = story.call([0, 0], 0, None);
        let log = story.log(story.call([1, 2], 0, None));
        assert!(!log.is_same_call(&alone));
        alone = story.call([1, 2], 0, None);
        alone.room = RoomId::from_random([2; 16]);
        assert!(!log.is_same_call(&alone));
    }

    #[test]
    fn merging_keeps_the_widest_times_and_everybody() {
        let mut story = Story::new();
        let log = story.log(story.call([0, 1], 10, Some(100)));
        let merged = log.merged_with(&story.call([1, 2], 5, Some(120)));
        assert_eq!((merged.start, merged.end, merged.duration), (at(5), Some(at(120)), 115));
        assert_eq!(merged.participants.len(), 3);
        assert_eq!(merged.id, log.id);
    }

    #[test]
    fn a_report_that_comes_late_does_not_reopen_but_a_redial_does() {
        let mut story = Story::new();
        let log = story.log(story.call([0, 1], 0, Some(100)));
        assert_eq!(log.merged_with(&story.call([1, 0], 2, None)).end, Some(at(100)));
        let redialled = log.merged_with(&story.call([1, 0], 130, None));
        assert_eq!((redialled.end, redialled.duration), (None, 0));
    }

    #[test]
    fn a_call_ends_not_before_it_began() {
        let mut story = Story::new();
        let log = story.log(story.call([0, 1], 10, None));
        assert_eq!(log.ended_at(at(9)), None);
        assert_eq!(log.ended_at(at(13)).map(|log| log.duration), Some(3));
    }

    #[test]
    fn the_average_of_no_calls_is_zero() {
        assert_eq!(CallStats::new(0, 0, 0).average_duration, 0);
        assert_eq!(CallStats::new(3, 2, 10).average_duration, 3);
    }
}
