//! The rules over random reports, applied to the logs of one room.

use std::collections::BTreeSet;

use proptest::prelude::*;
use zetra_domain::{ObjectIds, RoomId, limits};

use super::*;

const PEOPLE: usize = 5;
/// Seconds from the creation of the room to the last moment of a story.
const LIFE: i64 = 80 * 3_600;

/// A report, with times in seconds after the creation of the room.
#[derive(Clone, Debug)]
enum Told {
    Call { people: Vec<usize>, start: i64, end: Option<i64> },
    End { person: usize, end: i64 },
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + seconds * 1_000)
}

/// One room, its people and its logs.
struct World {
    ids: ObjectIds,
    people: Vec<UserId>,
    room: Room,
    logs: Vec<CallLog>,
    accepted: Vec<CallLog>,
}

impl World {
    fn new() -> Self {
        let mut ids = ObjectIds::new([3; 8]);
        let people: Vec<_> = (0..PEOPLE).map(|_| ids.user(at(0))).collect();
        let mut room = Room::new(RoomId::from_random([1; 16]), people[0], at(0));
        room.participants.clone_from(&people);
        Self { ids, people, room, logs: Vec::new(), accepted: Vec::new() }
    }

    fn hears(&mut self, told: &Told, now: Timestamp) {
        match told {
            Told::Call { people, start, end } => self.records(people, *start, *end, now),
            Told::End { person, end } => self.ends(self.people[*person], at(*end), now),
        }
    }

    fn records(&mut self, people: &[usize], start: i64, end: Option<i64>, now: Timestamp) {
        let participants: Vec<_> = people.iter().map(|index| self.people[*index]).collect();
        let [caller, receiver] = [participants[0], participants[1]];
        let (room, start, end) = (self.room.id, at(start), end.map(at));
        let call = Call { room, caller, receiver, participants, start, end };
        let id = self.ids.call_log(now);
        match report(id, &call, now, Some(&self.room), &self.people) {
            Ok(report) => {
                self.accepted.push(report.clone());
                let change = join(report, self.logs.clone(), now);
                self.logs.retain(|log| log.id != change.log.id && !change.removed.contains(&log.id));
                self.logs.push(change.log);
            }
            Err(refusal) => {
                assert_eq!(refusal, Recorded::BeforeStart);
                assert!(end.is_some_and(|end| end < start), "{call:?}");
            }
        }
    }

    fn ends(&mut self, user: UserId, end: Timestamp, now: Timestamp) {
        match super::end(user, end, now, self.room.created_at, self.logs.clone()) {
            Ok(over) => {
                self.logs.retain(|log| log.id != over.id);
                self.logs.push(over);
                let still_open = |log: &CallLog| log.clone().as_of(now).end().is_none();
                let his = self.logs.iter().filter(|log| log.participants.contains(&user));
                assert_eq!(his.filter(|log| still_open(log)).count(), 0, "one log for each call");
            }
            Err(refusal) => assert!(!matches!(refusal, Ended::Ended(_))),
        }
    }

    fn logs(&self, now: Timestamp) -> Vec<CallLog> {
        self.logs.iter().map(|log| log.clone().as_of(now)).collect()
    }

    fn keeps_the_rules(&self, now: Timestamp) {
        let logs = self.logs(now);
        for (index, log) in logs.iter().enumerate() {
            for other in &logs[index + 1..] {
                let in_common = log.participants.iter().any(|user| other.participants.contains(user));
                let gap = (other.start.since(log.covers_until())).max(log.start.since(other.covers_until()));
                assert!(!in_common || gap >= limits::SAME_CALL_GAP_MS, "{log:?}\n{other:?}");
            }
            let last = log.end().or(log.state.open_since()).unwrap();
            assert!(self.room.created_at <= log.start && log.start <= last && last <= now, "{log:?}");
            let millis = log.end().map_or(0, |end| end.since(log.start));
            assert_eq!(log.duration(), millis / 1_000);
            assert!(log.participants.contains(&log.caller) && log.participants.contains(&log.receiver));
        }
        for report in &self.accepted {
            let holding = logs.iter().filter(|log| {
                let everybody = report.participants.iter().all(|user| log.participants.contains(user));
                let last = report.end().unwrap_or(report.start);
                everybody && log.start <= report.start && last <= log.covers_until()
            });
            assert_eq!(holding.count(), 1, "{report:?} in {logs:?}");
        }
    }

    /// Without the parts that depend on the order of arrival.
    fn shape(&self, now: Timestamp) -> BTreeSet<(Timestamp, Option<Timestamp>, BTreeSet<UserId>)> {
        let shape = |log: &CallLog| (log.start, log.end(), log.participants.iter().copied().collect());
        self.logs(now).iter().map(shape).collect()
    }
}

fn some_people() -> impl Strategy<Value = Vec<usize>> {
    prop::sample::subsequence((0..PEOPLE).collect::<Vec<_>>(), 2..=3).prop_shuffle()
}

/// Some within minutes, some over the whole life of the room, and somewhat beyond it on both sides.
fn some_time() -> impl Strategy<Value = i64> {
    prop_oneof![3 => 0..900_i64, 3 => 7_200..8_100_i64, 1 => -1_000..LIFE + 1_000]
}

fn some_call() -> impl Strategy<Value = Told> {
    (some_people(), some_time(), prop::option::of(prop_oneof![4 => 0..400_i64, 1 => -60..20_000_i64]))
        .prop_map(|(people, start, lasts)| Told::Call {
            people,
            start,
            end: lasts.map(|lasts| start + lasts),
        })
}

