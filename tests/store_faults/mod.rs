//! The REST API over a SQLite whose answers are bad: every operation, every round trip of it, every kind of fault.
//!
//! Promised: no acknowledged write is lost, no write is there by halves, nobody is shown what is not so, and the
//! request succeeds when it is repeated.

mod cases;
mod room;
mod state;

use crate::api::{
    authorization::outcome,
    document::operations,
    support::{Answer, TestApp},
};
use crate::faulty_seam::{Fault, Faulty, NO_TABLE, PERSISTENT, TRANSIENT};
use cases::{CASES, Case, Repeats, Scene};
use state::Placeholders;

/// Served without a look at the database.
const WITHOUT_STORE: [&str; 3] = ["GET /", "GET /openapi.json", "GET /asyncapi.json"];

/// How a request with a fault may be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// As one without. An attempt that failed may have been what made the room as it is: what was so already is
    /// answered as done.
    Unnoticed,
    /// 503, and when to come back.
    Unavailable,
    /// 500, or as one without, where the part of the answer that is missing is not read.
    Internal,
}

/// One kind of fault: what becomes of a round trip and of those that follow it.
type Kind = fn(usize) -> Vec<Fault>;

const UNNOTICED: [Kind; 3] = [
    |turn| vec![Fault::Refused(transient(turn))],
    |turn| vec![Fault::AnswerLost(transient(turn))],
    |_| vec![Fault::Refused(NO_TABLE)],
];
const UNAVAILABLE: [Kind; 6] = [
    |turn| vec![Fault::Refused(persistent(turn))],
    |turn| vec![Fault::AnswerLost(persistent(turn))],
    |turn| vec![Fault::Refused(transient(turn)), Fault::Refused(transient(turn + 1))],
    |turn| vec![Fault::AnswerLost(transient(turn)), Fault::Refused(persistent(turn))],
    |turn| vec![Fault::AnswerLost(transient(turn)), Fault::AnswerLost(transient(turn))],
    |turn| vec![Fault::Refused(NO_TABLE), Fault::Refused(persistent(turn))],
];
const INTERNAL: [Kind; 2] = [|_| vec![Fault::ResultMissing], |_| vec![Fault::ColumnsMissing]];
const EVERY_KIND: [&[Kind]; 3] = [&UNNOTICED, &UNAVAILABLE, &INTERNAL];

fn transient(turn: usize) -> &'static str {
    TRANSIENT[turn % TRANSIENT.len()]
}

