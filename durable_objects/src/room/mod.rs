//! One room: the shell around its [`RoomApplication`].
//!
//! Its object hibernates between events. Its state is in its WebSockets' attachments and in
//! its storage: a [`Row`] for each member, for each call that is not fully recorded in the database, for each
//! ended call that a redial may continue, and for each waiting webhook message; `log:<number>`, the parts of the
//! recovery log. Nothing is stored once nobody is in the room or may return to it, every call is recorded and every
//! message is delivered.

use std::{cell::Cell, rc::Rc};

use worker::Env;
use zetra_domain::{ObjectIds, RoomId};
use zetra_runtime::{Config, Webhook};
use zetra_socketio::{Effects, LogLimits, Saving, SocketId};
use zetra_socketio_object::{Storage, Task, new_id, now, random};

use crate::{
    clients::SESSIONS,
    embedding::{admission, authenticator, room_limits, verification},
    exchange::{BatchSender, Delivery, SendingObject},
};

pub use application::{
    Asker, CallReport, KeptMember, LOG, NotTaken, RoomApplication, RoomCommand, RoomSettings, Row, StoredRoom,
};

mod application;
mod recording;
mod webhook;

/// Version 1 stored the room's id here.
const ROOM: &str = "room";
const LOG_LIMITS: LogLimits = LogLimits { max_events: 512, max_bytes: 1_000_000, max_total_bytes: 4_000_000 };

/// The object that performs the room's commands.
pub(crate) trait RoomObject: SendingObject {
    fn env(&self) -> &Env;

    fn storage(&self) -> &Storage;

    fn delete_all(&self);

    fn webhook(&self) -> Option<&Webhook>;

    /// Runs `act` on the room, with the time, for something that came from elsewhere.
    fn act(&self, act: impl FnOnce(&mut RoomApplication, i64) -> Effects<'static, RoomCommand>);
}

pub(crate) struct RoomShell {
    sessions: Rc<BatchSender<Delivery>>,
    /// Empty until a request contains it.
    id: Cell<Option<RoomId>>,
}

impl RoomShell {
    pub fn new(env: &Env) -> worker::Result<Rc<Self>> {
        let sessions = BatchSender::new(&env.durable_object(SESSIONS)?);
        Ok(Rc::new(Self { sessions, id: Cell::new(None) }))
    }

    /// Sets the room's id from a request.
    pub fn learn_id(&self, name: &str) {
        self.id.set(name.parse().ok());
    }

    /// The room's id, if a request contained it.
    pub fn id(&self) -> Option<RoomId> {
        self.id.get()
    }

    pub fn application(
        &self,
        config: &Config,
        storage: &Storage,
        room: Option<RoomId>,
        connected: Vec<(SocketId, KeptMember)>,
    ) -> RoomApplication {
        let settings = RoomSettings {
            authenticator: authenticator(config),
            limits: room_limits(config),
            log: LOG_LIMITS,
            rejoin: config.rejoin_ms,
            // An interval until the next ping, the time-out, and until the beat that judges it; and one more.
            noticed_within: 3 * config.ping_interval_ms + config.ping_timeout_ms,
            guests: config.guest_limits,
            new_id,
            object_ids: ObjectIds::new(random()),
            has_webhook: config.webhook.is_some(),
        };
        RoomApplication::restore(room, settings, stored_room(storage), connected, now())
    }

    pub fn held(&self) -> usize {
        self.sessions.bytes()
    }

    pub fn is_sending(&self) -> bool {
        self.sessions.is_sending()
    }
}

pub(crate) fn perform<O: RoomObject>(
    object: O,
    shell: &Rc<RoomShell>,
    room: &RoomApplication,
    command: RoomCommand,
) -> Option<Task> {
    let storage = object.storage();
    match command {
        RoomCommand::Store(row) => {
            let done = storage.put(&row.to_string(), &room.stored(row)?);
            let Row::Peer(peer) = row else { return None };
            (!done).then(|| -> Task {
                Box::pin(async move { object.act(|room, now| room.not_stored(peer, now)) })
            })
        }
        RoomCommand::Forget(row) => {
            storage.delete(&row.to_string());
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
            let (id, is_told) = (room.id(), matches!(delivery, Delivery::Abandon));
            shell.sessions.post(&object, &id, &session, delivery, move |object, session| {
                tracing::warn!(room = %id, "a Session object did not take what its client was told");
                object.act(|room, now| room.session_unreachable(session, is_told, now));
            });
            None
        }
        RoomCommand::ReportCall(report) => Some(Box::pin(async move {
            let recorded = recording::record(object.env(), &report, now()).await;
            object.act(|room, now| room.call_reported(&report, recorded, now));
        })),
        RoomCommand::PostMessage { number, attempt } => {
            let message = room.message(number)?.clone();
            Some(Box::pin(async move {
                let taken = match object.webhook() {
                    Some(webhook) => webhook::post(webhook, &message, now()).await,
                    None => false,
                };
                object.act(|room, now| room.message_answered(number, attempt, taken, now));
            }))
        }
        RoomCommand::Verify { asker, user } => Some(Box::pin(async move {
            let verification = verification(object.env(), user).await;
            object.act(|room, now| room.verified(asker, verification, now));
        })),
        RoomCommand::Lookup { peer, user, ack } => {
            let id = room.id();
            Some(Box::pin(async move {
                let admission = admission(object.env(), id, user).await;
                object.act(|room, now| room.admitted(peer, user, ack, admission, now));
            }))
        }
    }
}

fn stored_room(storage: &Storage) -> StoredRoom {
    let id = storage.get(ROOM).and_then(|id| id.parse().ok());
    StoredRoom::read(|prefix| storage.list(prefix), id)
}

fn save(storage: &Storage, saving: &Saving) {
    for (part, text) in saving.parts.iter().enumerate() {
        let key = format!("{LOG}{part}");
        // A failure is logged. The burst then counts as lost, or the recovery log as unreadable, and nobody
        // recovers from it.
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
