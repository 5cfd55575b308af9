//! The Session object: the shell around the [`Gateway`] of one client that named no room.
//!
//! Its name is the session's id. What it must remember is in its WebSocket's attachment; in its
//! storage is `guest`, the client's room, while it is in one.

use std::{cell::RefCell, rc::Rc};

use wasm_bindgen::prelude::*;
use worker::Env;
use zetra_domain::RoomId;
use zetra_runtime::Config;
use zetra_socketio::{
    Effects, Kept, Limits, SocketIo,
    engine::{SessionKey, Settings},
};
use zetra_socketio_object::{Embedding, Object, Task, bindings::ObjectState, handlers, new_id, now};

use crate::{
    clients::{RoomClient, path as paths},
    embedding::{answer, authenticator, config, name, path, read, room_limits, settings, verification},
    exchange::{Batch, Delivery, FromSession, Mailboxes},
};

pub use gateway::{Gateway, GatewayCommand, GatewaySettings, KeptGuest};

mod gateway;

const GUEST: &str = "guest";
/// Version 1 stored the object's name here.
const NAME: &str = "name";
const GONE: u16 = 410;

#[wasm_bindgen]
pub struct Session(Rc<Object<Shell>>);

struct Shell {
    env: Env,
    config: Config,
    settings: Settings,
    rooms: Mailboxes<FromSession>,
    /// Empty until somebody who calls tells it.
    name: RefCell<Option<String>>,
}

handlers!(Session);

#[wasm_bindgen]
impl Session {
    #[wasm_bindgen(constructor)]
    pub fn new(state: ObjectState, env: Env) -> Result<Self, JsError> {
        let config = config(&env)?;
        let (settings, rooms, name) = (settings(&config), Mailboxes::new(), RefCell::new(None));
        Ok(Self(Object::new(state, Shell { env, config, settings, rooms, name })))
    }

    pub async fn fetch(&self, request: web_sys::Request) -> Result<web_sys::Response, JsValue> {
        let object = Rc::clone(&self.0);
        let _answering = object.answering();
        object.embedding().name.replace(Some(name(&request)?));
        if path(&request)? != paths::DELIVER {
            return Rc::clone(&object).serve(request).await;
        }
        let Batch { from, messages }: Batch<Delivery> = read(&request).await?;
        let connected = object.query(|protocol| protocol.application().is_connected());
        let Some(room) = from.parse().ok().filter(|_| connected) else {
            let init = web_sys::ResponseInit::new();
            init.set_status(GONE);
            return web_sys::Response::new_with_opt_str_and_init(None, &init);
        };
        // What one delivery brings is one payload for a client that polls.
        act(&object, |gateway| gateway.deliver(room, messages));
        answer(&())
    }
}

impl Embedding for Shell {
    type Protocol = SocketIo<Gateway>;

    fn settings(&self) -> Settings {
        self.settings
    }

    fn protocol(&self, object: &Object<Self>, kept: Vec<(SessionKey, Kept<KeptGuest>)>) -> SocketIo<Gateway> {
        let settings = GatewaySettings {
            authenticator: authenticator(&self.config),
            limits: room_limits(&self.config),
            report_interval: self.config.ping_interval_ms / 2,
            new_id,
        };
        let stored = object.storage().get(GUEST);
        let name = self.name.borrow().clone().or_else(|| object.storage().get(NAME));
        SocketIo::restore(Limits::default(), kept, |connected| {
            Gateway::restore(settings, name, stored.as_deref(), connected)
        })
    }

    fn held(&self) -> usize {
        self.rooms.bytes()
    }

    fn perform(
        object: &Rc<Object<Self>>,
        protocol: &SocketIo<Gateway>,
        command: GatewayCommand,
    ) -> Option<Task> {
        let storage = object.storage();
        let object = Rc::clone(object);
        match command {
            GatewayCommand::Store => {
                let stored = protocol.application().stored()?;
                let done = storage.put(GUEST, &stored);
                (!done).then(|| -> Task { Box::pin(async move { act(&object, Gateway::not_stored) }) })
            }
            GatewayCommand::Forget => {
                storage.delete(GUEST);
                None
            }
            GatewayCommand::Verify { socket, user } => Some(Box::pin(async move {
                let verification = verification(&object.embedding().env, user).await;
                act(&object, |gateway| gateway.verified(socket, verification, now()));
            })),
            GatewayCommand::Tell { room, message } => {
                let begins = object.embedding().rooms.post(&room.to_string(), message);
                begins.then(|| -> Task { Box::pin(tell(object, room)) })
            }
        }
    }
}

async fn tell(object: Rc<Object<Shell>>, room: RoomId) {
    let shell = object.embedding();
    let told = match RoomClient::new(&shell.env) {
        Ok(client) => {
            let from = object.query(|protocol| protocol.application().name().to_owned());
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
        act(&object, |gateway| gateway.room_unreachable(room));
    }
}

fn act(object: &Rc<Object<Shell>>, act: impl FnOnce(&mut Gateway) -> Effects<'static, GatewayCommand>) {
    object.act(|protocol, out| protocol.act(now(), out, act));
}
