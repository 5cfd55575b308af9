//! A client: what it has heard, and what it presents when it returns.

use std::collections::BTreeSet;

use zetra_socketio::engine::{
    LinkId,
    payload::{self, Part},
};

use super::object::{Name, room_id};

/// How soon a client answers a ping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pongs {
    AtOnce,
    /// So late that the object has slept meanwhile.
    Late,
    Never,
}

/// The connection of a client.
pub(super) struct Connection {
    pub object: Name,
    /// None while it polls.
    pub link: Option<LinkId>,
    pub sid: String,
    /// A WebSocket that may take over from polling.
    pub probe: Option<LinkId>,
    /// The network is gone, and neither side knows.
    pub is_deaf: bool,
}

pub(super) struct Client {
    pub user: usize,
    pub connection: Option<Connection>,
    pub pongs: Pongs,
    /// `sid` and `pid`.
    pub ids: Option<(String, String)>,
    /// Of the last event that had one.
    pub offset: Option<String>,
    pub acks: u64,
}

/// What a client does about a frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Pong,
    Poll,
    CompletesUpgrade,
}

impl Client {
    pub fn new(user: usize) -> Self {
        Self { user, connection: None, pongs: Pongs::AtOnce, ids: None, offset: None, acks: 0 }
    }

    /// The arguments of CONNECT, the token apart.
    pub fn recovery(&self) -> String {
        match (&self.ids, &self.offset) {
            (Some((_, pid)), Some(offset)) => format!(r#","pid":"{pid}","offset":"{offset}""#),
            _ => String::new(),
        }
    }

    pub fn reads(&mut self, frame: &str, seen: &mut BTreeSet<(String, String)>) -> Vec<Reply> {
        if self.connection.as_ref().is_none_or(|connection| connection.is_deaf) {
            return Vec::new();
        }
        if frame == "2" {
            return vec![Reply::Pong];
        }
        if frame == "3probe" {
            return vec![Reply::CompletesUpgrade];
        }
        if let Some(reply) = frame.strip_prefix("40") {
            let reply: serde_json::Value = serde_json::from_str(reply).unwrap();
            let text = |member: &str| reply[member].as_str().unwrap().to_owned();
            self.ids = Some((text("sid"), text("pid")));
        } else if let Some(elements) = frame.strip_prefix("42") {
            let elements: Vec<serde_json::Value> = serde_json::from_str(elements).unwrap();
            let last = elements.last().and_then(serde_json::Value::as_str);
            let is_offset = |last: &&str| last.starts_with(&room_id().compact());
            self.offset = last.filter(is_offset).map(str::to_owned).or(self.offset.take());
            if let (Some((sid, _)), Some(offset)) = (&self.ids, &self.offset) {
                seen.insert((sid.clone(), offset.clone()));
            }
        }
        Vec::new()
    }

    /// A payload of its poll; it polls again.
    pub fn reads_payload(&mut self, payload: &str, seen: &mut BTreeSet<(String, String)>) -> Vec<Reply> {
        let mut replies = Vec::new();
        let mut is_over = false;
        for part in payload::split(payload) {
            if let Some(Part::Text(frame)) = part {
                is_over |= frame == "1";
                replies.extend(self.reads(frame, seen));
            }
        }
        let polls = self.connection.as_ref().is_some_and(|connection| connection.probe.is_none());
        replies.extend((!is_over && polls).then_some(Reply::Poll));
        replies
    }
}
