//! What the room keeps about a peer besides the room machine's state: how it is reached, and its recovery
//! secret. In three forms: in memory, in the object's storage, in a WebSocket's attachment.
//!
//! Stored forms have a version. The previous version is still read; a row that cannot be read is not a member.

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use zetra_domain::{RoomId, UserId};
use zetra_signalling::{Credential, HostAction, Peer, PeerId, Rate};
use zetra_socketio::{SocketId, engine::Mark};

use crate::offset;

const VERSION: u32 = 2;

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Member {
    /// The public id of its socket.
    #[serde(rename = "s")]
    pub sid: String,
    /// Its recovery secret.
    #[serde(rename = "r")]
    pub pid: String,
    /// Earlier secrets of the same client. It presents one of them if the reply with the current one never reached it.
    #[serde(rename = "f", default, skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<String>,
    #[serde(rename = "a")]
    pub address: Address,
    /// Its connection's name in the log.
    #[serde(rename = "l", default)]
    pub connection: String,
    /// Whether it is in the object's storage.
    #[serde(skip)]
    pub stored: bool,
    /// Its former peer, if it was lost and returns too late to recover, and that one's secrets. Only until it has joined.
    #[serde(skip)]
    pub was: Option<(PeerId, Vec<String>)>,
    /// The ordinal of the arrival of its connection: a later one has a higher number. No query of an earlier one survives
    /// a sleep.
    #[serde(skip)]
    pub arrival: u64,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Address {
    #[serde(rename = "h")]
    Here(SocketId),
    /// The name of a Session object.
    #[serde(rename = "s")]
    Session(String),
    #[serde(rename = "n")]
    Nowhere,
}

/// Why somebody is no longer in the room who may take itself for a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum PutOut {
    /// Another connection of the same user is in the room.
    #[serde(rename = "replaced")]
    Replaced,
    #[serde(untagged)]
    Host(HostAction),
}

/// A member that was in the room, was lost and is no longer held, but may return, or is still to be told why not.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct LostMember {
    #[serde(rename = "r")]
    pub pid: String,
    #[serde(rename = "f", default, skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<String>,
    #[serde(rename = "u")]
    pub user: UserId,
    /// It had a token, so it needs one to return.
    #[serde(rename = "t")]
    pub has_token: bool,
    /// Milliseconds since the epoch.
    #[serde(rename = "b")]
    pub back_by: i64,
    /// Why it was put out, and it will be told when it returns.
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    pub put_out: Option<PutOut>,
    /// The last event before it was put out, if it was connected. Whoever has a later one has heard why.
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    pub put_out_after: Option<Mark>,
}

/// What is stored of a peer that is in the room or may return to it.
pub(super) enum Stored {
    Member(Box<(Member, Peer)>),
    Lost(LostMember),
}

/// What is kept of a socket while the object hibernates.
#[derive(Debug, Serialize, Deserialize)]
pub struct KeptMember {
    #[serde(rename = "v")]
    version: u32,
    #[serde(rename = "r")]
    pub(super) room: RoomId,
    #[serde(rename = "i")]
    pub(super) peer: PeerId,
    #[serde(rename = "e")]
    pub(super) rate: Rate,
    /// A peer that has not joined, so nothing is stored of it.
    #[serde(rename = "g", default, skip_serializing_if = "Option::is_none")]
    pub(super) guest: Option<Guest>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Guest {
    #[serde(rename = "s")]
    pub sid: String,
    #[serde(rename = "r")]
    pub pid: String,
    #[serde(rename = "c")]
    pub credential: Credential,
    #[serde(rename = "l")]
    pub connection: String,
}

#[derive(Serialize, Deserialize)]
struct Row {
    v: u32,
    room: RoomId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    member: Option<(Member, Peer)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lost: Option<LostMember>,
}

/// Version 1 had no version field, and its room was stored in a separate row.
#[derive(Deserialize)]
struct Version1 {
    #[serde(rename = "m")]
    member: Member,
    #[serde(rename = "p")]
    peer: Peer,
}

impl Member {
    pub fn new(sid: String, pid: String, address: Address, connection: String) -> Self {
        let (stored, was, arrival) = (false, None, 0);
        Self { sid, pid, former: Vec::new(), address, connection, stored, was, arrival }
    }

    /// Whether that is one of its recovery secrets.
    pub fn holds(&self, pid: &str) -> bool {
        holds(&self.pid, &self.former, pid)
    }
}

impl LostMember {
    /// What is left of a member that was that user in the room.
    pub fn new(member: &Member, user: UserId, credential: &Credential, back_by: i64) -> Self {
        let (pid, former) = (member.pid.clone(), member.former.clone());
        let has_token = credential.user().is_some();
        Self { pid, former, user, has_token, back_by, put_out: None, put_out_after: None }
    }

    /// Whether a client with that offset has heard why it was put out.
    pub fn has_heard(&self, offset: &str) -> bool {
        self.put_out_after.zip(offset::number(offset)).is_some_and(|(before, seen)| seen > before)
    }

    /// Whether that is one of its recovery secrets.
    pub fn holds(&self, pid: &str) -> bool {
        holds(&self.pid, &self.former, pid)
    }
}

fn holds(current: &str, former: &[String], pid: &str) -> bool {
    is_same(current, pid) || former.iter().any(|former| is_same(former, pid))
}

/// In constant time: a `pid` is a secret.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    bool::from(one.as_bytes().ct_eq(other.as_bytes()))
}

impl KeptMember {
    pub(super) fn new(room: RoomId, peer: PeerId, rate: Rate, guest: Option<Guest>) -> Self {
        Self { version: VERSION, room, peer, rate, guest }
    }

    /// Attachments of another version belong to sockets that are gone, or should be.
    pub(super) fn is_readable(&self) -> bool {
        self.version == VERSION
    }
}

impl Stored {
    /// The stored form, with the room.
    pub fn to_json(&self, room: RoomId) -> Option<String> {
        let row = match self {
            Self::Member(both) => Row { v: VERSION, room, member: Some(both.as_ref().clone()), lost: None },
            Self::Lost(lost) => Row { v: VERSION, room, member: None, lost: Some(lost.clone()) },
        };
        serde_json::to_string(&row).ok()
    }

    pub fn from_json(text: &str) -> Option<(Option<RoomId>, Self)> {
        let Ok(row) = serde_json::from_str::<Row>(text) else {
            let Version1 { member, peer } = serde_json::from_str(text).ok()?;
            return Some((None, Self::Member(Box::new((member, peer)))));
        };
        let Row { v: VERSION, room, member, lost } = row else { return None };
        let stored = match (member, lost) {
            (Some(both), None) => Self::Member(Box::new(both)),
            (None, Some(lost)) => Self::Lost(lost),
            _ => return None,
        };
        Some((Some(room), stored))
    }
}
