//! Work that takes too long is ended, here and in the database.

use bson::{Document, doc};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;

use crate::{
    asker::{Asker, announced, metrics_say},
    support::{Fixture, eventually, fresh_name},
    wire::Wire,
};

const TIMEOUT: [&str; 2] = ["--timeout", "1"];

/// The ten actions, by the command that performs them.
fn actions() -> Vec<(&'static str, &'static str, Value)> {
    let update = json!({ "update": { "$set": { "a": 1 } } });
    vec![
        ("find", "findOne", json!({})),
        ("find", "find", json!({})),
        ("aggregate", "aggregate", json!({ "pipeline": [{ "$match": {} }] })),
        ("insert", "insertOne", json!({ "document": {} })),
        ("insert", "insertMany", json!({ "documents": [{}, {}] })),
        ("update", "updateOne", update.clone()),
        ("update", "updateMany", update),
        ("update", "replaceOne", json!({ "replacement": { "a": 1 } })),
        ("delete", "deleteOne", json!({})),
        ("delete", "deleteMany", json!({})),
    ]
}

fn max_time(command: &Document) -> Option<i64> {
    let time = command.get("maxTimeMS")?;
    time.as_i64().or_else(|| time.as_i32().map(i64::from))
}

#[tokio::test]
async fn the_database_is_told_how_long_each_action_may_take() {
    let wire = Wire::start().await;
    let fixture = Fixture::start_at(&wire.uri, fresh_name(), &TIMEOUT).await;
    for (_, action, more) in actions() {
        let (status, body) = Asker::new(&fixture).asks(action, more).await;
        assert!(status < 300, "{action}: {body}");
    }
    for command in ["find", "aggregate", "insert", "update", "delete"] {
        let times: Vec<_> = wire.seen(command).iter().map(max_time).collect();
        let bounded = times.iter().all(|time| time.is_some_and(|time| (1..=1_000).contains(&time)));
        assert!(!times.is_empty() && bounded, "{command}: {times:?}");
    }
    fixture.end().await;
}

#[tokio::test]
async fn an_action_that_timed_out_goes_on_nowhere() {
    for (command, action, more) in actions() {
        let wire = Wire::start().await;
        let arguments = [TIMEOUT.as_slice(), &["--max-concurrent", "1"]].concat();
        let fixture = Fixture::start_at(&wire.uri, fresh_name(), &arguments).await;
        wire.hold(command);
        let asker = Asker::new(&fixture);
        let (status, body) = asker.asks(action, more).await;
        assert_eq!((status, &body["error_code"]), (504, &json!("ExecutionTimeLimitExceeded")), "{action}");
        metrics_say(&fixture, "data_api_under_way 0").await;
        // Its task has ended, since its permit is free; so has its connection, which was only half read.
        let other = if command == "find" { "aggregate" } else { "findOne" };
        let more = if command == "find" { json!({ "pipeline": [] }) } else { json!({}) };
        assert_eq!(asker.asks(other, more).await.0, 200, "after {action}");
        eventually(action, || async { wire.closed_after(command) }).await;
        fixture.end().await;
    }
}

#[tokio::test]
async fn the_database_ends_what_takes_too_long_by_itself() {
    let wire = Wire::start().await;
    let fixture = Fixture::start_at(&wire.uri, fresh_name(), &TIMEOUT).await;
    let documents = fixture.driver().await.collection::<Document>("things");
    documents.insert_many((0..3_000).map(|id| doc! { "_id": id })).await.unwrap();
    // Each document with each.
    let slow = json!([{ "$lookup": { "from": "things", "let": { "a": "$_id" }, "as": "others",
        "pipeline": [{ "$match": { "$expr": { "$lt": [{ "$add": ["$_id", "$$a"] }, 0] } } }] } }]);
    let (status, body) = Asker::new(&fixture).asks("aggregate", json!({ "pipeline": slow })).await;
    assert_eq!((status, &body["error_code"]), (504, &json!("ExecutionTimeLimitExceeded")), "{body}");
    assert!(!wire.closed_after("aggregate"), "its reply was waited for, and its connection is whole");
    fixture.end().await;
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let fixture = Fixture::start_with(&TIMEOUT).await;
    let mut client = announced(&fixture, 100).await;
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("RequestTimeout"), "{answer}");
    metrics_say(&fixture, "data_api_memory_bytes 0").await;
    fixture.end().await;
}
