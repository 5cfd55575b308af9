//! What the room sends: events to clients and acks, with their arguments as JSON.

use std::borrow::Cow;

use zetra_domain::{RoomId, Timestamp, UserId};

use crate::{DisconnectReason, Media, Refusal, SignalKind, event::known_name};

/// An event on its way to one or more peers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outgoing<'a> {
    UserConnected(UserId),
    UserDisconnected(UserId, DisconnectReason),
    ExistingUsers(Vec<UserId>),
    /// `value` is relayed as it arrived; with a `sender` it is in form B.
    Signal {
        kind: SignalKind,
        value: &'a str,
        sender: Option<UserId>,
    },
    /// `message` and `username` are JSON string literals.
    Chat {
        message: &'a str,
        username: Cow<'a, str>,
        user: UserId,
        at: Timestamp,
        id: String,
    },
    MediaState {
        user: UserId,
        media: Media,
    },
    RoomEnded {
        room: RoomId,
        by: UserId,
    },
    /// To the user who was removed.
    Removed {
        room: RoomId,
        by: UserId,
    },
    Error {
        refusal: Refusal,
        event: Option<&'static str>,
        /// The JSON string of a target that is not present.
        target: Option<String>,
    },
}

impl<'a> Outgoing<'a> {
    /// The `error` that reports a refused event; `name` is the event's name, as JSON.
    pub fn refused(refusal: Refusal, name: &str) -> Self {
        Self::Error { refusal, event: known_name(name), target: None }
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::UserConnected(_) => "user-connected",
            Self::UserDisconnected(..) => "user-disconnected",
            Self::ExistingUsers(_) => "existing-users",
            Self::Signal { kind, .. } => kind.event(),
            Self::Chat { .. } => "chat-message",
            Self::MediaState { .. } => "media-state",
            Self::RoomEnded { .. } => "room-ended",
            Self::Removed { .. } => "removed",
            Self::Error { .. } => "error",
        }
    }

    /// The arguments as JSON, in three parts: the middle one is relayed as it arrived.
    pub fn arguments(&self) -> (String, &'a str, &'static str) {
        match self {
            Self::UserConnected(user) => (format!("\"{user}\""), "", ""),
            Self::UserDisconnected(user, reason) => (format!(r#""{user}","{}""#, reason.as_str()), "", ""),
            Self::ExistingUsers(users) => (user_list(users), "", ""),
            Self::Signal { value, sender: None, .. } => (String::new(), value, ""),
            Self::Signal { kind, value, sender: Some(sender) } => {
                (format!("{{\"senderId\":\"{sender}\",\"{}\":", kind.key()), value, "}")
            }
            Self::Chat { message, username, user, at, id } => {
                let head = format!(
                    r#"{{"username":{username},"userId":"{user}","timestamp":"{at}","id":"{id}","message":"#
                );
                (head, message, "}")
            }
            Self::MediaState { user, media: Media { audio, video, screen } } => {
                let json =
                    format!(r#"{{"userId":"{user}","audio":{audio},"video":{video},"screen":{screen}}}"#);
                (json, "", "")
            }
            Self::RoomEnded { room, by } => (host_action(*room, *by, "ended_by_host"), "", ""),
            Self::Removed { room, by } => (host_action(*room, *by, "removed_by_host"), "", ""),
            Self::Error { refusal, event, target } => {
                let event = event.map_or(String::new(), |event| format!(r#","event":"{event}""#));
                let target =
                    target.as_ref().map_or(String::new(), |target| format!(r#","targetUserId":{target}"#));
                (format!("{{{}{event}{target}}}", error_members(*refusal)), "", "")
            }
        }
    }
}

/// The answer to an event that asked for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AckBody {
    Done,
    /// The people who were there already.
    Joined(Vec<UserId>),
    Said {
        id: String,
        at: Timestamp,
    },
    Refused(Refusal),
    /// `peer_unavailable`, and the JSON string of the target.
    Unavailable(String),
}

impl AckBody {
    pub fn json(&self) -> String {
        match self {
            Self::Done => r#"{"ok":true}"#.to_owned(),
            Self::Joined(users) => format!(r#"{{"ok":true,"users":{}}}"#, user_list(users)),
            Self::Said { id, at } => format!(r#"{{"ok":true,"id":"{id}","timestamp":"{at}"}}"#),
            Self::Refused(refusal) => {
                format!(r#"{{"ok":false,"error":{{{}}}}}"#, error_members(*refusal))
            }
            Self::Unavailable(target) => {
                let members = error_members(Refusal::PeerUnavailable);
                format!(r#"{{"ok":false,"error":{{{members},"targetUserId":{target}}}}}"#)
            }
        }
    }
}

fn host_action(room: RoomId, by: UserId, reason: &str) -> String {
    format!(r#"{{"roomId":"{room}","by":"{by}","reason":"{reason}"}}"#)
}

fn error_members(refusal: Refusal) -> String {
    format!(r#""message":"{}","code":"{}""#, refusal.message(), refusal.code())
}

fn user_list(users: &[UserId]) -> String {
    let quoted: Vec<String> = users.iter().map(|user| format!("\"{user}\"")).collect();
    format!("[{}]", quoted.join(","))
}
