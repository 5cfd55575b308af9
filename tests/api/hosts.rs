//! What a host does to its room: `DELETE` and `PUT /api/room/:roomId`, `kick`, `readmit`, `lock`, `unlock`.

use serde_json::{Value, json};
use zetra_signalling::HostAction;

use super::support::{Answer, Someone, TestApp, UNKNOWN_ROOM};

/// Ann's room, in which Bob is too; Cat only knows of it.
struct Hosted {
    app: TestApp,
    ann: Someone,
    bob: Someone,
    cat: Someone,
    room: String,
}

impl Hosted {
    fn new() -> Self {
        let app = TestApp::new();
        let (ann, bob, cat) = (app.registers("ann"), app.registers("bob"), app.registers("cat"));
        let room = app.room_of(&[&ann, &bob]);
        Self { app, ann, bob, cat, room }
    }

    fn asks(&self, who: &Someone, method: &str, action: &str, body: Option<Value>) -> Answer {
        self.app.call(method, &format!("/api/room/{}{action}", self.room), Some(&who.token), body)
    }

    fn joins(&self, who: &Someone) -> Answer {
        self.app.call("POST", &format!("/api/room/join/{}", self.room), Some(&who.token), None)
    }

    /// What the Room object was told since the last time.
    fn told(&self) -> Vec<HostAction> {
        let told = std::mem::take(&mut *self.app.rooms.host_acts.lock().unwrap());
        assert!(told.iter().all(|(room, _)| room.to_string() == self.room));
        told.into_iter().map(|(_, action)| action).collect()
    }
}

fn named(user: &Someone) -> Option<Value> {
    Some(json!({ "userId": user.id }))
}

/// Method, path below the room's, body.
fn every_change(user: &Someone) -> [(&'static str, &'static str, Option<Value>); 6] {
    [
        ("DELETE", "", None),
        ("PUT", "", Some(json!({ "name": "Stand-up" }))),
        ("POST", "/kick", named(user)),
        ("POST", "/readmit", named(user)),
        ("POST", "/lock", None),
        ("POST", "/unlock", Some(json!({}))),
    ]
}

#[test]
fn a_room_is_made_with_a_name_and_renamed() {
    let hosted = Hosted::new();
    let app = &hosted.app;
    let make =
        |name| app.call("POST", "/api/room/create", Some(&hosted.ann.token), Some(json!({ "name": name })));
    assert_eq!(make(json!("  Stand-up  ")).succeeded(201)["room"]["name"], json!("Stand-up"));
    assert_eq!(make(json!(null)).succeeded(201)["room"]["name"], json!(null));
    make(json!("   ")).refused(400, "Room name must be at least 1 character long", "invalid_input");
    make(json!("é".repeat(81))).refused(400, "Room name must be at most 80 characters long", "invalid_input");
    make(json!(7)).refused(400, "name must be a string", "invalid_input");
    make(json!("a\nb")).refused(400, "name contains invalid characters", "invalid_input");
    let rename = |name| hosted.asks(&hosted.ann, "PUT", "", Some(json!({ "name": name }))).succeeded(200);
    let renamed = rename(json!("é".repeat(80)));
    assert_eq!(renamed["message"], json!("Room updated successfully"));
    assert_eq!(renamed["room"]["name"], json!("é".repeat(80)));
    assert_eq!(rename(json!(null))["room"]["name"], json!(null), "null takes it away");
    assert_eq!(hosted.told(), [], "nobody who is in has to hear of it");
}

#[test]
fn nobody_but_the_host_changes_a_room() {
    let hosted = Hosted::new();
    let dan = hosted.app.registers("dan");
    for (method, action, body) in every_change(&dan) {
        for who in [&hosted.bob, &hosted.cat] {
            let answer = hosted.asks(who, method, action, body.clone());
            answer.refused(403, "Only the host can do this", "not_host");
        }
        let path = |room: &str| format!("/api/room/{room}{action}");
        let ann = Some(hosted.ann.token.as_str());
        let unknown = hosted.app.call(method, &path(UNKNOWN_ROOM), ann, body.clone());
        unknown.refused(404, "Room not found or inactive", "room_not_found");
        let nonsense = hosted.app.call(method, &path("nonsense"), ann, body.clone());
        nonsense.refused(400, "Invalid room ID format", "invalid_input");
        let anonymous = hosted.app.call(method, &path(&hosted.room), None, body);
        anonymous.refused(401, "No authentication token provided", "token_missing");
    }
    assert_eq!(hosted.told(), []);
}

