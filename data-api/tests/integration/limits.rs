//! What one request, and all of them together, may take.

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    asker::{
        Asker, announced, finished, is_under_way, metrics, metrics_say, read, request, send, unfinished,
    },
    support::{Fixture, eventually, fresh_name},
    wire::Wire,
};

#[tokio::test]
async fn limits_are_told_before_memory_is_taken() {
    let arguments = ["--max-body", "1000", "--max-documents", "3", "--max-response", "2000"];
    let fixture = Fixture::start_with(&arguments).await;
    let asker = Asker::new(&fixture);
    let (status, body) = asker.asks("insertOne", json!({ "document": { "text": "x".repeat(1_000) } })).await;
    assert_eq!((status, body["error_code"].as_str().unwrap()), (413, "RequestTooLarge"));
    let four = json!({ "documents": [{}, {}, {}, {}] });
    assert_eq!(asker.asks("insertMany", four).await.0, 400);
    for id in 0..5 {
        let document = json!({ "_id": id, "text": "x".repeat(700) });
        assert_eq!(asker.asks("insertOne", json!({ "document": document })).await.0, 201);
    }
    let (status, body) = asker.asks("aggregate", json!({ "pipeline": [{ "$project": { "_id": 1 } }] })).await;
    assert!(status == 400 && body["error"].as_str().unwrap().contains("3 documents"), "{body}");
    let (status, body) = asker.asks("find", json!({})).await;
    assert!(status == 400 && body["error"].as_str().unwrap().contains("2000 bytes"), "{body}");
    assert_eq!(asker.asks("find", json!({ "limit": 2 })).await.0, 200);
    fixture.end().await;
}

#[tokio::test]
async fn more_requests_than_allowed_are_told_to_come_back() {
    let fixture = Fixture::start_with(&["--max-concurrent", "1"]).await;
    let first = unfinished(&fixture).await;
    is_under_way(&fixture).await;
    let second = Asker::new(&fixture).send("find", json!({})).await;
    assert_eq!(second.headers()["retry-after"], "1");
    assert_eq!(read(second).await.0, 429);
    assert!(finished(first).await.starts_with("HTTP/1.1 201"));
    assert_eq!(Asker::new(&fixture).asks("find", json!({})).await.0, 200);
    fixture.end().await;
}

#[tokio::test]
async fn what_all_requests_take_together_is_bounded() {
    let fixture = Fixture::start_with(&["--max-memory", "1000000"]).await;
    let asker = Asker::new(&fixture);
    let large = || json!({ "document": { "text": "x".repeat(120_000) } });
    let first = announced(&fixture, 900_000).await;
    metrics_say(&fixture, "data_api_memory_bytes 900000").await;
    let refused = asker.send("insertOne", large()).await;
    assert_eq!(refused.headers()["retry-after"], "1");
    let (status, body) = read(refused).await;
    assert_eq!((status, &body["error_code"]), (429, &json!("TooManyRequests")));
    assert_eq!(asker.asks("findOne", json!({})).await.0, 200, "what is small finds its place");
    drop(first);
    metrics_say(&fixture, "data_api_memory_bytes 0").await;
    assert_eq!(asker.asks("insertOne", large()).await.0, 201);

    // A request that could never fit is not answered with 429, which invites a retry.
    let numbers = json!({ "document": { "a": vec![0; 10_000] } });
    let (status, body) = asker.asks("insertOne", numbers).await;
    assert_eq!((status, &body["error_code"]), (413, &json!("RequestTooLarge")));
    for _ in 0..6 {
        assert_eq!(asker.asks("insertOne", large()).await.0, 201);
    }
    let (status, body) = asker.asks("find", json!({})).await;
    assert_eq!((status, &body["error_code"]), (400, &json!("InvalidParameter")));
    assert!(body["error"].as_str().unwrap().contains("memory"), "{body}");
    metrics_say(&fixture, "data_api_memory_bytes 0").await;
    fixture.end().await;
}

#[tokio::test]
async fn a_pipeline_that_gives_one_document_reserves_memory_for_one() {
    let wire = Wire::start().await;
    let fixture = Fixture::start_at(&wire.uri, fresh_name(), &[]).await;
    let asker = Asker::new(&fixture);
    let large = json!({ "document": { "_id": 1, "text": "x".repeat(40_000) } });
    assert_eq!(asker.asks("insertOne", large).await.0, 201);
    let one = || json!({ "pipeline": [{ "$match": { "_id": 1 } }, { "$limit": 1 }] });
    assert_eq!(asker.asks("aggregate", one()).await.0, 200);
    let none = json!({ "pipeline": [{ "$match": { "_id": 2 } }, { "$limit": 1 }] });
    assert_eq!(asker.asks("aggregate", none).await.0, 200);
    wire.hold("aggregate");
    let waiting = send(&fixture, "aggregate", "waiting", &request(&fixture, one())).await;
    eventually("the third query", || async { wire.seen("aggregate").len() == 3 }).await;
    let told = metrics(fixture.address).await;
    let bytes = told.lines().find_map(|line| line.strip_prefix("data_api_memory_bytes ")).unwrap();
    let bytes: usize = bytes.parse().unwrap();
    assert!((40_000..100_000).contains(&bytes), "the last reply with a document had 40 kB: {bytes}");
    wire.release();
    drop(waiting);
    fixture.end().await;
}

#[tokio::test]
async fn an_answer_that_nobody_takes_gives_its_memory_back() {
    let fixture = Fixture::start_with(&["--timeout", "3"]).await;
    let documents = fixture.driver().await.collection::<bson::Document>("things");
    // More than the sockets between the two can buffer.
    let text = "x".repeat(1_000_000);
    documents.insert_many((0..24).map(|id| bson::doc! { "_id": id, "text": &text })).await.unwrap();
    let idle = send(&fixture, "find", "idle", &request(&fixture, json!({}))).await;
    let held = || async { !metrics(fixture.address).await.contains("data_api_memory_bytes 0\n") };
    eventually("an answer", held).await;
    metrics_say(&fixture, "data_api_memory_bytes 0").await;
    drop(idle);
    fixture.end().await;
}

/// Its connections would have none of the limits of time.
#[tokio::test]
async fn http_2_is_not_spoken() {
    let fixture = Fixture::start().await;
    let mut stream = TcpStream::connect(fixture.address).await.unwrap();
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    stream.write_all(&[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), &settings].concat()).await.unwrap();
    let mut answer = Vec::new();
    // It may be cut off with what it has sent still unread.
    let _ = stream.read_to_end(&mut answer).await;
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 400"), "{}", String::from_utf8_lossy(&answer));
    fixture.end().await;
}
