//! Calls as they happen, and everything that may go wrong during them.

use std::collections::BTreeMap;

use proptest::prelude::*;
use zetra_domain::ObjectIds;

use super::*;

const NOW: i64 = 1_700_000_000_000;
const HOLD: i64 = 10_000;

/// A room whose people come and go, an object that stores, a database that answers or does not.
struct Story {
    keeper: CallKeeper,
    ids: ObjectIds,
    users: Vec<UserId>,
    now: i64,
    /// In order of arrival.
    people: Vec<Presence>,
    stored: BTreeMap<CallLogId, String>,
    rows: usize,
    /// Reports in flight.
    sent: Vec<(CallLogId, u32, CallLog)>,
    /// What the database has.
    taken: BTreeMap<CallLogId, CallLog>,
    reports: usize,
    database_is_up: bool,
}

fn room() -> RoomId {
    RoomId::from_random([1; 16])
}

impl Story {
    fn new() -> Self {
        let mut ids = ObjectIds::new([5; 8]);
        Self {
            keeper: CallKeeper::restore(room(), Vec::new(), &[], NOW).0,
            users: (0..5).map(|_| ids.user(Timestamp::from_millis(NOW))).collect(),
            ids,
            now: NOW,
            people: Vec::new(),
            stored: BTreeMap::new(),
            rows: 0,
            sent: Vec::new(),
            taken: BTreeMap::new(),
            reports: 0,
            database_is_up: true,
        }
    }

    fn comes(&mut self, user: usize) {
        self.people.push(Presence { user: self.users[user], lost_at: None });
        self.looks();
    }

    fn leaves(&mut self, user: usize) {
        self.people.retain(|person| person.user != self.users[user]);
        self.looks();
    }

    /// The connection is lost, or restored.
    fn turns(&mut self, user: usize, lost: bool) {
        let user = self.users[user];
        let lost_at = lost.then_some(self.now);
        self.people
            .iter_mut()
            .filter(|person| person.user == user)
            .for_each(|person| person.lost_at = lost_at);
        self.looks();
    }

    fn looks(&mut self) {
        let at = Timestamp::from_millis(self.now);
        let effects = self.keeper.observe(&self.people, self.now, || self.ids.call_log(at));
        self.perform(effects);
    }

    fn perform(&mut self, effects: Vec<CallEffect>) {
        for effect in effects {
            match effect {
                CallEffect::Store(id) => {
                    self.stored.insert(id, self.keeper.stored(id).unwrap());
                    self.rows += 1;
                }
                CallEffect::Forget(id) => {
                    self.stored.remove(&id);
                    self.rows += 1;
                }
                CallEffect::Report(id) => {
                    let (log, revision) = self.keeper.log(id).unwrap();
                    assert!(self.stored.contains_key(&id), "stored before it is reported");
                    self.sent.push((id, revision, log));
                    self.reports += 1;
                }
            }
        }
    }

    /// The database accepts what was sent, or fails.
    fn answers(&mut self) {
        while !self.sent.is_empty() {
            let (id, revision, log) = self.sent.remove(0);
            if self.database_is_up {
                let before = self.taken.remove(&id);
                self.taken.insert(id, before.map_or(log.clone(), |before| before.joined_with(&log)));
            }
            let reported = self.keeper.reported(id, revision, self.database_is_up, self.now);
            assert!(reported.is_current);
            self.perform(reported.effects);
        }
    }

    /// Time passes: people lost for too long are gone, due work is done, and the database answers.
    fn passes(&mut self, millis: i64) {
        let until = self.now + millis;
        loop {
            let expiry = self.people.iter().filter_map(|person| person.lost_at).map(|at| at + HOLD).min();
            let next = [expiry, self.keeper.next_deadline()].into_iter().flatten().min();
            let Some(at) = next.filter(|at| *at <= until) else { break };
            self.now = self.now.max(at);
            let gone = |person: &Presence| person.lost_at.is_some_and(|at| at + HOLD <= self.now);
            if self.people.iter().any(gone) {
                self.people.retain(|person| !gone(person));
                self.looks();
            }
            let effects = self.keeper.tick(self.now);
            self.perform(effects);
            self.answers();
        }
        self.now = until;
    }

