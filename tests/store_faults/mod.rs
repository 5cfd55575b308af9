//! The REST API over a database whose answers are bad: every operation, every round trip of it, every kind of fault.
//!
//! Promised: no acknowledged write is lost, no write is there by halves, nobody is shown what is not so, and the
//! request succeeds when it is repeated. Which database it is, and what can go wrong with it, is in `crate::faulty_store`.

mod cases;
mod room;
pub mod state;

use std::collections::BTreeSet;

use http::StatusCode;

use crate::api::{document::operations, support::Answer, world::outcome};
use crate::faulty_store::{EITHER, Fault, IN_STEPS, INTERNAL, SECRETS, UNAVAILABLE, UNNOTICED};
use cases::{CASES, Repeats, Scene, Stage};

/// Served without a look at the database.
const WITHOUT_STORE: [&str; 3] = ["GET /", "GET /openapi.json", "GET /asyncapi.json"];

/// One kind of fault: what becomes of a round trip and of those that follow it. It differs from one round trip to the next.
pub type Kind = fn(usize) -> Vec<Fault>;

/// How a request with a fault may be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// As one without. An attempt that failed may have been what made the room as it is: what was so already is
    /// answered as done.
    Unnoticed,
    /// 503, and when to come back.
    Unavailable,
    /// One of these two: the fault is one of a round trip that not every request has.
    Either,
    /// 500, or as one without, where the part of the answer that is missing is not read.
    Internal,
}

/// What a request does that meets no fault, and the same once more.
struct Reference {
    before: Vec<String>,
    first: String,
    done: Vec<String>,
    host_acts: Vec<String>,
    again: String,
    done_twice: Vec<String>,
}

impl Reference {
    fn of(scene: &mut Scene<'_>) -> Self {
        scene.reset();
        let case = scene.case;
        let before = scene.state();
        let first = scene.send();
        assert_eq!(outcome(&first), case.first, "{}", case.operation);
        let (done, host_acts) = (scene.state(), scene.host_acts());
        let again = scene.send();
        assert_eq!(outcome(&again), case.again, "{}, repeated", case.operation);
        let done_twice = scene.state();
        let (first, again) = (scene.text(&first), scene.text(&again));
        Self { before, first, done, host_acts, again, done_twice }
    }
}

#[test]
fn every_operation_has_a_case() {
    for operation in operations() {
        let has_one = CASES.iter().any(|case| case.operation == operation);
        assert!(has_one, "{operation} has no case: what if the database fails it?");
    }
}

#[test]
fn a_request_that_is_repeated_does_nothing_more() {
    let mut stage = Stage::new();
    for case in &CASES {
        let Reference { before, done, done_twice, .. } = Reference::of(&mut stage.scene(case));
        assert_eq!(done == done_twice, case.repeats != Repeats::Anew, "{}", case.operation);
        let changes = before != done;
        assert!(!changes || !case.operation.starts_with("GET"), "{}", case.operation);
    }
}

#[test]
fn a_transient_error_is_not_noticed() {
    for_each_fault(&UNNOTICED, Expected::Unnoticed);
}

#[test]
fn a_persistent_error_is_503_leaves_nothing_half_done_and_a_repeated_request_succeeds() {
    for_each_fault(&UNAVAILABLE, Expected::Unavailable);
}

#[test]
fn an_error_of_what_is_asked_after_a_lost_answer_is_503_or_not_noticed() {
    for_each_fault(&EITHER, Expected::Either);
}

#[test]
fn an_answer_of_another_shape_is_500_shows_nothing_and_a_repeated_request_succeeds() {
    for_each_fault(&INTERNAL, Expected::Internal);
}

fn for_each_fault(kinds: &[Kind], expected: Expected) {
    let mut stage = Stage::new();
    let (mut round_trips, mut outcomes) = (0, Vec::new());
    for case in &CASES {
        let mut scene = stage.scene(case);
        let reference = Reference::of(&mut scene);
        let mut trip = 1;
        loop {
            let answered: Vec<StatusCode> = kinds
                .iter()
                .filter_map(|kind| meets(&mut scene, &reference, trip, &kind(round_trips + trip), expected))
                .collect();
            if answered.is_empty() {
                break;
            }
            assert_eq!(answered.len(), kinds.len(), "{}: round trip {trip}", case.operation);
            outcomes.extend(answered);
            trip += 1;
        }
        assert_eq!(trip > 1, !WITHOUT_STORE.contains(&case.operation), "{} asks the store", case.operation);
        round_trips += trip - 1;
    }
    let (cases, requests) = (CASES.len(), outcomes.len());
    println!("{expected:?}: {cases} cases, {round_trips} round trips, {requests} requests with faults");
    if expected == Expected::Either {
        let unavailable = outcomes.iter().filter(|status| status.is_server_error()).count();
        assert!(unavailable > 0 && unavailable < requests, "{unavailable} of {requests} are unavailable");
    }
}

