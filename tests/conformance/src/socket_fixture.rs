//! `/socket.io/`: the namespaces `/` and `/custom`, echo, acks; and, for our own tests, what else a
//! server can do (ask for an ack, send without warranty, disconnect).

use std::{convert::Infallible, rc::Rc};

use wasm_bindgen::prelude::*;
use worker::Env;
use zetra_socketio::{
    Application, Connect, Effect, Effects, Emission, Event, Kept, Limits, SocketId, SocketIo,
    engine::{Departure, Frame, Mark, SessionKey, Settings},
};
use zetra_socketio_object::{Embedding, Object, Task, bindings::ObjectState, handlers, new_id};

use crate::variables;

#[derive(Default)]
struct Echo {
    next_ack: u64,
}

type Answer<'a> = Effects<'a, Infallible>;

fn emit(to: SocketId, emission: Emission<'_>) -> Effect<'_, Infallible> {
    Effect::Emit { to: vec![to], emission }
}

fn emission(name: &'static str, arguments: String) -> Emission<'static> {
    Emission { name: name.into(), arguments: Frame::whole(arguments), ..Emission::default() }
}

impl Application for Echo {
    type Command = Infallible;
    type Kept = ();

    fn serves(&self, namespace: &str) -> bool {
        matches!(namespace, "/" | "/custom")
    }

    fn may_open(&self, _: &str, _: &[&str]) -> bool {
        true
    }

    fn connect(&mut self, connect: Connect<'_>, _now: i64) -> Answer<'static> {
        let socket = connect.socket;
        let auth = connect.auth.unwrap_or("{}").to_owned();
        vec![Effect::Accept { socket, sid: new_id(), pid: None }, emit(socket, emission("auth", auth))]
    }

    fn event<'a>(&mut self, socket: SocketId, event: Event<'a>, _now: i64) -> Answer<'a> {
        let Event { name, arguments, ack, attachments } = event;
        let arguments = arguments.join(",");
        let attachments: Vec<Rc<[u8]>> = attachments.into_iter().map(Rc::from).collect();
        match (name, ack) {
            (r#""message""#, _) => {
                vec![emit(socket, Emission { attachments, ..emission("message-back", arguments) })]
            }
            (r#""message-with-ack""#, Some(id)) => {
                vec![Effect::Ack { socket, id, arguments, attachments }]
            }
            (r#""ask-me""#, _) => {
                let ack = Some(self.next_ack);
                self.next_ack += 1;
                vec![emit(socket, Emission { ack, ..emission("question", arguments) })]
            }
            (r#""volatile""#, _) => {
                vec![emit(socket, Emission { volatile: true, ..emission("volatile-back", arguments) })]
            }
            (r#""disconnect-me""#, _) => vec![Effect::Disconnect { socket, close: arguments == "true" }],
            _ => Vec::new(),
        }
    }

    fn acknowledged(&mut self, socket: SocketId, id: u64, arguments: &[&str], _now: i64) -> Answer<'static> {
        vec![emit(socket, emission("answered", format!("{id},[{}]", arguments.join(","))))]
    }

    fn disconnected(&mut self, _: SocketId, _: Departure, _now: i64) -> Answer<'static> {
        Vec::new()
    }

    fn tick(&mut self, _now: i64) -> Answer<'static> {
        Vec::new()
    }

    fn next_deadline(&self) -> Option<i64> {
        None
    }

    fn mark(&self, _: SocketId) -> Mark {
        0
    }

    fn arrived(&mut self, _: SocketId, _: Mark, _now: i64) -> Answer<'static> {
        Vec::new()
    }

    fn kept(&self, _: SocketId) -> Option<()> {
        Some(())
    }

    fn label(&self, _: &str) -> String {
        String::new()
    }

    fn held(&self) -> usize {
        0
    }

    fn needs_storage(&self) -> bool {
        false
    }
}

struct Fixture {
    settings: Settings,
    limits: Limits,
}

impl Embedding for Fixture {
    type Protocol = SocketIo<Echo>;

    fn settings(&self) -> Settings {
        self.settings
    }

    fn protocol(&self, _: &Object<Self>, kept: Vec<(SessionKey, Kept<()>)>) -> SocketIo<Echo> {
        SocketIo::restore(self.limits, kept, |_| Echo::default())
    }

    fn perform(_: &Rc<Object<Self>>, _: &SocketIo<Echo>, command: Infallible) -> Option<Task> {
        match command {}
    }
}

#[wasm_bindgen]
pub struct SocketFixture(Rc<Object<Fixture>>);

handlers!(SocketFixture);

#[wasm_bindgen]
impl SocketFixture {
    #[wasm_bindgen(constructor)]
    pub fn new(state: ObjectState, env: Env) -> Self {
        let fixture = Fixture { settings: variables::settings(&env), limits: variables::limits(&env) };
        Self(Object::new(state, fixture))
    }

    pub async fn fetch(&self, request: web_sys::Request) -> Result<web_sys::Response, JsValue> {
        self.0.clone().serve(request).await
    }
}
