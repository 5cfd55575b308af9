//! The object that counts: one per client address, one per account.
//!
//! One object is a single place for the whole edge. Its ledger is written with every change;
//! an alarm deletes everything that the object stored when there is nothing left to remember.

mod account_ledger;
mod address_ledger;
mod counter;

use std::cell::RefCell;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use wasm_bindgen::JsCast;
use worker::{DurableObject, Env, Request, Response, State, durable_object};
use zetra_domain::{AccountKey, AddressKey, AttemptOutcome, AuthLimits, Hourly, PasswordOutcome};
use zetra_runtime::request_id;
use zetra_socketio_object::{
    bindings::{ObjectState, ObjectStorage},
    leave_renewal_to_shim, now,
};

use crate::format_version::FormatVersion;

pub use account_ledger::AccountLedger;
pub use address_ledger::AddressLedger;

const ADDRESS: &str = "ledger";
const ACCOUNT: &str = "account";

/// Requests to an address's object.
#[derive(Serialize, Deserialize)]
pub(crate) enum AskAddress {
    Attempt,
    Settle(AccountKey, AttemptOutcome),
}

/// Requests to an account's object.
#[derive(Serialize, Deserialize)]
pub(crate) enum AskAccount {
    Settle(AddressKey, PasswordOutcome),
    Spend(Hourly, u32),
    TakeBack(Hourly),
    /// The account was deleted.
    Forget,
}

#[derive(Serialize, Deserialize)]
pub(crate) enum Ask {
    Address(AuthLimits, AskAddress),
    Account(AuthLimits, AskAccount),
}

/// A ledger with the limits that applied to it, from which its alarm computes when it expires.
#[derive(Serialize, Deserialize)]
struct Kept<L> {
    #[serde(default)]
    v: FormatVersion<1>,
    ledger: L,
    limits: AuthLimits,
}

#[durable_object(alarm)]
pub struct RateLimit {
    storage: ObjectStorage,
    address: RefCell<Option<AddressLedger>>,
    account: RefCell<Option<AccountLedger>>,
}

impl DurableObject for RateLimit {
    fn new(state: State, _env: Env) -> Self {
        leave_renewal_to_shim();
        let state: ObjectState = wasm_bindgen::JsValue::from(state._inner()).unchecked_into();
        Self { storage: state.storage(), address: RefCell::new(None), account: RefCell::new(None) }
    }

    async fn fetch(&self, request: Request) -> worker::Result<Response> {
        let id = request.headers().get(request_id::HEADER)?;
        request_id::scope_of(id, self.serve(request)).await
    }

    async fn alarm(&self) -> worker::Result<Response> {
        let address = self.stored::<AddressLedger>(ADDRESS)?;
        let account = self.stored::<AccountLedger>(ACCOUNT)?;
        let of_address = address.and_then(|kept| kept.ledger.over_at(kept.limits));
        let of_account = account.and_then(|kept| kept.ledger.over_at(kept.limits));
        match of_address.max(of_account).filter(|over| *over > now()) {
            Some(later) => self.storage.set_alarm(later as f64)?,
            None => self.forget().await?,
        }
        Response::empty()
    }
}

impl RateLimit {
    async fn serve(&self, mut request: Request) -> worker::Result<Response> {
        match serde_json::from_str(&request.text().await?)? {
            Ask::Address(limits, AskAddress::Attempt) => {
                Response::from_json(&self.of_address(limits, |ledger| ledger.attempt(limits, now()))?)
            }
            Ask::Address(limits, AskAddress::Settle(account, outcome)) => {
                let settle = |ledger: &mut AddressLedger| ledger.settle(&account, outcome, limits, now());
                Response::from_json(&self.of_address(limits, settle)?)
            }
            Ask::Account(limits, AskAccount::Settle(address, outcome)) => {
                let settle = |ledger: &mut AccountLedger| ledger.settle(&address, outcome, limits, now());
                Response::from_json(&self.of_account(limits, settle)?)
            }
            Ask::Account(limits, AskAccount::Spend(what, limit)) => {
                let spend = |ledger: &mut AccountLedger| ledger.spend(what, limit, now());
                Response::from_json(&self.of_account(limits, spend)?)
            }
            Ask::Account(limits, AskAccount::TakeBack(what)) => {
                Response::from_json(&self.of_account(limits, |ledger| ledger.take_back(what, now()))?)
            }
            Ask::Account(_, AskAccount::Forget) => {
                self.forget().await?;
                Response::from_json(&())
            }
        }
    }