    /// The object's memory is lost, and with it whatever was in flight.
    fn crashes(&mut self) {
        self.sent.clear();
        let stored = self.stored.clone().into_iter().collect();
        let (keeper, effects) = CallKeeper::restore(room(), stored, &self.people, self.now);
        self.keeper = keeper;
        self.perform(effects);
        self.looks();
    }

    /// Start, end and people of what the database has, in milliseconds after the beginning.
    fn logs(&self) -> Vec<(i64, Option<i64>, Vec<usize>)> {
        let since = |at: Timestamp| at.millis() - NOW;
        let number = |user: &UserId| self.users.iter().position(|other| other == user).unwrap();
        let told = |log: &CallLog| {
            (since(log.start), log.end().map(since), log.participants.iter().map(number).collect())
        };
        let mut logs: Vec<_> = self.taken.values().map(told).collect();
        logs.sort();
        logs
    }
}

#[test]
fn a_call_begins_with_the_second_person_and_ends_when_one_is_left() {
    let mut story = Story::new();
    story.comes(1);
    story.passes(5_000);
    assert_eq!((story.reports, story.rows), (0, 0), "one person is no call");
    story.comes(0);
    story.answers();
    assert_eq!(story.logs(), [(5_000, None, vec![1, 0])]);
    story.passes(1_000);
    story.comes(2);
    story.answers();
    story.passes(1_000);
    story.leaves(1);
    story.passes(1_000);
    story.leaves(0);
    story.answers();
    assert_eq!(story.logs(), [(5_000, Some(8_000), vec![1, 0, 2])]);
    let log = story.taken.values().next().unwrap();
    assert_eq!((log.caller, log.receiver), (story.users[1], story.users[0]), "who was there, who came");
    assert!(story.stored.is_empty() && story.keeper.is_empty());
}

#[test]
fn what_a_call_of_two_costs() {
    let mut story = Story::new();
    story.comes(0);
    story.comes(1);
    story.answers();
    story.passes(60_000);
    story.leaves(0);
    story.answers();
    story.passes(60_000);
    // Owed, taken; over, taken.
    assert_eq!((story.rows, story.reports), (4, 2));
}

#[test]
fn who_is_held_takes_part_and_where_nobody_returns_the_end_is_the_loss() {
    let mut story = Story::new();
    story.comes(0);
    story.comes(1);
    story.answers();
    story.passes(20_000);
    story.turns(0, true);
    story.passes(9_000);
    story.turns(0, false);
    story.answers();
    assert_eq!((story.logs(), story.reports), (vec![(0, None, vec![0, 1])], 1), "nothing has happened");
    story.turns(0, true);
    story.passes(2_000);
    story.turns(1, true);
    story.passes(60_000);
    assert_eq!(story.logs(), [(0, Some(29_000), vec![0, 1])]);
}

#[test]
fn of_three_the_end_is_the_last_moment_of_two() {
    let mut story = Story::new();
    (0..3).for_each(|user| story.comes(user));
    story.passes(10_000);
    story.turns(0, true);
    story.passes(5_000);
    story.leaves(1);
    story.passes(60_000);
    assert_eq!(story.logs(), [(0, Some(15_000), vec![0, 1, 2])], "two talked on until then");
}

#[test]
fn a_crash_loses_nothing() {
    let mut story = Story::new();
    story.comes(0);
    story.comes(1);
    story.crashes();
    assert_eq!(story.logs(), [], "the report was lost with the object");
    story.answers();
    assert_eq!(story.logs(), [(0, None, vec![0, 1])], "it is made again at once");
    story.passes(1_000);
    story.leaves(1);
    story.crashes();
    story.answers();
    assert_eq!(story.logs(), [(0, Some(1_000), vec![0, 1])]);
    assert!(story.stored.is_empty());
}

#[test]
fn when_all_are_lost_with_the_object_the_call_ends_there() {
    let mut story = Story::new();
    story.comes(0);
    story.comes(1);
    story.answers();
    story.passes(30_000);
    story.people.iter_mut().for_each(|person| person.lost_at = Some(NOW + 30_000));
    story.now += 1_000;
    story.crashes();
    story.passes(60_000);
    assert_eq!(story.logs(), [(0, Some(30_000), vec![0, 1])]);
}

