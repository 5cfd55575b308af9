//! The REST API over the memory store: every status, text and code of the contract's sections 1–3.
//! No workerd, no network; the same router that the Worker runs.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

mod support;

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};
use support::{PASSWORD, SECRET, Someone, TestApp, now};
use zetra_domain::{PasswordHash, TokenKey};
use zetra_signalling::Revocation;

const UNKNOWN_ROOM: &str = "a987fbc9-4bed-4078-8f07-9141ba07c9f3";

fn register_body(username: &str, email: &str, password: &str) -> Option<Value> {
    Some(json!({ "username": username, "email": email, "password": password }))
}

mod conventions {
    use super::*;

    #[test]
    fn an_unknown_path_is_404_with_path_and_method() {
        let answer = TestApp::new().call("PATCH", "/api/nothing", None, None);
        answer.refused(404, "Route not found", "route_not_found");
        assert_eq!((&answer.body["path"], &answer.body["method"]), (&json!("/api/nothing"), &json!("PATCH")));
    }

    #[test]
    fn a_wrong_method_is_405_with_allow_before_anything_else() {
        let app = TestApp::new();
        for (method, path, allow) in [
            ("GET", "/api/auth/login", "POST"),
            ("GET", "/api/room/create", "POST"),
            ("POST", "/api/user/profile", "GET,HEAD,PUT"),
            ("GET", "/api/user/account", "DELETE"),
            ("DELETE", "/health", "GET,HEAD"),
        ] {
            let answer = app.call(method, path, None, None);
            answer.refused(405, "Method not allowed", "method_not_allowed");
            assert_eq!(answer.header("allow"), allow, "{method} {path}");
            assert_eq!(answer.header("ratelimit"), "", "it is not counted");
        }
    }

    #[test]
    fn head_works_wherever_get_does() {
        let app = TestApp::new();
        let ann = app.registers("ann");
        for path in ["/", "/health", "/api/user/profile", "/api/room", "/api/call-logs", "/api/ice-servers"] {
            let answer = app.call("HEAD", path, Some(&ann.token), None);
            assert_eq!((answer.status.as_u16(), answer.body), (200, Value::Null), "{path}");
        }
    }

    #[test]
    fn a_trailing_slash_is_the_same_path() {
        let app = TestApp::new();
        let ann = app.registers("ann");
        app.call("GET", "/api/call-logs/?limit=1", Some(&ann.token), None).succeeded(200);
    }

    #[test]
    fn request_ids_are_taken_if_plain_and_made_otherwise() {
        let app = TestApp::new();
        let send = |id: &str| {
            let request = Request::get("/api/nothing").header("x-request-id", id);
            let answer = app.send(request.body(Body::empty()).unwrap());
            let echoed = answer.header("x-request-id").to_owned();
            assert_eq!(answer.body["requestId"], json!(echoed), "body and header agree");
            echoed
        };
        assert_eq!(send("abc-1.2_3"), "abc-1.2_3");
        for id in ["", "has space", "é", &"x".repeat(65)] {
            let made = send(id);
            assert!(made != id && made.len() >= 16, "{id:?} became {made:?}");
        }
    }

    #[test]
    fn authorization_headers_are_told_apart() {
        let app = TestApp::new();
        let ann = app.registers("ann");
        let key = TokenKey::new(&SECRET.into()).unwrap();
        let expired =
            key.issue(ann.id.parse().unwrap(), "ann", 0, [0; 9], now().plus_millis(-8 * 86_400_000));
        let send = |value: &str| {
            let request = Request::get("/api/user/profile").header("authorization", value);
            app.send(request.body(Body::empty()).unwrap())
        };
        let none = app.call("GET", "/api/user/profile", None, None);
        none.refused(401, "No authentication token provided", "token_missing");
        for value in ["", "Bearer", "Bearer ", "Basic abc", &ann.token, "Bearer a b"] {
            send(value).refused(401, "Invalid token format. Use: Bearer <token>", "token_malformed");
        }
        send(&format!("Bearer {expired}")).refused(401, "Token has expired", "token_expired");
        send("Bearer nonsense").refused(401, "Invalid authentication token", "token_invalid");
        assert_eq!(send(&format!("bEaReR {}", ann.token)).status, 200, "the scheme in any case");
    }

