//! How a SQLite database gets its tables: from the store, from wrangler, from both in either order, and from
//! many at once.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

mod rusqlite_seam;

use std::{
    fs,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use futures_util::future::join_all;
use rusqlite::Connection;
use rusqlite_seam::Rusqlite;
use zetra_domain::*;
use zetra_store::*;

/// Names and texts of the migrations, as wrangler finds them.
fn migrations() -> Vec<(String, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let name = |path: &std::path::Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    files.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
}

/// What `wrangler d1 migrations apply` does if only the first `count` migrations exist.
fn apply_as_wrangler(database: &Rusqlite, count: usize) {
    let connection = database.0.lock().unwrap();
    connection
        .execute_batch(
            "CREATE TABLE IF NOT EXISTS \"d1_migrations\"(
             id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE,
             applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL);",
        )
        .unwrap();
    let applied = applied(&connection);
    for (name, sql) in migrations().into_iter().take(count).filter(|(name, _)| !applied.contains(name)) {
        let query = format!("{sql}\nINSERT INTO \"d1_migrations\" (name) values ('{name}');");
        connection.execute_batch(&query).unwrap();
    }
}

fn applied(connection: &Connection) -> Vec<String> {
    let mut names = connection.prepare("SELECT name FROM d1_migrations ORDER BY id").unwrap();
    names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

fn every_name() -> Vec<String> {
    migrations().into_iter().map(|(name, _)| name).collect()
}

fn newcomer(number: usize) -> NewUser {
    let name = format!("user_{number}");
    let created_at = Timestamp::from_millis(1_700_000_000_000);
    let user = User {
        id: format!("{number:024x}").parse().unwrap(),
        email: Email::parse(&format!("{name}@example.com")).unwrap(),
        username: Username::parse(&name).unwrap(),
        created_at,
    };
    NewUser { user, password_hash: PasswordHash::stored("a hash".to_owned()) }
}

/// A query that reads what the newest migration added.
async fn asks_for_the_newest(store: &impl Store) {
    store.room(RoomId::from_random([1; 16])).await.unwrap();
}

#[test]
fn an_empty_database_serves_its_first_request_whatever_it_is() {
    pollster::block_on(async {
        let store = || SqliteStore::new(Rusqlite::in_memory());
        assert_eq!(store().ping().await, Ok(()));
        assert_eq!(store().insert_user(&newcomer(1)).await, Ok(Ok(())));
        assert_eq!(store().active_rooms_of(newcomer(1).user.id).await, Ok(vec![]));
        asks_for_the_newest(&store()).await;
    });
}

#[test]
fn of_many_first_requests_at_once_each_finds_the_schema() {
    let database = Rusqlite::in_memory();
    let registers = |number: usize| {
        let store = SqliteStore::new(database.clone());
        async move { store.insert_user(&newcomer(number)).await }
    };
    // As many isolates would, on four threads.
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let requests = (0..25).map(|number| registers(thread * 25 + number)).collect::<Vec<_>>();
            scope.spawn(move || {
                for outcome in pollster::block_on(join_all(requests)) {
                    assert_eq!(outcome, Ok(Ok(())));
                }
            });
        }
    });
    let connection = database.0.lock().unwrap();
    let users: i64 = connection.query_row("SELECT count(*) FROM users", [], |row| row.get(0)).unwrap();
    assert_eq!(users, 100);
    assert_eq!(applied(&connection), every_name());
}

#[test]
fn what_the_store_applied_wrangler_finds_applied() {
    let database = Rusqlite::in_memory();
    pollster::block_on(SqliteStore::new(database.clone()).ping()).unwrap();
    assert_eq!(applied(&database.0.lock().unwrap()), every_name());
    apply_as_wrangler(&database, usize::MAX);
    assert_eq!(applied(&database.0.lock().unwrap()), every_name());
}

#[test]
fn where_wrangler_began_the_store_goes_on() {
    let every = migrations().len();
    for count in 0..=every {
        let database = Rusqlite::in_memory();
        apply_as_wrangler(&database, count);
        let store = SqliteStore::new(database.clone());
        pollster::block_on(async {
            assert_eq!(store.insert_user(&newcomer(1)).await, Ok(Ok(())));
            asks_for_the_newest(&store).await;
            assert!(store.account(newcomer(1).user.id).await.unwrap().is_some());
        });
        assert_eq!(applied(&database.0.lock().unwrap()), every_name(), "after {count} by wrangler");
    }
}

/// Counts the batches.
struct Counting(Rusqlite, Arc<AtomicUsize>);

#[async_trait]
impl Sql for Counting {
    async fn batch(&self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>, SqlError> {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.batch(statements).await
    }
}

#[test]
fn a_schema_that_is_there_is_not_asked_for_and_one_that_cannot_be_had_is_given_up() {
    let database = Rusqlite::in_memory();
    let batches = Arc::new(AtomicUsize::new(0));
    let store = SqliteStore::new(Counting(database.clone(), Arc::clone(&batches)));
    pollster::block_on(store.ping()).unwrap();
    batches.store(0, Ordering::SeqCst);
    pollster::block_on(store.ping()).unwrap();
    assert_eq!(batches.load(Ordering::SeqCst), 1, "a database that is up to date costs nothing");

    // Somebody dropped a table: according to the journal there is nothing to apply.
    database.0.lock().unwrap().execute_batch("DROP TABLE users").unwrap();
    batches.store(0, Ordering::SeqCst);
    let outcome = pollster::block_on(store.ping());
    let Err(StoreError::Unavailable(cause)) = outcome else { panic!("{outcome:?}") };
    assert!(cause.contains("no such table: users"), "{cause}");
    assert_eq!(batches.load(Ordering::SeqCst), 2 + migrations().len());
}

#[test]
fn a_migration_that_fails_leaves_nothing_and_is_named() {
    let connection = Connection::open_in_memory().unwrap();
    // Conflicts with a later statement of the first migration.
    connection.execute_batch("CREATE TABLE call_participants (own TEXT)").unwrap();
    let database = Rusqlite(Arc::new(Mutex::new(connection)));
    let outcome = pollster::block_on(SqliteStore::new(database.clone()).ping());
    let Err(StoreError::Unavailable(cause)) = outcome else { panic!("{outcome:?}") };
    assert!(cause.starts_with("0001_schema.sql cannot be applied: table call_participants"), "{cause}");
    let connection = database.0.lock().unwrap();
    assert_eq!(applied(&connection), Vec::<String>::new());
    let tables = "SELECT count(*) FROM sqlite_master WHERE name IN ('users', 'rooms')";
    assert_eq!(connection.query_row(tables, [], |row| row.get::<_, i64>(0)), Ok(0));
}
