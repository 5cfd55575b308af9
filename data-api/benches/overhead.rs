//! The overhead of adapter and server over calling the driver directly: the same query, a user by id, sent to
//! the same database alternately. One at a time for the latency, 64 at a time for the throughput. Run with
//! `cargo xtask bench mongodb`.

#![allow(clippy::unwrap_used, reason = "a benchmark that panics says so")]
#![allow(clippy::disallowed_methods, reason = "nothing here runs on wasm32")]

#[allow(dead_code, reason = "the tests use all of it")]
#[path = "../tests/integration/support.rs"]
mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bson::{Document, doc, oid::ObjectId};
use mongodb::{Client, Collection, options::ClientOptions};
use zetra_domain::{Email, ObjectIds, PasswordHash, Timestamp, User, UserId, Username};
use zetra_runtime::DataApiClient;
use zetra_store::{MongoStore, NewUser, Store};

use support::{Fixture, mongodb_uri};

const PAIRS: usize = 2_000;
const CONCURRENT: usize = 64;
const ROUNDS: usize = 3;
const ROUND: Duration = Duration::from_secs(4);

#[tokio::main]
async fn main() {
    let fixture = Fixture::start().await;
    let store = Arc::new(fixture.store());
    let mut options = ClientOptions::parse(mongodb_uri()).await.unwrap();
    options.max_pool_size = Some(2 * CONCURRENT as u32);
    let users = Client::with_options(options).unwrap().database(&fixture.database).collection("users");
    let id = somebody(&store).await;

    latency(&store, &users, id).await;
    throughput(store, users, id).await;
    fixture.end().await;
}

async fn somebody(store: &MongoStore<DataApiClient>) -> UserId {
    let now = Timestamp::from_millis(1_700_000_000_000);
    let user = User {
        id: ObjectIds::new([1; 8]).user(now),
        username: Username::parse("somebody").unwrap(),
        email: Email::parse("somebody@example.com").unwrap(),
        created_at: now,
    };
    let id = user.id;
    store
        .insert_user(&NewUser { user, password_hash: PasswordHash::stored("no hash".to_owned()) })
        .await
        .unwrap()
        .unwrap();
    id
}

async fn by_store(store: &MongoStore<DataApiClient>, id: UserId) {
    assert!(store.account(id).await.unwrap().is_some());
}

async fn by_driver(users: &Collection<Document>, id: UserId) {
    let id = ObjectId::parse_str(id.to_string()).unwrap();
    assert!(users.find_one(doc! { "_id": id }).await.unwrap().is_some());
}

async fn latency(store: &MongoStore<DataApiClient>, users: &Collection<Document>, id: UserId) {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..PAIRS {
        let begun = Instant::now();
        by_driver(users, id).await;
        theirs.push(begun.elapsed());
        let begun = Instant::now();
        by_store(store, id).await;
        ours.push(begun.elapsed());
    }
    for times in [&mut ours, &mut theirs] {
        times.sort();
    }
    let at = |times: &[Duration], percent: usize| {
        times.get(times.len() * percent / 100).unwrap().as_secs_f64() * 1e3
    };
    println!("one at a time, {PAIRS} of each in turns    median     p90     p99  ms");
    for (name, times) in [("driver", &theirs), ("adapter + server", &ours)] {
        println!("  {name:<38} {:>6.3}  {:>6.3}  {:>6.3}", at(times, 50), at(times, 90), at(times, 99));
    }
    println!("  added at the median                    {:>6.3}", at(&ours, 50) - at(&theirs, 50));
}

async fn throughput(store: Arc<MongoStore<DataApiClient>>, users: Collection<Document>, id: UserId) {
    println!("\n{CONCURRENT} at a time, {ROUNDS} rounds of {} s in turns    calls/s", ROUND.as_secs());
    let (mut theirs, mut ours) = (0.0_f64, 0.0_f64);
    for _ in 0..ROUNDS {
        let users = users.clone();
        theirs = theirs.max(
            per_second(move || {
                let users = users.clone();
                async move { by_driver(&users, id).await }
            })
            .await,
        );
        let store = store.clone();
        ours = ours.max(
            per_second(move || {
                let store = store.clone();
                async move { by_store(&store, id).await }
            })
            .await,
        );
    }
    println!("  driver, best round                {theirs:>14.0}");
    println!("  adapter + server, best round      {ours:>14.0}");
    println!("  ratio                             {:>14.2}", ours / theirs);
}

async fn per_second<F: Future<Output = ()> + Send>(ask: impl Fn() -> F + Send + Sync + 'static) -> f64 {
    let (ask, count, begun) = (Arc::new(ask), Arc::new(AtomicU64::new(0)), Instant::now());
    let asking: Vec<_> = (0..CONCURRENT)
        .map(|_| {
            let (ask, count) = (ask.clone(), count.clone());
            tokio::spawn(async move {
                while begun.elapsed() < ROUND {
                    ask().await;
                    count.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for asker in asking {
        asker.await.unwrap();
    }
    count.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64()
}
