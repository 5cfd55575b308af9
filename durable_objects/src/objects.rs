//! The interface of the Room and the Session object to the runtime and the Worker.

use std::rc::Rc;

use js_sys::{JsString, Promise};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::future_to_promise;
use worker::Env;
use zetra_runtime::request_id;
use zetra_signalling::{HostAction, Revocation};
use zetra_socketio::SocketIo;
use zetra_socketio_object::{bindings::ObjectState, handlers, text};

use crate::{
    application::AnyApplication,
    clients::path as paths,
    embedding::{answer, object_name, path, read},
    exchange::{Batch, Delivery, FromSession},
    room::{RoomApplication, RoomObject, RoomShell},
    session::{Gateway, SessionObject, SessionShell},
    shell::{Kind, ObjectOf, Shell},
};

#[wasm_bindgen]
pub struct Room(Rc<ObjectOf>, Rc<RoomShell>);

#[wasm_bindgen]
pub struct Session(Rc<ObjectOf>, Rc<SessionShell>);

handlers!(Room);
handlers!(Session);

#[wasm_bindgen]
impl Room {
    #[wasm_bindgen(constructor)]
    pub fn new(state: ObjectState, env: Env) -> Result<Self, JsError> {
        let shell = RoomShell::new(&env)?;
        let object = Shell::object(state, env, Kind::Room(Rc::clone(&shell)))?;
        Ok(Self(object, shell))
    }

    /// Takes a batch of a Session object; `name` is the room's id. Returns whether it was accepted.
    #[wasm_bindgen(js_name = receiveBatch)]
    pub fn receive_batch(&self, name: &str, batch: &JsString) -> bool {
        let Self(object, shell) = self;
        shell.learn_id(name);
        let Some(Batch::<FromSession> { from, messages }) = text(batch, Batch::read) else { return false };
        for message in messages {
            RoomObject::act(object, |room, now| room.from_session(&from, message, now));
        }
        true
    }

    pub fn fetch(&self, request: web_sys::Request) -> Promise {
        let Self(object, shell) = self;
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
    shell.learn_id(&object_name(&request)?);
    match path(&request)?.as_str() {
        paths::ONLINE => {
            let online = |protocol: &SocketIo<AnyApplication>| {
                protocol.application().room().map(RoomApplication::online)
            };
            answer(&object.query(online).unwrap_or_default())
        }
        paths::REVOKE => {
            let revoke = async {
                let revocation: Revocation = read(&request).await?;
                RoomObject::act(&object, |room, now| room.revoke(&revocation, now));
                answer(&())
            };
            request_id::scope_of(id_of(&request), revoke).await
        }
        paths::HOST => {
            let host_acts = async {
                let action: HostAction = read(&request).await?;
                RoomObject::act(&object, |room, now| room.host_acts(action, now));
                answer(&())
            };
            request_id::scope_of(id_of(&request), host_acts).await
        }
        _ => Rc::clone(&object).serve(request).await,
    }
}

/// The id of the request on whose behalf the Worker asks.
fn id_of(request: &web_sys::Request) -> Option<String> {
    request.headers().get(request_id::HEADER).ok().flatten()
}

#[wasm_bindgen]
impl Session {
    #[wasm_bindgen(constructor)]
    pub fn new(state: ObjectState, env: Env) -> Result<Self, JsError> {
        let shell = SessionShell::new(&env)?;
        let object = Shell::object(state, env, Kind::Session(Rc::clone(&shell)))?;
        Ok(Self(object, shell))
    }

    /// Takes a batch of a room; `name` is the Session's. Returns whether it was accepted.
    #[wasm_bindgen(js_name = receiveBatch)]
    pub fn receive_batch(&self, name: String, batch: &JsString) -> bool {
        let Self(object, shell) = self;
        shell.learn_name(name);
        let is_connected = object.query(|protocol: &SocketIo<AnyApplication>| {
            protocol.application().session().is_some_and(Gateway::is_connected)
        });
        let Some(Batch::<Delivery> { from, messages }) = text(batch, Batch::read) else { return false };
        // The last words of a client that is gone may still be on their way to the room, its goodbye with them. A
        // refusal would overtake them: the room would give the client up and hear nothing more of it.
        if !is_connected && !shell.is_sending_to(&from) {
            return false;
        }
        let Ok(room) = from.parse() else { return false };
        // All messages of one delivery form one payload for a polling client.
        SessionObject::act(object, |gateway, _| gateway.deliver(room, messages));
        true
    }

    pub fn fetch(&self, request: web_sys::Request) -> Promise {
        let Self(object, shell) = self;
        let (object, shell) = (Rc::clone(object), Rc::clone(shell));
        future_to_promise(async move {
            let _answering = object.answering();
            shell.learn_name(object_name(&request)?);
            Rc::clone(&object).serve(request).await.map(JsValue::from)
        })
    }
}