fn persistent(turn: usize) -> &'static str {
    PERSISTENT[turn % PERSISTENT.len()]
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
    fn of(case: &Case) -> Self {
        let scene = Scene::of(case);
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
    for case in &CASES {
        let Reference { before, done, done_twice, .. } = Reference::of(case);
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
fn an_answer_of_another_shape_is_500_shows_nothing_and_a_repeated_request_succeeds() {
    for_each_fault(&INTERNAL, Expected::Internal);
}

fn for_each_fault(kinds: &[Kind], expected: Expected) {
    let (mut round_trips, mut requests) = (0, 0);
    for case in &CASES {
        let reference = Reference::of(case);
        let mut trip = 1;
        loop {
            let met = kinds
                .iter()
                .filter(|kind| meets(case, &reference, trip, &kind(round_trips + trip), expected));
            let met = met.count();
            if met == 0 {
                break;
            }
            assert_eq!(met, kinds.len(), "{}: round trip {trip}", case.operation);
            requests += met;
            trip += 1;
        }
        assert_eq!(trip > 1, !WITHOUT_STORE.contains(&case.operation), "{} asks the store", case.operation);
        round_trips += trip - 1;
    }
    println!(
        "{expected:?}: {} cases, {round_trips} round trips, {requests} requests with faults",
        CASES.len()
    );
}

/// Whether the request has such a round trip. If so, it was made with these faults, and once more without.
fn meets(case: &Case, reference: &Reference, trip: usize, faults: &[Fault], expected: Expected) -> bool {
    let scene = Scene::of(case);
    scene.faulty.plan(trip, faults);
    let answer = scene.send();
    if scene.faulty.calm() == 0 {
        return false;
    }
    let story = format!("{}, round trip {trip}: {faults:?}", case.operation);
    let state = scene.state();
    let (is_done, changes) = (state == reference.done, reference.before != reference.done);
    assert!(is_done || state == reference.before, "{story}: half a write: {state:#?}");
    let response = scene.text(&answer);
    if response == reference.first {
        let may_be_left = case.repeats == Repeats::WhatWasLeft;
        assert!(is_done || may_be_left, "{story}: acknowledged and lost");
        assert!(expected != Expected::Unavailable || may_be_left, "{story}: it cannot have been done");
    } else if expected == Expected::Unnoticed {
        assert!(case.already_done && answer.status == 200, "{story}: {response}");
    } else {
        is_clean_refusal(&answer, expected, &story);
    }
    if answer.status.is_server_error() || !is_done {
        // The client retries.
        let (again, state) = if is_done && changes {
            (&reference.again, &reference.done_twice)
        } else {
            (&reference.first, &reference.done)
        };
        assert_eq!(&scene.text(&scene.send()), again, "{story}, retried");
        assert_eq!(&scene.state(), state, "{story}, state after the retry");
    }
    assert_eq!(scene.host_acts(), reference.host_acts, "{story}: what the room was told");
    true
}

fn is_clean_refusal(answer: &Answer, expected: Expected, story: &str) {
    let Answer { status, headers, body } = answer;
    if expected == Expected::Unavailable {
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
    for secret in
        ["D1", "SQL", "no such", "SELECT", "users", "$argon2", "$2b$", "@example.com", "expected value"]
    {
        assert!(!all.contains(secret), "{story}: “{secret}” is in the answer: {all}");
    }
}

#[test]
fn the_first_request_over_an_empty_database_may_fail_anywhere_and_be_repeated() {
    let registers = |app: &TestApp| {
        let body =
            serde_json::json!({ "username": "ann", "email": "ann@example.com", "password": "Sup3rSecret" });
        app.call("POST", "/api/auth/register", None, Some(body))
    };
    let app_over = |faulty: &Faulty| {
        TestApp::over(std::sync::Arc::new(zetra_store::SqliteStore::new(faulty.clone())), &[])
    };
    let undisturbed = Faulty::in_memory();
    let app = app_over(&undisturbed);
    registers(&app).succeeded(201);
    needs_every_migration(&app);
    let placeholders = Placeholders::default();
    let done = placeholders.state(&undisturbed.database);
    for kind in EVERY_KIND.into_iter().flatten() {
        for trip in 1.. {
            let (faulty, faults) = (Faulty::in_memory(), kind(trip));
            let app = app_over(&faulty);
            faulty.plan(trip, &faults);
            let answer = registers(&app);
            if faulty.calm() == 0 {
                assert!(trip > 8, "each migration is looked for and applied");
                break;
            }
            let story = format!("round trip {trip}: {faults:?}");
            if answer.status != 201 {
                assert!(matches!(answer.status.as_u16(), 500 | 503), "{story}: {}", answer.body);
                let is_done =
                    placeholders.state(&faulty.database).iter().any(|row| row.starts_with("users:"));
                assert_eq!(
                    outcome(&registers(&app)),
                    if is_done { "409 email_taken" } else { "201" },
                    "{story}"
                );
            }
            needs_every_migration(&app);
            assert_eq!(placeholders.state(&faulty.database), done, "{story}");
        }
    }
}

fn needs_every_migration(app: &TestApp) {
    let nowhere = crate::api::UNKNOWN_ROOM.parse().unwrap();
    assert!(pollster::block_on(app.store.room(nowhere)).unwrap().is_none());
}
