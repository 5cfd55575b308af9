//! State shared by the handlers: configuration, ports, and the generator of ids.

use std::sync::{Arc, Mutex, PoisonError};

use zetra_domain::{CallLogId, ObjectIds, RoomId, Timestamp, UserId};
use zetra_runtime::Config;
use zetra_store::Store;

use crate::{
    ports::{Assets, Limiter, Platform, Revocations, Rooms, TurnCredentials},
    relays::RelayCache,
};

pub struct App {
    pub config: Config,
    pub services: Services,
    pub relays: RelayCache,
    ids: Mutex<ObjectIds>,
}

/// Everything that does not come from the configuration.
pub struct Services {
    pub store: Arc<dyn Store>,
    pub rooms: Arc<dyn Rooms>,
    pub revocations: Arc<dyn Revocations>,
    pub limiter: Arc<dyn Limiter>,
    pub turn: Arc<dyn TurnCredentials>,
    pub assets: Arc<dyn Assets>,
    pub platform: Platform,
}

impl App {
    pub fn new(config: Config, services: Services) -> Self {
        let ids = Mutex::new(ObjectIds::new(services.platform.random()));
        Self { config, services, relays: RelayCache::default(), ids }
    }

    pub fn store(&self) -> &dyn Store {
        &*self.services.store
    }

    pub fn now(&self) -> Timestamp {
        self.services.platform.now()
    }

    pub fn random<const N: usize>(&self) -> [u8; N] {
        self.services.platform.random()
    }

    pub fn new_user_id(&self) -> UserId {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).user(self.now())
    }

    pub fn new_call_log_id(&self) -> CallLogId {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).call_log(self.now())
    }

    pub fn new_room_id(&self) -> RoomId {
        RoomId::from_random(self.random())
    }
}
