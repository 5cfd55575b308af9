//! The ports on Workers: objects, outgoing requests, the clock, randomness.

use std::{cell::OnceCell, sync::Arc};

use async_trait::async_trait;
use axum::{Router, response::Response};
use futures_util::{StreamExt, stream};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use worker::{Env, Fetch, Method, Request, RequestInit, send::IntoSendFuture};
use zetra_domain::{RoomId, Timestamp, UserId};
use zetra_durable_objects::{
    AccountKey, Attempt, AuthLimits, Config, RateLimitClient, RoomClient, SessionClient, Verdict,
};
use zetra_signalling::Revocation;

use crate::{
    app::{self, App, Services},
    ports::{Connection, Limiter, Platform, Rooms, TurnService, Unavailable},
    telemetry,
};

/// Rooms that are told of a revocation at the same time.
const REVOCATIONS_AT_ONCE: usize = 16;

/// The router, built once per isolate.
pub fn router(env: &Env) -> Router {
    thread_local! {
        static ROUTER: OnceCell<Router> = const { OnceCell::new() };
    }
    ROUTER.with(|router| router.get_or_init(|| build(env)).clone())
}

fn build(env: &Env) -> Router {
    let variable = |name: &str| env.var(name).ok().map(|value| value.to_string());
    let production = Config::is_production(variable);
    telemetry::show_debug(!production);
    let started = Timestamp::from_millis(zetra_durable_objects::now());
    let platform = Platform { clock: zetra_durable_objects::now, fill_random, started, production };
    let opened = Config::read(variable).and_then(|config| {
        let store = config.database.open(env)?;
        Ok((config, store))
    });
    let (config, store) = match opened {
        Ok(both) => both,
        Err(error) => return app::unconfigured(&error, platform),
    };
    let objects = Arc::new(Objects(env.clone()));
    let services = Services {
        store,
        rooms: objects.clone(),
        limiter: objects,
        turn: Arc::new(CloudflareTurn),
        platform,
    };
    app::router(App::new(config, services))
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

    fn limits(&self) -> Result<RateLimitClient, Unavailable> {
        RateLimitClient::new(&self.0).map_err(unavailable)
    }
}

#[async_trait]
impl Rooms for Objects {
    async fn online(&self, room: RoomId) -> Result<Vec<UserId>, Unavailable> {
        self.rooms()?.online(room).into_send().await.map_err(unavailable)
    }

    async fn revoke(&self, rooms: Vec<RoomId>, revocation: &Revocation) -> Result<(), Unavailable> {
        let client = self.rooms()?;
        let told = async {
            let calls = rooms.into_iter().map(|room| client.revoke(room, revocation));
            stream::iter(calls).buffer_unordered(REVOCATIONS_AT_ONCE).collect::<Vec<_>>().await
        };
        told.into_send().await.into_iter().collect::<Result<(), _>>().map_err(unavailable)
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
impl Limiter for Objects {
    async fn attempt(&self, address: &str, limits: AuthLimits) -> Result<Attempt, Unavailable> {
        self.limits()?.attempt(address, limits).into_send().await.map_err(unavailable)
    }

    async fn settle(
        &self,
        address: &str,
        account: &AccountKey,
        failed: bool,
        limits: AuthLimits,
    ) -> Result<Verdict, Unavailable> {
        self.limits()?.settle(address, account, failed, limits).into_send().await.map_err(unavailable)
    }
}

/// `https://developers.cloudflare.com/realtime/turn/generate-credentials/`
struct CloudflareTurn;

#[async_trait]
impl TurnService for CloudflareTurn {
    async fn generate(&self, url: &str, api_token: &SecretString, ttl: i64) -> Result<Value, Unavailable> {
        let asked = async {
            let mut init = RequestInit::new();
            init.with_method(Method::Post).with_body(Some(json!({ "ttl": ttl }).to_string().into()));
            let request = Request::new_with_init(url, &init)?;
            request.headers().set("content-type", "application/json")?;
            request.headers().set("authorization", &format!("Bearer {}", api_token.expose_secret()))?;
            let mut response = Fetch::Request(request).send().await?;
            match response.status_code() {
                200..=299 => response.json::<Value>().await,
                status => Err(worker::Error::from(format!("status {status}"))),
            }
        };
        let mut answer = asked.into_send().await.map_err(unavailable)?;
        answer.get_mut("iceServers").map(Value::take).ok_or_else(|| Unavailable("no iceServers".to_owned()))
    }
}

fn unavailable(error: impl std::fmt::Display) -> Unavailable {
    Unavailable(error.to_string())
}
