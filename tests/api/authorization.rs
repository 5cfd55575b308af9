//! Who may do what: one row for each operation of the API, one column for each kind of caller.

use base64ct::{Base64UrlUnpadded, Encoding};
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::{Sha256, Sha512};

use super::{
    document::operations,
    support::{Answer, SECRET, Someone, TestApp, now},
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    NoToken,
    BadSignature,
    AlgorithmNone,
    OtherAlgorithm,
    OtherIssuer,
    Expired,
    Revoked,
    Deleted,
    Stranger,
    Participant,
    Removed,
    Host,
}

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

/// A room with its host, two participants and somebody removed; a stranger.
pub struct World {
    pub app: TestApp,
    pub stranger: Someone,
    pub participant: Someone,
    /// Who never calls anything.
    pub other: Someone,
    pub removed: Someone,
    pub host: Someone,
    pub room: String,
}

impl World {
    fn new() -> Self {
        Self::of(TestApp::new())
    }

    /// In an app whose store is empty.
    pub fn of(app: TestApp) -> Self {
        let [stranger, participant, other, removed, host] =
            ["stranger", "participant", "other", "removed", "host"].map(|name| app.enrolls(name));
        let room = app.room_of(&[&host, &participant, &other, &removed]);
        let world = Self { app, stranger, participant, other, removed, host, room };
        let kicked = world.call(
            Caller::Host,
            "POST /api/room/{roomId}/kick",
            Some(json!({ "userId": world.removed.id })),
        );
        assert_eq!(outcome(&kicked), "200");
        world
    }

    fn token(&self, caller: Caller) -> Option<String> {
        let subject = &self.host;
        let forge =
            |header, issuer, seconds| forged(subject, header, issuer, seconds, |text| hs256(SECRET, text));
        Some(match caller {
            Caller::NoToken => return None,
            Caller::BadSignature => {
                let another = "another secret of more than 32 bytes";
                forged(subject, HS256, ISSUER, 60, |text| hs256(another, text))
            }
            Caller::AlgorithmNone => {
                let token = forge(r#"{"alg":"none"}"#, ISSUER, 60);
                token.rsplit_once('.').map(|(signed, _)| format!("{signed}.")).unwrap()
            }
            Caller::OtherAlgorithm => {
                forged(subject, r#"{"alg":"HS512"}"#, ISSUER, 60, |text| hs512(SECRET, text))
            }
            Caller::OtherIssuer => forge(HS256, "somebody", 60),
            Caller::Expired => forge(HS256, ISSUER, -60),
            Caller::Revoked => {
                let old = self.app.enrolls("revoked");
                let body = json!({ "currentPassword": "Sup3rSecret", "newPassword": "Ev3nBetter" });
                let by = self.app.login("192.0.2.9", &old.email, "Sup3rSecret").body["token"].clone();
                let changed = self.app.call("POST", "/api/auth/change-password", by.as_str(), Some(body));
                assert_eq!(outcome(&changed), "200");
                old.token
            }
            Caller::Deleted => {
                let gone = self.app.enrolls("deleted");
                let body = Some(json!({ "password": "Sup3rSecret" }));
                let deleted = self.app.call("DELETE", "/api/user/account", Some(&gone.token), body);
                assert_eq!(outcome(&deleted), "200");
                gone.token
            }
            Caller::Stranger => self.stranger.token.clone(),
            Caller::Participant => self.participant.token.clone(),
            Caller::Removed => self.removed.token.clone(),
            Caller::Host => self.host.token.clone(),
        })
    }

    pub fn call(&self, caller: Caller, operation: &str, body: Option<Value>) -> Answer {
        let (method, path) = operation.split_once(' ').unwrap();
        let path = path.replace("{roomId}", &self.room);
        self.app.call(method, &path, self.token(caller).as_deref(), body)
    }

    /// A body with which somebody who may do it does it.
    pub fn body(&self, operation: &str) -> Option<Value> {
        Some(match operation {
            "POST /api/auth/register" => {
                json!({ "username": "new", "email": "new@example.com", "password": "Sup3rSecret" })
            }
            "POST /api/auth/login" => json!({ "email": self.host.email, "password": "Sup3rSecret" }),
            "POST /api/auth/change-password" => {
                json!({ "currentPassword": "Sup3rSecret", "newPassword": "Ev3nBetter" })
            }
            "PUT /api/user/profile" => json!({ "username": "renamed" }),
            "DELETE /api/user/account" => json!({ "password": "Sup3rSecret" }),
            "PUT /api/room/{roomId}" => json!({ "name": "Stand-up" }),
            "POST /api/room/{roomId}/kick" => json!({ "userId": self.other.id }),
            "POST /api/room/{roomId}/readmit" => json!({ "userId": self.removed.id }),
            "POST /api/call-logs" => json!({
                "callerId": self.host.id, "receiverId": self.participant.id, "roomId": self.room,
            }),
            _ => return None,
        })
    }

    fn outcome_of(&self, caller: Caller, operation: &str) -> String {
        if operation.ends_with("/end") {
            let begun = self.call(Caller::Host, "POST /api/call-logs", self.body("POST /api/call-logs"));
            assert!(begun.status.is_success(), "{}", begun.body);
        }
        outcome(&self.call(caller, operation, self.body(operation)))
    }
}

const HS256: &str = r#"{"alg":"HS256","typ":"JWT"}"#;
const ISSUER: &str = "zetra-api";

/// A token as the server would make it, but for what is given.
fn forged(
    of: &Someone,
    header: &str,
    issuer: &str,
    seconds: i64,
    sign: impl FnOnce(&str) -> Vec<u8>,
) -> String {
    let payload = json!({
        "userId": of.id, "username": "host", "iss": issuer, "exp": now().seconds() + seconds, "tokenVersion": 0,
    });
    let encode = |text: &str| Base64UrlUnpadded::encode_string(text.as_bytes());
    let signed = format!("{}.{}", encode(header), encode(&payload.to_string()));
    format!("{signed}.{}", Base64UrlUnpadded::encode_string(&sign(&signed)))
}

fn hs256(secret: &str, text: &str) -> Vec<u8> {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.chain_update(text.as_bytes()).finalize().into_bytes().to_vec()
}

fn hs512(secret: &str, text: &str) -> Vec<u8> {
    let mac = Hmac::<Sha512>::new_from_slice(secret.as_bytes()).unwrap();
    mac.chain_update(text.as_bytes()).finalize().into_bytes().to_vec()
}

/// `200`, or `403 not_host`
pub fn outcome(answer: &Answer) -> String {
    let status = answer.status.as_u16();
    answer.body["code"].as_str().map_or_else(|| status.to_string(), |code| format!("{status} {code}"))
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
            assert_eq!(World::new().outcome_of(caller, operation), expected, "{operation} by {caller:?}");
        }
    }
}

#[test]
fn with_a_good_token_everybody_does_what_is_theirs() {
    for Row { operation, outcomes, .. } in &TABLE {
        for (caller, expected) in WITH_A_GOOD_TOKEN.into_iter().zip(outcomes) {
            assert_eq!(World::new().outcome_of(caller, operation), *expected, "{operation} by {caller:?}");
        }
    }
}
