//! One suite for every adapter: what the port promises, as stories. MongoDB, which needs a server, runs it in
//! `data-api/tests/integration`.
//!
//! The SQLite run also explains every statement it executes and fails on one that scans a table. Twice more it loses
//! its connection with every batch: before the batch is executed, and after.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

#[allow(dead_code, reason = "tests/api needs more of it")]
mod faulty_seam;
mod rusqlite_seam;
#[macro_use]
mod stories;

use std::sync::Arc;

use zetra_store::{MemoryStore, SqliteStore, Store};

use faulty_seam::{Fault, Faulty, TRANSIENT};
use rusqlite_seam::Rusqlite;

fn memory() -> Arc<dyn Store> {
    Arc::new(MemoryStore::default())
}

fn sqlite() -> Arc<dyn Store> {
    Arc::new(SqliteStore::new(Rusqlite::in_memory()))
}

fn faulty(fault: Fault) -> Arc<dyn Store> {
    let faulty = Faulty::in_memory();
    let store = SqliteStore::new(faulty.clone());
    // The schema comes with the first query.
    pollster::block_on(store.ping()).unwrap();
    faulty.plan_always(fault);
    Arc::new(store)
}

fn refusing() -> Arc<dyn Store> {
    faulty(Fault::Refused(TRANSIENT[0]))
}

fn losing() -> Arc<dyn Store> {
    faulty(Fault::AnswerLost(TRANSIENT[0]))
}

macro_rules! over_faulty {
    // If an attempt has failed, nobody can tell whether it is what made the room as it is.
    (only_participants_are_removed_and_only_the_removed_are_readmitted, $store:ident) => {};
    ($story:ident, $store:ident) => {
        #[test]
        fn $story() {
            pollster::block_on(crate::stories::$story(crate::$store()));
        }
    };
}

macro_rules! on_each {
    ($($story:ident),* $(,)?) => {
        mod on_memory {
            $(#[test] fn $story() { pollster::block_on(crate::stories::$story(crate::memory())); })*
        }
        mod on_sqlite {
            $(#[test] fn $story() { pollster::block_on(crate::stories::$story(crate::sqlite())); })*
        }
        mod on_sqlite_that_refuses_each_batch_once {
            $(over_faulty!($story, refusing);)*
        }
        mod on_sqlite_that_loses_each_answer_once {
            $(over_faulty!($story, losing);)*
        }
    };
}

every_story!(on_each);
