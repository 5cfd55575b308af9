//! The fixture language of the REST stories: an app over memory, and people who call it.

use std::{
    cell::Cell,
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicI64, Ordering},
    },
};

use async_trait::async_trait;
use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use secrecy::SecretString;
use serde_json::{Value, json};
use zetra::{
    ports::{Assets, Connection, Limiter, Platform, Revocations, Rooms, TurnCredentials, Unavailable},
    router,
    state::{App, Services},
};
use zetra_domain::{
    AccountKey, AddressKey, Attempt, AttemptOutcome, AuthLimits, Email, Hourly, ObjectIds, Password,
    PasswordHash, PasswordOutcome, RoomId, Settlement, SigningSecret, Timestamp, TokenKey, User, UserId,
    Username,
};
use zetra_durable_objects::{AccountLedger, AddressLedger, HANDSHAKE_HEADER, SESSION_HEADER};
use zetra_runtime::{Config, Variables};
use zetra_signalling::HostAction;
use zetra_store::{NewUser, Row, Sql, SqlError, SqliteStore, Statement, Store};

pub const UNKNOWN_ROOM: &str = "a987fbc9-4bed-4078-8f07-9141ba07c9f3";
pub const PASSWORD: &str = "Sup3rSecret";
pub const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// Of everybody who was enrolled.
pub static ENROLLED_HASH: LazyLock<PasswordHash> =
    LazyLock::new(|| PasswordHash::new(&Password::parse("password", PASSWORD).unwrap(), [7; 16]));

thread_local! {
    /// The clock of a story, which has a thread of its own; stories only ever move it forwards.
    static NOW: Cell<i64> = const { Cell::new(1_700_000_000_000) };
}

pub struct TestApp {
    router: axum::Router,
    pub store: Arc<dyn Store>,
    pub rooms: Arc<FakeRooms>,
    pub turn: Arc<FakeTurn>,
}

type Meanwhile = Box<dyn FnOnce() + Send>;

/// Rooms without objects: who is online is set, what they would learn of tokens is written down.
#[derive(Default)]
pub struct FakeRooms {
    pub online: Mutex<Vec<UserId>>,
    pub told: Mutex<Vec<(&'static str, UserId)>>,
    /// What happens between an announcement and the change.
    meanwhile: Mutex<Option<Meanwhile>>,
    /// In which rooms tokens were revoked just then, beside those announced.
    pub also_in: Mutex<Vec<RoomId>>,
    pub host_acts: Mutex<Vec<(RoomId, HostAction)>>,
    pub cannot_be_told: Mutex<bool>,
}

#[derive(Default)]
pub struct MemoryLimiter {
    addresses: Mutex<BTreeMap<String, AddressLedger>>,
    accounts: Mutex<BTreeMap<String, AccountLedger>>,
}

/// A TURN service that counts what it is asked.
#[derive(Default)]
pub struct FakeTurn {
    pub asked: AtomicI64,
}

/// The files as they stand in the repository.
struct Files;

struct Broken;

#[async_trait]
impl Sql for Broken {
    async fn batch(&self, _statements: Vec<Statement>) -> Result<Vec<Vec<Row>>, SqlError> {
        Err(SqlError("D1_ERROR: Network connection lost.".to_owned()))
    }
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

pub fn register_body(username: &str, email: &str, password: &str) -> Option<Value> {
    Some(json!({ "username": username, "email": email, "password": password }))
}

/// Somebody who is registered.
#[derive(Clone)]
pub struct Someone {
    pub id: String,
    pub email: String,
    pub token: String,
}

impl TestApp {
    pub fn new() -> Self {
        Self::with(&[])
    }

    /// What happens in the store after the next revocation is announced, and before the change is made.
    pub fn meanwhile(&self, happens: impl FnOnce(&dyn Store) + Send + 'static) {
        let store = self.store.clone();
        *self.rooms.meanwhile.lock().unwrap() = Some(Box::new(move || happens(&*store)));
    }

    /// Then a login renews the hash of this password.
    pub fn renews_hash_meanwhile(&self, user: UserId) {
        self.meanwhile(move |store| {
            let old = pollster::block_on(store.account(user)).unwrap().unwrap().password_hash;
            let renewed = PasswordHash::new(&Password::parse("password", PASSWORD).unwrap(), [4; 16]);
            pollster::block_on(store.renew_hash(user, &old, &renewed)).unwrap();
        });
    }

    pub fn with(variables: &[(&str, &str)]) -> Self {
        Self::over(crate::store(), variables)
    }

    /// An app whose database cannot be reached.
    pub fn with_broken_store() -> Self {
        Self::over(Arc::new(SqliteStore::new(Broken)), &[])
    }

