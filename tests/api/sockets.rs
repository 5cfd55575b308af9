//! `/socket.io/`: what the Worker decides before an object does.

use axum::body::Body;
use http::Request;
use serde_json::json;

use super::support::{Answer, TestApp, UNKNOWN_ROOM};

fn handshake(app: &TestApp, query: &str, origin: Option<&str>) -> Answer {
    let mut request = Request::get(format!("/socket.io/?{query}")).header("upgrade", "websocket");
    request = request.header("authorization", "Bearer abc");
    if let Some(origin) = origin {
        request = request.header("origin", origin);
    }
    app.send(request.body(Body::empty()).unwrap())
}

#[test]
fn a_handshake_that_names_its_room_is_handed_to_the_room() {
    let query = format!("EIO=4&transport=websocket&roomId={}", UNKNOWN_ROOM.to_uppercase());
    let answer = handshake(&TestApp::new(), &query, Some("http://localhost:3000"));
    assert_eq!(answer.body["room"], UNKNOWN_ROOM);
    let connection = &answer.headers["x-request-id"];
    let connection = connection.to_str().unwrap();
    let expected =
        json!({ "bearer": "abc", "address": "unknown", "connection": connection, "room": UNKNOWN_ROOM });
    assert_eq!(answer.body["handshake"], expected, "with the id by which the log calls the connection");
    assert_eq!(answer.body["sid"].as_str().unwrap().len(), 20);
}

#[test]
fn one_that_names_none_gets_an_object_of_its_own_and_so_do_its_later_requests() {
    let app = TestApp::new();
    let opened = app.send(get("EIO=4&transport=polling"));
    let sid = opened.body["sid"].as_str().unwrap().to_owned();
    assert_eq!(opened.body["session"], sid);
    let later = app.send(get(&format!("EIO=4&transport=polling&sid={sid}")));
    assert_eq!(later.body, json!({ "session": sid, "sid": null, "handshake": null }));
}

#[test]
fn session_ids_that_we_did_not_give_for_that_place_are_refused_at_the_edge() {
    let app = TestApp::new();
    let sid = app.send(get("EIO=4&transport=polling")).body["sid"].as_str().unwrap().to_owned();
    let elsewhere = format!("EIO=4&transport=polling&sid={sid}&roomId={UNKNOWN_ROOM}");
    let forged = format!("EIO=4&transport=polling&sid={}", "A".repeat(20));
    let nowhere = format!("EIO=4&transport=polling&sid={sid}&roomId=x");
    for query in [elsewhere, forged, nowhere, "EIO=4&transport=polling&sid=__proto__".to_owned()] {
        let answer = app.send(get(&query));
        assert_eq!(answer.body, json!({ "code": 1, "message": "Session ID unknown" }), "{query}");
    }
}

#[test]
fn what_an_object_is_told_is_never_the_clients_own() {
    let app = TestApp::new();
    let sid = app.send(get("EIO=4&transport=polling")).body["sid"].as_str().unwrap().to_owned();
    let mut request = get(&format!("EIO=4&transport=polling&sid={sid}"));
    request.headers_mut().insert("x-session-id", "mine".parse().unwrap());
    request.headers_mut().insert("x-handshake", "{}".parse().unwrap());
    let answer = app.send(request);
    assert_eq!(answer.body, json!({ "session": sid, "sid": null, "handshake": null }));
}

fn get(query: &str) -> Request<Body> {
    Request::get(format!("/socket.io/?{query}")).body(Body::empty()).unwrap()
}

#[test]
fn other_handshakes_get_engine_ios_own_errors() {
    for (query, code, message) in [
        ("EIO=4&transport=smoke&sid=x&roomId=x", 0, "Transport unknown"),
        ("EIO=4&transport=polling&sid=x", 1, "Session ID unknown"),
        ("EIO=3&transport=polling", 5, "Unsupported protocol version"),
        ("EIO=4&transport=polling&roomId=x", 3, "Bad request"),
        ("EIO=4&transport=websocket", 3, "Bad request"),
    ] {
        let answer = TestApp::new().send(get(query));
        assert_eq!((answer.status.as_u16(), answer.body), (400, json!({ "code": code, "message": message })));
    }
}

#[test]
fn another_origins_upgrade_is_forbidden() {
    let query = format!("EIO=4&transport=websocket&roomId={UNKNOWN_ROOM}");
    let answer = handshake(&TestApp::new(), &query, Some("https://evil.example"));
    answer.refused(403, "Origin not allowed", "origin_refused");
}
