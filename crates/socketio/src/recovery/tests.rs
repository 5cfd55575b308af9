use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const LIMITS: LogLimits = LogLimits { max_age: 60_000, max_events: 8, max_bytes: 1_000 };

/// A log, and a store that keeps what it says.
struct Story {
    log: Log,
    store: BTreeMap<u64, String>,
    now: i64,
}

impl Story {
    fn new() -> Self {
        Self { log: Log::new("a".to_owned(), LIMITS), store: BTreeMap::new(), now: 1_000_000 }
    }

    /// Says something and gives its offset.
    fn says(&mut self, to: &[ReceiverId], text: &str) -> String {
        let offset = self.log.next_offset();
        self.log.append(to, text.to_owned(), self.now);
        let saving = self.log.save(self.now);
        self.save(saving);
        offset
    }

    fn save(&mut self, saving: Option<Saving>) {
        if let Some(Saving { segments, obsolete, .. }) = saving {
            self.store.extend(segments);
            obsolete.iter().for_each(|segment| drop(self.store.remove(segment)));
        }
    }

    fn waits(&mut self, millis: i64) {
        self.now += millis;
        while let Some(at) = self.log.next_deadline().filter(|at| *at <= self.now) {
            let saving = self.log.tick(at);
            self.save(saving);
        }
    }

    fn crashes(&mut self) {
        self.log = Log::restore("b".to_owned(), LIMITS, self.store.clone());
    }
}

fn texts(missed: Option<Vec<String>>) -> Vec<String> {
    missed.expect("recovered")
}

#[test]
fn who_returns_gets_what_it_missed_in_order_and_nothing_of_others() {
    let mut story = Story::new();
    let first = story.says(&[1, 2], "one");
    story.says(&[2], "two");
    story.says(&[1], "three");
    let last = story.says(&[1, 2], "four");
    assert_eq!(texts(story.log.missed(1, &first)), ["three", "four"]);
    assert_eq!(texts(story.log.missed(2, &first)), ["two", "four"]);
    assert_eq!(texts(story.log.missed(1, &last)), Vec::<String>::new());
}

#[test]
fn offsets_that_were_never_given_recover_nothing() {
    let mut story = Story::new();
    story.says(&[1], "one");
    for offset in ["", "a", "a.", "a.2", "a.x", "b.1", "a.-1", "a.99999999999999999999"] {
        assert_eq!(story.log.missed(1, offset), None, "{offset}");
    }
}

#[test]
fn the_oldest_goes_first_and_then_recovery_fails_for_those_whom_it_was_for() {
    let mut story = Story::new();
    let first = story.says(&[1, 2], "old");
    for number in 0..8 {
        story.says(&[1], &number.to_string());
    }
    assert_eq!(texts(story.log.missed(1, &first)).len(), 8, "eight events may wait");
    story.says(&[1], "8");
    assert_eq!(story.log.missed(1, &first), None, "event “0” was dropped");
    assert_eq!(texts(story.log.missed(2, &first)), Vec::<String>::new(), "it was not for the other");
    story.says(&[2], &"x".repeat(990));
    let kept = story.says(&[2], "y");
    assert_eq!(texts(story.log.missed(2, &first)).len(), 2);
    story.says(&[2], &"z".repeat(20));
    assert_eq!(story.log.missed(2, &first), None, "a thousand bytes may wait");
    assert_eq!(texts(story.log.missed(2, &kept)).len(), 1);
}

#[test]
fn nobody_can_come_back_later_than_the_age_so_older_events_go() {
    let mut story = Story::new();
    let first = story.says(&[1, 2], "one");
    story.says(&[1], "two");
    story.waits(60_001);
    story.says(&[2], "three");
    assert_eq!(story.log.missed(1, &first), None);
    assert_eq!(texts(story.log.missed(2, &first)), ["three"]);
}

#[test]
fn an_event_that_comes_alone_survives_a_crash() {
    let mut story = Story::new();
    let first = story.says(&[1, 2], "one");
    story.waits(1_000);
    story.says(&[1], "two");
    story.crashes();
    assert_eq!(texts(story.log.missed(1, &first)), ["two"]);
    let after = story.says(&[1], "three");
    assert_eq!(texts(story.log.missed(1, &first)), ["two", "three"], "{after} follows");
}

#[test]
fn after_a_crash_in_a_rush_nobody_recovers_who_might_have_missed_something() {
    let mut story = Story::new();
    let offsets: Vec<String> = (0..6).map(|number| story.says(&[1], &number.to_string())).collect();
    assert_eq!(story.store.len(), 2, "a rush is not saved at once");
    let mut rushed = Story { log: Log::restore("b".to_owned(), LIMITS, story.store.clone()), ..Story::new() };
    assert_eq!(rushed.log.missed(1, &offsets[0]), None);
    assert_eq!(rushed.log.missed(1, &offsets[5]), None);
    let fresh = rushed.says(&[1], "new");
    assert!(!offsets.contains(&fresh), "numbers are never used twice");
    story.waits(300);
    story.crashes();
    assert_eq!(texts(story.log.missed(1, &offsets[0])).len(), 5, "when it is over it is saved");
}

#[test]
fn segments_that_are_not_needed_go_from_the_store() {
    let mut story = Story::new();
    for number in 0..500 {
        story.waits(100);
        story.says(&[1, 2], &number.to_string());
    }
    assert!(story.store.len() <= 10, "{} segments", story.store.len());
}

#[test]
fn who_is_forgotten_leaves_nothing() {
    let mut story = Story::new();
    let first = story.says(&[1], "one");
    story.says(&[1, 2], "two");
    story.log.forget(1);
    assert_eq!(story.log.entries.len(), 1);
    assert_eq!(texts(story.log.missed(2, &first)), ["two"]);
}

proptest! {
    /// Whatever happens: who recovers gets exactly what was said to it since, or does not recover.
    #[test]
    fn what_is_replayed_is_what_was_missed(
        steps in proptest::collection::vec((0..4u8, 0..3u32, 0..3_000i64), 1..120),
        from in 0..120usize,
    ) {
        let mut story = Story::new();
        let mut said: Vec<(String, Vec<ReceiverId>, String)> = Vec::new();
        for (number, (what, whom, wait)) in steps.into_iter().enumerate() {
            let to: Vec<ReceiverId> = if what == 0 { vec![0, 1, 2] } else { vec![whom] };
            if what == 3 {
                story.crashes();
            } else {
                let text = number.to_string();
                let offset = story.says(&to, &text);
                prop_assert!(said.iter().all(|(known, ..)| *known != offset));
                said.push((offset, to, text));
            }
            // Half of the time a rush.
            story.waits(if wait % 2 == 0 { 0 } else { wait });
        }
        let Some((offset, ..)) = said.get(from % said.len().max(1)) else { return Ok(()) };
        for receiver in 0..3 {
            if let Some(missed) = story.log.missed(receiver, offset) {
                let after = said.iter().skip_while(|(known, ..)| known != offset).skip(1);
                let expected: Vec<String> =
                    after.filter(|(_, to, _)| to.contains(&receiver)).map(|(.., text)| text.clone()).collect();
                prop_assert_eq!(missed, expected);
            }
        }
    }
}