    pub fn over(store: Arc<dyn Store>, variables: &[(&str, &str)]) -> Self {
        let variable = |name: &str| match name {
            "JWT_SECRET" => Some(SECRET.to_owned()),
            _ => variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()),
        };
        let config = Config::read(Variables::new(&variable)).unwrap();
        let (rooms, turn) = (Arc::new(FakeRooms::default()), Arc::new(FakeTurn::default()));
        let services = Services {
            store: store.clone(),
            rooms: rooms.clone(),
            revocations: rooms.clone(),
            limiter: Arc::new(MemoryLimiter::default()),
            turn: turn.clone(),
            assets: Arc::new(Files),
            platform: platform(),
        };
        Self { router: router::router(App::new(config, services)), store, rooms, turn }
    }

    /// An app that has no secret, and one front end.
    pub fn unconfigured() -> Self {
        let error = Config::read(Variables::new(&|_| None)).err().unwrap();
        let router = router::unconfigured(&error, &["https://a.example".to_owned()], platform());
        let (rooms, turn) = Default::default();
        Self { router, store: crate::store(), rooms, turn }
    }

    pub fn send(&self, request: Request<Body>) -> Answer {
        pollster::block_on(async {
            let response: Response = router::serve(self.router.clone(), request).await;
            let (parts, body) = response.into_parts();
            let bytes = body.collect().await.unwrap().to_bytes();
            let body = match bytes.as_ref() {
                [] => Value::Null,
                bytes => serde_json::from_slice(bytes).unwrap_or_else(|_| panic!("not JSON: {bytes:?}")),
            };
            Answer { status: parts.status, headers: parts.headers, body }
        })
    }

    pub fn call(&self, method: &str, path: &str, token: Option<&str>, body: Option<Value>) -> Answer {
        self.call_from("192.0.2.1", method, path, token, body)
    }

    pub fn call_from(
        &self,
        address: &str,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<Value>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("cf-connecting-ip", address);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        self.send(request.body(body).unwrap())
    }

    pub fn registers(&self, name: &str) -> Someone {
        let email = format!("{name}@example.com");
        let body = json!({ "username": name, "email": email, "password": PASSWORD });
        let answer = self.call("POST", "/api/auth/register", None, Some(body));
        assert_eq!(answer.status, 201, "{}", answer.body);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Someone { id: text(&answer.body["user"]["id"]), email, token: text(&answer.body["token"]) }
    }

    /// The same without the work of a password's hash, which is made once: for stories of very many people.
    pub fn enrolls(&self, name: &str) -> Someone {
        let id = ObjectIds::new(random()).user(now());
        let email = format!("{name}@example.com");
        let user = User {
            id,
            username: Username::parse(name).unwrap(),
            email: Email::parse(&email).unwrap(),
            created_at: now(),
        };
        let new = NewUser { user, password_hash: ENROLLED_HASH.clone() };
        pollster::block_on(self.store.insert_user(&new)).unwrap().unwrap();
        let key = TokenKey::new(&SigningSecret::new(SECRET.into()).unwrap());
        let token = key.issue(id, name, 0, random(), now());
        Someone { id: id.to_string(), email, token }
    }

    pub fn login(&self, address: &str, email: &str, password: &str) -> Answer {
        let body = json!({ "email": email, "password": password });
        self.call_from(address, "POST", "/api/auth/login", None, Some(body))
    }

    /// A room of these people, the first its host.
    pub fn room_of(&self, people: &[&Someone]) -> String {
        let made = self.call("POST", "/api/room/create", Some(&people[0].token), None);
        let room = made.body["roomId"].as_str().unwrap().to_owned();
        for person in &people[1..] {
            let joined = self.call("POST", &format!("/api/room/join/{room}"), Some(&person.token), None);
            assert_eq!(joined.status, 200, "{}", joined.body);
        }
        room
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Status, text and code of an error.
    #[track_caller]
    pub fn refused(&self, status: u16, error: &str, code: &str) {
        let found = (self.status.as_u16(), self.body["error"].as_str(), self.body["code"].as_str());
        assert_eq!(found, (status, Some(error), Some(code)), "{}", self.body);
        assert!(self.body["requestId"].is_string(), "every error body has the request id");
    }

    #[track_caller]
    pub fn succeeded(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        self.body
    }
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}

/// Moves the clock on.
pub fn pass(seconds: i64) {
    NOW.set(NOW.get() + seconds * 1_000);
}

pub fn now() -> Timestamp {
    Timestamp::from_millis(NOW.get())
}

fn platform() -> Platform {
    Platform {
        clock: || NOW.replace(NOW.get() + 1),
        fill_random: |bytes| getrandom::fill(bytes).unwrap(),
        started: now(),
        production: false,
    }
}

#[async_trait]
impl Rooms for FakeRooms {
    async fn online(&self, _room: RoomId) -> Result<Vec<UserId>, Unavailable> {
        Ok(self.online.lock().unwrap().clone())
    }

