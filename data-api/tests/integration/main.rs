//! The server over real HTTP, in front of a real database: the Data API's contract, and the store's
//! conformance suite through it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

#[path = "../../../crates/store/tests/stories/mod.rs"]
#[macro_use]
mod stories;

mod api;
mod asker;
mod client;
mod conformance;
mod departures;
mod limits;
mod log;
mod operation;
mod pipelines;
mod support;
mod times;
mod wire;