    #[test]
    fn bodies_are_checked_for_size_type_and_form() {
        let app = TestApp::new();
        let send = |content_type: Option<&str>, body: String| {
            let mut request = Request::post("/api/auth/login");
            if let Some(content_type) = content_type {
                request = request.header("content-type", content_type);
            }
            app.send(request.body(Body::from(body)).unwrap())
        };
        let json = Some("application/json");
        let padded = |bytes: usize| format!("{{\"pad\":\"{}\"}}", "x".repeat(bytes - 10));
        send(json, padded(65_537)).refused(413, "Request body too large", "body_too_large");
        send(json, padded(65_536)).refused(400, "Email and password are required", "invalid_input");
        for content_type in [None, Some("text/plain"), Some("application/x-www-form-urlencoded")] {
            let answer = send(content_type, "{}".to_owned());
            answer.refused(415, "Content-Type must be application/json", "unsupported_media_type");
        }
        send(json, "{".to_owned()).refused(400, "Malformed JSON", "malformed_json");
        send(json, "[]".to_owned()).refused(400, "Request body must be a JSON object", "invalid_input");
        send(Some("application/json; charset=utf-8"), "{}".to_owned()).refused(
            400,
            "Email and password are required",
            "invalid_input",
        );
        let announced = Request::post("/api/auth/login").header("content-type", "application/json");
        let announced = announced.header("content-length", "99999999").body(Body::empty()).unwrap();
        app.send(announced).refused(413, "Request body too large", "body_too_large");
    }

    #[test]
    fn wrong_types_nulls_and_control_characters_are_told_by_field() {
        let app = TestApp::new();
        let login = |body| app.call("POST", "/api/auth/login", None, Some(body));
        let answer = login(json!({ "email": 7, "password": "x" }));
        answer.refused(400, "email must be a string", "invalid_input");
        assert_eq!(answer.body["fields"], json!([{ "field": "email", "message": "email must be a string" }]));
        login(json!({ "email": "a\u{0}@b.c", "password": "x" })).refused(
            400,
            "email contains invalid characters",
            "invalid_input",
        );
        login(json!({ "email": null, "password": "x" })).refused(
            400,
            "Email and password are required",
            "invalid_input",
        );
    }

    #[test]
    fn every_response_carries_the_security_headers() {
        let app = TestApp::new();
        for (method, path) in
            [("GET", "/"), ("GET", "/nothing"), ("PUT", "/health"), ("OPTIONS", "/api/room")]
        {
            let answer = app.call(method, path, None, None);
            for (name, value) in [
                ("x-content-type-options", "nosniff"),
                ("x-frame-options", "DENY"),
                ("strict-transport-security", "max-age=31536000; includeSubDomains"),
                ("referrer-policy", "no-referrer"),
                ("cross-origin-opener-policy", "same-origin"),
                ("x-xss-protection", "0"),
                ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
                ("cache-control", "no-store"),
            ] {
                assert_eq!(answer.header(name), value, "{method} {path}: {name}");
            }
        }
    }

    #[test]
    fn known_origins_are_echoed_on_every_response_and_others_get_nothing() {
        let app = TestApp::with(&[("NEXT_PUBLIC_API_BASE_URL", "https://a.example,https://b.example")]);
        let send = |method: &str, path: &str, origin: &str| {
            app.send(
                Request::builder()
                    .method(method)
                    .uri(path)
                    .header("origin", origin)
                    .body(Body::empty())
                    .unwrap(),
            )
        };
        for path in ["/health", "/nothing", "/api/user/profile", "/socket.io/"] {
            let answer = send("GET", path, "https://b.example");
            assert_eq!(answer.header("access-control-allow-origin"), "https://b.example", "{path}");
            assert_eq!(answer.header("access-control-allow-credentials"), "true", "{path}");
            assert_eq!(
                answer.header("access-control-expose-headers"),
                "X-Request-Id, Retry-After, RateLimit, RateLimit-Policy"
            );
            assert_eq!(answer.header("vary"), "Origin", "{path}");
            let stranger = send("GET", path, "https://evil.example");
            let cors = stranger.headers.keys().any(|name| name.as_str().starts_with("access-control"));
            assert!(!cors, "{path}: {:?}", stranger.headers);
            assert_eq!(stranger.header("vary"), "Origin", "{path}");
        }
        let preflight = send("OPTIONS", "/api/auth/login", "https://a.example");
        assert_eq!(preflight.status, 204);
        let methods = preflight.header("access-control-allow-methods");
        assert_eq!(methods, "GET, POST, PUT, DELETE, PATCH, OPTIONS");
        let headers = preflight.header("access-control-allow-headers");
        assert_eq!(headers, "Content-Type, Authorization, X-Request-Id");
        assert_eq!(preflight.header("access-control-max-age"), "86400");
        assert_eq!(preflight.header("ratelimit"), "", "preflights do not count");
    }