    async fn host_acts(&self, room: RoomId, action: HostAction) -> Result<(), Unavailable> {
        if *self.cannot_be_told.lock().unwrap() {
            return Err(Unavailable("no object".to_owned()));
        }
        self.host_acts.lock().unwrap().push((room, action));
        Ok(())
    }

    async fn hand_over(
        &self,
        connection: Connection,
        request: axum::extract::Request,
    ) -> Result<Response, Unavailable> {
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        let handshake: Value = serde_json::from_str(header(HANDSHAKE_HEADER).unwrap_or("null")).unwrap();
        let sid = header(SESSION_HEADER);
        let body = match connection {
            Connection::Room(room) => json!({ "room": room, "sid": sid, "handshake": handshake }),
            Connection::Session(session) => {
                json!({ "session": session, "sid": sid, "handshake": handshake })
            }
        };
        Ok(axum::Json(body).into_response())
    }
}

#[async_trait]
impl Revocations for FakeRooms {
    async fn announce(&self, user: UserId, _rooms: Vec<RoomId>) -> Result<(), Unavailable> {
        self.told.lock().unwrap().push(("announced", user));
        if let Some(meanwhile) = self.meanwhile.lock().unwrap().take() {
            meanwhile();
        }
        Ok(())
    }

    async fn deliver(&self, user: UserId, rooms: Vec<RoomId>) -> Result<(), Unavailable> {
        self.also_in.lock().unwrap().extend(rooms);
        self.told.lock().unwrap().push(("delivered", user));
        Ok(())
    }
}

impl MemoryLimiter {
    fn of_address<T>(&self, address: &AddressKey, ask: impl FnOnce(&mut AddressLedger, i64) -> T) -> T {
        let mut ledgers = self.addresses.lock().unwrap();
        ask(ledgers.entry(address.as_str().to_owned()).or_default(), now().millis())
    }

    fn of_account<T>(&self, account: &AccountKey, ask: impl FnOnce(&mut AccountLedger, i64) -> T) -> T {
        let mut ledgers = self.accounts.lock().unwrap();
        ask(ledgers.entry(account.as_str().to_owned()).or_default(), now().millis())
    }
}

#[async_trait]
impl Limiter for MemoryLimiter {
    async fn attempt(&self, address: &AddressKey, limits: AuthLimits) -> Result<Attempt, Unavailable> {
        Ok(self.of_address(address, |ledger, now| ledger.attempt(limits, now)))
    }

    async fn settle(
        &self,
        address: &AddressKey,
        account: &AccountKey,
        outcome: AttemptOutcome,
        limits: AuthLimits,
    ) -> Result<Settlement, Unavailable> {
        Ok(self.of_address(address, |ledger, now| ledger.settle(account, outcome, limits, now)))
    }

    async fn settle_password(
        &self,
        account: &AccountKey,
        address: &AddressKey,
        outcome: PasswordOutcome,
        limits: AuthLimits,
    ) -> Result<Settlement, Unavailable> {
        Ok(self.of_account(account, |ledger, now| ledger.settle(address, outcome, limits, now)))
    }

    async fn spend(
        &self,
        account: &AccountKey,
        what: Hourly,
        limit: u32,
        _limits: AuthLimits,
    ) -> Result<Result<(), i64>, Unavailable> {
        Ok(self.of_account(account, |ledger, now| ledger.spend(what, limit, now)))
    }

    async fn take_back(
        &self,
        account: &AccountKey,
        what: Hourly,
        _limits: AuthLimits,
    ) -> Result<(), Unavailable> {
        self.of_account(account, |ledger, now| ledger.take_back(what, now));
        Ok(())
    }

    async fn forget(&self, account: &AccountKey, _limits: AuthLimits) -> Result<(), Unavailable> {
        self.accounts.lock().unwrap().remove(account.as_str());
        Ok(())
    }
}

#[async_trait]
impl Assets for Files {
    async fn file(&self, path: &str) -> Result<Response, Unavailable> {
        // A package's tests run in its own folder.
        let roots = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
        let file = roots
            .map(|root| root.join("web/static"))
            .find(|folder| folder.is_dir())
            .unwrap()
            .join(&path[1..]);
        let text = std::fs::read_to_string(&file)
            .map_err(|error| Unavailable(format!("{}: {error}", file.display())))?;
        Ok(([(http::header::CONTENT_TYPE, "application/json")], text).into_response())
    }
}

#[async_trait]
impl TurnCredentials for FakeTurn {
    async fn generate(&self, url: &str, _token: &SecretString, ttl: i64) -> Result<Value, Unavailable> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if url.contains("broken") {
            return Err(Unavailable("down".to_owned()));
        }
        Ok(json!([{ "urls": [url], "username": "u", "credential": ttl.to_string() }]))
    }
}
