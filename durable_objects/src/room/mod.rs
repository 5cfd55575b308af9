//! The Room object: the shell around one room's [`RoomApplication`].
//!
//! The object sleeps between events. What it must remember is in its WebSockets' attachments and in
//! its storage: `peer:<id>` each member, `log:<number>` the parts of the recovery log. Nothing is stored
//! while nobody is in the room or may come back to it.

use std::{cell::Cell, rc::Rc};

use wasm_bindgen::prelude::*;
use worker::Env;
use zetra_domain::RoomId;
use zetra_runtime::Config;
use zetra_signalling::Revocation;
use zetra_socketio::{
    Effects, Kept, Limits, LogLimits, Saving, SocketIo,
    engine::{SessionKey, Settings},
};
use zetra_socketio_object::{Embedding, Object, Storage, Task, bindings::ObjectState, handlers, new_id, now};

use crate::{
    clients::{SessionClient, path as paths},
    embedding::{
        admission, answer, authenticator, config, name, path, read, room_limits, settings, verification,
    },
    exchange::{Batch, Delivery, FromSession, Mailboxes},
};

pub use application::{Asker, KeptMember, RoomApplication, RoomCommand, RoomSettings, StoredRoom};

mod application;

const PEER: &str = "peer:";
const LOG: &str = "log:";
/// Version 1 stored the room's id here.
const ROOM: &str = "room";
const LOG_LIMITS: LogLimits = LogLimits { max_events: 512, max_bytes: 1_000_000, max_total_bytes: 4_000_000 };

#[wasm_bindgen]
pub struct Room(Rc<Object<Shell>>);

struct Shell {
    env: Env,
    config: Config,
    settings: Settings,
    sessions: Mailboxes<Delivery>,
    /// Empty until somebody who calls tells it.
    id: Cell<Option<RoomId>>,
}

handlers!(Room);

#[wasm_bindgen]
impl Room {
    #[wasm_bindgen(constructor)]
    pub fn new(state: ObjectState, env: Env) -> Result<Self, JsError> {
        let config = config(&env)?;
        let (settings, sessions, id) = (settings(&config), Mailboxes::new(), Cell::new(None));
        Ok(Self(Object::new(state, Shell { env, config, settings, sessions, id })))
    }

    pub async fn fetch(&self, request: web_sys::Request) -> Result<web_sys::Response, JsValue> {
        let object = Rc::clone(&self.0);
        let _answering = object.answering();
        object.embedding().id.set(name(&request)?.parse().ok());
        match path(&request)?.as_str() {
            paths::ONLINE => answer(&object.query(|protocol| protocol.application().online())),
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
            _ => Rc::clone(&object).serve(request).await,
        }
    }
}

impl Embedding for Shell {
    type Protocol = SocketIo<RoomApplication>;

    fn settings(&self) -> Settings {
        self.settings
    }

    fn protocol(
        &self,
        object: &Object<Self>,
        kept: Vec<(SessionKey, Kept<KeptMember>)>,
    ) -> SocketIo<RoomApplication> {
        let (limits, rejoin) = (room_limits(&self.config), self.config.rejoin_ms);
        let authenticator = authenticator(&self.config);
        let guests = self.config.guest_limits;
        let settings = RoomSettings { authenticator, limits, log: LOG_LIMITS, rejoin, guests, new_id };
        let (stored, id) = (stored_room(object.storage()), self.id.get());
        SocketIo::restore(Limits::default(), kept, |connected| {
            RoomApplication::restore(id, settings, stored, connected, now())
        })
    }

    fn held(&self) -> usize {
        self.sessions.bytes()
    }

    fn perform(
        object: &Rc<Object<Self>>,
        protocol: &SocketIo<RoomApplication>,
        command: RoomCommand,
    ) -> Option<Task> {
        let storage = object.storage();
        let object = Rc::clone(object);
        match command {
            RoomCommand::Store(peer) => {
                let stored = protocol.application().stored(peer)?;
                let done = storage.put(&format!("{PEER}{peer}"), &stored);
                (!done).then(|| -> Task {
                    Box::pin(async move { act(&object, |room| room.not_stored(peer, now())) })
                })
            }
            RoomCommand::Forget(peer) => {
                storage.delete(&format!("{PEER}{peer}"));
                None
            }
            RoomCommand::Save(saving) => {
                save(storage, &saving);
                None
            }
            RoomCommand::DeleteAll => {
                object.delete_all();
                None
            }
            RoomCommand::Deliver { session, delivery } => {
                let begins = object.embedding().sessions.post(&session, delivery);
                begins.then(|| -> Task { Box::pin(deliver(object, session)) })
            }
            RoomCommand::Verify { asker, user } => Some(Box::pin(async move {
                let verification = verification(&object.embedding().env, user).await;
                act(&object, |room| room.verified(asker, verification, now()));
            })),
            RoomCommand::Lookup { peer, user, ack } => {
                let room = protocol.application().id();
                Some(Box::pin(async move {
                    let admission = admission(&object.embedding().env, room, user).await;
                    act(&object, |room| room.admitted(peer, user, ack, admission, now()));
                }))
            }
        }
    }
}

fn stored_room(storage: &Storage) -> StoredRoom {
    let members = storage.list(PEER).into_iter();
    let log = storage.list(LOG).into_iter();
    let members: Vec<_> = members.filter_map(|(peer, text)| Some((peer.parse().ok()?, text))).collect();
    let log: Vec<_> = log.filter_map(|(part, text)| Some((part.parse().ok()?, text))).collect();
    let id = storage.get(ROOM).and_then(|id| id.parse().ok());
    StoredRoom { members, log, id }
}

fn save(storage: &Storage, saving: &Saving) {
    for (part, text) in saving.parts.iter().enumerate() {
        let key = format!("{LOG}{part}");
        // What fails is told in the log: the burst then reads as one that was lost, or the log as one
        // that cannot be read, and nobody recovers from it.
        if saving.before_sending {
            storage.put(&key, text);
        } else {
            storage.put_unconfirmed(&key, text);
        }
    }
    for part in &saving.obsolete {
        storage.delete(&format!("{LOG}{part}"));
    }
}

async fn deliver(object: Rc<Object<Shell>>, session: String) {
    let shell = object.embedding();
    let delivered = match SessionClient::new(&shell.env) {
        Ok(client) => {
            let from = object.query(|protocol| protocol.application().id()).to_string();
            let (client, to) = (&client, session.as_str());
            let send = |messages| {
                let batch = Batch { from: from.clone(), messages };
                async move { client.deliver(to, &batch).await }
            };
            shell.sessions.deliver(to, send).await.is_ok()
        }
        Err(_) => false,
    };
    if !delivered {
        tracing::warn!("a Session object did not take what its client was told");
        act(&object, |room| room.session_unreachable(&session, now()));
    }
}

fn act(object: &Rc<Object<Shell>>, act: impl FnOnce(&mut RoomApplication) -> Effects<'static, RoomCommand>) {
    object.act(|protocol, out| protocol.act(now(), out, act));
}
