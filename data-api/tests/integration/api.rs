//! The Data API's contract, over real HTTP, in front of a real database.

use std::{net::SocketAddr, time::Duration};

use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{Fixture, KEY, READ_ONLY_KEY, fresh_name, mongodb_uri};

/// Somebody with a key who asks in one format.
struct Asker<'a> {
    fixture: &'a Fixture,
    key: &'a str,
    format: &'a str,
}

impl<'a> Asker<'a> {
    fn new(fixture: &'a Fixture) -> Self {
        Self { fixture, key: KEY, format: "application/ejson" }
    }

    async fn send(&self, action: &str, more: Value) -> Response {
        let mut body =
            json!({ "dataSource": "Cluster0", "database": self.fixture.database, "collection": "things" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let request = Client::new().post(format!("http://{}/data/v1/action/{action}", self.fixture.address));
        let request = request.header("content-type", self.format).header("apiKey", self.key);
        request.body(body.to_string()).send().await.unwrap()
    }

    /// The status and the body.
    async fn asks(&self, action: &str, more: Value) -> (u16, Value) {
        read(self.send(action, more).await).await
    }
}

async fn read(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status} is not JSON: {text}")))
}

fn int(number: i64) -> Value {
    json!({ "$numberInt": number.to_string() })
}

#[tokio::test]
async fn the_ten_actions_answer_in_canonical_ejson() {
    let fixture = Fixture::start().await;
    let asker = Asker::new(&fixture);
    let id = json!({ "$oid": "6193504e1be4ab27791c8133" });
    let date = json!({ "$date": { "$numberLong": "1641954803067" } });

    let document = json!({ "_id": id, "kind": "a", "at": date, "count": 1, "ratio": 0.5 });
    assert_eq!(
        asker.asks("insertOne", json!({ "document": document })).await,
        (201, json!({ "insertedId": id }))
    );
    let documents = json!([{ "_id": 1, "kind": "b" }, { "_id": 2, "kind": "b" }, { "_id": 3, "kind": "c" }]);
    let ids = json!({ "insertedIds": [int(1), int(2), int(3)] });
    assert_eq!(asker.asks("insertMany", json!({ "documents": documents })).await, (201, ids));

    let found =
        json!({ "_id": id, "kind": "a", "at": date, "count": int(1), "ratio": { "$numberDouble": "0.5" } });
    let filter = json!({ "_id": id, "at": { "$lte": date } });
    assert_eq!(asker.asks("findOne", json!({ "filter": filter })).await, (200, json!({ "document": found })));
    let projected = asker
        .asks("findOne", json!({ "filter": { "_id": id }, "projection": { "_id": 0, "kind": 1 } }))
        .await;
    assert_eq!(projected, (200, json!({ "document": { "kind": "a" } })));
    assert_eq!(
        asker.asks("findOne", json!({ "filter": { "_id": 99 } })).await,
        (200, json!({ "document": null }))
    );

    let page =
        json!({ "filter": { "kind": { "$ne": "a" } }, "sort": { "_id": -1 }, "skip": 1, "limit": int(1) });
    let page = asker.asks("find", page).await;
    assert_eq!(page, (200, json!({ "documents": [{ "_id": int(2), "kind": "b" }] })));

    let set = |kind: &str| json!({ "$set": { "kind": kind } });
    let updated =
        |matched, modified| (200, json!({ "matchedCount": int(matched), "modifiedCount": int(modified) }));
    let filter = json!({ "kind": "b" });
    assert_eq!(asker.asks("updateOne", json!({ "filter": filter, "update": set("b") })).await, updated(1, 0));
    assert_eq!(
        asker.asks("updateMany", json!({ "filter": filter, "update": [set("d")] })).await,
        updated(2, 2)
    );
    let upsert = json!({ "filter": { "_id": 9 }, "update": set("e"), "upsert": true });
    let upserted = json!({ "matchedCount": int(0), "modifiedCount": int(0), "upsertedId": int(9) });
    assert_eq!(asker.asks("updateOne", upsert).await, (200, upserted));
    let replacement =
        json!({ "filter": { "_id": 9 }, "replacement": { "kind": "f", "$where": "only a name" } });
    let (status, body) = asker.asks("replaceOne", replacement).await;
    assert!(
        status == 200 || body["error"].as_str().unwrap().contains("$where"),
        "the database decides: {body}"
    );
    let replacement = json!({ "filter": { "_id": 9 }, "replacement": { "kind": "f" } });
    assert_eq!(asker.asks("replaceOne", replacement).await.0, 200);

    let pipeline =
        json!([{ "$match": { "kind": "d" } }, { "$group": { "_id": "$kind", "n": { "$sum": 1 } } }]);
    let grouped = asker.asks("aggregate", json!({ "pipeline": pipeline })).await;
    assert_eq!(grouped, (200, json!({ "documents": [{ "_id": "d", "n": int(2) }] })));

    let deleted = asker.asks("deleteOne", json!({ "filter": { "kind": "d" } })).await;
    assert_eq!(deleted, (200, json!({ "deletedCount": int(1) })));
    assert_eq!(asker.asks("deleteMany", json!({})).await, (200, json!({ "deletedCount": int(4) })));
    fixture.end().await;
}

#[tokio::test]
async fn json_answers_are_plain_and_accept_decides() {
    let fixture = Fixture::start().await;
    let asker = Asker { format: "application/json", ..Asker::new(&fixture) };
    let document = json!({ "_id": { "$oid": "6193504e1be4ab27791c8133" }, "at": { "$date": "2022-01-12T02:33:23.067Z" } });
    let response = asker.send("insertOne", json!({ "document": document })).await;
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(read(response).await, (201, json!({ "insertedId": "6193504e1be4ab27791c8133" })));
    let plain = json!({ "_id": "6193504e1be4ab27791c8133", "at": "2022-01-12T02:33:23.067Z" });
    assert_eq!(asker.asks("findOne", json!({})).await, (200, json!({ "document": plain })));

    let url = format!("http://{}/app/anything/endpoint/data/v1/action/findOne", fixture.address);
    let body = json!({ "dataSource": "a", "database": fixture.database, "collection": "things" });
    let request = Client::new().post(url).header("content-type", "application/json; charset=utf-8");
    let request = request
        .header("accept", "text/html, application/ejson")
        .header("authorization", format!("Bearer {KEY}"));
    let (status, body) = read(request.body(body.to_string()).send().await.unwrap()).await;
    assert_eq!((status, &body["document"]["_id"]), (200, &json!({ "$oid": "6193504e1be4ab27791c8133" })));
    fixture.end().await;
}

#[tokio::test]
async fn errors_have_the_contracts_shape_and_a_duplicate_key_is_400_with_its_code() {
    let fixture = Fixture::start().await;
    let asker = Asker::new(&fixture);
    let user = json!({ "collection": "users", "document": { "email": "a@example.com", "username": "ann" } });
    assert_eq!(asker.asks("insertOne", user.clone()).await.0, 201);
    let (status, body) = asker.asks("insertOne", user).await;
    assert_eq!((status, &body["error_code"]), (400, &json!("InvalidParameter")));
    assert!(body["error"].as_str().unwrap().contains("E11000"), "{body}");
    assert!(body["link"].is_string());

    for (action, more, status, code) in [
        ("insertOne", json!({}), 400, "MissingParameter"),
        ("find", json!({ "filter": { "$nonsense": 1 } }), 400, "InvalidParameter"),
        ("find", json!({ "filter": { "$where": "true" } }), 400, "InvalidParameter"),
        ("aggregate", json!({ "pipeline": [{ "$out": "users" }] }), 400, "InvalidParameter"),
        ("findAndModify", json!({}), 404, "FunctionNotFound"),
    ] {
        let (told, body) = asker.asks(action, more).await;
        assert_eq!((told, body["error_code"].as_str().unwrap()), (status, code), "{action}: {body}");
    }
    let base = format!("http://{}", fixture.address);
    let get =
        Client::new().get(format!("{base}/data/v1/action/find")).header("apiKey", KEY).send().await.unwrap();
    assert_eq!(get.headers()["allow"], "POST");
    assert_eq!(read(get).await.0, 405);
    assert_eq!(read(Client::new().get(format!("{base}/nothing")).send().await.unwrap()).await.0, 404);
    let typeless = Client::new().post(format!("{base}/data/v1/action/find")).header("apiKey", KEY);
    assert_eq!(read(typeless.body("{}").send().await.unwrap()).await.0, 415);
    fixture.end().await;
}

#[tokio::test]
async fn a_key_is_needed_and_allows_what_it_says() {
    let fixture = Fixture::start().await;
    let base = format!("http://{}/data/v1/action/find", fixture.address);
    let (status, body) = read(Client::new().post(&base).send().await.unwrap()).await;
    assert_eq!((status, body["error_code"].as_str().unwrap()), (400, "MissingParameter"));
    let wrong = Asker { key: "a-key-that-nobody-was-given", ..Asker::new(&fixture) };
    let (status, body) = wrong.asks("find", json!({})).await;
    assert_eq!((status, body["error_code"].as_str().unwrap()), (401, "InvalidSession"));

    let reports = Asker { key: READ_ONLY_KEY, ..Asker::new(&fixture) };
    assert_eq!(reports.asks("find", json!({})).await.0, 200);
    assert_eq!(reports.asks("aggregate", json!({ "pipeline": [{ "$match": {} }] })).await.0, 200);
    for (action, more) in [
        ("insertOne", json!({ "document": {} })),
        ("deleteMany", json!({})),
        ("find", json!({ "database": "other" })),
    ] {
        assert_eq!(reports.asks(action, more).await.0, 403, "{action}");
    }
    assert_eq!(Asker::new(&fixture).asks("find", json!({ "database": "admin" })).await.0, 403);
    fixture.end().await;
}

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

/// A request whose last byte is still to come; it holds its place among those under way.
async fn unfinished(fixture: &Fixture) -> (TcpStream, u8) {
    let body = json!({
        "dataSource": "a", "database": fixture.database, "collection": "things", "document": { "_id": "late" },
    });
    let text = format!(
        "POST /data/v1/action/insertOne HTTP/1.1\r\nHost: a\r\nConnection: close\r\napiKey: {KEY}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.to_string().len()
    );
    let (last, rest) = text.as_bytes().split_last().unwrap();
    let mut stream = TcpStream::connect(fixture.address).await.unwrap();
    stream.write_all(rest).await.unwrap();
    (stream, *last)
}

async fn finished((mut stream, last): (TcpStream, u8)) -> String {
    stream.write_all(&[last]).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn metrics(address: SocketAddr) -> String {
    let request = Client::new().get(format!("http://{address}/metrics")).header("apiKey", KEY);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    response.text().await.unwrap()
}

/// Waits until a request has taken its place.
async fn is_under_way(fixture: &Fixture) {
    for _ in 0..1_000 {
        if metrics(fixture.address).await.contains("data_api_under_way 1") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the request was never seen");
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
async fn what_is_under_way_is_finished_when_the_server_is_told_to_stop() {
    let fixture = Fixture::start().await;
    let driver = fixture.driver().await;
    let address = fixture.address;
    let request = unfinished(&fixture).await;
    is_under_way(&fixture).await;
    let running = fixture.stop();
    // From then on nobody new is let in.
    while TcpStream::connect(address).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(finished(request).await.starts_with("HTTP/1.1 201"));
    running.await.unwrap().unwrap();
    let late =
        driver.collection::<bson::Document>("things").find_one(bson::doc! { "_id": "late" }).await.unwrap();
    assert!(late.is_some(), "what was answered is there");
    driver.drop().await.unwrap();
}

#[tokio::test]
async fn health_asks_the_database_and_metrics_want_a_key() {
    let fixture = Fixture::start().await;
    let base = format!("http://{}", fixture.address);
    let (status, body) = read(Client::new().get(format!("{base}/health")).send().await.unwrap()).await;
    assert_eq!((status, &body["database"]), (200, &json!("connected")));
    assert_eq!(read(Client::new().get(format!("{base}/metrics")).send().await.unwrap()).await.0, 400);
    Asker::new(&fixture).asks("find", json!({})).await;
    let text = metrics(fixture.address).await;
    for line in [
        r#"data_api_requests_total{action="find",status="200"} 1"#,
        "data_api_duration_seconds_bucket",
        "# EOF",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
    fixture.end().await;
}

#[tokio::test]
async fn a_database_that_is_away_is_503_and_health_says_so() {
    let uri = "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=200";
    let fixture = Fixture::start_at(uri, "zetra_test_away".to_owned(), &[]).await;
    let response = Asker::new(&fixture).send("find", json!({})).await;
    assert_eq!(response.headers()["retry-after"], "1");
    let (status, body) = read(response).await;
    assert_eq!((status, body["error_code"].as_str().unwrap()), (503, "DatabaseUnavailable"));
    let (status, body) =
        read(Client::new().get(format!("http://{}/health", fixture.address)).send().await.unwrap()).await;
    assert_eq!((status, &body["database"]), (503, &json!("disconnected")));
    fixture.stop().await.unwrap().unwrap();
}

#[tokio::test]
async fn with_a_certificate_it_speaks_tls_and_nothing_else() {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = std::env::temp_dir().join(fresh_name());
    std::fs::create_dir(&folder).unwrap();
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    std::fs::write(&cert, certified.cert.pem()).unwrap();
    std::fs::write(&key, certified.signing_key.serialize_pem()).unwrap();
    let arguments = ["--tls-cert", cert.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
    let fixture = Fixture::start_with(&arguments).await;

    let root = reqwest::Certificate::from_pem(certified.cert.pem().as_bytes()).unwrap();
    let client =
        Client::builder().add_root_certificate(root).resolve("localhost", fixture.address).build().unwrap();
    let url = format!("https://localhost:{}/health", fixture.address.port());
    assert_eq!(read(client.get(url).send().await.unwrap()).await.0, 200);
    let plain = Client::new().get(format!("http://{}/health", fixture.address)).send().await;
    assert!(plain.is_err(), "no answer without TLS");
    fixture.end().await;
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn indexes_that_are_there_are_left_and_one_that_cannot_be_made_is_told() {
    let fixture = Fixture::start().await;
    let driver = fixture.driver().await;
    let arguments = ["--ensure-indexes", &fixture.database];
    let again = Fixture::start_at(&mongodb_uri(), fixture.database.clone(), &arguments).await;
    again.stop().await.unwrap().unwrap();
    let users = driver.collection::<bson::Document>("users");
    let names = users.list_index_names().await.unwrap();
    assert_eq!(names, ["_id_", "email_1", "username_1"], "as Mongoose names them");

    users.drop_indexes().await.unwrap();
    users
        .insert_many([
            bson::doc! { "email": "a@b.c", "username": "a" },
            bson::doc! { "email": "a@b.c", "username": "b" },
        ])
        .await
        .unwrap();
    let Err(error) = Fixture::try_start_at(&mongodb_uri(), &fixture.database, &arguments).await else {
        panic!("it started without its unique index")
    };
    let error = error.to_string();
    assert!(error.contains("email") && error.contains("of users"), "{error}");
    assert!(!error.contains("a@b.c"), "{error}");
    fixture.end().await;
}