    fn of_address<T>(
        &self,
        limits: AuthLimits,
        change: impl FnOnce(&mut AddressLedger) -> T,
    ) -> worker::Result<T> {
        self.change(&self.address, ADDRESS, limits, |ledger| ledger.over_at(limits), change)
    }

    fn of_account<T>(
        &self,
        limits: AuthLimits,
        change: impl FnOnce(&mut AccountLedger) -> T,
    ) -> worker::Result<T> {
        self.change(&self.account, ACCOUNT, limits, |ledger| ledger.over_at(limits), change)
    }

    fn change<L: Clone + Default + PartialEq + Serialize + DeserializeOwned, T>(
        &self,
        slot: &RefCell<Option<L>>,
        key: &str,
        limits: AuthLimits,
        over_at: impl Fn(&L) -> Option<i64>,
        change: impl FnOnce(&mut L) -> T,
    ) -> worker::Result<T> {
        let mut slot = slot.borrow_mut();
        // In memory again once it is stored: after an error it is read anew.
        let before = match slot.take() {
            Some(ledger) => ledger,
            None => self.stored::<L>(key)?.map(|kept| kept.ledger).unwrap_or_default(),
        };
        let mut ledger = before.clone();
        let answer = change(&mut ledger);
        // What is refused changes nothing, so that a flood of it costs no row.
        if ledger != before {
            let kept = Kept { v: FormatVersion, ledger: &ledger, limits };
            self.storage.kv().put(key, &serde_json::to_string(&kept)?)?;
            if let Some(at) = over_at(&ledger).filter(|at| Some(*at) != over_at(&before)) {
                self.storage.set_alarm(at as f64)?;
            }
        }
        *slot = Some(ledger);
        Ok(answer)
    }

    fn stored<L: DeserializeOwned>(&self, key: &str) -> worker::Result<Option<Kept<L>>> {
        Ok(self.storage.kv().get(key)?.as_string().and_then(|text| kept_ledger(&text)))
    }

    async fn forget(&self) -> worker::Result<()> {
        self.address.replace(None);
        self.account.replace(None);
        self.storage.delete_all().await.map_err(worker::Error::from)
    }
}

/// The stored ledger. `None`, with an error in the log, if a later version wrote it or it cannot be read:
/// counting then starts from zero.
fn kept_ledger<L: DeserializeOwned>(text: &str) -> Option<Kept<L>> {
    let read = serde_json::from_str(text);
    read.inspect_err(|error| tracing::error!(%error, "a stored ledger cannot be read")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_without_a_version_is_read_and_one_of_a_later_version_is_not() {
        let mut ledger = AddressLedger::default();
        ledger.attempt(AuthLimits::default(), 1_700_000_000_000);
        let kept = Kept { v: FormatVersion, ledger: &ledger, limits: AuthLimits::default() };
        let text = serde_json::to_string(&kept).unwrap();
        let read = |text: &str| kept_ledger::<AddressLedger>(text).map(|kept| kept.ledger);
        assert_eq!(read(&text), Some(ledger.clone()));
        assert_eq!(read(&text.replacen(r#""v":1,"#, "", 1)), Some(ledger));
        assert_eq!(read(&text.replacen(r#""v":1,"#, r#""v":2,"#, 1)), None);
        assert_eq!(read("nonsense"), None);
    }
}
