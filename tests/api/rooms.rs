//! `/api/room`.

use axum::body::Body;
use base64ct::{Base64UrlUnpadded, Encoding};
use http::Request;
use serde_json::json;

use super::support::{PASSWORD, TestApp, UNKNOWN_ROOM};

#[test]
fn a_room_is_made_and_joined() {
    let app = TestApp::new();
    let (ann, bob) = (app.registers("ann"), app.registers("bob"));
    let request = Request::post("/api/room/create")
        .header("authorization", format!("Bearer {}", ann.token))
        .header("content-type", "application/json");
    let made = app.send(request.body(Body::empty()).unwrap()).succeeded(201);
    assert_eq!(made["message"], json!("Room created successfully"));
    let id = made["roomId"].as_str().unwrap();
    let room = &made["room"];
    assert_eq!((&room["roomId"], &room["host"]), (&json!(id), &json!(ann.id)));
    assert_eq!((&room["active"], &room["locked"]), (&json!(true), &json!(false)));
    for _ in 0..2 {
        let path = format!("/api/room/join/{}", id.to_uppercase());
        let joined = app.call("POST", &path, Some(&bob.token), None).succeeded(200);
        assert_eq!(joined["message"], json!("Joined room successfully"));
        assert_eq!(joined["room"]["participants"], json!([ann.id, bob.id]));
    }
}

#[test]
fn rooms_that_are_not_there_or_not_yours_are_refused() {
    let app = TestApp::new();
    let (ann, bob) = (app.registers("ann"), app.registers("bob"));
    let room = app.room_of(&[&ann]);
    let join = |path: &str| app.call("POST", &format!("/api/room/join/{path}"), Some(&bob.token), None);
    join(UNKNOWN_ROOM).refused(404, "Room not found or inactive", "room_not_found");
    join("nonsense").refused(400, "Invalid room ID format", "invalid_input");
    let show = |path: &str| app.call("GET", &format!("/api/room/{path}"), Some(&bob.token), None);
    show(&room).refused(403, "You are not a participant of this room", "not_participant");
    show(UNKNOWN_ROOM).refused(404, "Room not found", "room_not_found");
    let anonymous = app.call("GET", "/api/room/nonsense", None, None);
    anonymous.refused(401, "No authentication token provided", "token_missing");
}

#[test]
fn a_room_shows_who_is_online() {
    let app = TestApp::new();
    let ann = app.registers("ann");
    let room = app.room_of(&[&ann]);
    app.rooms.online.lock().unwrap().push(ann.id.parse().unwrap());
    let shown = app.call("GET", &format!("/api/room/{room}"), Some(&ann.token), None).succeeded(200);
    assert_eq!(shown["room"]["online"], json!([ann.id]));
    assert_eq!(shown["room"]["participants"], json!([ann.id]));
}

#[test]
fn a_room_names_its_people_so_that_nobody_has_to_believe_another_client() {
    let app = TestApp::new();
    let (ann, bob) = (app.registers("ann"), app.registers("bob"));
    let room = app.room_of(&[&ann, &bob]);
    let shown = || app.call("GET", &format!("/api/room/{room}"), Some(&ann.token), None).succeeded(200);
    let people = json!([{ "id": ann.id, "username": "ann" }, { "id": bob.id, "username": "bob" }]);
    assert_eq!(shown()["room"]["people"], people);
    let renamed = json!({ "username": "robert" });
    app.call("PUT", "/api/user/profile", Some(&bob.token), Some(renamed)).succeeded(200);
    assert_eq!(shown()["room"]["people"][1]["username"], json!("robert"));
    app.call("DELETE", "/api/user/account", Some(&bob.token), Some(json!({ "password": PASSWORD })))
        .succeeded(200);
    assert_eq!(shown()["room"]["people"], json!([{ "id": ann.id, "username": "ann" }]));
}

#[test]
fn so_many_rooms_are_made_in_an_hour() {
    let app = TestApp::with(&[("ROOMS_PER_HOUR", "2")]);
    let (ann, bob) = (app.registers("ann"), app.registers("bob"));
    let make = |token: &str| app.call("POST", "/api/room/create", Some(token), None);
    make(&ann.token).succeeded(201);
    make(&ann.token).succeeded(201);
    let refused = make(&ann.token);
    refused.refused(429, "Too many requests, please try again later", "rate_limited");
    let seconds = refused.body["retryAfter"].as_i64().unwrap();
    assert!((3_500..=3_600).contains(&seconds), "{seconds}");
    assert_eq!(refused.header("retry-after"), seconds.to_string());
    make(&bob.token).succeeded(201);
}

#[test]
fn a_cursor_of_another_list_or_made_up_is_refused() {
    let app = TestApp::new();
    let (ann, bob) = (app.registers("ann"), app.registers("bob"));
    let room = app.room_of(&[&ann, &bob]);
    app.room_of(&[&ann]);
    for start in ["2023-11-14T22:20:00Z", "2023-11-14T23:20:00Z"] {
        let call = json!({ "callerId": ann.id, "receiverId": bob.id, "roomId": room, "startTime": start, "endTime": start });
        let _ = app.call("POST", "/api/call-logs", Some(&ann.token), Some(call));
    }
    let list =
        |path: &str, query: &str| app.call("GET", &format!("{path}?limit=1{query}"), Some(&ann.token), None);
    let of_rooms = list("/api/room", "").succeeded(200)["nextCursor"].as_str().unwrap().to_owned();
    let encode = Base64UrlUnpadded::encode_string;
    let of_call = encode(format!("1700000000000.{}", ann.id).as_bytes());
    let of_room = encode(format!("1700000000000.{room}").as_bytes());
    for (path, cursor) in [
        ("/api/call-logs", of_rooms.as_str()),
        ("/api/call-logs", &of_call),
        ("/api/call-logs", "x"),
        ("/api/call-logs", &encode(b"5.abc")),
        ("/api/room", &of_call),
        ("/api/room", &of_room),
    ] {
        list(path, &format!("&cursor={cursor}")).refused(400, "Invalid cursor", "invalid_input");
    }
    list("/api/room", &format!("&cursor={of_rooms}")).succeeded(200);
}

#[test]
fn rooms_are_listed_newest_first_page_by_page() {
    let app = TestApp::new();
    let ann = app.registers("ann");
    let made: Vec<_> = (0..5).map(|_| app.room_of(&[&ann])).collect();
    let mut seen = Vec::new();
    let mut path = "/api/room?limit=2".to_owned();
    loop {
        let page = app.call("GET", &path, Some(&ann.token), None).succeeded(200);
        seen.extend(
            page["rooms"].as_array().unwrap().iter().map(|r| r["roomId"].as_str().unwrap().to_owned()),
        );
        let Some(cursor) = page["nextCursor"].as_str() else { break };
        path = format!("/api/room?limit=2&cursor={cursor}");
    }
    assert_eq!(seen, made.into_iter().rev().collect::<Vec<_>>());
    for (query, error) in [
        ("limit=0", "limit must be between 1 and 100"),
        ("limit=101", "limit must be between 1 and 100"),
        ("limit=x", "limit must be between 1 and 100"),
        ("cursor=x", "Invalid cursor"),
    ] {
        let answer = app.call("GET", &format!("/api/room?{query}"), Some(&ann.token), None);
        answer.refused(400, error, "invalid_input");
    }
}
