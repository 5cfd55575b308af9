//! `/api/user`.

use serde_json::json;

use zetra_domain::{Password, PasswordHash, TokenFingerprint};

use super::support::{PASSWORD, TestApp};

#[test]
fn a_profile_is_read_and_changed() {
    let app = TestApp::new();
    let (ann, bob) = (app.registers("ann"), app.registers("bob"));
    let profile = app.call("GET", "/api/user/profile", Some(&ann.token), None).succeeded(200);
    let created = profile["user"]["createdAt"].as_str().unwrap();
    assert!(created.len() == 24 && created.ends_with('Z'), "{created}");
    let put = |body| app.call("PUT", "/api/user/profile", Some(&ann.token), Some(body));
    let changed = put(json!({ "username": "anna", "email": "ANNA@example.com" })).succeeded(200);
    assert_eq!(changed["message"], json!("Profile updated successfully"));
    assert_eq!(changed["user"]["email"], json!("anna@example.com"));
    put(json!({})).refused(400, "At least one field (username or email) is required", "invalid_input");
    put(json!({ "username": "bob" })).refused(409, "Username already taken", "username_taken");
    put(json!({ "email": bob.email })).refused(409, "Email already in use", "email_taken");
    put(json!({ "email": "x" })).refused(400, "Invalid email format", "invalid_input");
}

#[test]
fn a_deleted_account_takes_its_tokens_and_sockets_with_it() {
    let app = TestApp::new();
    let (ann, bob) = (app.registers("ann"), app.registers("bob"));
    let room = app.room_of(&[&ann, &bob]);
    let delete = |body| app.call("DELETE", "/api/user/account", Some(&ann.token), body);
    delete(None).refused(400, "Password is required to delete account", "invalid_input");
    let body = delete(Some(json!({ "password": PASSWORD }))).succeeded(200);
    assert_eq!(body["message"], json!("Account deleted successfully"));
    app.call("GET", "/api/user/profile", Some(&ann.token), None).refused(
        401,
        "Invalid authentication token",
        "token_invalid",
    );
    let shown = app.call("GET", &format!("/api/room/{room}"), Some(&bob.token), None).succeeded(200);
    assert_eq!(shown["room"]["host"], json!(bob.id), "the room passed on");
    let user = ann.id.parse().unwrap();
    assert_eq!(*app.rooms.told.lock().unwrap(), [("announced", user), ("delivered", user)]);
}

#[test]
fn an_account_whose_password_changed_just_before_is_not_deleted() {
    let app = TestApp::new();
    let ann = app.registers("ann");
    let id = ann.id.parse().unwrap();
    app.meanwhile(move |store| {
        let old = pollster::block_on(store.account(id)).unwrap().unwrap().password_hash;
        let new = PasswordHash::new(&Password::parse("password", "N3wPassword").unwrap(), [3; 16]);
        let kept = TokenFingerprint::stored("another".to_owned());
        pollster::block_on(store.change_password(id, &old, &new, &kept)).unwrap().unwrap();
    });
    let delete =
        app.call("DELETE", "/api/user/account", Some(&ann.token), Some(json!({ "password": PASSWORD })));
    delete.refused(401, "Invalid password", "wrong_password");
    app.login("192.0.2.1", &ann.email, "N3wPassword").succeeded(200);
}

#[test]
fn an_account_whose_hash_was_renewed_just_before_is_deleted_and_one_that_is_gone_is_told_so() {
    let app = TestApp::new();
    let delete = |token: &str| {
        app.call("DELETE", "/api/user/account", Some(token), Some(json!({ "password": PASSWORD })))
    };
    let (ann, bob) = (app.registers("ann"), app.registers("bob"));
    app.renews_hash_meanwhile(ann.id.parse().unwrap());
    delete(&ann.token).succeeded(200);
    let id = bob.id.parse().unwrap();
    app.meanwhile(move |store| {
        let hash = pollster::block_on(store.account(id)).unwrap().unwrap().password_hash;
        pollster::block_on(store.delete_user(id, &hash)).unwrap().unwrap();
    });
    delete(&bob.token).refused(401, "Invalid authentication token", "token_invalid");
}
