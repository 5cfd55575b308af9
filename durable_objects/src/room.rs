//! The Room object: one room's WebSockets, and the shell around its [`Switchboard`].
//!
//! It accepts, gives frames to the switchboard and performs what follows. It is written against
//! wasm-bindgen directly, not with `#[durable_object]`: that macro makes every message a future and a
//! promise, and a relayed message needs neither.
//!
//! The object sleeps between events. What it must remember is in its sockets' attachments and, for
//! members without a socket, in its storage under [`HELD`].

use std::{
    cell::{RefCell, RefMut},
    rc::Rc,
    sync::Arc,
};

use base64ct::{Base64UrlUnpadded, Encoding};
use js_sys::{JsString, Uint8Array};
use serde::{Deserialize, Serialize};
use vecmap::VecMap;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::future_to_promise;
use worker::{Env, Request, Response, WebSocketPair};
use zetra_domain::{RoomId, UserId};
use zetra_signalling::{Admission, Held};
use zetra_socketio::Timing;
use zetra_store::Store;

use crate::{
    Action, Attachment, Config, ConnectionId, Frame, Settings, Switchboard, Verification,
    bindings::{ObjectState, Socket, SocketIds},
    now, open_store,
    room_client::{ROOM_HEADER, path},
    text::{Source, TextIn, TextOut},
};

const HELD: &str = "held";
/// Bytes of a frame; told to clients as `maxPayload`.
const MAX_PAYLOAD: u32 = 1_000_000;

#[wasm_bindgen]
pub struct Room(Rc<Object>);

struct Object {
    state: ObjectState,
    env: Env,
    /// Empty until somebody connects, or what was stored is found again.
    live: RefCell<Option<Live>>,
    text_in: RefCell<TextIn>,
}

struct Live {
    switchboard: Switchboard,
    sockets: VecMap<ConnectionId, Socket>,
    /// Socket → connection id, by the identity of the JavaScript object.
    ids: SocketIds,
    room: RoomId,
    alarm: Option<i64>,
    text_out: TextOut,
}

#[derive(Serialize, Deserialize)]
struct StoredHeld {
    room: RoomId,
    members: Vec<Held>,
}

/// What only the store can answer.
enum Question {
    Verify { connection: ConnectionId, user: UserId },
    Lookup { connection: ConnectionId, user: UserId, ack: Option<u64> },
}

#[wasm_bindgen]
impl Room {
    #[wasm_bindgen(constructor)]
    pub fn new(state: ObjectState, env: Env) -> Self {
        let text_in = RefCell::new(TextIn::new());
        Self(Rc::new(Object { state, env, live: RefCell::new(None), text_in }))
    }

    pub async fn fetch(&self, request: web_sys::Request) -> Result<web_sys::Response, JsValue> {
        let response = self.0.clone().answer(request.into()).await;
        Ok(response.map_err(|error| JsError::new(&error.to_string()))?.into())
    }

    /// Answers with a promise only where the store has to be asked.
    #[wasm_bindgen(js_name = webSocketMessage)]
    pub fn web_socket_message(&self, socket: Socket, message: JsValue) -> JsValue {
        let questions = match message.dyn_into::<JsString>() {
            Ok(text) => self.0.receive_text(&socket, &text),
            Err(bytes) => self.0.receive_binary(&socket, &Uint8Array::new(&bytes)),
        };
        self.0.clone().ask_later(questions)
    }

    #[wasm_bindgen(js_name = webSocketClose)]
    pub fn web_socket_close(&self, socket: Socket, code: u16, _reason: JsValue, _was_clean: bool) -> JsValue {
        self.0.closed(&socket, Some(code));
        // Completes the closing handshake where the runtime has not done so already.
        let _ = socket.close();
        JsValue::UNDEFINED
    }

    #[wasm_bindgen(js_name = webSocketError)]
    pub fn web_socket_error(&self, socket: Socket, _error: JsValue) -> JsValue {
        self.0.closed(&socket, None);
        JsValue::UNDEFINED
    }

