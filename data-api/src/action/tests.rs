use bson::{Bson, doc};
use serde_json::{Value, json};

use super::*;
use crate::memory::Memory;

const LIMITS: Limits =
    Limits { documents: 2_000, policy: Policy { allow_javascript: false, allow_pipeline_writes: false } };

fn parse_text(name: &str, body: &[u8]) -> Result<Request, ApiError> {
    Request::parse(name, body, &LIMITS, &mut Memory::new(1 << 30).hold())
}

fn parse(name: &str, more: Value) -> Result<Action, ApiError> {
    let mut body = json!({"dataSource": "Cluster0", "database": "zetra", "collection": "users"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    parse_text(name, body.to_string().as_bytes()).map(|request| request.action)
}

fn refusal(name: &str, more: Value) -> String {
    match parse(name, more) {
        Err(error) => format!("{} {error}", error.code()),
        Ok(action) => panic!("{name} was accepted: {action:?}"),
    }
}

#[test]
fn canonical_and_relaxed_values_keep_their_types_and_their_order() {
    let filter = json!({"_id": {"$oid": "6193504e1be4ab27791c8133"}, "at": {"$date": {"$numberLong": "5"}}});
    let Ok(Action::Find { filter, limit, .. }) =
        parse("find", json!({"filter": filter, "limit": {"$numberInt": "5"}}))
    else {
        panic!("not accepted")
    };
    assert!(matches!(filter.get("_id"), Some(Bson::ObjectId(_))));
    assert!(matches!(filter.get("at"), Some(Bson::DateTime(_))));
    assert_eq!(limit, 5);
    let text =
        br#"{"dataSource":"a","database":"b","collection":"c","sort":{"z":-1,"a":{"$numberInt":"1"}}}"#;
    let Action::Find { sort, .. } = parse_text("find", text).unwrap().action else { panic!() };
    assert_eq!(sort.unwrap().keys().collect::<Vec<_>>(), ["z", "a"]);
}

#[test]
fn a_filter_may_be_missing_but_not_misspelt() {
    assert!(matches!(parse("deleteMany", json!({})), Ok(Action::Delete { filter, .. }) if filter == doc! {}));
    assert!(refusal("deleteMany", json!({"filtre": {}})).contains("unknown field"));
    assert_eq!(refusal("deleteMany", json!({"limit": 1})), "InvalidParameter deleteMany does not take limit");
}

#[test]
fn missing_fields_and_wrong_types_are_told() {
    assert_eq!(refusal("insertOne", json!({})), "MissingParameter the field document is missing");
    assert_eq!(
        refusal("find", json!({"limit": -1})),
        "InvalidParameter limit must be a whole number, 0 or more"
    );
    assert_eq!(refusal("find", json!({"limit": 2_001})), "InvalidParameter limit must be at most 2000");
    assert!(refusal("find", json!({"filter": []})).starts_with("InvalidParameter filter: "));
    assert!(refusal("findOne", json!({"database": "a/b"})).contains("database"));
    assert!(refusal("insertMany", json!({"documents": []})).contains("documents"));
}

#[test]
fn questions_are_judged_and_data_is_not() {
    for (name, more) in [
        ("find", json!({"filter": {"$where": "1"}})),
        ("find", json!({"projection": {"a": {"$function": {}}}})),
        ("findOne", json!({"filter": {"a": {"$code": "1"}}})),
        ("deleteMany", json!({"filter": {"$expr": {"$function": {}}}})),
        ("updateOne", json!({"update": [{"$set": {"a": {"$function": {}}}}]})),
        ("updateOne", json!({"filter": {"$where": "1"}, "update": {"$set": {"a": 1}}})),
        ("replaceOne", json!({"filter": {"$where": "1"}, "replacement": {}})),
        ("aggregate", json!({"pipeline": [{"$out": "users"}]})),
    ] {
        assert!(refusal(name, more.clone()).contains("is not allowed here"), "{name} {more}");
    }
    for (name, more) in [
        ("insertOne", json!({"document": {"$where": "just a name", "code": {"$code": "1"}}})),
        ("insertMany", json!({"documents": [{"$out": {"$code": "1", "$scope": {}}}]})),
        ("replaceOne", json!({"replacement": {"a": {"$code": "1"}, "b": {"$where": 1}}})),
        ("updateOne", json!({"update": {"$set": {"a": {"$code": "1"}}}})),
    ] {
        assert!(parse(name, more.clone()).is_ok(), "{name} {more}");
    }
}

#[test]
fn an_update_is_never_taken_for_a_replacement_nor_the_reverse() {
    for update in [json!({}), json!({"a": 1}), json!({"$set": {"a": 1}, "b": 1})] {
        assert!(refusal("updateOne", json!({"update": update})).contains("update operators"), "{update}");
    }
    assert!(refusal("replaceOne", json!({"replacement": {"$set": {"a": 1}}})).contains("begin"));
    assert!(parse("replaceOne", json!({"replacement": {}})).is_ok());
}

#[test]
fn what_is_inserted_has_an_id_and_has_it_first() {
    let Ok(Action::InsertMany { documents }) =
        parse("insertMany", json!({"documents": [{"a": 1}, {"a": 1, "_id": 7}]}))
    else {
        panic!("not accepted")
    };
    let names = |document: &RawDocumentBuf| {
        document.iter().map(|element| element.unwrap().0.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(documents.iter().map(names).collect::<Vec<_>>(), [["_id", "a"], ["a", "_id"]]);
    assert!(documents[0].get_object_id("_id").is_ok());
}

#[test]
fn memory_is_held_before_it_is_parsed() {
    let zeros = format!("[{}]", vec!["0"; 10_000].join(","));
    let body = format!(r#"{{"dataSource":"a","database":"b","collection":"c","document":{{"a":{zeros}}}}}"#);
    let memory = Memory::new(1024 * 1024);
    let mut held = memory.hold();
    let refused = Request::parse("insertOne", body.as_bytes(), &LIMITS, &mut held);
    assert!(matches!(refused, Err(ApiError::TooLargeForMemory)), "20 KB become 4 MB");
    let not_taken = Request::parse("deleteOne", body.as_bytes(), &LIMITS, &mut memory.hold());
    assert!(matches!(not_taken, Err(ApiError::Invalid(_))), "it is not even parsed");
    drop(held);
    assert_eq!(memory.taken(), 0);
}

#[test]
fn collections_of_the_system_are_not_for_requests() {
    assert!(refusal("find", json!({"collection": "system.views"})).contains("system"));
    assert!(parse("find", json!({"collection": "systems"})).is_ok());
}

#[test]
fn absurd_depth_is_an_error() {
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    let text = format!(r#"{{"dataSource":"a","database":"b","collection":"c","filter":{{"a":{deep}}}}}"#);
    assert!(matches!(parse_text("find", text.as_bytes()), Err(ApiError::Invalid(_))));
}
