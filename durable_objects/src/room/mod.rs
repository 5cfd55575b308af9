//! The Room object: the shell around one room's [`RoomApplication`].
//!
//! The object sleeps between events. What it must remember is in its WebSockets' attachments and in
//! its storage: `room` the room's id, `peer:<id>` each peer, `log:<number>` the segments of what was
//! said.

use std::rc::Rc;

use wasm_bindgen::prelude::*;
use worker::Env;
use zetra_domain::RoomId;
use zetra_runtime::Config;
use zetra_signalling::Revocation;
use zetra_socketio::{
    Effects, Kept, Limits, LogLimits, Saving, SocketIo,
    engine::{SessionKey, Settings},
};
use zetra_socketio_object::{
    Embedding, Errand, Object,
    bindings::{KeyValues, ObjectState},
    handlers, new_id, now,
};

use crate::{
    clients::{SessionClient, path as paths},
    embedding::{
        admission, answer, authenticator, config, name, path, read, room_limits, settings, stored,
        verification,
    },
    exchange::{Batch, Delivery, FromSession, Mailboxes},
};

pub use application::{Asker, RoomApplication, RoomCommand, RoomSettings, StoredPeer};

mod application;

const ROOM: &str = "room";
const PEER: &str = "peer:";
const LOG: &str = "log:";
/// What is kept for each member who may come back.
const MISSED_EVENTS: usize = 512;
const MISSED_BYTES: usize = 1_000_000;

#[wasm_bindgen]
pub struct Room(Rc<Object<Shell>>);

struct Shell {
    kv: KeyValues,
    env: Env,
    config: Config,
    settings: Settings,
    sessions: Mailboxes<Delivery>,
}

handlers!(Room);

#[wasm_bindgen]
impl Room {
    #[wasm_bindgen(constructor)]
    pub fn new(state: ObjectState, env: Env) -> Result<Self, JsError> {
        let config = config(&env)?;
        let kv = state.storage().kv();
        let settings = settings(&config);
        Ok(Self(Object::new(state, Shell { kv, env, config, settings, sessions: Mailboxes::new() })))
    }

    pub async fn fetch(&self, request: web_sys::Request) -> Result<web_sys::Response, JsValue> {
        let object = Rc::clone(&self.0);
        let (name, path) = (name(&request)?, path(&request)?);
        // Who only asks, or tells of tokens, finds an object that has forgotten itself as it is.
        if !matches!(path.as_str(), paths::ONLINE | paths::REVOKE) {
            object.embedding().remember(&name);
        }
        match path.as_str() {
            paths::ONLINE => answer(&object.look(|protocol| protocol.application().online())),
            paths::REVOKE => {
                let revocation: Revocation = read(&request).await?;
                act(&object, |room| room.revoke(&revocation, now()));
                answer(&())
            }
            paths::TELL => {
                let Batch { from, messages }: Batch<FromSession> = read(&request).await?;
                for message in messages {
                    act(&object, |room| room.from_session(&from, message, now()));
                }
                answer(&())
            }
            _ => object.serve(request).await,
        }
    }
}

impl Shell {
    fn remember(&self, name: &str) {
        if self.kv.get(ROOM).is_undefined() {
            self.kv.put(ROOM, name);
        }
    }

    fn room(&self) -> RoomId {
        let id = self.kv.get(ROOM).as_string().and_then(|id| id.parse().ok());
        // An object that nobody ever called has no room, and nothing to do for one.
        id.unwrap_or_else(|| RoomId::from_random([0; 16]))
    }
}

impl Embedding for Shell {
    type Protocol = SocketIo<RoomApplication>;

    fn settings(&self) -> Settings {
        self.settings
    }

    fn protocol(&self, kept: Vec<(SessionKey, Kept)>) -> SocketIo<RoomApplication> {
        let Config { ping_interval_ms, ping_timeout_ms, .. } = &self.config;
        let limits = room_limits(&self.config);
        let log = LogLimits {
            // From the last thing that a client can have received to the end of its being held.
            max_age: ping_interval_ms + 2 * ping_timeout_ms + limits.hold,
            max_events: MISSED_EVENTS,
            max_bytes: MISSED_BYTES,
        };
        let authenticator = authenticator(&self.config);
        let peers = stored(&self.kv, PEER);
        let peers = peers.iter().filter_map(|(_, peer)| serde_json::from_str(peer).ok()).collect();
        let segments = stored(&self.kv, LOG).into_iter();
        let segments = segments.filter_map(|(first, json)| Some((first.parse().ok()?, json))).collect();
        SocketIo::restore(Limits::default(), kept, |connected| {
            let settings = RoomSettings { authenticator, limits, log, new_id };
            RoomApplication::restore(self.room(), settings, peers, segments, connected, now())
        })
    }

    fn perform(
        object: &Rc<Object<Self>>,
        protocol: &SocketIo<RoomApplication>,
        command: RoomCommand,
    ) -> Option<Errand> {
        let Self { kv, sessions, .. } = object.embedding();
        match command {
            RoomCommand::Store(peer) => {
                let stored = protocol.application().stored(peer);
                let stored = stored.and_then(|stored| serde_json::to_string(&stored).ok());
                stored.inspect(|stored| kv.put(&format!("{PEER}{peer}"), stored));
            }
            RoomCommand::Forget(peer) => {
                kv.delete(&format!("{PEER}{peer}"));
            }
            RoomCommand::Save(Saving { segments, obsolete, before_sending }) => {
                let storage = object.state().storage();
                for (first, json) in segments {
                    let key = format!("{LOG}{first}");
                    if before_sending {
                        // The runtime sends nothing before this is durable.
                        kv.put(&key, &json);
                    } else {
                        storage.put_unconfirmed(&key, &json);
                    }
                }
                for first in obsolete {
                    storage.delete_unconfirmed(&format!("{LOG}{first}"));
                }
            }
            RoomCommand::Deliver { session, delivery } => {
                let begins = sessions.post(&session, delivery);
                return begins.then(|| Box::pin(deliver(Rc::clone(object), session)) as Errand);
            }
            RoomCommand::Verify { asker, user } => {
                let object = Rc::clone(object);
                return Some(Box::pin(async move {
                    let verification = verification(&object.embedding().env, user).await;
                    act(&object, |room| room.verified(asker, verification, now()));
                }));
            }
            RoomCommand::Lookup { peer, user, ack } => {
                let object = Rc::clone(object);
                return Some(Box::pin(async move {
                    let shell = object.embedding();
                    let admission = admission(&shell.env, shell.room(), user).await;
                    act(&object, |room| room.admitted(peer, user, ack, admission, now()));
                }));
            }
        }
        None
    }
}

async fn deliver(object: Rc<Object<Shell>>, session: String) {
    let shell = object.embedding();
    let delivered = match SessionClient::new(&shell.env) {
        Ok(client) => {
            let (client, from, to) = (&client, shell.room().to_string(), session.as_str());
            let send = |messages| {
                let batch = Batch { from: from.clone(), messages };
                async move { client.deliver(to, &batch).await }
            };
            shell.sessions.deliver(to, send).await.is_ok()
        }
        Err(_) => false,
    };
    if !delivered {
        act(&object, |room| room.session_unreachable(&session, now()));
    }
}

fn act(object: &Rc<Object<Shell>>, act: impl FnOnce(&mut RoomApplication) -> Effects<'static, RoomCommand>) {
    object.act(|protocol, out| protocol.act(now(), out, act));
}