#[test]
fn a_database_that_is_down_for_an_hour_costs_little_and_loses_nothing() {
    let mut story = Story::new();
    story.database_is_up = false;
    for _ in 0..20 {
        story.comes(0);
        story.comes(1);
        story.answers();
        story.passes(60_000);
        story.leaves(0);
        story.leaves(1);
        story.answers();
        story.passes(120_000);
    }
    assert!(story.logs().is_empty());
    // Twenty calls, yet the database is queried less and less often.
    assert!(story.reports <= 12, "{} reports", story.reports);
    story.database_is_up = true;
    story.passes(3_600_000);
    let expected: Vec<_> =
        (0..20).map(|call| (call * 180_000, Some(call * 180_000 + 60_000), vec![0, 1])).collect();
    assert_eq!(story.logs(), expected);
    assert!(story.stored.is_empty());
}

#[test]
fn a_call_of_two_days_is_renewed_before_it_counts_as_forgotten() {
    let mut story = Story::new();
    story.comes(0);
    story.comes(1);
    story.answers();
    for _ in 0..4 {
        story.passes(RENEWAL_MS);
        let log = story.taken.values().next().unwrap().clone();
        assert_eq!(log.as_of(Timestamp::from_millis(story.now)).end(), None);
    }
    assert_eq!(story.reports, 5);
    story.leaves(0);
    story.answers();
    assert_eq!(story.logs(), [(0, Some(4 * RENEWAL_MS), vec![0, 1])]);
}

#[test]
fn one_report_is_on_its_way_at_a_time_and_a_late_answer_is_nothing() {
    let mut story = Story::new();
    story.comes(0);
    story.comes(1);
    let (id, begun, _) = story.sent.remove(0);
    story.passes(3_000);
    story.leaves(1);
    assert!(story.sent.is_empty(), "the first was not answered yet");
    story.passes(ANSWER_MS);
    let reported = story.keeper.reported(id, begun, true, story.now);
    assert_eq!(reported, Reported { effects: vec![], is_current: false });
    assert_eq!(story.logs(), [(0, Some(3_000), vec![0, 1])]);
    assert!(story.stored.is_empty());
}

#[test]
fn a_renewal_does_not_outlive_the_end_that_is_not_known_yet() {
    let mut story = Story::new();
    story.comes(0);
    story.comes(1);
    story.answers();
    story.passes(RENEWAL_MS - 5_000);
    story.turns(0, true);
    story.passes(60_000);
    assert_eq!(story.logs(), [(0, Some(RENEWAL_MS - 5_000), vec![0, 1])]);
    assert_eq!(story.reports, 2);
}

#[test]
fn who_comes_while_all_others_are_lost_is_in_no_call_of_theirs() {
    let mut story = Story::new();
    story.comes(0);
    story.comes(1);
    story.answers();
    story.passes(5_000);
    story.turns(0, true);
    story.turns(1, true);
    story.passes(3_000);
    story.comes(2);
    story.passes(20_000);
    assert_eq!(story.logs(), [(0, Some(5_000), vec![0, 1])]);
    story.comes(3);
    story.answers();
    assert_eq!(story.logs()[1..], [(28_000, None, vec![2, 3])]);
}

#[test]
fn newcomers_do_not_keep_a_database_waiting_that_is_back() {
    let mut story = Story::new();
    story.database_is_up = false;
    story.comes(0);
    story.comes(1);
    story.answers();
    story.passes(3_600_000);
    story.database_is_up = true;
    for user in 2..5 {
        story.comes(user);
        story.answers();
        story.passes(1_200_000);
    }
    assert_eq!(story.logs().len(), 1, "the pause ends when it was to end");
}

#[test]
fn what_is_owed_is_bounded() {
    let mut story = Story::new();
    story.database_is_up = false;
    story.comes(0);
    for _ in 0..MAX_OWED + 10 {
        story.comes(1);
        story.answers();
        story.now += 1;
        story.leaves(1);
        story.now += 1;
    }
    assert_eq!(story.stored.len(), MAX_OWED);
}

