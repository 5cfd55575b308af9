//! A receiver that accepts, refuses, or is absent, and an object that is dropped and restored.

use std::collections::BTreeMap;

use proptest::prelude::*;
use zetra_domain::ObjectIds;

use super::*;

const NOW: i64 = 1_700_000_000_000;

struct Story {
    queue: WebhookQueue,
    now: i64,
    stored: BTreeMap<u64, String>,
    rows: usize,
    on_its_way: Vec<(u64, u32)>,
    attempts: usize,
    /// Bodies, in the order they arrived.
    arrived: Vec<(String, String)>,
    /// Whether the receiver answers 2xx, and whether it has read what it refuses.
    takes: bool,
    pushed: usize,
}

fn room() -> RoomId {
    RoomId::from_random([1; 16])
}

fn user() -> UserId {
    ObjectIds::new([5; 8]).user(Timestamp::from_millis(NOW))
}

impl Story {
    fn new() -> Self {
        Self {
            queue: WebhookQueue::restore(room(), Vec::new()).0,
            now: NOW,
            stored: BTreeMap::new(),
            rows: 0,
            on_its_way: Vec::new(),
            attempts: 0,
            arrived: Vec::new(),
            takes: true,
            pushed: 0,
        }
    }

    fn happens(&mut self) {
        let event = RoomEvent::CallEnded(format!("{}", self.pushed));
        let effects = self.queue.push(&event, format!("msg_{}", self.pushed), self.now);
        self.pushed += 1;
        self.perform(effects);
    }

    fn perform(&mut self, effects: Vec<WebhookEffect>) {
        for effect in effects {
            match effect {
                WebhookEffect::Store(number) => {
                    self.stored.insert(number, self.queue.stored(number).unwrap());
                    self.rows += 1;
                }
                WebhookEffect::Forget(number) => {
                    assert!(self.stored.remove(&number).is_some());
                    self.rows += 1;
                }
                WebhookEffect::Post { number, attempt } => {
                    assert!(self.stored.contains_key(&number), "stored before it is sent");
                    self.on_its_way.push((number, attempt));
                    self.attempts += 1;
                }
            }
        }
        assert!(self.on_its_way.len() <= 1, "one at a time");
    }

    fn answers(&mut self) {
        while let Some((number, attempt)) = self.on_its_way.pop() {
            let message = self.queue.message(number).unwrap();
            if self.takes {
                self.arrived.push((message.id.clone(), message.body.clone()));
            }
            let effects = self.queue.answered(number, attempt, self.takes, self.now);
            self.perform(effects);
        }
    }

    fn passes(&mut self, millis: i64) {
        let until = self.now + millis;
        while let Some(at) = self.queue.next_deadline().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            // An answer that has not come by then never comes.
            self.on_its_way.clear();
            let effects = self.queue.tick(self.now);
            self.perform(effects);
            self.answers();
        }
        self.now = until;
    }

    fn crashes(&mut self) {
        self.on_its_way.clear();
        let (queue, effects) = WebhookQueue::restore(room(), self.stored.clone().into_iter().collect());
        self.queue = queue;
        self.perform(effects);
    }
}

