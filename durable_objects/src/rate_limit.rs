//! The object that counts one client address, and the way to reach it.
//!
//! One object per address is one place that all of the edge agrees on. Its ledger is written with
//! every change, and an alarm clears it when the last window is over.

use std::cell::RefCell;

use serde::{Deserialize, Serialize};
use wasm_bindgen::JsCast;
use worker::{
    DurableObject, Env, Method, ObjectNamespace, Request, RequestInit, Response, State, durable_object,
};
use zetra_socketio_object::bindings::{ObjectState, ObjectStorage};

use crate::{AccountKey, Attempt, AuthLimits, Ledger, ObjectError, Verdict, now};

const BINDING: &str = "RATE_LIMIT";
const LEDGER: &str = "ledger";

#[derive(Serialize, Deserialize)]
enum Ask {
    Attempt(AuthLimits),
    Settle(AuthLimits, AccountKey, bool),
}

/// Reaches the object of a client address.
pub struct RateLimitClient(ObjectNamespace);

impl RateLimitClient {
    pub fn new(env: &Env) -> worker::Result<Self> {
        env.durable_object(BINDING).map(Self)
    }

    pub async fn attempt(&self, address: &str, limits: AuthLimits) -> Result<Attempt, ObjectError> {
        self.ask(address, &Ask::Attempt(limits)).await
    }

    pub async fn settle(
        &self,
        address: &str,
        account: &AccountKey,
        failed: bool,
        limits: AuthLimits,
    ) -> Result<Verdict, ObjectError> {
        self.ask(address, &Ask::Settle(limits, account.clone(), failed)).await
    }

    async fn ask<T: serde::de::DeserializeOwned>(&self, address: &str, ask: &Ask) -> Result<T, ObjectError> {
        let mut init = RequestInit::new();
        init.with_method(Method::Post).with_body(Some(serde_json::to_string(ask)?.into()));
        let request = Request::new_with_init("https://rate-limit/", &init)?;
        let mut answer = self.0.get_by_name(address)?.fetch_with_request(request).await?;
        Ok(serde_json::from_str(&answer.text().await?)?)
    }
}

#[durable_object(alarm)]
pub struct RateLimit {
    storage: ObjectStorage,
    ledger: RefCell<Option<Ledger>>,
}

impl DurableObject for RateLimit {
    fn new(state: State, _env: Env) -> Self {
        let state: ObjectState = wasm_bindgen::JsValue::from(state._inner()).unchecked_into();
        Self { storage: state.storage(), ledger: RefCell::new(None) }
    }

    async fn fetch(&self, mut request: Request) -> worker::Result<Response> {
        let ask: Ask = serde_json::from_str(&request.text().await?)?;
        match ask {
            Ask::Attempt(limits) => {
                let answer = self.change(limits, |ledger| ledger.attempt(limits, now()))?;
                Response::from_json(&answer)
            }
            Ask::Settle(limits, account, failed) => {
                let answer = self.change(limits, |ledger| ledger.settle(&account, failed, limits, now()))?;
                Response::from_json(&answer)
            }
        }
    }

    async fn alarm(&self) -> worker::Result<Response> {
        self.storage.kv().delete(LEDGER);
        self.ledger.replace(None);
        Response::empty()
    }
}

impl RateLimit {
    fn change<T>(&self, limits: AuthLimits, change: impl FnOnce(&mut Ledger) -> T) -> worker::Result<T> {
        let mut slot = self.ledger.borrow_mut();
        let ledger = slot.get_or_insert_with(|| self.stored().unwrap_or_default());
        let before = ledger.forgotten_at(limits);
        let answer = change(ledger);
        self.storage.kv().put(LEDGER, &serde_json::to_string(ledger)?);
        let after = ledger.forgotten_at(limits);
        if let Some(at) = after.filter(|_| after != before) {
            self.storage.set_alarm(at as f64);
        }
        Ok(answer)
    }

    fn stored(&self) -> Option<Ledger> {
        serde_json::from_str(&self.storage.kv().get(LEDGER).as_string()?).ok()
    }
}
