//! One [`Embedding`] for the Room and the Session object: the shared parts, and which of the two it is.

use std::rc::Rc;

use js_sys::Promise;
use wasm_bindgen::JsError;
use worker::Env;
use zetra_runtime::{Config, Webhook};
use zetra_socketio::{
    Effects, Kept, Limits, SocketIo,
    engine::{SessionKey, Settings},
};
use zetra_socketio_object::{Embedding, Object, Storage, Task, bindings::ObjectState};

use crate::{
    application::{AnyApplication, AnyCommand, AnyKept},
    authenticator::Handshake,
    embedding,
    exchange::SendingObject,
    room::{self, RoomApplication, RoomCommand, RoomObject, RoomShell},
    session::{self, Gateway, GatewayCommand, SessionObject, SessionShell},
};

pub(crate) struct Shell {
    env: Env,
    config: Config,
    settings: Settings,
    kind: Kind,
}

pub(crate) enum Kind {
    Room(Rc<RoomShell>),
    Session(Rc<SessionShell>),
}

pub(crate) type ObjectOf = Object<Shell>;

impl Shell {
    pub fn object(state: ObjectState, env: Env, kind: Kind) -> Result<Rc<ObjectOf>, JsError> {
        let config = embedding::config(&env)?;
        let settings = embedding::settings(&config);
        Ok(Object::new(state, Self { env, config, settings, kind }))
    }
}

impl SendingObject for Rc<ObjectOf> {
    fn wait_until(&self, promise: &Promise) {
        Object::wait_until(self, promise);
    }

    fn downgrade(&self) -> impl Fn() -> Option<Self> + use<> + 'static {
        let object = Rc::downgrade(self);
        move || object.upgrade()
    }
}

impl RoomObject for Rc<ObjectOf> {
    fn webhook(&self) -> Option<&Webhook> {
        self.embedding().config.webhook.as_ref()
    }

    fn env(&self) -> &Env {
        &self.embedding().env
    }

    fn storage(&self) -> &Storage {
        Object::storage(self)
    }

    fn delete_all(&self) {
        Object::delete_all(self);
    }

    fn act(&self, act: impl FnOnce(&mut RoomApplication, i64) -> Effects<'static, RoomCommand>) {
        Object::act(self, |protocol, out, now| {
            protocol.act(now, out, |application| application.in_room(|room| act(room, now)));
        });
    }
}

impl SessionObject for Rc<ObjectOf> {
    fn env(&self) -> &Env {
        &self.embedding().env
    }

    fn storage(&self) -> &Storage {
        Object::storage(self)
    }

    fn act(&self, act: impl FnOnce(&mut Gateway, i64) -> Effects<'static, GatewayCommand>) {
        Object::act(self, |protocol, out, now| {
            protocol.act(now, out, |application| application.in_session(|gateway| act(gateway, now)));
        });
    }
}

impl Embedding for Shell {
    type Protocol = SocketIo<AnyApplication>;

    fn settings(&self) -> Settings {
        self.settings
    }

    fn protocol(
        &self,
        object: &ObjectOf,
        kept: Vec<(SessionKey, Kept<AnyKept>)>,
    ) -> SocketIo<AnyApplication> {
        let room = match &self.kind {
            Kind::Room(shell) => shell.id().or_else(|| Handshake::room_of(&kept)),
            Kind::Session(_) => None,
        };
        SocketIo::restore(Limits::default(), kept, |connected| match &self.kind {
            Kind::Room(shell) => {
                let of_room = |(socket, kept)| match kept {
                    AnyKept::Room(kept) => Some((socket, kept)),
                    AnyKept::Session(_) => None,
                };
                let connected = connected.into_iter().filter_map(of_room).collect();
                AnyApplication::Room(Box::new(shell.application(
                    &self.config,
                    object.storage(),
                    room,
                    connected,
                )))
            }
            Kind::Session(shell) => {
                let of_session = |(socket, kept)| match kept {
                    AnyKept::Session(kept) => Some((socket, kept)),
                    AnyKept::Room(_) => None,
                };
                let connected = connected.into_iter().filter_map(of_session).collect();
                let application = shell.application(&self.config, object.storage(), connected);
                AnyApplication::Session(Box::new(application))
            }
        })
    }

    fn held(&self) -> usize {
        match &self.kind {
            Kind::Room(shell) => shell.held(),
            Kind::Session(shell) => shell.held(),
        }
    }

    fn is_busy(&self) -> bool {
        match &self.kind {
            Kind::Room(shell) => shell.is_sending(),
            Kind::Session(shell) => shell.is_sending(),
        }
    }

    fn perform(
        object: &Rc<ObjectOf>,
        protocol: &SocketIo<AnyApplication>,
        command: AnyCommand,
    ) -> Option<Task> {
        let application = protocol.application();
        match (&object.embedding().kind, command) {
            (Kind::Room(shell), AnyCommand::Room(command)) => {
                room::perform(Rc::clone(object), shell, application.room()?, command)
            }
            (Kind::Session(shell), AnyCommand::Session(command)) => {
                session::perform(Rc::clone(object), shell, application.session()?, command)
            }
            // Each application emits only its own commands.
            (Kind::Room(_), AnyCommand::Session(_)) | (Kind::Session(_), AnyCommand::Room(_)) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_frame_is_no_larger_than_the_largest_event() {
        assert!(zetra_socketio::engine::Limits::default().max_payload <= zetra_signalling::MAX_EVENT_BYTES);
    }
}
