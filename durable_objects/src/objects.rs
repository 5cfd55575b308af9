//! The interface of the Room and the Session object to the runtime and the Worker.

use std::rc::Rc;

use js_sys::Promise;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::future_to_promise;
use worker::Env;
use zetra_signalling::{HostAction, Revocation};
use zetra_socketio::SocketIo;
use zetra_socketio_object::{bindings::ObjectState, handlers, now};

use crate::{
    application::AnyApplication,
    clients::path as paths,
    embedding::{answer, name, path, read},
    exchange::{ACCEPTED, Batch, BatchReceiver, DELIVER, Delivery, FromSession, GONE, TELL, addressee},
    room::{RoomApplication, RoomObject, RoomShell},
    session::{Gateway, SessionObject, SessionShell},
    shell::{Kind, ObjectOf, Shell},
};

#[wasm_bindgen]
pub struct Room(Rc<ObjectOf>, Rc<RoomShell>, BatchReceiver<Shell>);

#[wasm_bindgen]
pub struct Session(Rc<ObjectOf>, Rc<SessionShell>, BatchReceiver<Shell>);

handlers!(Room);
handlers!(Session);

#[wasm_bindgen]
impl Room {
    #[wasm_bindgen(constructor)]
    pub fn new(state: ObjectState, env: Env) -> Result<Self, JsError> {
        let shell = RoomShell::new(&env)?;
        let object = Shell::object(state, env, Kind::Room(Rc::clone(&shell)))?;
        let incoming = BatchReceiver::new(&object, |object, Batch::<FromSession> { from, messages }| {
            for message in messages {
                RoomObject::act(object, |room| room.from_session(&from, message, now()));
            }
            ACCEPTED
        });
        Ok(Self(object, shell, incoming))
    }

    pub fn fetch(&self, request: web_sys::Request) -> Promise {
        let Self(object, shell, incoming) = self;
        if let Some(name) = addressee(&request, TELL) {
            shell.name(&name);
            return incoming.receive(object, &request);
        }
        let (object, shell) = (Rc::clone(object), Rc::clone(shell));
        future_to_promise(async move { serve_room(object, &shell, request).await.map(JsValue::from) })
    }
}

async fn serve_room(
    object: Rc<ObjectOf>,
    shell: &RoomShell,
    request: web_sys::Request,
) -> Result<web_sys::Response, JsValue> {
    let _answering = object.answering();
    shell.name(&name(&request)?);
    match path(&request)?.as_str() {
        paths::ONLINE => {
            let online = |protocol: &SocketIo<AnyApplication>| {
                protocol.application().room().map(RoomApplication::online)
            };
            answer(&object.query(online).unwrap_or_default())
        }
        paths::REVOKE => {
            let revocation: Revocation = read(&request).await?;
            RoomObject::act(&object, |room| room.revoke(&revocation, now()));
            answer(&())
        }
        paths::HOST => {
            let action: HostAction = read(&request).await?;
            RoomObject::act(&object, |room| room.host_acts(action, now()));
            answer(&())
        }
        _ => Rc::clone(&object).serve(request).await,
    }
}

#[wasm_bindgen]
impl Session {
    #[wasm_bindgen(constructor)]
    pub fn new(state: ObjectState, env: Env) -> Result<Self, JsError> {
        let shell = SessionShell::new(&env)?;
        let object = Shell::object(state, env, Kind::Session(Rc::clone(&shell)))?;
        let incoming = BatchReceiver::new(&object, |object, Batch::<Delivery> { from, messages }| {
            let connected = object.query(|protocol: &SocketIo<AnyApplication>| {
                protocol.application().session().is_some_and(Gateway::is_connected)
            });
            let Some(room) = from.parse().ok().filter(|_| connected) else { return GONE };
            // All messages of one delivery form one payload for a polling client.
            SessionObject::act(object, |gateway| gateway.deliver(room, messages));
            ACCEPTED
        });
        Ok(Self(object, shell, incoming))
    }

    pub fn fetch(&self, request: web_sys::Request) -> Promise {
        let Self(object, shell, incoming) = self;
        if let Some(name) = addressee(&request, DELIVER) {
            shell.name(name);
            return incoming.receive(object, &request);
        }
        let (object, shell) = (Rc::clone(object), Rc::clone(shell));
        future_to_promise(async move {
            let _answering = object.answering();
            shell.name(name(&request)?);
            Rc::clone(&object).serve(request).await.map(JsValue::from)
        })
    }
}
