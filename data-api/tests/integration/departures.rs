//! Clients that go away in the middle.

use serde_json::{Value, json};

use crate::{
    asker::{Asker, is_under_way, metrics, metrics_say, request, send, unfinished},
    log,
    support::{Fixture, fresh_name},
    wire::Wire,
};

#[tokio::test]
async fn a_client_that_goes_away_leaves_its_log_line_its_metrics_and_its_place() {
    log::collect();
    let wire = Wire::start().await;
    let fixture = Fixture::start_at(&wire.uri, fresh_name(), &["--max-concurrent", "1"]).await;
    wire.hold("insert");
    let body = request(&fixture, json!({ "document": { "_id": "of one who left" } }));
    let client = send(&fixture, "insertOne", "gone-1", &body).await;
    wire.has_seen("insert").await;
    is_under_way(&fixture).await;
    drop(client);

    metrics_say(&fixture, r#"data_api_requests_total{action="insertOne",status="499"} 1"#).await;
    metrics_say(&fixture, "data_api_under_way 0").await;
    let lines = log::lines_of("gone-1");
    let told = |line: &Value| (line["status"].clone(), line["action"].clone(), line["database"].clone());
    let expected = (json!(499), json!("insertOne"), json!(fixture.database));
    assert_eq!(lines.iter().map(told).collect::<Vec<_>>(), [expected]);

    // Its write goes on and keeps its permit until it is done.
    let asker = Asker::new(&fixture);
    assert_eq!(asker.asks("findOne", json!({})).await.0, 429);
    wire.release();
    let found = asker.asks_until("findOne", json!({}), 200).await;
    assert_eq!(found, json!({ "document": { "_id": "of one who left" } }));
    assert!(!wire.closed_after("insert"), "its connection is whole and stays in the pool");
    fixture.end().await;
}

#[tokio::test]
async fn a_client_that_goes_away_within_its_body_leaves_the_same() {
    log::collect();
    let fixture = Fixture::start_with(&["--max-concurrent", "1"]).await;
    for _ in 0..3 {
        let client = unfinished(&fixture).await;
        is_under_way(&fixture).await;
        drop(client);
        metrics_say(&fixture, "data_api_under_way 0").await;
        Asker::new(&fixture).asks_until("findOne", json!({}), 200).await;
    }
    let counted = metrics(fixture.address).await;
    let counted = counted.lines().filter(|line| line.contains(r#"requests_total{action="insertOne""#));
    let counted: u32 = counted.map(|line| line.rsplit(' ').next().unwrap().parse::<u32>().unwrap()).sum();
    assert_eq!(counted, 3);
    fixture.end().await;
}