#[test]
fn who_is_removed_stays_out_until_readmitted() {
    let hosted = Hosted::new();
    let (ann, bob) = (&hosted.ann, &hosted.bob);
    let removed = hosted.asks(ann, "POST", "/kick", named(bob)).succeeded(200);
    assert_eq!(removed["message"], json!("User removed successfully"));
    assert_eq!(removed["room"]["participants"], json!([ann.id]));
    let action = HostAction::Remove { user: bob.id.parse().unwrap(), by: ann.id.parse().unwrap() };
    assert_eq!(hosted.told(), [action]);
    hosted.joins(bob).refused(403, "You were removed from this room", "removed");
    hosted.asks(bob, "GET", "", None).refused(
        403,
        "You are not a participant of this room",
        "not_participant",
    );
    let again = hosted.asks(ann, "POST", "/kick", named(bob));
    again.refused(404, "User is not in this room", "user_not_found");
    assert_eq!(hosted.told(), [action], "the first time may have failed to tell");
    let readmitted = hosted.asks(ann, "POST", "/readmit", named(bob)).succeeded(200);
    assert_eq!(readmitted["message"], json!("User readmitted successfully"));
    let joined = hosted.joins(bob).succeeded(200);
    assert_eq!(joined["room"]["participants"], json!([ann.id, bob.id]));
    let again = hosted.asks(ann, "POST", "/readmit", named(bob));
    again.refused(404, "User was not removed from this room", "user_not_found");
    assert_eq!(hosted.told(), []);
}

#[test]
fn who_is_to_be_removed_has_to_be_named() {
    let hosted = Hosted::new();
    for action in ["/kick", "/readmit"] {
        for (body, message) in [
            (None, "User ID is required"),
            (Some(json!({ "userId": null })), "User ID is required"),
            (Some(json!({ "userId": 7 })), "userId must be a string"),
            (Some(json!({ "userId": "bob" })), "Invalid user ID"),
        ] {
            hosted.asks(&hosted.ann, "POST", action, body).refused(400, message, "invalid_input");
        }
    }
    let oneself = hosted.asks(&hosted.ann, "POST", "/kick", named(&hosted.ann));
    oneself.refused(400, "You cannot remove yourself", "invalid_input");
}

#[test]
fn a_locked_room_takes_nobody_but_those_already_in_it() {
    let hosted = Hosted::new();
    let (ann, bob, cat) = (&hosted.ann, &hosted.bob, &hosted.cat);
    for _ in 0..2 {
        let locked = hosted.asks(ann, "POST", "/lock", None).succeeded(200);
        assert_eq!(
            (&locked["message"], &locked["room"]["locked"]),
            (&json!("Room locked successfully"), &json!(true))
        );
    }
    hosted.joins(cat).refused(403, "Room is locked", "room_locked");
    hosted.joins(bob).succeeded(200);
    let unlocked = hosted.asks(ann, "POST", "/unlock", None).succeeded(200);
    assert_eq!(unlocked["message"], json!("Room unlocked successfully"));
    hosted.joins(cat).succeeded(200);
    assert_eq!(hosted.told(), []);
}

#[test]
fn an_ended_room_is_over_for_everybody() {
    let hosted = Hosted::new();
    let (ann, bob) = (&hosted.ann, &hosted.bob);
    let ended = hosted.asks(ann, "DELETE", "", None).succeeded(200);
    assert_eq!(
        (&ended["message"], &ended["room"]["active"]),
        (&json!("Room ended successfully"), &json!(false))
    );
    let action = HostAction::End { by: ann.id.parse().unwrap() };
    assert_eq!(hosted.told(), [action]);
    for who in [ann, bob, &hosted.cat] {
        hosted.joins(who).refused(404, "Room not found or inactive", "room_not_found");
    }
    for (method, change, body) in every_change(bob) {
        let answer = hosted.asks(ann, method, change, body);
        answer.refused(404, "Room not found or inactive", "room_not_found");
    }
    assert_eq!(hosted.told(), [action], "the first time may have failed to tell");
    hosted.asks(bob, "DELETE", "", None).refused(404, "Room not found or inactive", "room_not_found");
    assert_eq!(hosted.told(), [], "by the host alone");
    assert_eq!(hosted.asks(bob, "GET", "", None).succeeded(200)["room"]["active"], json!(false));
}

#[test]
fn where_the_room_cannot_be_told_the_host_learns_of_it_and_asks_again() {
    let hosted = Hosted::new();
    let (ann, bob) = (&hosted.ann, &hosted.bob);
    for (method, path, body) in [("POST", "/kick", named(bob)), ("DELETE", "", None)] {
        *hosted.app.rooms.cannot_be_told.lock().unwrap() = true;
        let failed = hosted.asks(ann, method, path, body.clone());
        failed.refused(500, "Internal server error", "internal");
        *hosted.app.rooms.cannot_be_told.lock().unwrap() = false;
        assert_eq!(hosted.asks(ann, method, path, body).status.as_u16(), 404, "it is done");
        assert_eq!(hosted.told().len(), 1, "and told now");
    }
}
