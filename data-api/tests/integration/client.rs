//! The Worker's client against servers that misbehave: natively, what `tests/e2e/faults` tests on workerd.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::mpsc,
};
use zetra_store::{Http, HttpAnswer, HttpError};

use crate::support::client;

/// A server that gives every connection this response; the requests it receives come out of the channel.
async fn server(answer: String) -> (String, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (asked, requests) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let (asked, answer) = (asked.clone(), answer.clone());
            tokio::spawn(async move {
                let mut request = vec![0; 4_096];
                let length = socket.read(&mut request).await.unwrap_or(0);
                // The receiver may be gone by now.
                let _ = asked.send(String::from_utf8_lossy(&request[..length]).into_owned());
                if answer.is_empty() {
                    std::future::pending::<()>().await;
                }
                let _ = socket.write_all(answer.as_bytes()).await;
            });
        }
    });
    (format!("http://{address}"), requests)
}

async fn ask(origin: &str, key: &str) -> Result<HttpAnswer, HttpError> {
    client(&format!("{origin}/data/v1"), key).post("findOne", "{}".to_owned()).await
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_the_key_goes_nowhere_else() {
    let (elsewhere, mut reached) = server("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_owned()).await;
    for status in [301, 302, 303, 307, 308] {
        let answer =
            format!("HTTP/1.1 {status} Moved\r\nlocation: {elsewhere}/x\r\ncontent-length: 0\r\n\r\n");
        let (origin, _) = server(answer).await;
        assert_eq!(ask(&origin, "hush").await.unwrap().status, status);
    }
    assert!(reached.try_recv().is_err());
}

#[tokio::test]
async fn the_key_is_shown_as_it_was_given() {
    for (key, line) in [("hush", "apikey: hush"), ("Bearer hush", "authorization: Bearer hush")] {
        let answer = "HTTP/1.1 503 Busy\r\nretry-after: 7\r\ncontent-length: 4\r\n\r\nbusy".to_owned();
        let (origin, mut requests) = server(answer).await;
        let answer = ask(&origin, key).await.unwrap();
        assert_eq!((answer.status, answer.retry_after, answer.body.as_str()), (503, Some(7), "busy"));
        let request = requests.recv().await.unwrap();
        assert!(request.starts_with("POST /data/v1/action/findOne HTTP/1.1\r\n"), "{request}");
        for line in [line, "content-type: application/ejson", "accept: application/ejson"] {
            assert!(request.lines().any(|found| found == line), "{line} is missing in {request}");
        }
    }
}

#[tokio::test]
async fn what_does_not_come_comes_in_part_or_is_too_much_is_an_error() {
    let (silent, _silent) = server(String::new()).await;
    assert_eq!(ask(&silent, "hush").await.unwrap_err(), HttpError::TimedOut);
    let (cut, _cut) = server("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{".to_owned()).await;
    assert_eq!(ask(&cut, "hush").await.unwrap_err(), HttpError::Failed("the answer ended early".to_owned()));
    let (announced, _announced) =
        server("HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n".to_owned()).await;
    assert_eq!(ask(&announced, "hush").await.unwrap_err(), HttpError::TooLarge);
    let endless = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}", "x".repeat(5 * 1024 * 1024));
    let (endless, _endless) = server(endless).await;
    assert_eq!(ask(&endless, "hush").await.unwrap_err(), HttpError::TooLarge);
    let Err(HttpError::Failed(text)) = ask("http://127.0.0.1:9", "hush").await else { panic!("answered") };
    assert!(!text.contains("hush") && text.lines().count() == 1, "{text}");
}