#[test]
fn every_event_has_its_body() {
    let user = user();
    let at = Timestamp::from_millis(NOW);
    for (event, kind, data) in [
        (RoomEvent::Started, "room.started", String::new()),
        (
            RoomEvent::Joined { user, username: Some("a\"b".to_owned()) },
            "participant.joined",
            format!(r#","userId":"{user}","username":"a\"b""#),
        ),
        (
            RoomEvent::Joined { user, username: None },
            "participant.joined",
            format!(r#","userId":"{user}","username":null"#),
        ),
        (
            RoomEvent::Left { user, reason: DisconnectReason::Lost },
            "participant.left",
            format!(r#","userId":"{user}","reason":"lost""#),
        ),
        (
            RoomEvent::CallEnded(r#"{"_id":"x"}"#.to_owned()),
            "call.ended",
            r#","callLog":{"_id":"x"}"#.to_owned(),
        ),
        (RoomEvent::Ended { by: user }, "room.ended", format!(r#","by":"{user}","reason":"ended_by_host""#)),
    ] {
        let expected =
            format!(r#"{{"type":"{kind}","timestamp":"{at}","data":{{"roomId":"{}"{data}}}}}"#, room());
        let body = body(room(), &event, NOW);
        assert_eq!(body, expected);
        assert!(serde_json::from_str::<serde_json::Value>(&body).is_ok());
    }
}

#[test]
fn what_is_taken_at_once_costs_two_rows() {
    let mut story = Story::new();
    story.happens();
    story.answers();
    assert_eq!((story.rows, story.attempts, story.queue.next_deadline()), (2, 1, None));
}

#[test]
fn a_receiver_that_refuses_is_asked_ever_more_seldom_and_for_a_day() {
    let mut story = Story::new();
    story.takes = false;
    story.happens();
    story.happens();
    story.answers();
    story.passes(3_600_000);
    assert!(story.attempts <= 12, "{} attempts in the first hour", story.attempts);
    story.passes(PATIENCE_MS);
    assert!(story.attempts <= 40, "{} attempts in a day", story.attempts);
    assert!(story.stored.is_empty() && story.queue.is_empty());
    // A busy room keeps creating messages, and nothing is sent more often because of that.
    for _ in 0..600 {
        story.happens();
        story.answers();
        story.passes(60_000);
    }
    assert!(story.attempts <= 60, "{} attempts after ten hours more", story.attempts);
    story.takes = true;
    story.passes(3_600_000);
    assert_eq!(story.arrived.len(), 600, "once it is back everything comes");
}

#[test]
fn one_that_hangs_is_asked_again_and_what_waits_behind_keeps_its_place() {
    let mut story = Story::new();
    (0..3).for_each(|_| story.happens());
    // The first never gets an answer; the object sleeps meanwhile.
    story.on_its_way.clear();
    story.crashes();
    assert_eq!(story.attempts, 1);
    let effects = story.queue.tick(story.now);
    story.perform(effects);
    story.answers();
    let ids: Vec<&str> = story.arrived.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, ["msg_0", "msg_1", "msg_2"]);
}

#[test]
fn a_late_answer_of_an_attempt_that_was_given_up_is_nothing() {
    let mut story = Story::new();
    story.happens();
    story.happens();
    let (number, attempt) = story.on_its_way[0];
    story.now += ANSWER_MS;
    story.on_its_way.clear();
    let effects = story.queue.tick(story.now);
    story.perform(effects);
    assert_eq!(story.queue.answered(number, attempt, true, story.now), []);
    assert_eq!(story.on_its_way.len(), 1, "the second attempt goes on");
    story.answers();
    assert_eq!(story.arrived.len(), 2);
}

#[test]
fn one_that_takes_its_time_gets_each_message_once() {
    let mut story = Story::new();
    (0..3).for_each(|_| story.happens());
    for _ in 0..3 {
        // Nothing happens before the answer arrives.
        let (until, sent) = (story.now + 9_000, story.on_its_way.clone());
        assert!(story.queue.next_deadline().is_some_and(|at| at > until));
        story.now = until;
        story.on_its_way = sent;
        let (number, attempt) = story.on_its_way.remove(0);
        story.arrived.push((story.queue.message(number).unwrap().id.clone(), String::new()));
        let effects = story.queue.answered(number, attempt, true, story.now);
        story.perform(effects);
    }
    assert_eq!((story.arrived.len(), story.attempts), (3, 3));
}

#[test]
fn what_waits_is_bounded() {
    let mut story = Story::new();
    story.takes = false;
    (0..MAX_WAITING + 5).for_each(|_| story.happens());
    assert_eq!(story.stored.len(), MAX_WAITING);
}

proptest! {
    #[test]
    fn everything_arrives_in_order_at_least_once(
        steps in prop::collection::vec((0..5_u8, 1..20_000_i64), 1..80)
    ) {
        let mut story = Story::new();
        for (step, millis) in steps {
            match step {
                0 => story.happens(),
                1 => story.answers(),
                2 => story.passes(millis),
                3 => story.crashes(),
                _ => story.takes = millis % 2 == 0,
            }
        }
        story.takes = true;
        story.passes(2 * 3_600_000);
        let mut arrived: Vec<String> = story.arrived.iter().map(|(id, _)| id.clone()).collect();
        arrived.dedup();
        let expected: Vec<String> = (0..story.pushed).map(|number| format!("msg_{number}")).collect();
        prop_assert_eq!(arrived, expected);
        prop_assert!(story.stored.is_empty());
    }
}
