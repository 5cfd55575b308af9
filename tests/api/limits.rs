//! The strict limits.

use serde_json::json;

use super::support::{PASSWORD, TestApp, register_body};

#[test]
fn five_failures_lock_one_account_from_one_address() {
    let app = TestApp::new();
    let (ann, bob) = (app.registers("ann"), app.registers("bob"));
    for remaining in (0..5).rev() {
        let answer = app.login("192.0.2.9", &ann.email, "wrong");
        answer.refused(401, "Invalid credentials", "invalid_credentials");
        let expected = format!("\"account-failures\";r={remaining};t=900");
        assert_eq!(answer.header("ratelimit"), expected);
        assert_eq!(answer.header("ratelimit-policy"), "\"account-failures\";q=5;w=900");
    }
    let locked = app.login("192.0.2.9", &ann.email, PASSWORD);
    locked.refused(429, "Too many authentication attempts, please try again later", "rate_limited");
    let seconds = locked.body["retryAfter"].as_i64().unwrap();
    assert!((890..=900).contains(&seconds), "{seconds}");
    assert_eq!(locked.header("retry-after"), seconds.to_string());
    assert!(locked.header("ratelimit").contains("r=0"));
    app.login("192.0.2.9", &bob.email, PASSWORD).succeeded(200);
    app.login("192.0.2.10", &ann.email, PASSWORD).succeeded(200);
}

#[test]
fn wrong_input_is_an_attempt_only_and_a_taken_email_a_failure() {
    let app = TestApp::new();
    let ann = app.registers("ann");
    for _ in 0..10 {
        let body = register_body("x", &ann.email, PASSWORD);
        assert_eq!(app.call_from("192.0.2.9", "POST", "/api/auth/register", None, body).status, 400);
    }
    for number in 0..6 {
        let body = register_body(&format!("user{number}"), &ann.email, PASSWORD);
        let answer = app.call_from("192.0.2.9", "POST", "/api/auth/register", None, body);
        assert_eq!(answer.status, if number < 5 { 409 } else { 429 }, "{number}");
    }
}

#[test]
fn an_address_is_locked_after_twenty_failures_before_its_token_is_looked_at() {
    let app = TestApp::new();
    for number in 0..20 {
        assert_eq!(app.login("192.0.2.9", &format!("u{number}@example.com"), "x").status, 401);
    }
    let answer = app.call_from("192.0.2.9", "DELETE", "/api/user/account", None, None);
    answer.refused(429, "Too many authentication attempts, please try again later", "rate_limited");
    let other = app.call_from("192.0.2.10", "DELETE", "/api/user/account", None, None);
    other.refused(401, "No authentication token provided", "token_missing");
}

#[test]
fn attempts_are_limited_by_variable() {
    let app = TestApp::with(&[("AUTH_LIMIT_ATTEMPTS", "3")]);
    let codes: Vec<_> =
        (0..4).map(|_| app.call("POST", "/api/auth/login", None, None).status.as_u16()).collect();
    assert_eq!(codes, [400, 400, 400, 429]);
}

#[test]
fn wrong_passwords_count_wherever_they_are_tried() {
    let app = TestApp::new();
    let ann = app.registers("ann");
    for _ in 0..3 {
        let body = json!({ "password": "wrong" });
        let answer = app.call("DELETE", "/api/user/account", Some(&ann.token), Some(body));
        answer.refused(401, "Invalid password", "wrong_password");
    }
    for _ in 0..2 {
        let body = json!({ "currentPassword": "wrong", "newPassword": "N3wPassword" });
        let answer = app.call("POST", "/api/auth/change-password", Some(&ann.token), Some(body));
        answer.refused(401, "Current password is incorrect", "wrong_password");
    }
    assert_eq!(app.login("192.0.2.1", &ann.email, PASSWORD).status, 429);
}

#[test]
fn an_ipv6_client_is_its_64() {
    let app = TestApp::new();
    let ann = app.registers("ann");
    for number in 0..5 {
        app.login(&format!("2001:db8:1:2::{number}"), &ann.email, "wrong").refused(
            401,
            "Invalid credentials",
            "invalid_credentials",
        );
    }
    assert_eq!(app.login("2001:db8:1:2:ffff::1", &ann.email, PASSWORD).status, 429);
    assert_eq!(app.login("2001:db8:1:3::1", &ann.email, PASSWORD).status, 200);
}