#[test]
fn a_row_that_cannot_be_read_is_forgotten() {
    let mut ids = ObjectIds::new([5; 8]);
    let at = Timestamp::from_millis(NOW);
    let [broken, newer] = [ids.call_log(at), ids.call_log(at)];
    let stored = vec![(broken, "{".to_owned()), (newer, r#"{"v":9}"#.to_owned())];
    let (keeper, effects) = CallKeeper::restore(room(), stored, &[], NOW);
    assert_eq!(effects, [CallEffect::Forget(broken), CallEffect::Forget(newer)]);
    assert!(keeper.is_empty());
}

/// What happens in the property.
#[derive(Clone, Debug)]
enum Step {
    Comes(usize),
    Leaves(usize),
    Lost(usize),
    Back(usize),
    Passes(i64),
    Answers,
    Crashes,
    Database(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let user = 0..4_usize;
    prop_oneof![
        3 => user.clone().prop_map(Step::Comes),
        2 => user.clone().prop_map(Step::Leaves),
        2 => user.clone().prop_map(Step::Lost),
        2 => user.prop_map(Step::Back),
        3 => (1..20_000_i64).prop_map(Step::Passes),
        3 => Just(Step::Answers),
        1 => Just(Step::Crashes),
        1 => any::<bool>().prop_map(Step::Database),
    ]
}

/// The calls as an observer who never slept saw them: start, end, people in the order they were seen.
#[derive(Default)]
struct Oracle {
    calls: Vec<(i64, Option<i64>, Vec<usize>)>,
    two_until: i64,
}

impl Oracle {
    fn sees(&mut self, story: &Story) {
        let now = story.now - NOW;
        let number = |person: &Presence| story.users.iter().position(|user| *user == person.user).unwrap();
        let connected: Vec<usize> =
            story.people.iter().filter(|person| person.lost_at.is_none()).map(number).collect();
        match self.calls.last_mut().filter(|call| call.1.is_none()) {
            Some(call) => {
                // Someone who arrives with nobody there to talk to takes no part.
                connected.iter().filter(|_| connected.len() >= 2).for_each(|user| {
                    if !call.2.contains(user) {
                        call.2.push(*user);
                    }
                });
                if story.people.len() < 2 {
                    call.1 = Some(self.two_until);
                }
            }
            None if connected.len() >= 2 => self.calls.push((now, None, connected.clone())),
            None => {}
        }
        if connected.len() >= 2 {
            self.two_until = i64::MAX;
        } else if self.two_until == i64::MAX {
            self.two_until = now;
            if let Some(call) = self.calls.last_mut().filter(|call| call.1 == Some(i64::MAX)) {
                call.1 = Some(now);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn every_call_has_its_log_in_the_end(steps in prop::collection::vec(step(), 1..60)) {
        let mut story = Story::new();
        let mut oracle = Oracle::default();
        for step in steps {
            let is_there = |user: usize, story: &Story| {
                story.people.iter().find(|person| person.user == story.users[user]).map(|person| person.lost_at.is_some())
            };
            match step {
                Step::Comes(user) if is_there(user, &story).is_none() => story.comes(user),
                Step::Leaves(user) if is_there(user, &story) == Some(false) => story.leaves(user),
                Step::Lost(user) if is_there(user, &story) == Some(false) => story.turns(user, true),
                Step::Back(user) if is_there(user, &story) == Some(true) => story.turns(user, false),
                Step::Passes(millis) => {
                    // The oracle looks at each moment at which somebody leaves.
                    let until = story.now + millis;
                    while let Some(at) = story.people.iter().filter_map(|person| person.lost_at).map(|at| at + HOLD).min().filter(|at| *at <= until) {
                        story.passes(at - story.now);
                        oracle.sees(&story);
                    }
                    story.passes(until - story.now);
                }
                Step::Answers => story.answers(),
                Step::Crashes => story.crashes(),
                Step::Database(up) => story.database_is_up = up,
                _ => {}
            }
            oracle.sees(&story);
        }
        (0..4).for_each(|user| story.leaves(user));
        oracle.sees(&story);
        story.database_is_up = true;
        story.answers();
        story.passes(2 * 3_600_000);
        let mut expected = oracle.calls;
        expected.sort();
        prop_assert_eq!(story.logs(), expected);
        prop_assert!(story.stored.is_empty() && story.keeper.is_empty());
    }
}
