//! `/engine.io/`: every message comes back, text as text, binary as binary.

use std::{convert::Infallible, rc::Rc};

use wasm_bindgen::prelude::*;
use worker::Env;
use zetra_socketio::engine::{
    Departure, Frame, Mark, MayOpen, Message, Outbox, Output, Protocol, SessionKey, Settings, Violation,
};
use zetra_socketio_object::{Embedding, Object, Task, bindings::ObjectState, handlers};

use crate::variables;

struct Echo;

impl Protocol for Echo {
    type Command = Infallible;
    type Kept = ();

    fn may_open(&self, _: &str, _: &[(SessionKey, &str)]) -> MayOpen {
        MayOpen::Yes
    }

    fn open(&mut self, _session: SessionKey, _handshake: &str, _now: i64) {}

    fn text<'a>(
        &mut self,
        session: SessionKey,
        message: &'a str,
        _now: i64,
        out: &mut Outbox<'a, Infallible>,
    ) -> Result<(), Violation> {
        let frame = Frame { head: "4".to_owned(), relayed: message, ..Frame::default() };
        out.push(Output::Send { to: vec![session], message: Message::Text(frame), volatile: false });
        Ok(())
    }

    fn binary(
        &mut self,
        session: SessionKey,
        message: Vec<u8>,
        _now: i64,
        out: &mut Outbox<'_, Infallible>,
    ) -> Result<(), Violation> {
        let message = Message::Binary(message.into());
        out.push(Output::Send { to: vec![session], message, volatile: false });
        Ok(())
    }

    fn closed(&mut self, _: SessionKey, _: Departure, _now: i64, _out: &mut Outbox<'_, Infallible>) {}

    fn tick(&mut self, _now: i64, _out: &mut Outbox<'_, Infallible>) {}

    fn next_deadline(&self) -> Option<i64> {
        None
    }

    fn mark(&self, _: SessionKey) -> Mark {
        0
    }

    fn arrived(&mut self, _: SessionKey, _: Mark, _now: i64, _out: &mut Outbox<'_, Infallible>) {}

    fn kept(&self, _session: SessionKey) -> Option<()> {
        Some(())
    }

    fn label(&self, session: SessionKey) -> String {
        session.to_string()
    }

    fn held_for(&self, _: SessionKey) -> usize {
        0
    }

    fn held(&self) -> usize {
        0
    }

    fn needs_storage(&self) -> bool {
        false
    }
}

struct Fixture(Settings);

impl Embedding for Fixture {
    type Protocol = Echo;

    fn settings(&self) -> Settings {
        self.0
    }

    fn protocol(&self, _: &Object<Self>, _kept: Vec<(SessionKey, ())>) -> Echo {
        Echo
    }

    fn perform(_: &Rc<Object<Self>>, _: &Echo, command: Infallible) -> Option<Task> {
        match command {}
    }
}

#[wasm_bindgen]
pub struct EngineFixture(Rc<Object<Fixture>>);

handlers!(EngineFixture);

#[wasm_bindgen]
impl EngineFixture {
    #[wasm_bindgen(constructor)]
    pub fn new(state: ObjectState, env: Env) -> Self {
        Self(Object::new(state, Fixture(variables::engine_settings(&env))))
    }

    pub async fn fetch(&self, request: web_sys::Request) -> Result<web_sys::Response, JsValue> {
        self.0.clone().serve(request).await
    }
}
