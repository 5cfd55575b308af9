//! Typed clients for the objects: the requests to each, their paths and responses.

use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;
use worker::{Env, Method, ObjectNamespace, Request, RequestInit, Response};
use zetra_domain::{
    AccountKey, AddressKey, Attempt, AttemptOutcome, AuthLimits, Hourly, PasswordOutcome, RoomId, Settlement,
    UserId,
};
use zetra_runtime::request_id;
use zetra_signalling::{HostAction, Revocation};

use crate::{
    rate_limit::{Ask, AskAccount, AskAddress},
    revocation_outbox::outbox::AskOutbox,
};

/// An object could not be reached or rejected the request.
#[derive(Debug, Error)]
pub enum ObjectError {
    #[error("the object cannot be reached: {0}")]
    Unreachable(#[from] worker::Error),
    #[error("the object answered something else: {0}")]
    Answer(#[from] serde_json::Error),
    #[error("the object refused: status {0}")]
    Refused(u16),
}

impl ObjectError {
    /// Whether the same request may succeed at once. What is overloaded gets no more to do
    /// (<https://developers.cloudflare.com/durable-objects/best-practices/error-handling/>).
    fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable(error) => !error.to_string().contains("overloaded"),
            Self::Refused(status) => *status >= 500,
            Self::Answer(_) => false,
        }
    }
}

/// The paths of the objects' internal APIs; all other paths belong to Engine.IO.
pub(crate) mod path {
    pub(crate) const ASK: &str = "/ask";
    pub(crate) const HOST: &str = "/host";
    pub(crate) const ONLINE: &str = "/online";
    pub(crate) const REVOKE: &str = "/revoke";
}

/// An object cannot read its own name, so each request contains it in this header, and each call passes it.
pub const NAME_HEADER: &str = "x-object-name";

/// The bindings of the two classes that exchange messages.
pub(crate) const ROOMS: &str = "ROOM";
pub(crate) const SESSIONS: &str = "SESSION";

/// Client for the object of a room.
pub struct RoomClient(ObjectNamespace);

/// Client for the object of a session that named no room.
pub struct SessionClient(ObjectNamespace);

/// Client for the object that counts for a client address or an account.
pub struct RateLimitClient(ObjectNamespace);

/// Client for the object that notifies rooms of a user's revoked tokens.
pub struct RevocationOutboxClient(ObjectNamespace);

impl RoomClient {
    pub fn new(env: &Env) -> worker::Result<Self> {
        env.durable_object(ROOMS).map(Self)
    }

    /// Forwards an Engine.IO request.
    pub async fn hand_over(&self, room: RoomId, request: Request) -> Result<Response, ObjectError> {
        hand_over(&self.0, &room.to_string(), request).await
    }

    /// The users who are present.
    pub async fn online(&self, room: RoomId) -> Result<Vec<UserId>, ObjectError> {
        ask(&self.0, &room.to_string(), path::ONLINE, &()).await
    }

    /// Applies the host's action to the people in the room.
    pub async fn host_acts(&self, room: RoomId, action: HostAction) -> Result<(), ObjectError> {
        ask(&self.0, &room.to_string(), path::HOST, &action).await
    }

    /// Ends the connections whose tokens are no longer valid. Asked once: the outbox counts its requests, and asks again.
    pub(crate) async fn revoke(&self, room: RoomId, revocation: &Revocation) -> Result<(), ObjectError> {
        ask_up_to(1, &self.0, &room.to_string(), path::REVOKE, revocation).await
    }
}

impl SessionClient {
    pub fn new(env: &Env) -> worker::Result<Self> {
        env.durable_object(SESSIONS).map(Self)
    }

    /// Forwards an Engine.IO request.
    pub async fn hand_over(&self, sid: &str, request: Request) -> Result<Response, ObjectError> {
        hand_over(&self.0, sid, request).await
    }
}

impl RateLimitClient {
    pub fn new(env: &Env) -> worker::Result<Self> {
        env.durable_object("RATE_LIMIT").map(Self)
    }

    pub async fn attempt(&self, address: &AddressKey, limits: AuthLimits) -> Result<Attempt, ObjectError> {
        self.ask_address(address, limits, AskAddress::Attempt).await
    }

    pub async fn settle(
        &self,
        address: &AddressKey,
        account: &AccountKey,
        outcome: AttemptOutcome,
        limits: AuthLimits,
    ) -> Result<Settlement, ObjectError> {
        self.ask_address(address, limits, AskAddress::Settle(account.clone(), outcome)).await
    }

