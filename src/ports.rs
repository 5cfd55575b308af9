//! What the handlers need of the world beside the store: rooms, the rate limit, TURN, time and
//! randomness. On Workers these are objects and calls; in tests they are memory.

use async_trait::async_trait;
use axum::{extract::Request, response::Response};
use secrecy::SecretString;
use serde_json::Value;
use thiserror::Error;
use zetra_domain::{RoomId, Timestamp, UserId};
use zetra_durable_objects::{AccountKey, Attempt, AuthLimits, Verdict};
use zetra_signalling::Revocation;

/// A peer service did not answer. The text is for the log, never for a client.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Unavailable(pub String);

#[async_trait]
pub trait Rooms: Send + Sync {
    /// Who is present.
    async fn online(&self, room: RoomId) -> Result<Vec<UserId>, Unavailable>;
    /// Ends the connections in these rooms whose tokens are no longer honoured.
    async fn revoke(&self, rooms: Vec<RoomId>, revocation: &Revocation) -> Result<(), Unavailable>;
    /// Hands a request of Engine.IO to the object in which its connection lives.
    async fn hand_over(&self, connection: Connection, request: Request) -> Result<Response, Unavailable>;
}

/// Where a connection lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Connection {
    /// In the object of the room that its handshake named.
    Room(RoomId),
    /// In an object of its own, named by its session id.
    Session(String),
}

/// Counts attempts and failures per client address, strictly.
#[async_trait]
pub trait Limiter: Send + Sync {
    async fn attempt(&self, address: &str, limits: AuthLimits) -> Result<Attempt, Unavailable>;
    async fn settle(
        &self,
        address: &str,
        account: &AccountKey,
        failed: bool,
        limits: AuthLimits,
    ) -> Result<Verdict, Unavailable>;
}

/// Cloudflare's TURN service.
#[async_trait]
pub trait TurnService: Send + Sync {
    /// The answer's `iceServers`, with credentials good for `ttl` seconds.
    async fn generate(&self, url: &str, api_token: &SecretString, ttl: i64) -> Result<Value, Unavailable>;
}

/// Time and randomness.
#[derive(Clone, Copy)]
pub struct Platform {
    /// Milliseconds since the epoch.
    pub clock: fn() -> i64,
    pub fill_random: fn(&mut [u8]),
    /// When this isolate began, for the uptime.
    pub started: Timestamp,
    pub production: bool,
}

impl Platform {
    pub fn now(&self) -> Timestamp {
        Timestamp::from_millis((self.clock)())
    }

    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        (self.fill_random)(&mut bytes);
        bytes
    }
}
