//! `/api/auth`: register, log in, change the password.

use serde_json::json;
use zetra_domain::{PasswordHash, Room, RoomId, Timestamp, UserId};

use super::support::{Answer, PASSWORD, TestApp, register_body};

#[test]
fn registering_signs_in() {
    let app = TestApp::new();
    let body = register_body("Ann_1", " ANN@Example.com ", PASSWORD);
    let body = app.call("POST", "/api/auth/register", None, body).succeeded(201);
    assert_eq!(body["message"], json!("User registered successfully"));
    assert_eq!(body["user"]["email"], json!("ann@example.com"));
    assert_eq!(body["user"].as_object().unwrap().len(), 3, "id, username and email: {body}");
    assert_eq!(body["user"]["id"].as_str().unwrap().len(), 24);
    let profile = app.call("GET", "/api/user/profile", body["token"].as_str(), None).succeeded(200);
    assert_eq!(profile["user"]["username"], json!("Ann_1"));
}

#[test]
fn registration_tells_what_is_wrong() {
    let app = TestApp::new();
    app.registers("ann");
    let register = |username, email, password| {
        app.call("POST", "/api/auth/register", None, register_body(username, email, password))
    };
    register("", "a@b.c", PASSWORD).refused(400, "All fields are required", "invalid_input");
    let all = register("a", "nonsense", "short");
    all.refused(400, "Username must be at least 3 characters long", "invalid_input");
    let fields: Vec<_> = all.body["fields"].as_array().unwrap().iter().map(|f| &f["field"]).collect();
    assert_eq!(fields, ["username", "email", "password"]);
    register("bob", "ann@example.com", PASSWORD).refused(
        409,
        "User with this email already exists",
        "email_taken",
    );
    register("ann", "bob@example.com", PASSWORD).refused(
        409,
        "User with this username already exists",
        "username_taken",
    );
}

#[test]
fn login_does_not_tell_an_unknown_email_from_a_wrong_password() {
    let app = TestApp::new();
    let ann = app.registers("ann");
    let body = app.login("192.0.2.1", " ANN@example.com", PASSWORD).succeeded(200);
    assert_eq!((&body["message"], &body["user"]["id"]), (&json!("Login successful"), &json!(ann.id)));
    for (email, password) in [(ann.email.as_str(), "Wr0ngPassword"), ("nobody@example.com", PASSWORD)] {
        app.login("192.0.2.1", email, password).refused(401, "Invalid credentials", "invalid_credentials");
    }
    let long = "x".repeat(1_025);
    let answer = app.login("192.0.2.1", &ann.email, &long);
    answer.refused(400, "Password must be at most 1024 characters long", "invalid_input");
}

#[test]
fn a_hash_of_the_node_backend_signs_in_and_is_replaced() {
    let app = TestApp::new();
    let ann = app.registers("ann");
    let id = ann.id.parse().unwrap();
    let hash = |app: &TestApp| pollster::block_on(app.store.account(id)).unwrap().unwrap().password_hash;
    // bcrypt of "weak", cost 4.
    let old = PasswordHash::stored("$2b$04$1uLpvs3NH1X/SbSgJeVccedAQdSWqEabdDo6/XoKSQ5/JbMrPjRPi".to_owned());
    pollster::block_on(app.store.renew_hash(id, &hash(&app), &old)).unwrap();
    app.login("192.0.2.1", &ann.email, "wrong").refused(401, "Invalid credentials", "invalid_credentials");
    app.login("192.0.2.1", &ann.email, "weak").succeeded(200);
    assert!(hash(&app).expose().starts_with("$argon2id$"), "it was replaced");
    app.login("192.0.2.1", &ann.email, "weak").succeeded(200);
    app.call("GET", "/api/user/profile", Some(&ann.token), None).succeeded(200);
}

fn change(app: &TestApp, token: &str, current: &str, new: &str) -> Answer {
    let body = json!({ "currentPassword": current, "newPassword": new });
    app.call("POST", "/api/auth/change-password", Some(token), Some(body))
}

