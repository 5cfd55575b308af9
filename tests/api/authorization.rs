//! Who may do what: one row for each operation of the API, one column for each kind of caller.

use super::{
    document::operations,
    world::{Caller, World, outcome},
};

/// Callers whose token is good for nothing, and what they hear where one is needed.
const WITHOUT_A_GOOD_TOKEN: [(Caller, &str); 8] = [
    (Caller::NoToken, "401 token_missing"),
    (Caller::BadSignature, "401 token_invalid"),
    (Caller::AlgorithmNone, "401 token_invalid"),
    (Caller::OtherAlgorithm, "401 token_invalid"),
    (Caller::OtherIssuer, "401 token_invalid"),
    (Caller::Expired, "401 token_expired"),
    (Caller::Revoked, "401 token_invalid"),
    (Caller::Deleted, "401 token_invalid"),
];
const WITH_A_GOOD_TOKEN: [Caller; 4] = [Caller::Stranger, Caller::Participant, Caller::Removed, Caller::Host];

/// Whether an operation needs a token.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    /// It does not look at one.
    Nothing,
    /// None will do, but a bad one is refused.
    NothingBad,
    Token,
}

struct Row {
    operation: &'static str,
    needs: Needs,
    /// What a stranger, a participant, somebody removed and the host of the room hear.
    outcomes: [&'static str; 4],
}

const fn open(operation: &'static str, outcome: &'static str) -> Row {
    Row { operation, needs: Needs::Nothing, outcomes: [outcome; 4] }
}

const fn signed_in(operation: &'static str, outcome: &'static str) -> Row {
    Row { operation, needs: Needs::Token, outcomes: [outcome; 4] }
}

const fn of_room(operation: &'static str, outcomes: [&'static str; 4]) -> Row {
    Row { operation, needs: Needs::Token, outcomes }
}

const fn of_host(operation: &'static str) -> Row {
    of_room(operation, ["403 not_host", "403 not_host", "403 not_host", "200"])
}

const TABLE: [Row; 25] = [
    open("GET /", "200"),
    open("GET /health", "200"),
    open("GET /openapi.json", "200"),
    open("GET /asyncapi.json", "200"),
    open("POST /api/auth/register", "201"),
    open("POST /api/auth/login", "200"),
    signed_in("POST /api/auth/change-password", "200"),
    signed_in("GET /api/user/profile", "200"),
    signed_in("PUT /api/user/profile", "200"),
    signed_in("DELETE /api/user/account", "200"),
    signed_in("POST /api/room/create", "201"),
    signed_in("GET /api/room", "200"),
    of_room("POST /api/room/join/{roomId}", ["200", "200", "403 removed", "200"]),
    of_room("GET /api/room/{roomId}", ["403 not_participant", "200", "403 not_participant", "200"]),
    of_host("PUT /api/room/{roomId}"),
    of_host("DELETE /api/room/{roomId}"),
    of_host("POST /api/room/{roomId}/kick"),
    of_host("POST /api/room/{roomId}/readmit"),
    of_host("POST /api/room/{roomId}/lock"),
    of_host("POST /api/room/{roomId}/unlock"),
    signed_in("GET /api/call-logs", "200"),
    of_room("POST /api/call-logs", ["403 not_in_call", "201", "403 not_in_call", "201"]),
    of_room("PUT /api/call-logs/{roomId}/end", ["403 not_in_call", "200", "403 not_in_call", "200"]),
    signed_in("GET /api/call-logs/stats", "200"),
    Row { operation: "GET /api/ice-servers", needs: Needs::NothingBad, outcomes: ["200"; 4] },
];

/// The outcome of an operation in a world of its own.
fn outcome_of(caller: Caller, operation: &str) -> String {
    let world = World::new();
    if operation.ends_with("/end") {
        let begun = world.call(Caller::Host, "POST /api/call-logs", world.body("POST /api/call-logs"));
        assert!(begun.status.is_success(), "{}", begun.body);
    }
    outcome(&world.call(caller, operation, world.body(operation)))
}

#[test]
fn every_operation_has_a_row() {
    let rows: Vec<&str> = TABLE.iter().map(|row| row.operation).collect();
    for operation in operations() {
        assert!(rows.contains(&operation.as_str()), "{operation} has no row: who may do it?");
    }
    assert_eq!(rows.len(), operations().len());
}

#[test]
fn without_a_good_token_nothing_is_done_that_needs_one() {
    for Row { operation, needs, outcomes } in &TABLE {
        for (caller, refusal) in WITHOUT_A_GOOD_TOKEN {
            let is_refused = match needs {
                Needs::Nothing => false,
                Needs::NothingBad => caller != Caller::NoToken,
                Needs::Token => true,
            };
            let expected = if is_refused { refusal } else { outcomes[0] };
            assert_eq!(outcome_of(caller, operation), expected, "{operation} by {caller:?}");
        }
    }
}

#[test]
fn with_a_good_token_everybody_does_what_is_theirs() {
    for Row { operation, outcomes, .. } in &TABLE {
        for (caller, expected) in WITH_A_GOOD_TOKEN.into_iter().zip(outcomes) {
            assert_eq!(outcome_of(caller, operation), *expected, "{operation} by {caller:?}");
        }
    }
}
