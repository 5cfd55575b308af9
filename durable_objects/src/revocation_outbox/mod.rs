//! The object that guarantees that a user's rooms are notified of revoked tokens: one per user.
//!
//! Before tokens are revoked, it is given the user's rooms and records them. After that it notifies them,
//! one batch per run, until every room has accepted the notification. At each run it queries the store for the
//! tokens that are still valid. So nothing is lost if the Worker ends in between or has no requests left: the
//! alarm continues.

pub(crate) mod outbox;

use std::cell::RefCell;

use futures_util::{StreamExt, stream};
use wasm_bindgen::JsCast;
use worker::{DurableObject, Env, Request, Response, State, durable_object};
use zetra_domain::{RoomId, UserId};
use zetra_runtime::{Database, request_id};
use zetra_signalling::Revocation;
use zetra_socketio_object::{
    bindings::{ObjectState, ObjectStorage},
    leave_renewal_to_shim, now,
};

use crate::clients::RoomClient;
use outbox::{AskOutbox, Outbox};

const OUTBOX: &str = "outbox";
/// How many rooms are notified at the same time.
const AT_ONCE: usize = 16;

#[durable_object(alarm)]
pub struct RevocationOutbox {
    storage: ObjectStorage,
    env: Env,
    /// What is stored, once it was needed.
    outbox: RefCell<Option<Outbox>>,
}

impl DurableObject for RevocationOutbox {
    fn new(state: State, env: Env) -> Self {
        leave_renewal_to_shim();
        let state: ObjectState = wasm_bindgen::JsValue::from(state._inner()).unchecked_into();
        Self { storage: state.storage(), env, outbox: RefCell::new(None) }
    }

    async fn fetch(&self, request: Request) -> worker::Result<Response> {
        let id = request.headers().get(request_id::HEADER)?;
        request_id::scope_of(id, self.serve(request)).await
    }

    async fn alarm(&self) -> worker::Result<Response> {
        self.deliver().await?;
        Response::empty()
    }
}

impl RevocationOutbox {
    async fn serve(&self, mut request: Request) -> worker::Result<Response> {
        let (user, ask) = serde_json::from_str(&request.text().await?)?;
        match ask {
            AskOutbox::Announce(rooms) => self.announce(user, rooms).await?,
            AskOutbox::Deliver(rooms) => {
                // An announcement without a room was not kept.
                let unannounced = || (!rooms.is_empty()).then(|| Outbox::new(user, Vec::new(), now()));
                let outbox = self.current()?.or_else(unannounced);
                if let Some(mut outbox) = outbox {
                    outbox.made(rooms);
                    self.keep(outbox).await?;
                    self.deliver().await?;
                }
            }
        }
        Response::from_json(&())
    }

    fn current(&self) -> worker::Result<Option<Outbox>> {
        if let Some(outbox) = &*self.outbox.borrow() {
            return Ok(Some(outbox.clone()));
        }
        Ok(self.storage.kv().get(OUTBOX)?.as_string().and_then(|stored| Outbox::from_json(&stored)))
    }

    async fn announce(&self, user: UserId, rooms: Vec<RoomId>) -> worker::Result<()> {
        let announced = Outbox::new(user, rooms, now());
        let before = self.current()?;
        self.keep(match before {
            Some(before) => before.and(announced),
            None => announced,
        })
        .await
    }

    /// Notifies one batch and schedules the next.
    async fn deliver(&self) -> worker::Result<()> {
        let Some(begun) = self.current()? else { return Ok(()) };
        let user = begun.user;
        let told = match self.honoured(user).await {
            Ok(revocation) => Ok(self.tell(begun.batch(), &revocation).await?),
            Err(error) => Err(error),
        };
        // Another announcement may have arrived meanwhile, or another run ended.
        let Some(mut outbox) = self.current()? else { return Ok(()) };
        match told {
            Ok(told) => outbox.told(&begun, &told, now()),
            Err(error) => {
                tracing::warn!(%error, %user, "the valid tokens could not be read");
                outbox.postpone(&begun, now());
            }
        }
        self.keep(outbox).await
    }

    async fn honoured(&self, user: UserId) -> Result<Revocation, String> {
        let database = Database::of(&self.env).map_err(|error| error.to_string())?;
        let store = database.open(&self.env).map_err(|error| error.to_string())?;
        let account = store.account(user).await.map_err(|error| error.to_string())?;
        Ok(Revocation { user, honoured: account.map(|account| account.tokens) })
    }

    async fn tell(&self, batch: &[RoomId], revocation: &Revocation) -> worker::Result<Vec<RoomId>> {
        let client = RoomClient::new(&self.env)?;
        let calls = batch.iter().map(|&room| {
            let told = client.revoke(room, revocation);
            async move {
                let told = told.await;
                if let Err(error) = &told {
                    tracing::warn!(%error, %room, "a room could not be notified of revoked tokens");
                }
                told.is_ok().then_some(room)
            }
        });
        let told = stream::iter(calls).buffer_unordered(AT_ONCE).collect::<Vec<_>>().await;
        Ok(told.into_iter().flatten().collect())
    }

    async fn keep(&self, outbox: Outbox) -> worker::Result<()> {
        match outbox.due(now()) {
            Some(due) => {
                self.storage.kv().put(OUTBOX, &serde_json::to_string(&outbox)?)?;
                self.storage.set_alarm(due as f64)?;
                self.outbox.replace(Some(outbox));
                Ok(())
            }
            None => {
                self.outbox.replace(None);
                self.storage.delete_all().await.map_err(worker::Error::from)
            }
        }
    }
}