#[test]
fn a_password_change_ends_every_other_token() {
    let app = TestApp::new();
    let ann = app.registers("ann");
    app.room_of(&[&ann]);
    let other = app.login("192.0.2.1", &ann.email, PASSWORD).body["token"].as_str().unwrap().to_owned();
    let body = change(&app, &ann.token, PASSWORD, "N3wPassword").succeeded(200);
    assert_eq!(body["message"], json!("Password changed successfully"));
    let profile = |token: &str| app.call("GET", "/api/user/profile", Some(token), None);
    profile(&other).refused(401, "Invalid authentication token", "token_invalid");
    assert_eq!(profile(&ann.token).status, 200, "the token that made the change lives on");
    assert_eq!(profile(body["token"].as_str().unwrap()).status, 200);
    app.login("192.0.2.1", &ann.email, PASSWORD).refused(401, "Invalid credentials", "invalid_credentials");
    app.login("192.0.2.1", &ann.email, "N3wPassword").succeeded(200);
    let user = ann.id.parse().unwrap();
    assert_eq!(*app.rooms.told.lock().unwrap(), [("announced", user), ("delivered", user)]);
}

#[test]
fn a_second_change_keeps_only_the_token_that_made_it() {
    let app = TestApp::new();
    let ann = app.registers("ann");
    let second = change(&app, &ann.token, PASSWORD, "N3wPassword").succeeded(200)["token"].clone();
    change(&app, second.as_str().unwrap(), "N3wPassword", "N3werPassword").succeeded(200);
    let answer = app.call("GET", "/api/user/profile", Some(&ann.token), None);
    answer.refused(401, "Invalid authentication token", "token_invalid");
}

#[test]
fn a_password_change_tells_what_is_wrong() {
    let app = TestApp::new();
    let ann = app.registers("ann");
    change(&app, &ann.token, PASSWORD, "").refused(
        400,
        "Current and new password are required",
        "invalid_input",
    );
    change(&app, &ann.token, PASSWORD, PASSWORD).refused(
        400,
        "New password must be different from current password",
        "invalid_input",
    );
    change(&app, &ann.token, PASSWORD, "weak").refused(
        400,
        "Password must be at least 8 characters long",
        "invalid_input",
    );
    change(&app, &ann.token, "Wr0ngPassword", "N3wPassword").refused(
        401,
        "Current password is incorrect",
        "wrong_password",
    );
}

#[test]
fn a_room_that_was_joined_while_tokens_were_revoked_learns_of_it() {
    let app = TestApp::new();
    let ann = app.registers("ann");
    let id: UserId = ann.id.parse().unwrap();
    let late = Room::new(RoomId::from_random([5; 16]), id, Timestamp::from_millis(0));
    let room = late.id;
    let joins = || {
        let late = late.clone();
        app.meanwhile(move |store| assert_eq!(pollster::block_on(store.insert_room(&late)), Ok(true)));
    };
    joins();
    change(&app, &ann.token, PASSWORD, "N3wPassword").succeeded(200);
    assert_eq!(std::mem::take(&mut *app.rooms.also_in.lock().unwrap()), [room]);
    joins();
    let body = json!({ "password": "N3wPassword" });
    app.call("DELETE", "/api/user/account", Some(&ann.token), Some(body)).succeeded(200);
    assert_eq!(*app.rooms.also_in.lock().unwrap(), [room]);
}

#[test]
fn a_login_that_renews_the_hash_meanwhile_does_not_make_the_password_wrong() {
    let app = TestApp::new();
    let ann = app.registers("ann");
    app.renews_hash_meanwhile(ann.id.parse().unwrap());
    change(&app, &ann.token, PASSWORD, "N3wPassword").succeeded(200);
    app.login("192.0.2.1", &ann.email, "N3wPassword").succeeded(200);
}
