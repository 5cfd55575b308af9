//! For tests: a Data API that returns scripted responses and records its requests.

use std::{collections::VecDeque, sync::Mutex};

use async_trait::async_trait;
use serde_json::Value;

use super::{Http, HttpAnswer, HttpError};

pub(super) type Answer = Result<HttpAnswer, HttpError>;

#[derive(Default)]
pub(super) struct Scripted {
    answers: Mutex<VecDeque<Answer>>,
    asked: Mutex<Vec<(String, Value)>>,
    pauses: Mutex<Vec<u32>>,
}

#[async_trait]
impl Http for &Scripted {
    async fn post(&self, action: &str, body: String) -> Result<HttpAnswer, HttpError> {
        self.asked.lock().unwrap().push((action.to_owned(), serde_json::from_str(&body).unwrap()));
        self.answers.lock().unwrap().pop_front().expect("no more calls were expected")
    }

    async fn pause(&self, millis: u32) {
        self.pauses.lock().unwrap().push(millis);
    }

    fn random(&self) -> u32 {
        u32::MAX
    }
}

impl Scripted {
    /// Actions and bodies, in order.
    pub(super) fn asked(self) -> Vec<(String, Value)> {
        self.asked.into_inner().unwrap()
    }

    pub(super) fn pauses(self) -> Vec<u32> {
        self.pauses.into_inner().unwrap()
    }
}

pub(super) fn answers(status: u16, body: &str) -> Answer {
    Ok(HttpAnswer { status, retry_after: None, body: body.to_owned() })
}

pub(super) fn broken() -> Answer {
    Err(HttpError::Failed("connection reset".to_owned()))
}

pub(super) fn script(answers: impl IntoIterator<Item = Answer>) -> Scripted {
    Scripted { answers: Mutex::new(answers.into_iter().collect()), ..Scripted::default() }
}
