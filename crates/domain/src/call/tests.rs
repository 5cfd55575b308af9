use proptest::prelude::*;

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

    fn log(&mut self, people: [usize; 2], start: i64, end: Option<i64>) -> CallLog {
        let [caller, receiver] = people.map(|index| self.people[index]);
        let call = Call {
            room: RoomId::from_random([1; 16]),
            caller,
            receiver,
            participants: vec![caller, receiver],
            start: at(start),
            end: end.map(at),
        };
        CallLog::new(self.ids.call_log(at(0)), call)
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + seconds * 1_000)
}

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

fn open(since: i64) -> CallState {
    CallState::Open { since: at(since) }
}

fn over(end: i64) -> CallState {
    CallState::Over { at: at(end) }
}

#[test]
fn both_sides_report_one_call() {
    let mut story = Story::new();
    let log = story.log([0, 1], 0, None);
    assert!(log.is_same_call(&story.log([1, 0], 2, None)));
    assert!(log.is_same_call(&story.log([1, 2], 2, None)), "one person in common is enough");
}

#[test]
fn a_minute_of_silence_parts_two_calls() {
    let mut story = Story::new();
    let log = story.log([0, 1], 0, Some(100));
    assert!(log.is_same_call(&story.log([0, 1], 159, None)));
    assert!(!log.is_same_call(&story.log([0, 1], 160, None)));
    let later = story.log([0, 1], 300, None);
    assert!(later.is_same_call(&story.log([0, 1], 0, Some(241))));
    assert!(!later.is_same_call(&story.log([0, 1], 0, Some(240))));
}

#[test]
fn an_open_log_takes_reports_for_a_day_after_its_last_one() {
    let mut story = Story::new();
    let log = story.log([0, 1], 0, None).joined_with(&story.log([0, 1], HOUR, None));
    assert!(log.is_same_call(&story.log([0, 1], HOUR + DAY - 1, Some(HOUR + DAY))));
    assert!(!log.is_same_call(&story.log([0, 1], HOUR + DAY + 60, None)));
}

#[test]
fn strangers_or_another_room_make_another_call() {
    let mut story = Story::new();
    let log = story.log([1, 2], 0, None);
    assert!(!log.is_same_call(&story.log([0, 0], 0, None)));
    let elsewhere = CallLog { room: RoomId::from_random([2; 16]), ..story.log([1, 2], 0, None) };
    assert!(!log.is_same_call(&elsewhere));
}

#[test]
fn joining_keeps_the_widest_times_and_everybody() {
    let mut story = Story::new();
    let log = story.log([0, 1], 10, Some(100));
    let joined = log.clone().joined_with(&story.log([1, 2], 5, Some(120)));
    assert_eq!((joined.start, joined.state, joined.duration()), (at(5), over(120), 115));
    assert_eq!(joined.participants, story.people);
    assert_eq!(joined.id, log.id);
}

#[test]
fn what_is_told_last_of_a_call_wins() {
    for (told, also, joined) in [
        (over(100), over(90), over(100)),
        (open(10), open(20), open(20)),
        // A report of an earlier part does not end what is running.
        (open(130), over(100), open(130)),
        // Late reports of a call that is over do not reopen it.
        (over(100), open(2), over(100)),
        (over(100), open(100), over(100)),
    ] {
        assert_eq!(told.max(also), joined, "{told:?} {also:?}");
        assert_eq!(also.max(told), joined, "{also:?} {told:?}");
    }
}

#[test]
fn a_call_ends_not_before_it_began_nor_before_its_last_report() {
    let mut story = Story::new();
    let log = story.log([0, 1], 10, None);
    assert_eq!(log.ended_at(at(9)), None);
    assert_eq!(log.ended_at(at(13)).map(|log| log.duration()), Some(3));
    let redialled = log.joined_with(&story.log([0, 1], 200, None));
    assert_eq!(redialled.ended_at(at(150)).map(|log| log.state), Some(over(200)));
}

#[test]
fn a_log_that_nobody_ends_is_over_a_day_after_its_last_report() {
    let mut story = Story::new();
    let log = story.log([0, 1], 0, None).joined_with(&story.log([0, 1], HOUR, None));
    assert_eq!(log.clone().as_of(at(HOUR + DAY).plus_millis(-1)).state, open(HOUR));
    let forgotten = log.as_of(at(HOUR + DAY));
    assert_eq!((forgotten.state, forgotten.duration()), (over(HOUR), HOUR));
}

#[test]
fn times_are_brought_between_two_and_then_compared() {
    let mut story = Story::new();
    let log = story.log([0, 1], 0, None);
    let call = |start, end: Option<i64>| Call {
        room: log.room,
        caller: log.caller,
        receiver: log.receiver,
        participants: log.participants.clone(),
        start: at(start),
        end: end.map(at),
    };
    for (reported, within) in [
        (call(50, Some(60)), Some(call(50, Some(60)))),
        (call(-10, Some(500)), Some(call(0, Some(100)))),
        (call(300, None), Some(call(100, None))),
        (call(-20, Some(-30)), Some(call(0, Some(0)))),
        (call(300, Some(200)), Some(call(100, Some(100)))),
        (call(60, Some(59)), None),
        (call(300, Some(99)), None),
    ] {
        assert_eq!(reported.within(at(0), at(100)), within, "{reported:?}");
    }
    assert_eq!(call(50, None).within(at(100), at(0)), Some(call(100, None)), "a room made in the future");
}

#[test]
fn a_log_is_written_in_the_words_of_the_api() {
    let mut story = Story::new();
    let log = story.log([0, 1], 0, Some(90)).with_people(Some("ann"), None);
    assert_eq!(
        serde_json::to_value(&log).unwrap(),
        serde_json::json!({
            "_id": log.id, "callerId": "ann", "receiverId": null, "roomId": log.room,
            "participants": log.participants,
            "startTime": "2023-11-14T22:13:20.000Z", "endTime": "2023-11-14T22:14:50.000Z", "duration": 90,
        })
    );
}

proptest! {
    #[test]
    fn joining_states_knows_no_order(times: [(i64, bool); 3]) {
        let [a, b, c] = times.map(|(time, is_over)| if is_over { over(time % 5) } else { open(time % 5) });
        prop_assert_eq!(a.max(b), b.max(a));
        prop_assert_eq!(a.max(b).max(c), a.max(b.max(c)));
        prop_assert_eq!(a.max(a), a);
    }
}
