use proptest::prelude::*;

use super::{
    oracle::{LIMITS, Step, Story, check},
    *,
};

const ANN: ReceiverId = ReceiverId(1);
const BOB: ReceiverId = ReceiverId(2);

fn texts(missed: Option<Vec<String>>) -> Vec<String> {
    missed.expect("recovered")
}

#[test]
fn who_returns_gets_what_it_missed_in_order_and_nothing_of_others() {
    let mut story = Story::new();
    let first = story.says(&[ANN, BOB], "one");
    story.says(&[BOB], "two");
    story.says(&[ANN], "three");
    let last = story.says(&[ANN, BOB], "four");
    assert_eq!(texts(story.log.missed(ANN, &first)), ["three", "four"]);
    assert_eq!(texts(story.log.missed(BOB, &first)), ["two", "four"]);
    assert_eq!(texts(story.log.missed(ANN, &last)), Vec::<String>::new());
}

#[test]
fn offsets_that_were_never_given_recover_nothing() {
    let mut story = Story::new();
    story.says(&[ANN], "one");
    for offset in ["", "log0", "log0.", "log0.2", "log0.x", "log1.1", "log0.-1", "log0.99999999999999999999"]
    {
        assert_eq!(story.log.missed(ANN, offset), None, "{offset}");
    }
}

#[test]
fn what_has_arrived_is_not_kept_and_cannot_be_asked_for_again() {
    let mut story = Story::new();
    let first = story.says(&[ANN, BOB], "one");
    let second = story.says(&[ANN, BOB], "two");
    story.acknowledges(ANN, story.log.mark());
    assert_eq!(texts(story.log.missed(ANN, &second)), Vec::<String>::new());
    assert_eq!(story.log.missed(ANN, &first), None, "it has two");
    assert_eq!(texts(story.log.missed(BOB, &first)), ["two"]);
    story.acknowledges(BOB, 1);
    assert_eq!(story.log.bytes(), 3, "what arrived at everybody is gone");
    story.acknowledges(BOB, 2);
    assert_eq!((story.log.entries.len(), story.log.bytes()), (0, 0));
}

#[test]
fn the_oldest_goes_first_and_then_recovery_fails_for_those_whom_it_was_for() {
    let mut story = Story::new();
    let first = story.says(&[ANN, BOB], "old");
    for number in 0..8 {
        story.says(&[ANN], &number.to_string());
    }
    assert_eq!(texts(story.log.missed(ANN, &first)).len(), 8, "eight events may wait");
    story.says(&[ANN], "8");
    assert_eq!(story.log.missed(ANN, &first), None, "event “0” was dropped");
    assert_eq!(texts(story.log.missed(BOB, &first)), Vec::<String>::new(), "it was not for the other");
    story.says(&[BOB], &"x".repeat(990));
    let kept = story.says(&[BOB], "y");
    assert_eq!(texts(story.log.missed(BOB, &first)).len(), 2);
    story.says(&[BOB], &"z".repeat(20));
    assert_eq!(story.log.missed(BOB, &first), None, "a thousand bytes may wait");
    assert_eq!(texts(story.log.missed(BOB, &kept)).len(), 1);
}

#[test]
fn all_receivers_together_are_bounded() {
    let mut story = Story::new();
    let first = story.says(&[ReceiverId(0), ANN, BOB], "old");
    for receiver in 0..3 {
        story.says(&[ReceiverId(receiver)], &"x".repeat(600));
    }
    assert_eq!(story.log.missed(ReceiverId(0), &first), None, "1,500 bytes may wait");
    assert_eq!(texts(story.log.missed(ANN, &first)).len(), 1);
    assert!(story.log.bytes() <= 1_500);
}

#[test]
fn a_burst_is_saved_five_seconds_after_its_last_event() {
    let mut story = Story::new();
    let first = story.says(&[ANN, BOB], "one");
    story.waits(4_999);
    story.says(&[ANN], "two");
    story.waits(4_999);
    assert_eq!(story.restarts(), Restored::InBurst);
    assert_eq!(story.log.missed(ANN, &first), None, "nobody knows what was said");
    let first = story.says(&[ANN, BOB], "three");
    story.says(&[ANN], "four");
    story.waits(5_000);
    assert_eq!(story.restarts(), Restored::Whole);
    assert_eq!(texts(story.log.missed(ANN, &first)), ["four"]);
    let after = story.says(&[ANN], "five");
    assert_eq!(texts(story.log.missed(ANN, &first)), ["four", "five"], "{after} follows");
}

#[test]
fn a_burst_costs_two_writes_and_one_more_when_everything_has_arrived() {
    let mut story = Story::new();
    for number in 0..1_000 {
        story.says(&[ANN, BOB], &number.to_string());
        story.waits(10);
        story.acknowledges(ANN, story.log.mark());
    }
    story.waits(5_000);
    assert_eq!(story.writes, 2);
    story.acknowledges(BOB, story.log.mark());
    assert_eq!(story.writes, 3);
    let text = story.store.values().cloned().collect::<String>();
    assert!(!text.contains("999"), "nothing that was said rests there: {text}");
    assert_eq!(story.restarts(), Restored::Whole);
}