    pub fn alarm(&self) -> JsValue {
        let questions = self.0.with_live(|object, live| {
            live.alarm = None;
            let actions = live.switchboard.tick(now());
            object.perform(live, actions, None)
        });
        self.0.clone().ask_later(questions.unwrap_or_default())
    }
}

impl Object {
    async fn answer(self: Rc<Self>, mut request: Request) -> worker::Result<Response> {
        let room = request.headers().get(ROOM_HEADER)?.and_then(|room| room.parse::<RoomId>().ok());
        let room = room.ok_or_else(|| worker::Error::from("no room id"))?;
        match request.path().as_str() {
            path::CONNECT => self.connect(room, &request),
            path::ONLINE => {
                let online = self.with_live(|_, live| live.switchboard.online());
                Response::from_json(&online.unwrap_or_default())
            }
            path::REVOKE => {
                let revocation = serde_json::from_str(&request.text().await?)?;
                self.with_live(|object, live| {
                    let actions = live.switchboard.revoke(&revocation);
                    object.perform(live, actions, None)
                });
                Response::empty()
            }
            _ => Response::error("unknown path", 404),
        }
    }

    fn connect(&self, room: RoomId, request: &Request) -> worker::Result<Response> {
        let bearer = request.headers().get("authorization")?;
        let WebSocketPair { client, server } = WebSocketPair::new()?;
        let socket: Socket = server.as_ref().clone().unchecked_into();
        self.state.accept_web_socket(&socket);
        if self.live().is_none() {
            self.live.replace(Some(self.start(room, Vec::new(), Vec::new())?));
        }
        self.with_live(|object, live| {
            let (id, actions) = live.switchboard.open(bearer.as_deref(), now());
            live.ids.set(&socket, id);
            live.sockets.insert(id, socket);
            object.perform(live, actions, None)
        });
        Response::from_websocket(client)
    }

    fn receive_text(&self, socket: &Socket, text: &JsString) -> Vec<Question> {
        let units = text.length();
        self.with_connection(socket, |object, live, id| {
            if units > MAX_PAYLOAD {
                let actions = live.switchboard.oversize(id, now());
                return object.perform(live, actions, None);
            }
            object.text_in.borrow_mut().copy(text, units, |frame| {
                let actions = live.switchboard.receive_text(id, frame, now());
                object.perform(live, actions, Some(Source { frame, text, units }))
            })
        })
    }

    fn receive_binary(&self, socket: &Socket, bytes: &Uint8Array) -> Vec<Question> {
        self.with_connection(socket, |object, live, id| {
            let actions = if bytes.length() > MAX_PAYLOAD {
                live.switchboard.oversize(id, now())
            } else {
                live.switchboard.receive_binary(id, bytes.to_vec(), now())
            };
            object.perform(live, actions, None)
        })
    }

    fn closed(&self, socket: &Socket, code: Option<u16>) {
        self.with_connection(socket, |object, live, id| {
            let actions = live.switchboard.closed(id, code, now());
            live.forget(id);
            object.perform(live, actions, None)
        });
    }

    /// A promise that is kept when the store has answered, or `undefined`.
    fn ask_later(self: Rc<Self>, questions: Vec<Question>) -> JsValue {
        if questions.is_empty() {
            return JsValue::UNDEFINED;
        }
        let asked = async move {
            self.ask(questions).await;
            Ok(JsValue::UNDEFINED)
        };
        future_to_promise(asked).into()
    }

