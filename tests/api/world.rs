//! A room and people of every kind, and what each of them may be taken for.

use base64ct::{Base64UrlUnpadded, Encoding};
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::{Sha256, Sha512};

use super::support::{Answer, SECRET, Someone, TestApp, now};

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
    pub fn new() -> Self {
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
