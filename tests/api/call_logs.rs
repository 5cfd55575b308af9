//! `/api/call-logs`.

use serde_json::{Value, json};

use super::support::{Answer, PASSWORD, Someone, TestApp, UNKNOWN_ROOM, now, pass};

struct Call {
    app: TestApp,
    ann: Someone,
    bob: Someone,
    room: String,
}

fn story() -> Call {
    let app = TestApp::new();
    let (ann, bob) = (app.registers("ann"), app.registers("bob"));
    let room = app.room_of(&[&ann, &bob]);
    Call { app, ann, bob, room }
}

impl Call {
    fn body(&self, more: Value) -> Value {
        let mut body = json!({ "callerId": self.ann.id, "receiverId": self.bob.id, "roomId": self.room });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    }

    fn post(&self, token: &str, more: Value) -> Answer {
        self.app.call("POST", "/api/call-logs", Some(token), Some(self.body(more)))
    }

    fn end(&self, token: &str, body: Option<Value>) -> Answer {
        self.app.call("PUT", &format!("/api/call-logs/{}/end", self.room), Some(token), body)
    }
}

#[test]
fn a_call_is_logged_ended_and_listed() {
    let call = story();
    let log = call.post(&call.ann.token, json!({})).succeeded(201)["callLog"].clone();
    assert_eq!((&log["callerId"], &log["receiverId"]), (&json!(call.ann.id), &json!(call.bob.id)));
    assert_eq!((&log["endTime"], &log["duration"]), (&Value::Null, &json!(0)));
    assert_eq!(log["participants"], json!([call.ann.id, call.bob.id]));
    let ended = call.end(&call.bob.token, None).succeeded(200)["callLog"].clone();
    assert_eq!((&ended["_id"], ended["endTime"].is_string()), (&log["_id"], true));
    let list = call.app.call("GET", "/api/call-logs", Some(&call.bob.token), None).succeeded(200);
    assert_eq!(list["callLogs"][0]["callerId"]["username"], json!("ann"));
    assert_eq!(list["callLogs"][0]["receiverId"]["email"], json!("bob@example.com"));
    assert_eq!(list["nextCursor"], Value::Null);
    let stats = call.app.call("GET", "/api/call-logs/stats", Some(&call.ann.token), None).succeeded(200);
    let expected = json!({
        "totalCalls": 1, "completedCalls": 1, "activeCalls": 0, "totalDuration": 0, "averageDuration": 0,
    });
    assert_eq!(stats, expected);
    call.end(&call.ann.token, None).refused(404, "Active call log not found", "call_log_not_found");
}

#[test]
fn both_clients_posts_are_one_log() {
    let call = story();
    let first = call.post(&call.ann.token, json!({})).succeeded(201)["callLog"]["_id"].clone();
    let swapped = json!({ "callerId": call.bob.id, "receiverId": call.ann.id });
    let second = call.post(&call.bob.token, swapped).succeeded(200)["callLog"]["_id"].clone();
    assert_eq!(first, second);
}

#[test]
fn a_call_with_both_times_is_stored_as_ended() {
    let call = story();
    pass(600);
    let [ten_ago, two_ago] = [590, 120].map(|ago| json!(now().plus_millis(-ago * 1_000 + 100)));
    let times = json!({ "startTime": ten_ago, "endTime": two_ago, "duration": "a lie" });
    let log = call.post(&call.ann.token, times).succeeded(201)["callLog"].clone();
    assert_eq!((&log["duration"], &log["endTime"]), (&json!(470), &two_ago));
    let backwards = json!({ "startTime": two_ago, "endTime": ten_ago });
    let answer = call.post(&call.ann.token, backwards);
    answer.refused(400, "End time cannot be before start time", "invalid_input");
}

#[test]
fn a_clients_clock_may_be_wrong_but_a_log_may_not() {
    let call = story();
    pass(60);
    let wrong = json!({ "startTime": "1999-01-01T00:00:00Z", "endTime": "2999-01-01T00:00:00Z" });
    let log = call.post(&call.ann.token, wrong).succeeded(201)["callLog"].clone();
    let seconds = log["duration"].as_i64().unwrap();
    assert!((60..120).contains(&seconds), "from the making of the room until now: {log}");
    let ahead = json!({ "startTime": "2999-01-01T00:00:00Z", "endTime": "2998-01-01T00:00:00Z" });
    call.post(&call.bob.token, ahead).succeeded(200);
}

#[test]
fn a_report_of_an_earlier_call_ends_none_that_runs() {
    let call = story();
    let begun = now();
    pass(100);
    call.post(&call.ann.token, json!({})).succeeded(201);
    pass(10);
    let earlier = json!({ "startTime": begun, "endTime": begun.plus_millis(80_000) });
    let log = call.post(&call.bob.token, earlier).succeeded(200)["callLog"].clone();
    assert_eq!(log["endTime"], Value::Null, "it goes on: {log}");
    let ended = call.end(&call.ann.token, None).succeeded(200);
    assert_eq!((&ended["callLog"]["_id"], &ended["callLog"]["duration"]), (&log["_id"], &json!(110)));
}