/// How the request was answered that met these faults, if it has such a round trip. Then it was made once more without.
fn meets(
    scene: &mut Scene<'_>,
    reference: &Reference,
    trip: usize,
    faults: &[Fault],
    expected: Expected,
) -> Option<StatusCode> {
    scene.reset();
    scene.stage.faulty.plan(trip, faults);
    let answer = scene.send();
    if scene.stage.faulty.calm() == 0 {
        return None;
    }
    let case = scene.case;
    let story = format!("{}, round trip {trip}: {faults:?}", case.operation);
    let progress = reference.progress(scene, &story);
    let changes = reference.before != reference.done;
    let response = scene.text(&answer);
    if response == reference.first {
        let may_be_left = case.repeats == Repeats::WhatWasLeft;
        assert!(progress == Progress::Done || may_be_left, "{story}: acknowledged, and {progress:?}");
        assert!(expected != Expected::Unavailable || may_be_left, "{story}: it cannot have been done");
    } else if expected == Expected::Unnoticed
        || (expected == Expected::Either && !answer.status.is_server_error())
    {
        assert!(case.already_done && answer.status == 200, "{story}: {response}");
    } else {
        is_clean_refusal(&answer, expected, &story);
    }
    if answer.status.is_server_error() || progress != Progress::Done {
        // The client retries.
        let is_repeated = matches!(progress, Progress::Done | Progress::Committed) && changes;
        let (again, state) = if is_repeated {
            (&reference.again, &reference.done_twice)
        } else {
            (&reference.first, &reference.done)
        };
        assert_eq!(&scene.text(&scene.send()), again, "{story}, retried");
        assert_eq!(&scene.state(), state, "{story}, state after the retry");
    }
    assert_eq!(scene.host_acts(), reference.host_acts, "{story}: what the room was told");
    Some(answer.status)
}

/// How far a request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Nothing,
    /// Some of its steps are done; a repeated request does the others.
    Steps,
    /// Whoever writes next does the rest first.
    Committed,
    Done,
}

impl Reference {
    fn progress(&self, scene: &Scene<'_>, story: &str) -> Progress {
        let state = scene.state();
        if state == self.done {
            return Progress::Done;
        }
        if state == self.before {
            return Progress::Nothing;
        }
        if scene.committed_state() == self.done {
            return Progress::Committed;
        }
        assert!(IN_STEPS.contains(&scene.case.operation), "{story}: half a write: {state:#?}");
        let table = |row: &str| row.split(':').next().unwrap().to_owned();
        let tables: BTreeSet<String> =
            [&self.before, &self.done, &state].into_iter().flatten().map(|row| table(row)).collect();
        for name in tables {
            let of_table = |rows: &[String]| -> Vec<String> {
                rows.iter().filter(|row| table(row) == name).cloned().collect()
            };
            let rows = of_table(&state);
            let is_step = rows == of_table(&self.before) || rows == of_table(&self.done);
            assert!(is_step, "{story}: half a step: {rows:#?}");
        }
        Progress::Steps
    }
}

fn is_clean_refusal(answer: &Answer, expected: Expected, story: &str) {
    let Answer { status, headers, body } = answer;
    if matches!(expected, Expected::Unavailable | Expected::Either) {
        assert_eq!((status.as_u16(), answer.header("retry-after")), (503, "2"), "{story}: {body}");
    }
    let is_health = body["database"] == "disconnected";
    if !is_health {
        let (status, error, code) = match expected {
            Expected::Internal => (500, "Internal server error", "internal"),
            _ => (503, "Database unavailable", "store_unavailable"),
        };
        answer.refused(status, error, code);
        assert_eq!(body.as_object().unwrap().len(), 3, "{story}: {body}");
    }
    let all = format!("{headers:?} {body}");
    for secret in ["users", "$argon2", "$2b$", "@example.com"].iter().chain(SECRETS) {
        assert!(!all.contains(secret), "{story}: “{secret}” is in the answer: {all}");
    }
}
