//! A server that is asked for more than it may take stays within its limit, and goes on serving.

use std::sync::Arc;

use axum::body::Bytes;
use reqwest::Client;
use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    HEAP, alone,
    support::{Fixture, KEY},
};

const MIB: usize = 1024 * 1024;
/// What the server may use for bodies.
const ALLOWED: usize = 48 * MIB;
/// The rest of the process: runtime, connections with their buffers, and the client side, which is here too.
const BESIDES: usize = 16 * MIB;
const ASKERS: usize = 48;

struct Asker {
    url: String,
    database: String,
}

impl Asker {
    fn body(&self, more: &str) -> Bytes {
        let head = format!(r#"{{"dataSource":"a","database":"{}","collection":"large""#, self.database);
        Bytes::from(format!("{head},{more}}}"))
    }

    async fn asks(&self, action: &str, body: &Bytes) -> (u16, usize) {
        let request = Client::new().post(format!("{}/{action}", self.url));
        let request = request.header("authorization", format!("Bearer {KEY}"));
        let request = request.header("content-type", "application/ejson").body(body.clone());
        // A server that refuses a body may close the connection before it has read it.
        let Ok(mut response) = request.send().await else { return (0, 0) };
        let (status, mut length) = (response.status().as_u16(), 0);
        while let Ok(Some(chunk)) = response.chunk().await {
            length += chunk.len();
        }
        (status, length)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[allow(clippy::await_holding_lock, reason = "its holder is the only one who runs")]
async fn large_requests_at_once_stay_within_what_the_server_may_take() {
    let _alone = alone();
    let fixture = Fixture::start_with(&["--max-memory", &ALLOWED.to_string()]).await;
    let url = format!("http://{}/data/v1/action", fixture.address);
    let asker = Arc::new(Asker { url, database: fixture.database.clone() });
    // 8 MB of answer, from documents of 40 KB.
    let text = "x".repeat(40_000);
    let documents: Vec<_> = (0..200).map(|id| json!({ "_id": id, "text": text })).collect();
    for documents in documents.chunks(50) {
        let body = asker.body(&format!(r#""documents":{}"#, json!(documents)));
        assert_eq!(asker.asks("insertMany", &body).await.0, 201);
    }
    // Two megabytes that would become four hundred as documents; three that fit, a few at a time.
    let zeros = format!(r#""document":{{"a":[{}]}}"#, vec!["0"; MIB].join(","));
    let text = format!(r#""document":{{"a":"{}"}}"#, "x".repeat(3 * MIB));
    let questions = Arc::new([
        ("find", asker.body(r#""filter":{"_id":{"$lt":200}}"#)),
        ("insertOne", asker.body(&zeros)),
        ("insertOne", asker.body(&text)),
    ]);
    // From then on the size of these documents is known.
    assert_eq!(asker.asks("find", &questions[0].1).await.0, 200);

    HEAP.reset_peak_usage();
    let before = HEAP.current_usage();
    let mut askers = JoinSet::new();
    for index in 0..ASKERS {
        let (asker, questions) = (Arc::clone(&asker), Arc::clone(&questions));
        askers.spawn(async move {
            let kind = index % questions.len();
            let (action, body) = &questions[kind];
            let (status, length) = asker.asks(action, body).await;
            (kind, status, length)
        });
    }
    let answers = askers.join_all().await;
    let peak = HEAP.peak_usage() - before;
    println!("peak {} MiB", peak / MIB);
    for (kind, status, length) in &answers {
        let fits = match kind {
            0 => matches!((status, length), (200, 8_000_000..) | (429, _)),
            1 => matches!(status, 0 | 413 | 429),
            _ => matches!(status, 0 | 201 | 429),
        };
        assert!(fits, "{kind} {status} {length}");
    }
    let served = answers.iter().filter(|(_, status, _)| matches!(status, 200 | 201)).count();
    assert!(served > 0, "{answers:?}");
    assert!(peak < ALLOWED + BESIDES, "{} MiB", peak / MIB);

    // All of it is given back, and the next one is served.
    for (kind, status) in [(0, 200), (2, 201)] {
        let (action, body) = &questions[kind];
        assert_eq!(asker.asks(action, body).await.0, status);
    }
    fixture.end().await;
}
