//! Clients that go away in the middle.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};

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

#[tokio::test]
async fn what_they_have_left_behind_does_not_outlast_the_time_of_grace() {
    let wire = Wire::start().await;
    let arguments = ["--shutdown-grace", "1", "--timeout", "120"];
    let fixture = Fixture::start_at(&wire.uri, fresh_name(), &arguments).await;
    wire.hold("insert");
    let body = request(&fixture, json!({ "document": { "_id": "of one who left" } }));
    let client = send(&fixture, "insertOne", "gone-2", &body).await;
    wire.has_seen("insert").await;
    drop(client);
    let ended = timeout(Duration::from_secs(60), fixture.stop()).await;
    ended.expect("the server ends, although that insert has 120 seconds").unwrap().unwrap();
}

#[tokio::test]
async fn who_asks_for_the_health_and_goes_away_does_not_let_the_next_one_ask_the_database_again() {
    let wire = Wire::start().await;
    let fixture = Fixture::start_at(&wire.uri, fresh_name(), &[]).await;
    wire.hold("ping");
    let mut first = TcpStream::connect(fixture.address).await.unwrap();
    first.write_all(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    wire.has_seen("ping").await;
    drop(first);
    let second = tokio::spawn(reqwest::get(format!("http://{}/health", fixture.address)));
    // By the time that many answers have come the server has noticed both.
    for _ in 0..50 {
        metrics(fixture.address).await;
    }
    wire.release();
    assert_eq!(second.await.unwrap().unwrap().status(), 200);
    assert_eq!(wire.seen("ping").len(), 1);
    fixture.end().await;
}