    #[test]
    fn without_a_secret_only_health_speaks() {
        let app = TestApp::unconfigured();
        for path in ["/", "/api/user/profile", "/nothing"] {
            app.call("GET", path, None, None).refused(500, "Server is not configured", "misconfigured");
        }
        let health = app.call("GET", "/health", None, None).succeeded(503);
        assert_eq!((&health["status"], &health["database"]), (&json!("error"), &json!("disconnected")));
        assert!(health["message"].as_str().unwrap().contains("JWT_SECRET"), "it says what to do");
    }

    #[test]
    fn without_a_database_answers_are_503_and_tell_nothing_of_it() {
        let app = TestApp::with_broken_store();
        let answer = app.login("192.0.2.1", "ann@example.com", PASSWORD);
        answer.refused(503, "Database unavailable", "store_unavailable");
        assert_eq!(answer.header("retry-after"), "2");
        assert!(!answer.body.to_string().contains("D1"), "the cause is for the log");
        let health = app.call("GET", "/health", None, None).succeeded(503);
        assert_eq!((&health["status"], &health["database"]), (&json!("error"), &json!("disconnected")));
    }

    #[test]
    fn health_and_index_say_what_runs() {
        let app = TestApp::with(&[("SOCKET_URL", "wss://s.example")]);
        let health = app.call("GET", "/health", None, None).succeeded(200);
        for (field, value) in [
            ("status", "ok"),
            ("message", "Server is running"),
            ("database", "connected"),
            ("environment", "development"),
        ] {
            assert_eq!(health[field], json!(value));
        }
        assert!(
            health["uptime"].is_number() && health["timestamp"].is_string() && health["version"].is_string()
        );
        let index = app.call("GET", "/", None, None).succeeded(200);
        assert_eq!((&index["name"], &index["status"]), (&json!("Zetra Backend API"), &json!("running")));
        assert_eq!(index["endpoints"]["socket"], json!("wss://s.example"));
    }

    #[test]
    fn a_browser_at_the_front_door_gets_the_client() {
        let accept = "text/html,application/xhtml+xml,*/*;q=0.8";
        let request = Request::get("/").header("accept", accept).body(Body::empty()).unwrap();
        let answer = TestApp::new().send(request);
        assert_eq!(answer.status, 307);
        assert_eq!(answer.header("location"), "/app/");
        assert!(answer.headers.get_all("vary").iter().any(|vary| vary == "Accept"), "{:?}", answer.headers);
    }

    #[test]
    fn the_workers_own_origin_is_none_that_is_foreign() {
        let app = TestApp::with(&[("NEXT_PUBLIC_API_BASE_URL", "https://a.example")]);
        for (origin, allowed) in [
            ("https://zetra.example:8443", true),
            ("http://zetra.example:8443", false),
            ("https://zetra.example", false),
        ] {
            let request = Request::get("https://zetra.example:8443/socket.io/?EIO=4&transport=websocket");
            let request = request.header("origin", origin).header("upgrade", "websocket");
            let answer = app.send(request.body(Body::empty()).unwrap());
            assert_eq!(answer.status != 403, allowed, "{origin}: {}", answer.status);
        }
    }
}

mod auth {
    use super::*;

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
            app.login("192.0.2.1", email, password).refused(
                401,
                "Invalid credentials",
                "invalid_credentials",
            );
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
        let old =
            PasswordHash::stored("$2b$04$1uLpvs3NH1X/SbSgJeVccedAQdSWqEabdDo6/XoKSQ5/JbMrPjRPi".to_owned());
        pollster::block_on(app.store.renew_hash(id, &hash(&app), &old)).unwrap();
        app.login("192.0.2.1", &ann.email, "wrong").refused(
            401,
            "Invalid credentials",
            "invalid_credentials",
        );
        app.login("192.0.2.1", &ann.email, "weak").succeeded(200);
        assert!(hash(&app).expose().starts_with("$argon2id$"), "it was replaced");
        app.login("192.0.2.1", &ann.email, "weak").succeeded(200);
        app.call("GET", "/api/user/profile", Some(&ann.token), None).succeeded(200);
    }

    fn change(app: &TestApp, token: &str, current: &str, new: &str) -> support::Answer {
        let body = json!({ "currentPassword": current, "newPassword": new });
        app.call("POST", "/api/auth/change-password", Some(token), Some(body))
    }

    #[test]
    fn a_password_change_ends_every_other_token() {
        let app = TestApp::new();
        let ann = app.registers("ann");
        let room = app.room_of(&[&ann]);
        let other = app.login("192.0.2.1", &ann.email, PASSWORD).body["token"].as_str().unwrap().to_owned();
        let body = change(&app, &ann.token, PASSWORD, "N3wPassword").succeeded(200);
        assert_eq!(body["message"], json!("Password changed successfully"));
        let profile = |token: &str| app.call("GET", "/api/user/profile", Some(token), None);
        profile(&other).refused(401, "Invalid authentication token", "token_invalid");
        assert_eq!(profile(&ann.token).status, 200, "the token that made the change lives on");
        assert_eq!(profile(body["token"].as_str().unwrap()).status, 200);
        app.login("192.0.2.1", &ann.email, PASSWORD).refused(
            401,
            "Invalid credentials",
            "invalid_credentials",
        );
        app.login("192.0.2.1", &ann.email, "N3wPassword").succeeded(200);
        let revoked = app.rooms.revoked.lock().unwrap();
        assert_eq!(revoked[0].0, [room.parse().unwrap()], "open sockets are told");
        assert!(matches!(revoked[0].1, Revocation::PasswordChanged { version: 1, .. }));
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
}

