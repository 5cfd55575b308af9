//! Measures heap use. A program of its own, as all tests of a program share one heap.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use std::sync::{Mutex, MutexGuard, PoisonError};

use peak_alloc::PeakAlloc;

#[allow(dead_code, reason = "the server uses all of it")]
#[path = "../../src/action/cost.rs"]
mod cost;
mod parsing;
mod server;
#[allow(dead_code, reason = "the other tests use all of it")]
#[path = "../integration/support.rs"]
mod support;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// One test at a time uses the heap.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
