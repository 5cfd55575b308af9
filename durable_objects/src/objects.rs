//! The interface of the Room and the Session object to the runtime and the Worker.

use std::rc::Rc;

use wasm_bindgen::prelude::*;
use worker::Env;
use zetra_signalling::{HostAction, Revocation};
use zetra_socketio::SocketIo;
use zetra_socketio_object::{bindings::ObjectState, handlers, now};

use crate::{
    application::AnyApplication,
    clients::path as paths,
    embedding::{answer, name, path, read},
    exchange::{Batch, Delivery, FromSession},
    room::{RoomApplication, RoomObject, RoomShell},
    session::{Gateway, SessionObject, SessionShell},
    shell::{Kind, ObjectOf, Shell},
};

const GONE: u16 = 410;

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
        let shell = RoomShell::new();
        Ok(Self(Shell::object(state, env, Kind::Room(Rc::clone(&shell)))?, shell))
    }

    pub async fn fetch(&self, request: web_sys::Request) -> Result<web_sys::Response, JsValue> {
        let object = Rc::clone(&self.0);
        let _answering = object.answering();
        self.1.name(&name(&request)?);
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
            paths::TELL => {
                let Batch { from, messages }: Batch<FromSession> = read(&request).await?;
                for message in messages {
                    RoomObject::act(&object, |room| room.from_session(&from, message, now()));
                }
                answer(&())
            }
            _ => Rc::clone(&object).serve(request).await,
        }
    }
}

#[wasm_bindgen]
impl Session {
    #[wasm_bindgen(constructor)]
    pub fn new(state: ObjectState, env: Env) -> Result<Self, JsError> {
        let shell = SessionShell::new();
        Ok(Self(Shell::object(state, env, Kind::Session(Rc::clone(&shell)))?, shell))
    }

    pub async fn fetch(&self, request: web_sys::Request) -> Result<web_sys::Response, JsValue> {
        let object = Rc::clone(&self.0);
        let _answering = object.answering();
        self.1.name(name(&request)?);
        if path(&request)? != paths::DELIVER {
            return Rc::clone(&object).serve(request).await;
        }
        let Batch { from, messages }: Batch<Delivery> = read(&request).await?;
        let connected = object.query(|protocol: &SocketIo<AnyApplication>| {
            protocol.application().session().is_some_and(Gateway::is_connected)
        });
        let Some(room) = from.parse().ok().filter(|_| connected) else {
            let init = web_sys::ResponseInit::new();
            init.set_status(GONE);
            return web_sys::Response::new_with_opt_str_and_init(None, &init);
        };
        // All messages of one delivery form one payload for a polling client.
        SessionObject::act(&object, |gateway| gateway.deliver(room, messages));
        answer(&())
    }
}
