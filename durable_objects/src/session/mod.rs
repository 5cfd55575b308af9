//! The Session object: the shell around the [`Gateway`] of one client that named no room.
//!
//! Its name is the session's id. What it must remember is in its WebSocket's attachment; in its
//! storage is `guest`, the client's room, while it is in one.

use std::{cell::RefCell, rc::Rc};

use wasm_bindgen::prelude::*;
use worker::Env;
use zetra_domain::RoomId;
use zetra_runtime::Config;
use zetra_socketio::{SocketId, SocketIo};
use zetra_socketio_object::{Storage, Task, bindings::ObjectState, handlers, new_id, now};

use crate::{
    application::AnyApplication,
    clients::{RoomClient, path as paths},
    embedding::{answer, authenticator, name, path, read, room_limits, verification},
    exchange::{Batch, Delivery, FromSession, Mailboxes},
    shell::{Kind, ObjectOf, Shell, in_session},
};

pub use gateway::{Gateway, GatewayCommand, GatewaySettings, KeptGuest};

mod gateway;

const GUEST: &str = "guest";
/// Version 1 stored the object's name here.
const NAME: &str = "name";
const GONE: u16 = 410;

#[wasm_bindgen]
pub struct Session(Rc<ObjectOf>, Rc<SessionShell>);

pub(crate) struct SessionShell {
    rooms: Mailboxes<FromSession>,
    /// Empty until somebody who calls tells it.
    name: RefCell<Option<String>>,
}

handlers!(Session);

#[wasm_bindgen]
impl Session {
    #[wasm_bindgen(constructor)]
    pub fn new(state: ObjectState, env: Env) -> Result<Self, JsError> {
        let shell = Rc::new(SessionShell { rooms: Mailboxes::new(), name: RefCell::new(None) });
        Ok(Self(Shell::object(state, env, Kind::Session(Rc::clone(&shell)))?, shell))
    }

    pub async fn fetch(&self, request: web_sys::Request) -> Result<web_sys::Response, JsValue> {
        let object = Rc::clone(&self.0);
        let _answering = object.answering();
        self.1.name.replace(Some(name(&request)?));
        if path(&request)? != paths::DELIVER {
            return Rc::clone(&object).serve(request).await;
        }
        let Batch { from, messages }: Batch<Delivery> = read(&request).await?;
        let session = |protocol: &SocketIo<AnyApplication>| {
            protocol.application().session().is_some_and(Gateway::is_connected)
        };
        let connected = object.query(session);
        let Some(room) = from.parse().ok().filter(|_| connected) else {
            let init = web_sys::ResponseInit::new();
            init.set_status(GONE);
            return web_sys::Response::new_with_opt_str_and_init(None, &init);
        };
        // What one delivery brings is one payload for a client that polls.
        in_session(&object, |gateway| gateway.deliver(room, messages));
        answer(&())
    }
}

impl SessionShell {
    pub fn application(
        &self,
        config: &Config,
        storage: &Storage,
        connected: Vec<(SocketId, KeptGuest)>,
    ) -> Gateway {
        let settings = GatewaySettings {
            authenticator: authenticator(config),
            limits: room_limits(config),
            report_interval: config.ping_interval_ms / 2,
            new_id,
        };
        let stored = storage.get(GUEST);
        let name = self.name.borrow().clone().or_else(|| storage.get(NAME));
        Gateway::restore(settings, name, stored.as_deref(), connected)
    }

    pub fn held(&self) -> usize {
        self.rooms.bytes()
    }
}

pub(crate) fn perform(
    object: &Rc<ObjectOf>,
    shell: &Rc<SessionShell>,
    gateway: &Gateway,
    command: GatewayCommand,
) -> Option<Task> {
    let storage = object.storage();
    let object = Rc::clone(object);
    match command {
        GatewayCommand::Store => {
            let done = storage.put(GUEST, &gateway.stored()?);
            (!done).then(|| -> Task { Box::pin(async move { in_session(&object, Gateway::not_stored) }) })
        }
        GatewayCommand::Forget => {
            storage.delete(GUEST);
            None
        }
        GatewayCommand::Verify { socket, user } => Some(Box::pin(async move {
            let verification = verification(&object.embedding().env, user).await;
            in_session(&object, |gateway| gateway.verified(socket, verification, now()));
        })),
        GatewayCommand::Tell { room, message } => {
            let begins = shell.rooms.post(&room.to_string(), message);
            let (shell, name) = (Rc::clone(shell), gateway.name().to_owned());
            begins.then(|| -> Task { Box::pin(tell(object, shell, name, room)) })
        }
    }
}

async fn tell(object: Rc<ObjectOf>, shell: Rc<SessionShell>, from: String, room: RoomId) {
    let told = match RoomClient::new(&object.embedding().env) {
        Ok(client) => {
            let (client, to) = (&client, room.to_string());
            let to = to.as_str();
            let send = |messages| {
                let batch = Batch { from: from.clone(), messages };
                async move { client.tell(to, &batch).await }
            };
            shell.rooms.deliver(to, send).await.is_ok()
        }
        Err(_) => false,
    };
    if !told {
        tracing::warn!(%room, "a room did not take what a client said");
        in_session(&object, |gateway| gateway.room_unreachable(room));
    }
}
