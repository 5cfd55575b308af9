#![doc = include_str!("../README.md")]
//!
//! # Invariants
//! 1. Only the head of a request is read before its key is known.
//! 2. No key, connection string, filter or document is ever logged.
//! 3. An answer reports what the database did: a write that was refused is never a 2xx.
//! 4. Work that has begun is finished, whether or not its client waits for it, or stopped at its deadline, here
//!    and in the database.
//! 5. The memory for a request's body, its parsed form and its answer is reserved from one total before it is
//!    used.
//! 6. Each request has one line in the log and one entry in the metrics, whatever its outcome.

#![warn(missing_docs)]

mod action;
mod answer;
mod app;
mod body;
mod call;
mod connections;
mod database;
mod ejson;
mod error;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod health;
mod indexes;
mod keys;
mod memory;
mod metrics;
mod options;
mod request_id;
mod server;

pub use options::Options;
pub use server::{Server, StartError};
