//! What holds for every route: errors, headers, bodies, origins.

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};
use zetra_domain::{SigningSecret, TokenKey};

use super::support::{PASSWORD, SECRET, TestApp, UNKNOWN_ROOM, now};

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
    let unknown = app.call("GET", "/api/nothing/?x", None, None);
    assert_eq!(unknown.body["path"], json!("/api/nothing/"), "as it was sent");
}

#[test]
fn an_empty_limit_or_cursor_is_none() {
    let app = TestApp::new();
    let ann = app.registers("ann");
    app.call("GET", "/api/call-logs?limit=&cursor=", Some(&ann.token), None).succeeded(200);
}

#[test]
fn json_that_browsers_write_is_json_and_half_an_emoji_is_an_invalid_character() {
    let app = TestApp::new();
    let ann = app.registers("ann");
    let send = |body: &'static str| {
        let request = Request::post("/api/room/create").header("content-type", "application/json");
        let request = request.header("authorization", format!("Bearer {}", ann.token));
        app.send(request.body(Body::from(body)).unwrap())
    };
    let refused = send(r#"{"name":"party \ud83d"}"#);
    refused.refused(400, "name contains invalid characters", "invalid_input");
    assert_eq!(refused.body["fields"][0]["field"], json!("name"));
    for whatever in [r#"{"name":"party \ud83c\udf89","x":1e400}"#, r#"{"x":"\ude00","y":[-1e999]}"#] {
        send(whatever).succeeded(201);
    }
    send(r#"{"x":1e400,}"#).refused(400, "Malformed JSON", "malformed_json");
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
    let key = TokenKey::new(&SigningSecret::new(SECRET.into()).unwrap());
    let expired = key.issue(ann.id.parse().unwrap(), "ann", 0, [0; 9], now().plus_millis(-8 * 86_400_000));
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
    for content_type in
        [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("application/ld+json")]
    {
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
fn a_body_is_held_to_the_rules_where_nobody_reads_it_too() {
    let app = TestApp::new();
    let ann = app.registers("ann");
    let room = app.room_of(&[&ann]);
    for (method, path) in [
        ("GET", "/"),
        ("GET", "/health"),
        ("GET", "/api/user/profile"),
        ("GET", "/api/room"),
        ("POST", "/api/room/create"),
        ("POST", &format!("/api/room/join/{room}")),
        ("GET", &format!("/api/room/{room}")),
        ("GET", "/api/call-logs"),
        ("GET", "/api/call-logs/stats"),
        ("GET", "/api/ice-servers"),
    ] {
        let send = |content_type: &str, body: String| {
            let request = Request::builder().method(method).uri(path).header("content-type", content_type);
            let request = request.header("authorization", format!("Bearer {}", ann.token));
            app.send(request.body(Body::from(body)).unwrap())
        };
        let json = "application/json";
        send(json, " ".repeat(65_537)).refused(413, "Request body too large", "body_too_large");
        send("text/plain", "{}".to_owned()).refused(
            415,
            "Content-Type must be application/json",
            "unsupported_media_type",
        );
        send(json, "{".to_owned()).refused(400, "Malformed JSON", "malformed_json");
        for unused in ["", "{}", r#"{"whatever":1}"#] {
            assert!(send(json, unused.to_owned()).status.is_success(), "{method} {path} {unused}");
        }
    }
}

#[test]
fn a_bad_body_is_told_before_what_is_wrong_with_path_query_or_room() {
    let app = TestApp::new();
    let ann = app.registers("ann");
    for (method, path) in [
        ("POST", "/api/room/join/nonsense"),
        ("GET", "/api/room?limit=0"),
        ("GET", "/api/room/nonsense"),
        ("GET", &format!("/api/room/{UNKNOWN_ROOM}")),
        ("PUT", "/api/room/nonsense"),
        ("DELETE", "/api/room/nonsense"),
        ("POST", "/api/room/nonsense/kick"),
        ("GET", "/api/call-logs?limit=0"),
        ("PUT", "/api/call-logs/nonsense/end"),
    ] {
        let send = |token: &str, body: &'static str| {
            let request = Request::builder().method(method).uri(path).header("content-type", "text/plain");
            let request = request.header("authorization", format!("Bearer {token}"));
            app.send(request.body(Body::from(body)).unwrap())
        };
        assert_eq!(send(&ann.token, "{}").status, 415, "{method} {path}: the body");
        assert!([400, 404].contains(&send(&ann.token, "").status.as_u16()), "{method} {path}: the rest");
        assert_eq!(send("nonsense", "{}").status, 401, "{method} {path}: the token");
    }
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
    for (method, path) in [("GET", "/"), ("GET", "/nothing"), ("PUT", "/health"), ("OPTIONS", "/api/room")] {
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
            Request::builder().method(method).uri(path).header("origin", origin).body(Body::empty()).unwrap(),
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
    let request = Request::get("/api/user/profile").header("origin", "https://a.example");
    let answer = app.send(request.body(Body::empty()).unwrap());
    assert_eq!(answer.header("access-control-allow-origin"), "https://a.example", "front ends can read it");
}

#[test]
fn without_a_database_answers_are_503_and_tell_nothing_of_it() {
    let app = TestApp::with_broken_store();
    let answer = app.login("192.0.2.1", "ann@example.com", PASSWORD);
    answer.refused(503, "Database unavailable", "store_unavailable");
    assert_eq!(answer.header("retry-after"), "2");
    assert!(!answer.body.to_string().contains("D1"), "the cause is for the log");
    let answer = app.call("GET", "/health", None, None);
    assert_eq!(answer.header("retry-after"), "2");
    let health = answer.succeeded(503);
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
    assert!(health["uptime"].is_number() && health["timestamp"].is_string() && health["version"].is_string());
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
