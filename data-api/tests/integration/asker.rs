//! Clients of the server under test: a well-behaved one, and one that controls its connection byte by byte.

use std::{net::SocketAddr, time::Duration};

use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{Fixture, KEY, eventually};

/// A client with a key that uses one format.
pub struct Asker<'a> {
    pub fixture: &'a Fixture,
    pub key: &'a str,
    pub format: &'a str,
}

impl<'a> Asker<'a> {
    pub fn new(fixture: &'a Fixture) -> Self {
        Self { fixture, key: KEY, format: "application/ejson" }
    }

    pub async fn send(&self, action: &str, more: Value) -> Response {
        let body = request(self.fixture, more);
        let request = Client::new().post(format!("http://{}/data/v1/action/{action}", self.fixture.address));
        let request = request.header("content-type", self.format).header("apiKey", self.key);
        request.body(body).send().await.unwrap()
    }

    /// Repeats the request until it gets this status; returns the body.
    pub async fn asks_until(&self, action: &str, more: Value, status: u16) -> Value {
        for _ in 0..2_000 {
            let (told, body) = self.asks(action, more.clone()).await;
            if told == status {
                return body;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{action} never answered {status}");
    }

    /// Returns the status and the body.
    pub async fn asks(&self, action: &str, more: Value) -> (u16, Value) {
        read(self.send(action, more).await).await
    }
}

pub async fn read(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status} is not JSON: {text}")))
}

/// The body of such a request.
pub fn request(fixture: &Fixture, more: Value) -> String {
    let mut body = json!({ "dataSource": "Cluster0", "database": fixture.database, "collection": "things" });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body.to_string()
}

/// A request, or as much of its body as given here, on a connection of its own.
async fn begin(fixture: &Fixture, action: &str, id: &str, body: &str, length: usize) -> TcpStream {
    let text = format!(
        "POST /data/v1/action/{action} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer {KEY}\r\n\
         X-Request-Id: {id}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    let mut stream = TcpStream::connect(fixture.address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

pub async fn send(fixture: &Fixture, action: &str, id: &str, body: &str) -> TcpStream {
    begin(fixture, action, id, body, body.len()).await
}

/// A request that has announced how long its body will be, and sent no more.
pub async fn announced(fixture: &Fixture, length: usize) -> TcpStream {
    begin(fixture, "insertOne", "announced", "", length).await
}

/// A request whose last byte is still missing; it occupies its permit.
pub async fn unfinished(fixture: &Fixture) -> (TcpStream, u8) {
    let body = request(fixture, json!({ "document": { "_id": "late" } }));
    let (last, _) = body.as_bytes().split_last().unwrap();
    let stream = begin(fixture, "insertOne", "unfinished", &body[..body.len() - 1], body.len()).await;
    (stream, *last)
}

pub async fn finished((mut stream, last): (TcpStream, u8)) -> String {
    stream.write_all(&[last]).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

pub async fn metrics(address: SocketAddr) -> String {
    let request = Client::new().get(format!("http://{address}/metrics")).header("apiKey", KEY);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    response.text().await.unwrap()
}

/// Waits until the metrics contain this line.
pub async fn metrics_say(fixture: &Fixture, line: &str) {
    let says = || async { metrics(fixture.address).await.lines().any(|told| told == line) };
    eventually(line, says).await;
}

/// Waits until a request occupies a permit.
pub async fn is_under_way(fixture: &Fixture) {
    metrics_say(fixture, "data_api_under_way 1").await;
}