    /// Asks the store and lets the switchboard go on; what it asks then is asked too.
    async fn ask(&self, mut questions: Vec<Question>) {
        let store = open_store(&self.env);
        while let Some(question) = questions.pop() {
            let more = match question {
                Question::Verify { connection, user } => {
                    let verification = verification(&store, user).await;
                    self.with_live(|object, live| {
                        let actions = live.switchboard.verified(connection, verification, now());
                        object.perform(live, actions, None)
                    })
                }
                Question::Lookup { connection, user, ack } => {
                    let room = self.with_live(|_, live| live.room);
                    let admission = admission(&store, room, user).await;
                    self.with_live(|object, live| {
                        let actions = live.switchboard.admitted(connection, user, ack, admission, now());
                        object.perform(live, actions, None)
                    })
                }
            };
            questions.extend(more.unwrap_or_default());
        }
    }

    /// Performs in order, never waits, and gives back what the store has to answer.
    fn perform(
        &self,
        live: &mut Live,
        actions: Vec<Action<'_>>,
        source: Option<Source<'_>>,
    ) -> Vec<Question> {
        let mut questions = Vec::new();
        for action in actions {
            match action {
                Action::Send { to, frame } => live.send(&to, &frame, source),
                Action::Close { connection, code } => live.close(connection, code),
                Action::Verify { connection, user } => {
                    questions.push(Question::Verify { connection, user });
                }
                Action::Lookup { connection, user, ack } => {
                    questions.push(Question::Lookup { connection, user, ack });
                }
                Action::Attach(connection) => live.attach(connection),
                Action::StoreHeld => self.store_held(live),
            }
        }
        if let Some(at) = live.switchboard.next_deadline().filter(|at| live.alarm.is_none_or(|set| *at < set))
        {
            live.alarm = Some(at);
            // The runtime keeps the object until the write is done; there is nothing to wait for.
            let _ = self.state.storage().set_alarm(at as f64);
        }
        questions
    }

    fn store_held(&self, live: &Live) {
        let kv = self.state.storage().kv();
        let members = live.switchboard.held().to_vec();
        if members.is_empty() {
            kv.delete(HELD);
        } else if let Ok(stored) = serde_json::to_string(&StoredHeld { room: live.room, members }) {
            kv.put(HELD, &stored);
        }
    }

    fn with_connection(
        &self,
        socket: &Socket,
        act: impl FnOnce(&Self, &mut Live, ConnectionId) -> Vec<Question>,
    ) -> Vec<Question> {
        let acted = self.with_live(|object, live| {
            let id = live.ids.get(socket)?;
            Some(act(object, live, id))
        });
        acted.flatten().unwrap_or_default()
    }

    fn with_live<T>(&self, act: impl FnOnce(&Self, &mut Live) -> T) -> Option<T> {
        self.live().as_mut().map(|live| act(self, live))
    }

    /// The room as it is, woken up if it slept; empty where nobody was ever here.
    fn live(&self) -> RefMut<'_, Option<Live>> {
        let mut live = self.live.borrow_mut();
        if live.is_none() {
            match self.wake_up() {
                Ok(woken) => *live = woken,
                Err(error) => tracing::error!(%error, "the room cannot be restored"),
            }
        }
        live
    }

    fn wake_up(&self) -> worker::Result<Option<Live>> {
        let sockets = self.state.web_sockets();
        let sockets = sockets.iter().map(Socket::unchecked_from_js);
        let stored = |socket: &Socket| -> Option<Attachment> {
            serde_json::from_str(&socket.deserialize_attachment().as_string()?).ok()
        };
        let restored: Vec<_> = sockets.filter_map(|socket| Some((stored(&socket)?, socket))).collect();
        let held = self.state.storage().kv().get(HELD).as_string();
        let held: Option<StoredHeld> = held.and_then(|held| serde_json::from_str(&held).ok());
        let of_held = held.as_ref().map(|held| held.room);
        let Some(room) = restored.first().map(|(attachment, _)| attachment.room()).or(of_held) else {
            return Ok(None);
        };
        let members = held.map(|held| held.members).unwrap_or_default();
        self.start(room, restored, members).map(Some)
    }

    fn start(
        &self,
        room: RoomId,
        connections: Vec<(Attachment, Socket)>,
        members: Vec<Held>,
    ) -> worker::Result<Live> {
        let ids = SocketIds::new();
        let mut sockets = VecMap::new();
        let mut attachments = Vec::new();
        for (attachment, socket) in connections {
            ids.set(&socket, attachment.connection());
            sockets.insert(attachment.connection(), socket);
            attachments.push(attachment);
        }
        let switchboard = Switchboard::restore(room, self.settings()?, attachments, members);
        Ok(Live { switchboard, sockets, ids, room, alarm: None, text_out: TextOut::new() })
    }

    fn settings(&self) -> worker::Result<Settings> {
        let config = Config::read(|name| self.env.var(name).ok().map(|value| value.to_string()))
            .map_err(|error| worker::Error::from(error.to_string()))?;
        Ok(Settings {
            token_key: config.token_key,
            socket_auth: config.socket_auth,
            timing: Timing {
                ping_interval: config.ping_interval_ms,
                ping_timeout: config.ping_timeout_ms,
                ..Timing::default()
            },
            frames: zetra_socketio::Limits { max_payload: MAX_PAYLOAD as usize, ..Default::default() },
            room: zetra_signalling::Limits {
                max_present: config.room_max_people,
                hold: config.reconnect_grace_ms,
                rate: config.event_rate,
            },
            new_id,
        })
    }
}