mod limits {
    use super::*;

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
}

mod user {
    use super::*;

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
        let revoked = app.rooms.revoked.lock().unwrap();
        assert!(matches!(revoked[0].1, Revocation::AccountDeleted { user } if user.to_string() == ann.id));
    }
}

mod rooms {
    use super::*;

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
}

mod call_logs {
    use super::*;

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

        fn post(&self, token: &str, more: Value) -> support::Answer {
            self.app.call("POST", "/api/call-logs", Some(token), Some(self.body(more)))
        }

        fn end(&self, token: &str, body: Option<Value>) -> support::Answer {
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
        let times = json!({
            "startTime": "2024-01-01T10:00:00Z", "endTime": "2024-01-01T10:02:05.900Z", "duration": "a lie",
        });
        let log = call.post(&call.ann.token, times).succeeded(201)["callLog"].clone();
        assert_eq!((&log["duration"], &log["endTime"]), (&json!(125), &json!("2024-01-01T10:02:05.900Z")));
        let backwards = json!({ "startTime": "2024-01-01T10:00:00Z", "endTime": "2024-01-01T09:00:00Z" });
        let answer = call.post(&call.ann.token, backwards);
        answer.refused(400, "End time cannot be before start time", "invalid_input");
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
        call.post(&call.ann.token, json!({ "startTime": "2024-01-01T10:00:00Z" })).succeeded(201);
        call.end(&cid.token, None).refused(403, "You are not part of this call", "not_in_call");
        let early = Some(json!({ "endTime": "2024-01-01T09:59:59Z" }));
        call.end(&call.ann.token, early).refused(
            400,
            "End time cannot be before start time",
            "invalid_input",
        );
        let at = Some(json!({ "endTime": "2024-01-01T10:01:00Z" }));
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
}

mod ice {
    use super::*;

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

    #[test]
    fn cloudflares_service_is_asked_and_its_failure_leaves_stun() {
        let key = |id| [("TURN_KEY_ID", id), ("TURN_KEY_API_TOKEN", "hush")];
        let body = servers(&key("abc"), true);
        let url = body["iceServers"][1]["urls"][0].as_str().unwrap();
        assert!(url.ends_with("/keys/abc/credentials/generate-ice-servers"), "{url}");
        let degraded = servers(&key("broken"), true);
        assert_eq!(degraded["iceServers"].as_array().unwrap().len(), 1, "{degraded}");
    }
}

mod sockets {
    use super::*;

    fn handshake(app: &TestApp, query: &str, origin: Option<&str>) -> support::Answer {
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
        assert_eq!(answer.body["handshake"], json!({ "bearer": "abc" }));
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
            assert_eq!(
                (answer.status.as_u16(), answer.body),
                (400, json!({ "code": code, "message": message }))
            );
        }
    }

    #[test]
    fn another_origins_upgrade_is_forbidden() {
        let query = format!("EIO=4&transport=websocket&roomId={UNKNOWN_ROOM}");
        let answer = handshake(&TestApp::new(), &query, Some("https://evil.example"));
        answer.refused(403, "Origin not allowed", "origin_refused");
    }
}

#[test]
fn every_variable_that_is_read_stands_in_wrangler_toml_or_is_a_secret() {
    let sources = [
        include_str!("../durable_objects/src/config.rs"),
        include_str!("../durable_objects/src/database.rs"),
    ];
    let source: String =
        sources.into_iter().filter_map(|source| source.split("#[cfg(test)]").next()).collect();
    let wrangler = include_str!("../wrangler.toml");
    let quoted = source.split('"').skip(1).step_by(2);
    let is_name = |text: &&str| {
        text.len() > 5 && text.contains('_') && text.chars().all(|c| c.is_ascii_uppercase() || c == '_')
    };
    let mut names = 0;
    for name in quoted.filter(is_name) {
        names += 1;
        assert!(wrangler.contains(name), "{name} is read but not in wrangler.toml");
    }
    assert!(names > 20, "the names were not found: {names}");
}
