//! The stories of the REST API over SQLite, the database that the Worker has without any configuration.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

mod api;
#[path = "../crates/store/tests/faulty_seam/mod.rs"]
#[allow(dead_code, reason = "the store's own tests need more of it")]
mod faulty_seam;
#[path = "store_faults/sqlite.rs"]
mod faulty_store;
#[path = "../crates/store/tests/rusqlite_seam/mod.rs"]
mod rusqlite_seam;
mod store_faults;
#[path = "store_faults/migrations.rs"]
mod store_faults_of_migrations;

use std::sync::Arc;

use zetra_store::{SqliteStore, Store};

use rusqlite_seam::Rusqlite;

/// An empty store.
fn store() -> Arc<dyn Store> {
    Arc::new(SqliteStore::new(Rusqlite::in_memory()))
}
