//! The Session object: the shell around the [`Gateway`] of one client that named no room.
//!
//! Its name is the session's id. In its storage: `name` and `guest`, the client while it is connected;
//! `home`, where the holder of the `pid` is that this object gave. A day after the last change there is
//! nothing left of it.

use std::{cell::RefCell, rc::Rc};

use wasm_bindgen::prelude::*;
use worker::Env;
use zetra_runtime::Config;
use zetra_socketio::{
    Effects, Kept, Limits, SocketIo,
    engine::{SessionKey, Settings},
};
use zetra_socketio_object::{
    Embedding, Errand, Object,
    bindings::{KeyValues, ObjectState},
    handlers, new_id, now,
};

use crate::{
    clients::{RoomClient, SessionClient, path as paths},
    embedding::{answer, authenticator, config, name, path, read, room_limits, settings, verification},
    exchange::{Batch, Delivery, FromSession, Home, Mailboxes},
};

pub use gateway::{Gateway, GatewayCommand, GatewaySettings, Guest};

mod gateway;

const NAME: &str = "name";
const GUEST: &str = "guest";
const HOME: &str = "home";
const GONE: u16 = 410;
/// A home is asked for soon after its holder was lost, and told again then.
const HOME_MS: i64 = 24 * 3_600_000;

#[wasm_bindgen]
pub struct Session(Rc<Object<Shell>>);

struct Shell {
    kv: KeyValues,
    env: Env,
    config: Config,
    settings: Settings,
    rooms: Mailboxes<FromSession>,
    /// Empty until a request tells it.
    name: RefCell<String>,
}

handlers!(Session);

#[wasm_bindgen]
impl Session {
    #[wasm_bindgen(constructor)]
    pub fn new(state: ObjectState, env: Env) -> Result<Self, JsError> {
        let config = config(&env)?;
        let kv = state.storage().kv();
        let settings = settings(&config);
        let name = RefCell::new(kv.get(NAME).as_string().unwrap_or_default());
        Ok(Self(Object::new(state, Shell { kv, env, config, settings, rooms: Mailboxes::new(), name })))
    }

    pub async fn fetch(&self, request: web_sys::Request) -> Result<web_sys::Response, JsValue> {
        let object = Rc::clone(&self.0);
        let shell = object.embedding();
        shell.name.replace(name(&request)?);
        match path(&request)?.as_str() {
            paths::FIND_HOME => {
                let pid: String = read(&request).await?;
                answer(&shell.home().filter(|home| home.pid == pid).and_then(|home| home.room))
            }
            paths::SET_HOME => {
                let home: Home = read(&request).await?;
                shell.set_home(&home);
                act(&object, |gateway| {
                    gateway.home_kept(home.until);
                    Vec::new()
                });
                answer(&())
            }
            paths::DELIVER => {
                let Batch { from, messages }: Batch<Delivery> = read(&request).await?;
                let connected = object.look(|protocol| protocol.application().is_connected());
                let Some(room) = from.parse().ok().filter(|_| connected) else {
                    let init = web_sys::ResponseInit::new();
                    init.set_status(GONE);
                    return web_sys::Response::new_with_opt_str_and_init(None, &init);
                };
                // What one delivery brings is one payload for a client that polls.
                act(&object, |gateway| {
                    messages.into_iter().flat_map(|delivery| gateway.deliver(room, delivery)).collect()
                });
                answer(&())
            }
            _ => object.serve(request).await,
        }
    }
}

impl Shell {
    fn name(&self) -> String {
        self.name.borrow().clone()
    }

    fn home(&self) -> Option<Home> {
        serde_json::from_str(&self.kv.get(HOME).as_string()?).ok()
    }

    fn set_home(&self, home: &Home) {
        if let Ok(json) = serde_json::to_string(home) {
            self.kv.put(HOME, &json);
        }
    }
}

impl Embedding for Shell {
    type Protocol = SocketIo<Gateway>;

    fn settings(&self) -> Settings {
        self.settings
    }

    fn protocol(&self, kept: Vec<(SessionKey, Kept)>) -> SocketIo<Gateway> {
        let session_ids = self.config.session_ids.clone();
        let settings = GatewaySettings {
            authenticator: authenticator(&self.config),
            limits: room_limits(&self.config),
            name: self.name(),
            new_id,
            is_session: Box::new(move |name| session_ids.is_ours(None, name)),
        };
        let guest = self.kv.get(GUEST).as_string().and_then(|guest| serde_json::from_str(&guest).ok());
        let home_until = self.home().map(|home| home.until);
        SocketIo::restore(Limits::default(), kept, |connected| {
            Gateway::restore(settings, guest, home_until, connected)
        })
    }

    fn perform(
        object: &Rc<Object<Self>>,
        protocol: &SocketIo<Gateway>,
        command: GatewayCommand,
    ) -> Option<Errand> {
        let shell = object.embedding();
        let object = Rc::clone(object);
        match command {
            GatewayCommand::Store => {
                match protocol.application().guest().and_then(|guest| serde_json::to_string(guest).ok()) {
                    Some(guest) => {
                        shell.kv.put(NAME, &shell.name());
                        shell.kv.put(GUEST, &guest);
                    }
                    None => {
                        shell.kv.delete(NAME);
                        shell.kv.delete(GUEST);
                    }
                }
                None
            }
            GatewayCommand::Forget => {
                for key in [NAME, GUEST, HOME] {
                    shell.kv.delete(key);
                }
                None
            }
            GatewayCommand::Verify { socket, user } => Some(Box::pin(async move {
                let verification = verification(&object.embedding().env, user).await;
                act(&object, |gateway| gateway.verified(socket, verification, now()));
            })),
            GatewayCommand::FindHome { home, pid } => Some(Box::pin(async move {
                let found = match SessionClient::new(&object.embedding().env) {
                    Ok(client) => client.find_home(&home, &pid).await.ok().flatten(),
                    Err(_) => None,
                };
                act(&object, |gateway| gateway.home_found(found, now()));
            })),
            GatewayCommand::SetHome { home, pid, room } => {
                let home_is_here = home == shell.name();
                let at = Home { pid, room, until: now() + HOME_MS };
                if home_is_here {
                    shell.set_home(&at);
                }
                Some(Box::pin(async move {
                    if home_is_here {
                        act(&object, |gateway| {
                            gateway.home_kept(at.until);
                            Vec::new()
                        });
                    } else if let Ok(client) = SessionClient::new(&object.embedding().env) {
                        // Without it the client does not recover, which it can live with.
                        let _ = client.set_home(&home, &at).await;
                    }
                }))
            }
            GatewayCommand::Tell { room, message } => {
                let begins = shell.rooms.post(&room.to_string(), message);
                begins.then(|| Box::pin(tell(object, room)) as Errand)
            }
        }
    }
}

async fn tell(object: Rc<Object<Shell>>, room: zetra_domain::RoomId) {
    let shell = object.embedding();
    let told = match RoomClient::new(&shell.env) {
        Ok(client) => {
            let (client, from, to) = (&client, shell.name(), room.to_string());
            let to = to.as_str();
            let send = |messages| {
                let batch = Batch { from: from.clone(), messages };
                async move { client.tell(to, &batch).await }
            };
            shell.rooms.deliver(to, send).await.is_ok()
        }
        Err(_) => false,
    };
    if !told {
        act(&object, |gateway| gateway.room_unreachable(room));
    }
}

fn act(object: &Rc<Object<Shell>>, act: impl FnOnce(&mut Gateway) -> Effects<'static, GatewayCommand>) {
    object.act(|protocol, out| protocol.act(now(), out, act));
}
