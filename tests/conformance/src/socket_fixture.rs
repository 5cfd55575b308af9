//! `/socket.io/`: the namespaces `/` and `/custom`, echo, acks; and, for our own tests, what else a
//! server can do (ask for an ack, send without warranty, disconnect).

use std::{convert::Infallible, rc::Rc};

use wasm_bindgen::prelude::*;
use worker::Env;
use zetra_socketio::{Application, Connect, Effect, Effects, Emission, Event, SocketId, engine::Departure};
use zetra_socketio_object::{Object, Standalone, bindings::ObjectState, handlers, new_id};

use crate::variables;

#[derive(Default)]
struct Echo {
    next_ack: u64,
}

type Answer<'a> = Effects<'a, Infallible>;

fn emit(to: SocketId, emission: Emission<'_>) -> Effect<'_, Infallible> {
    Effect::Emit { to: vec![to], emission }
}

impl Application for Echo {
    type Command = Infallible;
    type Kept = ();

    fn serves(&self, namespace: &str) -> bool {
        matches!(namespace, "/" | "/custom")
    }

    fn connect(&mut self, connect: Connect<'_>, _now: i64) -> Answer<'static> {
        let socket = connect.socket;
        let auth = connect.auth.unwrap_or("{}").to_owned();
        vec![Effect::Accept { socket, sid: new_id(), pid: None }, emit(socket, Emission::new("auth", auth))]
    }

    fn event<'a>(&mut self, socket: SocketId, event: Event<'a>, _now: i64) -> Answer<'a> {
        let Event { name, arguments, ack, attachments } = event;
        let arguments = arguments.join(",");
        let attachments: Vec<Rc<[u8]>> = attachments.into_iter().map(Rc::from).collect();
        match (name, ack) {
            (r#""message""#, _) => {
                vec![emit(socket, Emission { attachments, ..Emission::new("message-back", arguments) })]
            }
            (r#""message-with-ack""#, Some(id)) => {
                vec![Effect::Ack { socket, id, arguments, attachments }]
            }
            (r#""ask-me""#, _) => {
                let ack = Some(self.next_ack);
                self.next_ack += 1;
                vec![emit(socket, Emission { ack, ..Emission::new("question", arguments) })]
            }
            (r#""volatile""#, _) => {
                vec![emit(socket, Emission { volatile: true, ..Emission::new("volatile-back", arguments) })]
            }
            (r#""disconnect-me""#, _) => vec![Effect::Disconnect { socket, close: arguments == "true" }],
            _ => Vec::new(),
        }
    }

    fn acknowledged(&mut self, socket: SocketId, id: u64, arguments: &[&str], _now: i64) -> Answer<'static> {
        vec![emit(socket, Emission::new("answered", format!("{id},[{}]", arguments.join(","))))]
    }

    fn disconnected(&mut self, _: SocketId, _: Departure, _now: i64) -> Answer<'static> {
        Vec::new()
    }

    fn kept(&self, _: SocketId) -> Option<()> {
        Some(())
    }
}

#[wasm_bindgen]
pub struct SocketFixture(Rc<Object<Standalone<Echo>>>);

handlers!(SocketFixture);

#[wasm_bindgen]
impl SocketFixture {
    #[wasm_bindgen(constructor)]
    pub fn new(state: ObjectState, env: Env) -> Self {
        let (settings, limits) = (variables::settings(&env), variables::limits(&env));
        Self(Object::new(state, Standalone { settings, limits, restore: |_| Echo::default() }))
    }

    pub async fn fetch(&self, request: web_sys::Request) -> Result<web_sys::Response, JsValue> {
        self.0.clone().serve(request).await
    }
}
