//! The stories of the REST API over the store in memory.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

mod api;

use std::sync::Arc;

use zetra_store::{MemoryStore, Store};

/// An empty store.
fn store() -> Arc<dyn Store> {
    Arc::new(MemoryStore::default())
}