    pub async fn settle_password(
        &self,
        account: &AccountKey,
        address: &AddressKey,
        outcome: PasswordOutcome,
        limits: AuthLimits,
    ) -> Result<Settlement, ObjectError> {
        self.ask_account(account, limits, AskAccount::Settle(address.clone(), outcome)).await
    }

    /// The inner `Err` is the number of seconds until the next one is allowed.
    pub async fn spend(
        &self,
        account: &AccountKey,
        what: Hourly,
        limit: u32,
        limits: AuthLimits,
    ) -> Result<Result<(), i64>, ObjectError> {
        self.ask_account(account, limits, AskAccount::Spend(what, limit)).await
    }

    /// What was counted last was not made.
    pub async fn take_back(
        &self,
        account: &AccountKey,
        what: Hourly,
        limits: AuthLimits,
    ) -> Result<(), ObjectError> {
        self.ask_account(account, limits, AskAccount::TakeBack(what)).await
    }

    pub async fn forget(&self, account: &AccountKey, limits: AuthLimits) -> Result<(), ObjectError> {
        self.ask_account(account, limits, AskAccount::Forget).await
    }

    async fn ask_address<A: DeserializeOwned>(
        &self,
        address: &AddressKey,
        limits: AuthLimits,
        question: AskAddress,
    ) -> Result<A, ObjectError> {
        ask(&self.0, address.as_str(), path::ASK, &Ask::Address(limits, question)).await
    }

    async fn ask_account<A: DeserializeOwned>(
        &self,
        account: &AccountKey,
        limits: AuthLimits,
        question: AskAccount,
    ) -> Result<A, ObjectError> {
        // No address has this form.
        let name = format!("account {}", account.as_str());
        ask(&self.0, &name, path::ASK, &Ask::Account(limits, question)).await
    }
}

impl RevocationOutboxClient {
    pub fn new(env: &Env) -> worker::Result<Self> {
        env.durable_object("REVOCATION_OUTBOX").map(Self)
    }

    /// Announces that tokens of the user, who may be in these rooms, are about to be revoked. From now on the
    /// rooms are certain to be notified.
    pub async fn announce(&self, user: UserId, rooms: Vec<RoomId>) -> Result<(), ObjectError> {
        self.ask(user, AskOutbox::Announce(rooms)).await
    }

    /// Notifies the announced rooms and `rooms` after the tokens were revoked.
    pub async fn deliver(&self, user: UserId, rooms: Vec<RoomId>) -> Result<(), ObjectError> {
        self.ask(user, AskOutbox::Deliver(rooms)).await
    }

    async fn ask(&self, user: UserId, question: AskOutbox) -> Result<(), ObjectError> {
        ask(&self.0, &user.to_string(), path::ASK, &(user, question)).await
    }
}

async fn hand_over(objects: &ObjectNamespace, name: &str, request: Request) -> Result<Response, ObjectError> {
    request.headers().set(NAME_HEADER, name)?;
    Ok(objects.get_by_name(name)?.fetch_with_request(request).await?)
}

/// How many times an object is asked. One that was just evicted, or restarted by a deploy, answers the next time. It may
/// have done already what it was asked; then a count is one too high or too low, and rooms are notified twice.
const ATTEMPTS: usize = 3;

async fn ask<A: DeserializeOwned>(
    objects: &ObjectNamespace,
    name: &str,
    path: &str,
    question: &impl Serialize,
) -> Result<A, ObjectError> {
    ask_up_to(ATTEMPTS, objects, name, path, question).await
}

async fn ask_up_to<A: DeserializeOwned>(
    attempts: usize,
    objects: &ObjectNamespace,
    name: &str,
    path: &str,
    question: &impl Serialize,
) -> Result<A, ObjectError> {
    let question = serde_json::to_string(question)?;
    let mut answer = ask_once(objects, name, path, &question).await;
    for _ in 1..attempts {
        if !answer.as_ref().is_err_and(ObjectError::may_pass) {
            break;
        }
        answer = ask_once(objects, name, path, &question).await;
    }
    Ok(serde_json::from_str(&answer?)?)
}

async fn ask_once(
    objects: &ObjectNamespace,
    name: &str,
    path: &str,
    question: &str,
) -> Result<String, ObjectError> {
    let mut init = RequestInit::new();
    init.with_method(Method::Post).with_body(Some(question.into()));
    let request = Request::new_with_init(&format!("https://object{path}"), &init)?;
    request.headers().set(NAME_HEADER, name)?;
    if let Some(id) = request_id::current() {
        request.headers().set(request_id::HEADER, &id)?;
    }
    let mut answer = objects.get_by_name(name)?.fetch_with_request(request).await?;
    match answer.status_code() {
        200 => Ok(answer.text().await?),
        status => Err(ObjectError::Refused(status)),
    }
}