impl Live {
    fn send(&mut self, to: &[ConnectionId], frame: &Frame<'_>, source: Option<Source<'_>>) {
        let text = self.text_out.text(frame, source);
        for id in to {
            if let Some(socket) = self.sockets.get(id) {
                // A socket that is closing already gets no more; its close event tells the rest.
                let _ = socket.send(&text);
            }
        }
    }

    fn close(&mut self, id: ConnectionId, code: Option<u16>) {
        if let Some(socket) = self.forget(id) {
            let _ = code.map_or_else(|| socket.close(), |code| socket.close_with_code(code));
        }
    }

    fn forget(&mut self, id: ConnectionId) -> Option<Socket> {
        let socket = self.sockets.remove(&id)?;
        self.ids.delete(&socket);
        // A socket that closes may still be listed: without an attachment it is nobody's.
        let _ = socket.serialize_attachment("");
        Some(socket)
    }

    fn attach(&self, id: ConnectionId) {
        let attachment = self.switchboard.attachment(id).and_then(|a| serde_json::to_string(&a).ok());
        if let (Some(attachment), Some(socket)) = (attachment, self.sockets.get(&id)) {
            let _ = socket.serialize_attachment(&attachment);
        }
    }
}

async fn verification(store: &worker::Result<Arc<dyn Store>>, user: UserId) -> Verification {
    let Ok(store) = store else { return Verification::StoreUnavailable };
    match store.account(user).await {
        Ok(Some(account)) => {
            Verification::Account { version: account.token_version, kept: account.kept_token }
        }
        Ok(None) => Verification::NoAccount,
        Err(error) => {
            tracing::error!(%error, "the store failed");
            Verification::StoreUnavailable
        }
    }
}

async fn admission(store: &worker::Result<Arc<dyn Store>>, room: Option<RoomId>, user: UserId) -> Admission {
    let (Ok(store), Some(room)) = (store, room) else { return Admission::StoreUnavailable };
    match store.admission(room, user).await {
        Ok(zetra_store::Admission::Participant) => Admission::Participant,
        Ok(zetra_store::Admission::NotParticipant) => Admission::NotParticipant,
        Ok(zetra_store::Admission::RoomNotFound) => Admission::RoomNotFound,
        Err(error) => {
            tracing::error!(%error, "the store failed");
            Admission::StoreUnavailable
        }
    }
}

/// Twenty characters that nobody can guess.
fn new_id() -> String {
    let mut bytes = [0; 15];
    // Without randomness nothing here is safe; the runtime always has it.
    getrandom::fill(&mut bytes).expect("the runtime provides randomness");
    Base64UrlUnpadded::encode_string(&bytes)
}