fn something_told() -> impl Strategy<Value = Told> {
    let end = (0..PEOPLE, some_time()).prop_map(|(person, end)| Told::End { person, end });
    prop_oneof![4 => some_call(), 1 => end]
}

fn calls_that_are_over() -> impl Strategy<Value = Vec<Told>> {
    let call = (some_people(), some_time(), 0..400_i64);
    let call = call.prop_map(|(people, start, lasts)| Told::Call { people, start, end: Some(start + lasts) });
    prop::collection::vec(call, 1..12)
}

/// Ann is in each of them, and all are reported within a day of each other.
fn one_open_call() -> impl Strategy<Value = Vec<Told>> {
    let call = (1..PEOPLE, 0..80_000_i64);
    let call = call.prop_map(|(other, start)| Told::Call { people: vec![other, 0], start, end: None });
    prop::collection::vec(call, 1..8)
}

fn and_shuffled(told: Vec<Told>) -> impl Strategy<Value = (Vec<Told>, Vec<Told>)> {
    (Just(told.clone()), Just(told).prop_shuffle())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_told_each_call_has_one_log_that_does_not_lie(
        story in prop::collection::vec((something_told(), prop_oneof![4 => 0..600_i64, 1 => 0..100_000_i64]), 1..25),
    ) {
        let mut world = World::new();
        let mut now = at(600);
        for (told, later) in story {
            now = now.plus_millis(later * 1_000);
            world.hears(&told, now);
            world.keeps_the_rules(now);
        }
        world.keeps_the_rules(now.plus_millis(2 * limits::OPEN_CALL_MS));
    }

    #[test]
    fn reports_with_ends_make_the_same_logs_in_any_order(
        (told, shuffled) in calls_that_are_over().prop_flat_map(and_shuffled),
    ) {
        let now = at(LIFE);
        let [first, second] = [told, shuffled].map(|story| {
            let mut world = World::new();
            story.iter().for_each(|told| world.hears(told, now));
            world.shape(now)
        });
        prop_assert_eq!(first, second);
    }

    #[test]
    fn reports_without_ends_of_one_call_make_the_same_log_in_any_order(
        (told, shuffled) in one_open_call().prop_flat_map(and_shuffled),
    ) {
        let now = at(80_000);
        let [first, second] = [told, shuffled].map(|story| {
            let mut world = World::new();
            story.iter().for_each(|told| world.hears(told, now));
            (world.shape(now), world.logs.iter().map(|log| log.state).collect::<Vec<_>>())
        });
        prop_assert_eq!(&first, &second);
        prop_assert_eq!(first.0.len(), 1);
    }
}

/// A report about a call that the room kept, in seconds after the creation of the room: it ran from 1,000 to
/// 1,500.
#[derive(Clone, Debug)]
enum Said {
    /// As the room saw it: begun, with one more person, over. Repeated or late, it does no harm.
    ByRoom(usize),
    ByClient(Told),
}

fn said_of_the_call() -> impl Strategy<Value = Said> {
    // Somebody in common with the room's call, and less than a minute away from it.
    let people = prop_oneof![Just(vec![0, 1]), Just(vec![1, 3]), Just(vec![2, 0, 4])];
    let post = (people, 941..1_560_i64, proptest::option::of(0..500_i64));
    prop_oneof![
        2 => (0..3_usize).prop_map(Said::ByRoom),
        2 => post.prop_map(|(people, start, length)| {
            Said::ByClient(Told::Call { people, start, end: length.map(|length| start + length) })
        }),
        1 => (0..PEOPLE, 900..2_000_i64).prop_map(|(person, end)| Said::ByClient(Told::End { person, end })),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn what_a_room_and_clients_say_of_one_call_is_one_log_with_the_rooms_times(
        mut said in prop::collection::vec(said_of_the_call(), 0..12),
        at_last: prop::sample::Index,
    ) {
        let now = at(2_100);
        let mut world = World::new();
        let id = world.ids.call_log(now);
        let by_room = |world: &World, stage: usize| {
            let participants = world.people[..if stage == 0 { 2 } else { 3 }].to_vec();
            let [caller, receiver] = [participants[0], participants[1]];
            let (start, end) = (at(1_000), (stage == 2).then(|| at(1_500)));
            let call = Call { room: world.room.id, caller, receiver, participants, start, end };
            CallLog { kept_by_room: true, ..CallLog::new(id, call) }
        };
        // The room always reports its end, before or after whatever clients report.
        said.insert(at_last.index(said.len() + 1), Said::ByRoom(2));
        for one in &said {
            match one {
                Said::ByRoom(stage) => {
                    let change = join(by_room(&world, *stage), world.logs.clone(), now);
                    world.logs.retain(|log| log.id != change.log.id && !change.removed.contains(&log.id));
                    world.logs.push(change.log);
                }
                Said::ByClient(told) => world.hears(told, now),
            }
        }
        let logs = world.logs(now);
        prop_assert_eq!(logs.len(), 1, "{:?}", logs);
        let log = &logs[0];
        prop_assert!(log.kept_by_room);
        prop_assert_eq!((log.start, log.end()), (at(1_000), Some(at(1_500))));
        prop_assert!(world.people[..3].iter().all(|user| log.participants.contains(user)));
    }
}
