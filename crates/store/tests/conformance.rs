//! One suite for every adapter: what the port promises, as stories. MongoDB, which needs a server, runs it in
//! `data-api/tests/integration`.
//!
//! The SQLite run also explains every statement it executes and fails on one that scans a table.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

mod rusqlite_seam;
#[macro_use]
mod stories;

use std::sync::Arc;

use zetra_store::{MemoryStore, SqliteStore, Store};

use rusqlite_seam::Rusqlite;

fn memory() -> Arc<dyn Store> {
    Arc::new(MemoryStore::default())
}

fn sqlite() -> Arc<dyn Store> {
    Arc::new(SqliteStore::new(Rusqlite::in_memory()))
}

macro_rules! on_both {
    ($($story:ident),* $(,)?) => {
        mod on_memory {
            $(#[test] fn $story() { pollster::block_on(crate::stories::$story(crate::memory())); })*
        }
        mod on_sqlite {
            $(#[test] fn $story() { pollster::block_on(crate::stories::$story(crate::sqlite())); })*
        }
    };
}

every_story!(on_both);