#[test]
fn steady_talk_is_looked_at_every_five_seconds_at_most() {
    let mut story = Story::new();
    let mut looks = 0;
    let mut deadline = None;
    for _ in 0..6_000 {
        story.says(&[ANN], "x");
        story.waits(10);
        looks += usize::from(std::mem::replace(&mut deadline, story.log.next_deadline()) != deadline);
    }
    assert!(looks <= 13, "{looks} in a minute");
}

#[test]
fn what_does_not_fit_into_one_part_is_stored_in_several() {
    const WIDE: LogLimits = LogLimits { max_events: 512, max_bytes: 1 << 20, max_total_bytes: 4 << 20 };
    let mut story = Story::new();
    story.log = Log::new("log0".to_owned(), WIDE, 1);
    let first = story.says(&[ANN], "first");
    let large = ["é\n".repeat(200_000), "b".repeat(300_000)];
    large.iter().for_each(|text| drop(story.says(&[ANN], text)));
    story.waits(5_000);
    assert_eq!(story.store.len(), 2);
    let parts = story.store.clone().into_iter().collect();
    let (log, _) = Log::restore("log1".to_owned(), WIDE, 9, parts, |_| true);
    assert_eq!(texts(log.missed(ANN, &first)), large);
    let half: Vec<_> = story.store.clone().into_iter().take(1).collect();
    assert_eq!(Log::restore("log1".to_owned(), WIDE, 9, half, |_| true).1, Restored::Unreadable);
    story.acknowledges(ANN, story.log.mark());
    assert_eq!(story.store.len(), 1);
}

#[test]
fn what_cannot_be_read_or_is_of_another_version_is_no_log() {
    let restore = |text: &str| {
        let parts = vec![(0, text.to_owned())];
        let (log, restored) = Log::restore("new".to_owned(), LIMITS, 7, parts, |_| true);
        assert_eq!(log.next_offset(), "new.7");
        restored
    };
    assert_eq!(restore("nonsense"), Restored::Unreadable);
    assert_eq!(restore(r#"{"v":4,"tag":"a","log":null}"#), Restored::Unreadable);
    let short = "{\"v\":3,\"tag\":\"a\",\"log\":{\"next\":2,\"floors\":[],\"parts\":1}}\n[[1,[1],9]]\nx";
    assert_eq!(restore(short), Restored::Unreadable);
    let before = r#"{"tag":"a","reserved":3,"floor":0,"floors":[[1,1]],"entries":[]}"#;
    assert_eq!(restore(before), Restored::InBurst, "version 1");
    assert_eq!(restore(r#"{"v":2,"tag":"a","log":null}"#), Restored::InBurst, "version 2");
}

#[test]
fn what_version_2_stored_is_read() {
    let text = "{\"v\":2,\"tag\":\"a\",\"log\":{\"next\":7,\"floors\":[[1,4]],\"parts\":1}}\n[[5,[1],1],[6,[1],1]]\nxy";
    let parts = vec![(0, text.to_owned())];
    let (log, restored) = Log::restore("new".to_owned(), LIMITS, 9, parts, |_| true);
    assert_eq!((restored, log.next_offset().as_str()), (Restored::Whole, "a.7"));
    assert_eq!(texts(log.missed(ANN, "a.5")), ["y"]);
}

#[test]
fn after_a_lost_burst_numbers_go_on_above_the_old_ones_wherever_the_clock_is() {
    let mut story = Story::new();
    story.log = Log::new("log0".to_owned(), LIMITS, 1 << 40);
    (0..3).for_each(|_| drop(story.says(&[ANN], "x")));
    for _ in 0..2 {
        let before = story.log.mark();
        assert_eq!(story.restarts(), Restored::InBurst);
        assert!(story.log.mark() > before, "the first number proposed is smaller");
        story.says(&[ANN], "y");
    }
}

#[test]
fn who_is_forgotten_leaves_nothing() {
    let mut story = Story::new();
    let first = story.says(&[ANN], "one");
    story.says(&[ANN, BOB], "two");
    story.log.forget(ANN);
    assert_eq!(story.log.entries.len(), 1);
    assert_eq!(texts(story.log.missed(BOB, &first)), ["two"]);
    story.waits(5_000);
    story.says(&[ReceiverId(7)], "to somebody of whom nobody knows after the sleep");
    story.waits(5_000);
    story.restarts();
    assert_eq!((story.log.entries.len(), story.log.receivers.len()), (1, 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn never_a_gap_never_a_double_never_a_needless_refusal(
        steps in proptest::collection::vec((any::<u8>(), any::<u8>(), any::<u16>()), 1..150),
    ) {
        check(steps.into_iter().map(|(what, whom, amount)| Step::decoded(what, whom, amount)));
    }
}