#[test]
fn a_report_that_bridges_two_logs_joins_them() {
    let call = story();
    let begun = now();
    pass(600);
    let at = |from: i64, to: i64| json!({ "startTime": begun.plus_millis(from * 1_000), "endTime": begun.plus_millis(to * 1_000) });
    let first = call.post(&call.ann.token, at(10, 100)).succeeded(201)["callLog"]["_id"].clone();
    call.post(&call.ann.token, at(300, 400)).succeeded(201);
    let joined = call.post(&call.bob.token, at(90, 310)).succeeded(200)["callLog"].clone();
    assert_eq!((&joined["_id"], &joined["duration"]), (&first, &json!(390)));
    let list = call.app.call("GET", "/api/call-logs", Some(&call.ann.token), None).succeeded(200);
    assert_eq!(list["callLogs"].as_array().unwrap().len(), 1, "{list}");
}

#[test]
fn so_many_call_logs_are_made_in_an_hour() {
    let app = TestApp::with(&[("CALL_LOGS_PER_HOUR", "1")]);
    let (ann, bob) = (app.registers("ann"), app.registers("bob"));
    let room = app.room_of(&[&ann, &bob]);
    let post = |me: &Someone, other: &Someone| {
        let body = json!({ "callerId": me.id, "receiverId": other.id, "roomId": room });
        app.call("POST", "/api/call-logs", Some(&me.token), Some(body))
    };
    post(&ann, &bob).succeeded(201);
    post(&ann, &bob).refused(429, "Too many requests, please try again later", "rate_limited");
    post(&bob, &ann).succeeded(200);
}

#[test]
fn an_unknown_person_is_named_by_the_field() {
    let call = story();
    let nobody = "6553f1000102030405060708";
    let fields = |more: Value| {
        let answer = call.post(&call.ann.token, more);
        let fields: Vec<_> = answer.body["fields"].as_array().unwrap().clone();
        fields.iter().map(|error| error["field"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(fields(json!({ "receiverId": nobody })), ["receiverId"]);
    assert_eq!(fields(json!({ "participants": [nobody] })), ["participants"]);
}

#[test]
fn a_post_tells_what_is_wrong() {
    let call = story();
    let cid = call.app.registers("cid");
    let nobody = "6553f1000102030405060708";
    for (more, error) in [
        (json!({ "callerId": null }), "Caller ID, receiver ID, and room ID are required"),
        (json!({ "callerId": "x" }), "Invalid caller or receiver ID"),
        (json!({ "callerId": 7 }), "callerId must be a string"),
        (json!({ "receiverId": call.ann.id }), "Caller and receiver cannot be the same"),
        (json!({ "roomId": "x" }), "Invalid room ID format"),
        (json!({ "startTime": "yesterday" }), "startTime must be an ISO 8601 date"),
        (json!({ "startTime": 7 }), "startTime must be a string"),
        (json!({ "participants": "x" }), "participants must be an array of strings"),
        (json!({ "participants": [nobody] }), "Invalid caller or receiver ID"),
        (json!({ "receiverId": nobody }), "Invalid caller or receiver ID"),
    ] {
        call.post(&call.ann.token, more).refused(400, error, "invalid_input");
    }
    call.post(&cid.token, json!({})).refused(403, "You are not part of this call", "not_in_call");
    let stranger = json!({ "receiverId": cid.id });
    call.post(&call.ann.token, stranger).refused(403, "You are not part of this call", "not_in_call");
    let unknown = json!({ "roomId": UNKNOWN_ROOM });
    call.post(&call.ann.token, unknown).refused(404, "Room not found or inactive", "room_not_found");
}

#[test]
fn an_end_tells_what_is_wrong() {
    let call = story();
    let cid = call.app.registers("cid");
    pass(60);
    let start = now();
    call.post(&call.ann.token, json!({ "startTime": start })).succeeded(201);
    pass(120);
    call.end(&cid.token, None).refused(403, "You are not part of this call", "not_in_call");
    let early = Some(json!({ "endTime": start.plus_millis(-1_000) }));
    call.end(&call.ann.token, early).refused(400, "End time cannot be before start time", "invalid_input");
    let at = Some(json!({ "endTime": start.plus_millis(60_000) }));
    assert_eq!(call.end(&call.ann.token, at).succeeded(200)["callLog"]["duration"], json!(60));
}

#[test]
fn names_of_deleted_accounts_are_gone_and_logs_stay() {
    let call = story();
    call.post(&call.ann.token, json!({})).succeeded(201);
    let body = Some(json!({ "password": PASSWORD }));
    call.app.call("DELETE", "/api/user/account", Some(&call.ann.token), body).succeeded(200);
    let list = call.app.call("GET", "/api/call-logs", Some(&call.bob.token), None).succeeded(200);
    assert_eq!(list["callLogs"][0]["callerId"], Value::Null);
    assert_eq!(list["callLogs"][0]["receiverId"]["_id"], json!(call.bob.id));
}
