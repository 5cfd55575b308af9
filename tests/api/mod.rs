//! The REST API without workerd or a network: every status, text and code, over the router that the Worker
//! runs. Each store has a run of its own.

mod auth;
mod authorization;
mod call_logs;
mod conventions;
mod document;
mod hosts;
mod ice;
mod limits;
mod rooms;
mod sockets;
mod support;
mod user;

const UNKNOWN_ROOM: &str = "a987fbc9-4bed-4078-8f07-9141ba07c9f3";