#[test]
fn one_account_is_guessed_so_often_whatever_the_addresses() {
    let app = TestApp::with(&[("AUTH_LIMIT_ACCOUNT_TOTAL", "3")]);
    let ann = app.registers("ann");
    for email in [ann.email.as_str(), "nobody@example.com"] {
        for number in 0..3 {
            let guess = app.login(&format!("198.51.100.{number}"), email, "wrong");
            guess.refused(401, "Invalid credentials", "invalid_credentials");
        }
        let refused = app.login("198.51.100.9", email, "wrong");
        assert_eq!(refused.status, 429, "{email}: nobody learns which emails have accounts");
        assert!(
            refused.header("ratelimit").starts_with("\"account-total\";r=0;"),
            "{}",
            refused.header("ratelimit")
        );
    }
    assert_eq!(app.login("198.51.100.10", &ann.email, PASSWORD).status, 429, "the right password too");
    assert_eq!(app.login("192.0.2.1", &ann.email, PASSWORD).status, 200, "it registered from there");
}

#[test]
fn an_account_is_counted_as_its_user_whatever_its_email_was_at_the_time() {
    let app = TestApp::new();
    let ann = app.registers("ann");
    let delete =
        || app.call("DELETE", "/api/user/account", Some(&ann.token), Some(json!({ "password": "wrong" })));
    for number in 0..5 {
        delete().refused(401, "Invalid password", "wrong_password");
        let email = json!({ "email": format!("ann{number}@example.com") });
        let changed = app.call("PUT", "/api/user/profile", Some(&ann.token), Some(email));
        assert_eq!(changed.status, if number < 4 { 200 } else { 429 }, "{number}");
    }
    assert_eq!(delete().status, 429);
}

#[test]
fn profile_changes_are_counted_and_a_taken_name_is_a_failure() {
    let app = TestApp::new();
    let (ann, bob) = (app.registers("ann"), app.registers("bob"));
    let take = |name: &str| {
        let body = json!({ "username": name });
        app.call("PUT", "/api/user/profile", Some(&ann.token), Some(body))
    };
    assert!(take("anna").header("ratelimit").starts_with('"'));
    for number in 0..30 {
        assert_eq!(take(&format!("anna{number}")).status, 200, "a success is no failure");
    }
    for _ in 0..5 {
        take("bob").refused(409, "Username already taken", "username_taken");
    }
    assert_eq!(take("bob").status, 429);
    let read = app.call("GET", "/api/user/profile", Some(&ann.token), None);
    assert_eq!((read.status.as_u16(), read.header("ratelimit")), (200, ""), "reading is not counted");
    let other = json!({ "username": "bobby" });
    app.call("PUT", "/api/user/profile", Some(&bob.token), Some(other)).succeeded(200);
}

#[test]
fn past_an_accounts_limit_a_right_password_counts_like_a_wrong_one() {
    let app = TestApp::with(&[("AUTH_LIMIT_ACCOUNT_TOTAL", "3")]);
    let ann = app.registers("ann");
    for number in 0..3 {
        app.login(&format!("198.51.100.{number}"), &ann.email, "wrong").refused(
            401,
            "Invalid credentials",
            "invalid_credentials",
        );
    }
    let quota_after = |address: &str, password: &str| {
        let refused = app.login(address, &ann.email, password);
        assert_eq!(refused.status, 429, "{password}");
        let next = app.call_from(address, "POST", "/api/auth/login", None, None);
        [refused.header("ratelimit"), next.header("ratelimit")].map(str::to_owned)
    };
    assert_eq!(quota_after("198.51.100.10", PASSWORD), quota_after("198.51.100.11", "wrong"));
    for _ in 0..4 {
        quota_after("198.51.100.10", PASSWORD);
    }
    let locked = app.login("198.51.100.10", &ann.email, PASSWORD);
    assert!(
        locked.header("ratelimit").starts_with("\"account-failures\";r=0;"),
        "five guesses of an address"
    );
}
