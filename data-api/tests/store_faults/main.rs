//! Every operation of the REST API over MongoDB through the Data API, where every call fails in each kind of way
//! (see tests/store_faults, which does the same over SQLite).

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

#[allow(dead_code, reason = "the stories of the API need more of it")]
mod api;
mod data_api_seam;
mod faulty_store;
#[path = "../../../crates/store/tests/faulty_seam/plan.rs"]
mod plan;
#[path = "../../../tests/store_faults/mod.rs"]
mod store_faults;
#[path = "../integration/support.rs"]
#[allow(dead_code, reason = "the server's own tests need more of it")]
mod support;

use std::sync::Arc;

use zetra_store::{MemoryStore, Store};

/// For stories that need no database.
fn store() -> Arc<dyn Store> {
    Arc::new(MemoryStore::default())
}
