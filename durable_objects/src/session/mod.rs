//! One client that named no room: the shell around its [`Gateway`].
//!
//! The name of its object is the session's id. Its state is in its WebSocket's attachment; its
//! storage contains `guest`, the client's room, while it is in one.

use std::{cell::RefCell, rc::Rc};

use worker::Env;
use zetra_runtime::Config;
use zetra_socketio::{Effects, SocketId};
use zetra_socketio_object::{Storage, Task, new_id};

use crate::{
    clients::ROOMS,
    embedding::{authenticator, room_limits, verification},
    exchange::{BatchSender, FromSession, SendingObject},
};

pub use gateway::{Gateway, GatewayCommand, GatewaySettings, KeptClient};

mod gateway;

/// The row with the client's room.
pub(crate) const CLIENT_ROW: &str = "guest";
/// Version 1 stored the object's name here.
const NAME: &str = "name";

/// The object that performs the session's commands.
pub(crate) trait SessionObject: SendingObject {
    fn env(&self) -> &Env;

    fn storage(&self) -> &Storage;

    /// Runs `act` on the session, with the time, for something that came from elsewhere.
    fn act(&self, act: impl FnOnce(&mut Gateway, i64) -> Effects<'static, GatewayCommand>);
}

pub(crate) struct SessionShell {
    rooms: Rc<BatchSender<FromSession>>,
    /// Empty until a request contains it.
    name: RefCell<Option<String>>,
}

impl SessionShell {
    pub fn new(env: &Env) -> worker::Result<Rc<Self>> {
        let rooms = BatchSender::new(&env.durable_object(ROOMS)?);
        Ok(Rc::new(Self { rooms, name: RefCell::new(None) }))
    }

    /// Sets the session's name from a request.
    pub fn learn_name(&self, name: String) {
        self.name.replace(Some(name));
    }

    pub fn application(
        &self,
        config: &Config,
        storage: &Storage,
        connected: Vec<(SocketId, KeptClient)>,
    ) -> Gateway {
        let settings = GatewaySettings {
            authenticator: authenticator(config),
            limits: room_limits(config),
            report_interval: config.ping_interval_ms / 2,
            new_id,
        };
        let stored = storage.get(CLIENT_ROW);
        let name = self.name.borrow().clone().or_else(|| storage.get(NAME));
        Gateway::restore(settings, name, stored.as_deref(), connected)
    }

    pub fn held(&self) -> usize {
        self.rooms.bytes()
    }

    pub fn is_sending(&self) -> bool {
        self.rooms.is_sending()
    }

    pub fn is_sending_to(&self, room: &str) -> bool {
        self.rooms.is_sending_to(room)
    }
}

pub(crate) fn perform<O: SessionObject>(
    object: O,
    shell: &Rc<SessionShell>,
    gateway: &Gateway,
    command: GatewayCommand,
) -> Option<Task> {
    let storage = object.storage();
    match command {
        GatewayCommand::Store => {
            let done = storage.put(CLIENT_ROW, &gateway.stored()?);
            (!done)
                .then(|| -> Task { Box::pin(async move { object.act(|gateway, _| gateway.not_stored()) }) })
        }
        GatewayCommand::Forget => {
            storage.delete(CLIENT_ROW);
            None
        }
        GatewayCommand::Verify { socket, user } => Some(Box::pin(async move {
            let verification = verification(object.env(), user).await;
            object.act(|gateway, now| gateway.verified(socket, verification, now));
        })),
        GatewayCommand::Tell { room, message } => {
            shell.rooms.post(&object, &gateway.name(), &room.to_string(), message, move |object, _| {
                tracing::warn!(%room, "a room did not take what a client said");
                object.act(|gateway, _| gateway.room_unreachable(room));
            });
            None
        }
    }
}
