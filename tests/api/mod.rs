//! The REST API without workerd or a network: every status, text and code, over the router that the Worker
//! runs. Each store has a run of its own.

mod auth;
mod authorization;
mod call_logs;
mod conventions;
pub mod document;
mod hosts;
mod ice;
mod limits;
mod rooms;
mod sockets;
pub mod support;
mod user;
pub mod world;
