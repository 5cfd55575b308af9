//! The ports implemented on Workers: objects, outgoing requests, the clock, randomness.

use std::{cell::OnceCell, sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::{Router, response::Response};
use futures_util::future::{Either, select};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use worker::{AbortController, Delay, Env, Fetch, Method, Request, RequestInit, send::IntoSendFuture};
use zetra_domain::{
    AccountKey, AddressKey, Attempt, AttemptOutcome, AuthLimits, Hourly, PasswordOutcome, RoomId, Settlement,
    Timestamp, UserId,
};
use zetra_durable_objects::clients::{RateLimitClient, RevocationOutboxClient, RoomClient, SessionClient};
use zetra_runtime::{Config, Variables, variable};
use zetra_signalling::HostAction;

use crate::{
    ports::{Assets, Connection, Limiter, Platform, Revocations, Rooms, TurnCredentials, Unavailable},
    router,
    state::{App, Services},
    telemetry,
};

/// How long the TURN service may take.
const TURN_TIMEOUT: Duration = Duration::from_secs(3);

/// The router, built once per isolate.
pub fn router(env: &Env) -> Router {
    thread_local! {
        static ROUTER: OnceCell<Router> = const { OnceCell::new() };
    }
    ROUTER.with(|router| router.get_or_init(|| build(env)).clone())
}

fn build(env: &Env) -> Router {
    let variable = |name: &str| variable(env, name);
    let variables = Variables::new(&variable);
    let production = Config::is_production(variables);
    telemetry::show_debug(!production);
    let started = Timestamp::from_millis(zetra_durable_objects::now());
    let platform = Platform { clock: zetra_durable_objects::now, fill_random, started, production };
    let opened = Config::read(variables).and_then(|config| {
        let store = config.database.open(env)?;
        Ok((config, store))
    });
    let (config, store) = match opened {
        Ok(both) => both,
        Err(error) => return router::unconfigured(&error, &Config::origins(variables), platform),
    };
    let objects = Arc::new(Objects(env.clone()));
    let services = Services {
        store,
        rooms: objects.clone(),
        revocations: objects.clone(),
        limiter: objects,
        assets: Arc::new(StaticAssets(env.clone())),
        turn: Arc::new(CloudflareTurn),
        platform,
    };
    router::router(App::new(config, services))
}

fn fill_random(bytes: &mut [u8]) {
    // Without randomness nothing here is safe; the runtime always has it.
    getrandom::fill(bytes).expect("the runtime provides randomness");
}

struct Objects(Env);

impl Objects {
    fn rooms(&self) -> Result<RoomClient, Unavailable> {
        RoomClient::new(&self.0).map_err(unavailable)
    }

    fn outboxes(&self) -> Result<RevocationOutboxClient, Unavailable> {
        RevocationOutboxClient::new(&self.0).map_err(unavailable)
    }

    fn limits(&self) -> Result<RateLimitClient, Unavailable> {
        RateLimitClient::new(&self.0).map_err(unavailable)
    }
}

#[async_trait]
impl Rooms for Objects {
    async fn online(&self, room: RoomId) -> Result<Vec<UserId>, Unavailable> {
        self.rooms()?.online(room).into_send().await.map_err(unavailable)
    }

    async fn host_acts(&self, room: RoomId, action: HostAction) -> Result<(), Unavailable> {
        self.rooms()?.host_acts(room, action).into_send().await.map_err(unavailable)
    }

    async fn hand_over(
        &self,
        connection: Connection,
        request: axum::extract::Request,
    ) -> Result<Response, Unavailable> {
        let (rooms, sessions) = (self.rooms()?, SessionClient::new(&self.0).map_err(unavailable)?);
        let handed = async {
            let request = Request::try_from(request).map_err(unavailable)?;
            let response = match connection {
                Connection::Room(room) => rooms.hand_over(room, request).await,
                Connection::Session(sid) => sessions.hand_over(&sid, request).await,
            };
            response.map_err(unavailable)
        };
        Ok(handed.into_send().await?.into())
    }
}

#[async_trait]
impl Revocations for Objects {
    async fn announce(&self, user: UserId, rooms: Vec<RoomId>) -> Result<(), Unavailable> {
        self.outboxes()?.announce(user, rooms).into_send().await.map_err(unavailable)
    }

    async fn deliver(&self, user: UserId, rooms: Vec<RoomId>) -> Result<(), Unavailable> {
        self.outboxes()?.deliver(user, rooms).into_send().await.map_err(unavailable)
    }
}

#[async_trait]
impl Limiter for Objects {
    async fn attempt(&self, address: &AddressKey, limits: AuthLimits) -> Result<Attempt, Unavailable> {
        self.limits()?.attempt(address, limits).into_send().await.map_err(unavailable)
    }

    async fn settle(
        &self,
        address: &AddressKey,
        account: &AccountKey,
        outcome: AttemptOutcome,
        limits: AuthLimits,
    ) -> Result<Settlement, Unavailable> {
        self.limits()?.settle(address, account, outcome, limits).into_send().await.map_err(unavailable)
    }

    async fn settle_password(
        &self,
        account: &AccountKey,
        address: &AddressKey,
        outcome: PasswordOutcome,
        limits: AuthLimits,
    ) -> Result<Settlement, Unavailable> {
        let client = self.limits()?;
        client.settle_password(account, address, outcome, limits).into_send().await.map_err(unavailable)
    }

    async fn spend(
        &self,
        account: &AccountKey,
        what: Hourly,
        limit: u32,
        limits: AuthLimits,
    ) -> Result<Result<(), i64>, Unavailable> {
        self.limits()?.spend(account, what, limit, limits).into_send().await.map_err(unavailable)
    }

    async fn take_back(
        &self,
        account: &AccountKey,
        what: Hourly,
        limits: AuthLimits,
    ) -> Result<(), Unavailable> {
        self.limits()?.take_back(account, what, limits).into_send().await.map_err(unavailable)
    }

    async fn forget(&self, account: &AccountKey, limits: AuthLimits) -> Result<(), Unavailable> {
        self.limits()?.forget(account, limits).into_send().await.map_err(unavailable)
    }
}

/// `https://developers.cloudflare.com/workers/static-assets/binding/`
struct StaticAssets(Env);

#[async_trait]
impl Assets for StaticAssets {
    async fn file(&self, path: &str) -> Result<Response, Unavailable> {
        let assets = self.0.assets("ASSETS").map_err(unavailable)?;
        // The binding uses only the path.
        let url = format!("https://assets.invalid{path}");
        let fetched = async { assets.fetch(url, None).await.map_err(unavailable) };
        Ok(fetched.into_send().await?.map(axum::body::Body::new))
    }
}

/// `https://developers.cloudflare.com/realtime/turn/generate-credentials/`
struct CloudflareTurn;

#[async_trait]
impl TurnCredentials for CloudflareTurn {
    async fn generate(&self, url: &str, api_token: &SecretString, ttl: i64) -> Result<Value, Unavailable> {
        let controller = AbortController::default();
        let signal = controller.signal();
        let asked = async {
            let mut init = RequestInit::new();
            init.with_method(Method::Post).with_body(Some(json!({ "ttl": ttl }).to_string().into()));
            let request = Request::new_with_init(url, &init)?;
            request.headers().set("content-type", "application/json")?;
            request.headers().set("authorization", &format!("Bearer {}", api_token.expose_secret()))?;
            let mut response = Fetch::Request(request).send_with_signal(&signal).await?;
            match response.status_code() {
                200..=299 => response.json::<Value>().await,
                status => Err(worker::Error::from(format!("status {status}"))),
            }
        };
        let in_time = async {
            match select(Box::pin(asked), Delay::from(TURN_TIMEOUT)).await {
                Either::Left((answer, _)) => answer,
                Either::Right(_) => {
                    controller.abort();
                    Err(worker::Error::from("no answer in time"))
                }
            }
        };
        let mut answer = in_time.into_send().await.map_err(unavailable)?;
        answer.get_mut("iceServers").map(Value::take).ok_or_else(|| Unavailable("no iceServers".to_owned()))
    }
}

fn unavailable(error: impl std::fmt::Display) -> Unavailable {
    Unavailable(error.to_string())
}
