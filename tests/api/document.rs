//! The document and the router speak of the same routes.

use std::collections::BTreeSet;

use serde_json::Value;

use super::support::{TestApp, UNKNOWN_ROOM};

/// Not REST: Engine.IO's, whose events `asyncapi.json` describes.
const UNDESCRIBED: &str = "/socket.io/";

/// `GET /api/room/{roomId}` and the like: every operation of the API.
pub fn operations() -> Vec<String> {
    let document = document();
    let paths = document["paths"].as_object().unwrap().iter();
    let operations = paths.flat_map(|(path, methods)| {
        methods.as_object().unwrap().keys().map(move |method| format!("{} {path}", method.to_uppercase()))
    });
    operations.collect()
}

fn document() -> Value {
    let text = include_str!("../../web/static/openapi.json");
    serde_json::from_str(text).unwrap()
}

#[test]
fn every_route_of_the_router_is_described_and_no_other() {
    let router = include_str!("../../src/router.rs");
    let (list, _) = router.split_once("pub fn unconfigured").unwrap();
    let routes: BTreeSet<&str> =
        list.split('"').skip(1).step_by(2).filter(|text| text.starts_with('/')).collect();
    let document = document();
    let mut described: BTreeSet<&str> =
        document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    described.insert(UNDESCRIBED);
    assert_eq!(routes, described);
}

#[test]
fn every_method_of_a_route_is_described_and_no_other() {
    let app = TestApp::new();
    for (path, operations) in document()["paths"].as_object().unwrap() {
        let path = path.replace("{roomId}", UNKNOWN_ROOM);
        let refused = app.call("PATCH", &path, None, None);
        let allowed: BTreeSet<String> =
            refused.header("allow").split(',').map(|method| method.trim().to_lowercase()).collect();
        let mut described: BTreeSet<String> = operations.as_object().unwrap().keys().cloned().collect();
        if described.contains("get") {
            described.insert("head".to_owned());
        }
        assert_eq!(allowed, described, "{path}");
    }
}
