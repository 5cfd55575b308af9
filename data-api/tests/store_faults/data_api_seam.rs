//! The `Http` seam over the real client, server and database, with faults at chosen calls.

use std::sync::{
    Arc, LazyLock, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use serde_json::{Map, Value};
use tokio::runtime::Runtime;
use zetra_runtime::DataApiClient;
use zetra_store::{Http, HttpAnswer, HttpError};

use crate::plan::Plan;

/// What becomes of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Nothing,
    /// Fails like this before the database is asked.
    Refused(Failure),
    /// The database does it, and then it fails like this.
    AnswerLost(Failure),
    /// The documents of the answer have no fields.
    FieldsMissing,
    /// The fields of the answer's documents have another type.
    OtherTypes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Refused, or reset.
    Connection,
    TimedOut,
    TooLarge,
    Status(u16),
    /// 429, and how many seconds to wait.
    Busy(u32),
    /// 200 with the beginning of a body.
    Cut,
    /// 200 with something that is no answer to that.
    Other,
}

/// The client is a part of tokio, and the stories are not.
pub static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

/// A clone shares the faults.
#[derive(Clone)]
pub struct FaultyHttp {
    client: Arc<DataApiClient>,
    plan: Arc<Mutex<Plan<Fault>>>,
    calls: Arc<AtomicUsize>,
}

impl FaultyHttp {
    pub fn new(client: DataApiClient) -> Self {
        Self { client: Arc::new(client), plan: Arc::default(), calls: Arc::default() }
    }

    /// The `first` call from now on meets the first fault, the one after it the second. Repetitions are calls too.
    pub fn plan(&self, first: usize, faults: &[Fault]) {
        *self.plan.lock().unwrap() = Plan::new(first, faults);
    }

    /// No more faults; tells how many were met.
    pub fn calm(&self) -> usize {
        self.plan.lock().unwrap().calm()
    }

    /// How many calls there were.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    fn next(&self) -> Option<Fault> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.plan.lock().unwrap().next()
    }
}

#[async_trait]
impl Http for FaultyHttp {
    async fn post(&self, action: &str, body: String) -> Result<HttpAnswer, HttpError> {
        let fault = self.next();
        if let Some(Fault::Refused(failure)) = fault {
            return failure.answer("");
        }
        let (client, action) = (Arc::clone(&self.client), action.to_owned());
        let answer = RUNTIME.spawn(async move { client.post(&action, body).await }).await.unwrap()?;
        // A duplicate key is an answer too.
        assert!(answer.status < 500, "without a fault: {}", answer.body);
        match fault {
            Some(Fault::AnswerLost(failure)) => failure.answer(&answer.body),
            Some(Fault::FieldsMissing) => Ok(with_documents(answer, |_| Map::new())),
            Some(Fault::OtherTypes) => Ok(with_documents(answer, |document| {
                document.into_iter().map(|(name, _)| (name, true.into())).collect()
            })),
            Some(Fault::Refused(_) | Fault::Nothing) | None => Ok(answer),
        }
    }

    /// Nothing waits.
    async fn pause(&self, _millis: u32) {}

    fn random(&self) -> u32 {
        0
    }
}

impl Failure {
    fn answer(self, body: &str) -> Result<HttpAnswer, HttpError> {
        let answer = |status, body: &str| HttpAnswer { status, retry_after: None, body: body.to_owned() };
        Ok(match self {
            Self::Connection => return Err(HttpError::Failed("connection reset".to_owned())),
            Self::TimedOut => return Err(HttpError::TimedOut),
            Self::TooLarge => return Err(HttpError::TooLarge),
            Self::Status(status) => {
                answer(status, r#"{"error":"of ann@example.com","error_code":"InvalidParameter"}"#)
            }
            Self::Busy(seconds) => HttpAnswer { retry_after: Some(seconds), ..answer(429, "") },
            Self::Cut => answer(200, &body[..body.len().min(9)]),
            Self::Other => answer(200, "{}"),
        })
    }
}

fn with_documents(
    answer: HttpAnswer,
    change: impl Fn(Map<String, Value>) -> Map<String, Value>,
) -> HttpAnswer {
    let mut body: Value = serde_json::from_str(&answer.body).unwrap();
    let change = |value: &mut Value| {
        if let Value::Object(document) = value.take() {
            *value = change(document).into();
        }
    };
    if let Some(document) = body.get_mut("document") {
        change(document);
    }
    if let Some(Value::Array(documents)) = body.get_mut("documents") {
        documents.iter_mut().for_each(change);
    }
    HttpAnswer { body: body.to_string(), ..answer }
}
