//! `/api/ice-servers`.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use super::support::{TestApp, now};

fn servers(variables: &[(&str, &str)], signed_in: bool) -> Value {
    let app = TestApp::with(variables);
    let token = signed_in.then(|| app.registers("ann").token);
    app.call("GET", "/api/ice-servers", token.as_deref(), None).succeeded(200)
}

const STATIC: [(&str, &str); 3] = [
    ("TURN_SERVER_URL", "turn:t.example:3478,turns:t.example:5349"),
    ("TURN_SERVER_USERNAME", "me"),
    ("TURN_SERVER_CREDENTIAL", "hush"),
];

#[test]
fn anybody_gets_stun_and_only_a_user_gets_turn() {
    let anonymous = servers(&STATIC, false);
    assert_eq!(anonymous["iceServers"].as_array().unwrap().len(), 1, "{anonymous}");
    assert!(anonymous["iceServers"][0]["urls"][0].as_str().unwrap().starts_with("stun:"));
    assert!(anonymous["ttl"].is_number() && anonymous["expiresAt"].is_string());
    assert!(anonymous["iceCandidatePoolSize"].is_number());
    let relay = &servers(&STATIC, true)["iceServers"][1];
    assert_eq!(relay["urls"], json!(["turn:t.example:3478", "turns:t.example:5349"]));
    assert_eq!((&relay["username"], &relay["credential"]), (&json!("me"), &json!("hush")));
    let bad = TestApp::new().call("GET", "/api/ice-servers", Some("bad"), None);
    bad.refused(401, "Invalid authentication token", "token_invalid");
}

#[test]
fn a_shared_secret_gives_time_limited_credentials() {
    let body = servers(&[STATIC[0], ("TURN_SHARED_SECRET", "hush")], true);
    let username = body["iceServers"][1]["username"].as_str().unwrap();
    let (expiry, user) = username.split_once(':').unwrap();
    assert_eq!(user.len(), 24);
    assert!(expiry.parse::<i64>().unwrap() > now().seconds());
    assert!(!body.to_string().contains("hush"));
}

fn key(id: &'static str) -> [(&'static str, &'static str); 2] {
    [("TURN_KEY_ID", id), ("TURN_KEY_API_TOKEN", "hush")]
}

#[test]
fn cloudflares_service_is_asked_and_its_failure_leaves_what_else_there_is() {
    let body = servers(&key("abc"), true);
    let url = body["iceServers"][1]["urls"][0].as_str().unwrap();
    assert!(url.ends_with("/keys/abc/credentials/generate-ice-servers"), "{url}");
    let degraded = servers(&key("broken"), true);
    assert_eq!(degraded["iceServers"].as_array().unwrap().len(), 1, "{degraded}");
    assert_eq!((&degraded["ttl"], &body["ttl"]), (&json!(120), &json!(43_200)), "clients soon ask again");
    let own = servers(&[key("broken").as_slice(), &STATIC].concat(), true);
    assert_eq!((&own["iceServers"][1]["username"], &own["ttl"]), (&json!("me"), &json!(43_200)), "{own}");
}

#[test]
fn cloudflares_service_is_asked_once_for_a_user() {
    let app = TestApp::with(&key("abc"));
    let (ann, bob) = (app.registers("ann"), app.registers("bob"));
    let ask = |token: &str| app.call("GET", "/api/ice-servers", Some(token), None).succeeded(200);
    let first = ask(&ann.token);
    let again = ask(&ann.token);
    assert_eq!((&again["iceServers"], &again["expiresAt"]), (&first["iceServers"], &first["expiresAt"]));
    assert_eq!(app.turn.asked.load(Ordering::SeqCst), 1);
    ask(&bob.token);
    assert_eq!(app.turn.asked.load(Ordering::SeqCst), 2, "another user");
}
