//! What an operator sees: health, metrics, TLS, indexes, shutdown.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    time::Duration,
};

use reqwest::Client;
use serde_json::json;
use tokio::net::TcpStream;

use crate::{
    asker::{Asker, finished, is_under_way, metrics, read, unfinished},
    support::{Fixture, KEY, fresh_name, mongodb_uri},
};

#[tokio::test]
async fn what_is_under_way_is_finished_when_the_server_is_told_to_stop() {
    let fixture = Fixture::start().await;
    let driver = fixture.driver().await;
    let address = fixture.address;
    let request = unfinished(&fixture).await;
    is_under_way(&fixture).await;
    let running = fixture.stop();
    // From then on no new connection is accepted.
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

#[test]
fn it_ends_when_it_is_told_to_while_it_waits_for_the_database() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_zetra-data-api"));
    program.args(["--listen", "127.0.0.1:0", "--ensure-indexes", "zetra"]).stdout(Stdio::piped());
    program.env("MONGODB_URI", "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=300");
    program.env("DATA_API_KEYS", format!("worker {KEY}"));
    let mut server = program.spawn().unwrap();
    let mut log = BufReader::new(server.stdout.take().unwrap()).lines();
    assert!(log.any(|line| line.unwrap().contains("waiting for the database")));
    let told = Command::new("kill").arg(server.id().to_string()).status().unwrap();
    assert!(told.success());
    assert!(server.wait().unwrap().success());
}
