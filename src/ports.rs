//! The handlers' external dependencies besides the store: rooms, the rate limit, TURN, time and
//! randomness. On Workers these are objects and requests; in tests they are in memory.

use async_trait::async_trait;
use axum::{extract::Request, response::Response};
use secrecy::SecretString;
use serde_json::Value;
use thiserror::Error;
use zetra_domain::{
    AccountKey, AddressKey, Attempt, AttemptOutcome, AuthLimits, Hourly, PasswordOutcome, RoomId, Settlement,
    Timestamp, UserId,
};
use zetra_signalling::HostAction;

/// Another service did not respond. The text is for the log, never for a client.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Unavailable(pub String);

#[async_trait]
pub trait Rooms: Send + Sync {
    /// The users who are present.
    async fn online(&self, room: RoomId) -> Result<Vec<UserId>, Unavailable>;
    /// Applies the host's action to the people in the room, and to those who are just joining it.
    async fn host_acts(&self, room: RoomId, action: HostAction) -> Result<(), Unavailable>;
    /// Forwards an Engine.IO request to the object in which its connection lives.
    async fn hand_over(&self, connection: Connection, request: Request) -> Result<Response, Unavailable>;
}

/// Guarantees that a user's rooms are notified of revoked tokens.
#[async_trait]
pub trait Revocations: Send + Sync {
    /// Call before tokens are revoked, with the rooms that the user may be in.
    async fn announce(&self, user: UserId, rooms: Vec<RoomId>) -> Result<(), Unavailable>;
    /// Call after that: ends the connections whose tokens are no longer valid, in the announced rooms and in `rooms`. If this fails,
    /// it is retried later, in those that were announced.
    async fn deliver(&self, user: UserId, rooms: Vec<RoomId>) -> Result<(), Unavailable>;
}

/// Where a connection lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Connection {
    /// In the object of the room that its handshake named.
    Room(RoomId),
    /// In its own object, named by its session id.
    Session(String),
}

/// The strict limits: attempts and failures per client address and per account, and what a user creates per
/// hour.
#[async_trait]
pub trait Limiter: Send + Sync {
    /// Counts an attempt before a password is checked.
    async fn attempt(&self, address: &AddressKey, limits: AuthLimits) -> Result<Attempt, Unavailable>;
    /// Counts the outcome for the address.
    async fn settle(
        &self,
        address: &AddressKey,
        account: &AccountKey,
        outcome: AttemptOutcome,
        limits: AuthLimits,
    ) -> Result<Settlement, Unavailable>;
    /// Counts the outcome for the account.
    async fn settle_password(
        &self,
        account: &AccountKey,
        address: &AddressKey,
        outcome: PasswordOutcome,
        limits: AuthLimits,
    ) -> Result<Settlement, Unavailable>;
    /// Counts one more creation by the user. The inner `Err` is the number of seconds until the next one is
    /// allowed.
    async fn spend(
        &self,
        account: &AccountKey,
        what: Hourly,
        limit: u32,
        limits: AuthLimits,
    ) -> Result<Result<(), i64>, Unavailable>;
    /// What [`Limiter::spend`] counted last was not made.
    async fn take_back(
        &self,
        account: &AccountKey,
        what: Hourly,
        limits: AuthLimits,
    ) -> Result<(), Unavailable>;
    /// Forgets a deleted account.
    async fn forget(&self, account: &AccountKey, limits: AuthLimits) -> Result<(), Unavailable>;
}

/// Cloudflare's TURN service.
#[async_trait]
pub trait TurnCredentials: Send + Sync {
    /// The `iceServers` of its response, with credentials that are valid for `ttl` seconds.
    async fn generate(&self, url: &str, api_token: &SecretString, ttl: i64) -> Result<Value, Unavailable>;
}

/// The files that are deployed with the Worker.
#[async_trait]
pub trait Assets: Send + Sync {
    /// The file at that path, with its content type.
    async fn file(&self, path: &str) -> Result<Response, Unavailable>;
}

/// Time and randomness.
#[derive(Clone, Copy)]
pub struct Platform {
    /// Milliseconds since the epoch.
    pub clock: fn() -> i64,
    pub fill_random: fn(&mut [u8]),
    /// When this isolate started, for the uptime.
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
