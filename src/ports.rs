//! What the handlers need of the world beside the store: rooms, the rate limit, TURN, time and
//! randomness. On Workers these are objects and calls; in tests they are memory.

use async_trait::async_trait;
use axum::{extract::Request, response::Response};
use secrecy::SecretString;
use serde_json::Value;
use thiserror::Error;
use zetra_domain::{
    AccountKey, AddressKey, Attempt, AuthLimits, Hourly, PasswordOutcome, RoomId, Settlement, Timestamp,
    UserId,
};
use zetra_signalling::HostAction;

/// A peer service did not answer. The text is for the log, never for a client.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Unavailable(pub String);

#[async_trait]
pub trait Rooms: Send + Sync {
    /// Who is present.
    async fn online(&self, room: RoomId) -> Result<Vec<UserId>, Unavailable>;
    /// What the host did reaches those who are in the room, and those who are just joining it.
    async fn host_acts(&self, room: RoomId, action: HostAction) -> Result<(), Unavailable>;
    /// Hands a request of Engine.IO to the object in which its connection lives.
    async fn hand_over(&self, connection: Connection, request: Request) -> Result<Response, Unavailable>;
}

/// Makes it certain that a user's rooms learn which tokens have died.
#[async_trait]
pub trait Revocations: Send + Sync {
    /// Before tokens die.
    async fn announce(&self, user: UserId) -> Result<(), Unavailable>;
    /// After that: ends the connections whose tokens are no longer honoured. Where this fails it is done
    /// later.
    async fn deliver(&self, user: UserId) -> Result<(), Unavailable>;
}

/// Where a connection lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Connection {
    /// In the object of the room that its handshake named.
    Room(RoomId),
    /// In an object of its own, named by its session id.
    Session(String),
}

/// Counts strictly: attempts and failures per client address and per account, and what a user makes.
#[async_trait]
pub trait Limiter: Send + Sync {
    /// A password is about to be looked at.
    async fn attempt(&self, address: &AddressKey, limits: AuthLimits) -> Result<Attempt, Unavailable>;
    /// What came of it, as the address's count is concerned.
    async fn settle(
        &self,
        address: &AddressKey,
        account: &AccountKey,
        failed: bool,
        limits: AuthLimits,
    ) -> Result<Settlement, Unavailable>;
    /// What came of it, as the account's count is concerned.
    async fn settle_password(
        &self,
        account: &AccountKey,
        address: &AddressKey,
        outcome: PasswordOutcome,
        limits: AuthLimits,
    ) -> Result<Settlement, Unavailable>;
    /// Counts one more that a user makes; `Err` inside: the seconds until one more may be made.
    async fn spend(
        &self,
        account: &AccountKey,
        what: Hourly,
        limit: u32,
        limits: AuthLimits,
    ) -> Result<Result<(), i64>, Unavailable>;
    /// The account was deleted.
    async fn forget(&self, account: &AccountKey, limits: AuthLimits) -> Result<(), Unavailable>;
}

/// Cloudflare's TURN service.
#[async_trait]
pub trait TurnCredentials: Send + Sync {
    /// The answer's `iceServers`, with credentials good for `ttl` seconds.
    async fn generate(&self, url: &str, api_token: &SecretString, ttl: i64) -> Result<Value, Unavailable>;
}

/// The files that are deployed with the Worker.
#[async_trait]
pub trait Assets: Send + Sync {
    /// The file of that path, with its content type.
    async fn file(&self, path: &str) -> Result<Response, Unavailable>;
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
