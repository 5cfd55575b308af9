//! One connection over WebSocket: Engine.IO's heartbeat and close, Socket.IO's connect and packets.
//!
//! The session says what a frame means and when it is due to do something; it sends nothing itself.
//! What survives hibernation is the session itself (it serialises), less a binary packet that was
//! half received: a connection that sleeps in the middle of one has broken the protocol anyway.
//!
//! | state | next deadline | then |
//! |---|---|---|
//! | no namespace joined | `connect_by` | close |
//! | idle | `ping_at` | send a ping, wait for the pong |
//! | ping sent | `pong_by` | close ("ping timeout") |
//! | binary packet begun | `attachments_by` | close |

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    binary::Attachments,
    packet::{Packet, PacketError, PacketType, Payload},
};

/// Durations of the protocol, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    pub ping_interval: i64,
    pub ping_timeout: i64,
    /// From the open packet to the first namespace joined.
    pub connect_timeout: i64,
    /// From the announcement of a binary packet to its last attachment.
    pub attachments_timeout: i64,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            ping_interval: 25_000,
            ping_timeout: 20_000,
            connect_timeout: 45_000,
            attachments_timeout: 10_000,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one frame, told to the client as `maxPayload`.
    pub max_payload: usize,
    pub max_attachments: usize,
    /// Namespaces one connection may join.
    pub max_namespaces: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_payload: 1_000_000, max_attachments: 10, max_namespaces: 16 }
    }
}

/// The state of a connection. Times are milliseconds since the Unix epoch.
#[derive(Debug, Serialize, Deserialize)]
pub struct Session {
    /// Namespaces joined, in the order of joining.
    #[serde(rename = "n")]
    namespaces: Vec<String>,
    #[serde(rename = "h")]
    heartbeat: Heartbeat,
    #[serde(rename = "c")]
    connect_by: Option<i64>,
    #[serde(skip)]
    attachments: Option<(Attachments, i64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Heartbeat {
    #[serde(rename = "i")]
    PingAt(i64),
    #[serde(rename = "o")]
    PongBy(i64),
}

/// What a frame says.
#[derive(Debug)]
pub enum Received<'a> {
    /// Nothing that concerns the application: a pong, a part of a binary packet.
    Nothing,
    /// The client asks to join, with an object as its credentials; answer with [`Session::join`] or a CONNECT_ERROR.
    Connect {
        namespace: &'a str,
        auth: Option<&'a str>,
    },
    /// The client leaves a namespace; the connection stays.
    Disconnect {
        namespace: &'a str,
    },
    /// `elements` are the name and the arguments, as JSON.
    Event {
        namespace: &'a str,
        id: Option<u64>,
        elements: Vec<&'a str>,
    },
    /// A binary packet is complete: decode `announcement` for the rest.
    Binary {
        announcement: String,
        attachments: Vec<Vec<u8>>,
    },
    Ack {
        namespace: &'a str,
        id: u64,
        elements: Vec<&'a str>,
    },
    /// The client closes the Engine.IO session.
    Close,
}

/// Errors that end the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Fatal {
    #[error("frame exceeds the maximum payload")]
    TooLarge,
    #[error("unknown or unexpected Engine.IO packet")]
    EnginePacket,
    #[error(transparent)]
    Packet(#[from] PacketError),
    #[error("packet for a namespace that was not joined, or a second CONNECT to one that was")]
    Namespace,
    #[error("text between the attachments of a binary packet")]
    Interleaved,
    #[error("binary frame that no packet announced")]
    UnexpectedBinary,
    #[error("packet that only a server sends")]
    Direction,
    #[error("ping timeout")]
    PingTimeout,
    #[error("no namespace joined in time")]
    ConnectTimeout,
    #[error("attachments did not arrive in time")]
    AttachmentsTimeout,
}

impl Fatal {
    /// The WebSocket close code to send; `None` closes without a status, as the reference does.
    pub fn close_code(self) -> Option<u16> {
        (self == Self::TooLarge).then_some(1009)
    }
}

impl Session {
    /// A session whose open packet is sent at `now`. The first ping comes a full interval later.
    pub fn open(now: i64, timing: Timing) -> Self {
        Self {
            namespaces: Vec::new(),
            heartbeat: Heartbeat::PingAt(now + timing.ping_interval),
            connect_by: Some(now + timing.connect_timeout),
            attachments: None,
        }
    }

    pub fn receive_text<'a>(
        &mut self,
        frame: &'a str,
        now: i64,
        timing: Timing,
        limits: Limits,
    ) -> Result<Received<'a>, Fatal> {
        if frame.len() > limits.max_payload {
            return Err(Fatal::TooLarge);
        }
        if let Some(packet) = frame.strip_prefix('4') {
            return self.receive_packet(packet, now, timing, limits);
        }
        match frame.as_bytes() {
            [b'3', ..] => {
                if matches!(self.heartbeat, Heartbeat::PongBy(_)) {
                    self.heartbeat = Heartbeat::PingAt(now + timing.ping_interval);
                }
                Ok(Received::Nothing)
            }
            [b'1', ..] => Ok(Received::Close),
            // Open, upgrade and noop mean nothing here and do no harm.
            [b'0' | b'5' | b'6', ..] => Ok(Received::Nothing),
            _ => Err(Fatal::EnginePacket),
        }
    }

    pub fn receive_binary(&mut self, frame: Vec<u8>, limits: Limits) -> Result<Received<'static>, Fatal> {
        if frame.len() > limits.max_payload {
            return Err(Fatal::TooLarge);
        }
        let (mut pending, by) = self.attachments.take().ok_or(Fatal::UnexpectedBinary)?;
        if pending.push(frame) {
            let (announcement, attachments) = pending.into_parts();
            return Ok(Received::Binary { announcement, attachments });
        }
        self.attachments = Some((pending, by));
        Ok(Received::Nothing)
    }

    fn receive_packet<'a>(
        &mut self,
        text: &'a str,
        now: i64,
        timing: Timing,
        limits: Limits,
    ) -> Result<Received<'a>, Fatal> {
        if self.attachments.is_some() {
            return Err(Fatal::Interleaved);
        }
        let packet = Packet::decode(text)?;
        let namespace = packet.namespace;
        if self.has_joined(namespace) == (packet.kind == PacketType::Connect) {
            return Err(Fatal::Namespace);
        }
        match (packet.kind, packet.payload) {
            (PacketType::Connect, payload) => {
                if self.namespaces.len() >= limits.max_namespaces {
                    return Err(Fatal::Namespace);
                }
                let auth = if let Payload::Value(auth) = payload { Some(auth) } else { None };
                Ok(Received::Connect { namespace, auth })
            }
            (PacketType::Disconnect, _) => {
                self.namespaces.retain(|joined| joined != namespace);
                Ok(Received::Disconnect { namespace })
            }
            (PacketType::Event, Payload::Array(elements)) => {
                Ok(Received::Event { namespace, id: packet.id, elements })
            }
            (PacketType::Ack, Payload::Array(elements)) => {
                let id = packet.id.ok_or(PacketError::AckId)?;
                Ok(Received::Ack { namespace, id, elements })
            }
            (PacketType::BinaryEvent | PacketType::BinaryAck, payload) => {
                let packet = Packet { payload, ..packet };
                let pending = Attachments::announced(text, &packet, limits.max_attachments)?;
                self.attachments = Some((pending, now + timing.attachments_timeout));
                Ok(Received::Nothing)
            }
            (PacketType::ConnectError, _) => Err(Fatal::Direction),
            (PacketType::Event | PacketType::Ack, Payload::None | Payload::Value(_)) => {
                Err(Fatal::Packet(PacketError::Shape))
            }
        }
    }

    /// The application accepts the client in `namespace`.
    pub fn join(&mut self, namespace: &str) {
        self.connect_by = None;
        self.namespaces.push(namespace.to_owned());
    }

    pub fn has_joined(&self, namespace: &str) -> bool {
        self.namespaces.iter().any(|joined| joined == namespace)
    }

    /// When [`Session::tick`] wants to be called next.
    pub fn next_deadline(&self) -> i64 {
        let (Heartbeat::PingAt(at) | Heartbeat::PongBy(at)) = self.heartbeat;
        let attachments_by = self.attachments.as_ref().map(|(_, by)| *by);
        [self.connect_by, attachments_by].into_iter().flatten().fold(at, i64::min)
    }

    /// Does what is due at `now`: true means "send a ping". A ping that is due within `slack`
    /// milliseconds is sent too, so that one wake-up serves many connections.
    pub fn tick(&mut self, now: i64, slack: i64, timing: Timing) -> Result<bool, Fatal> {
        if self.connect_by.is_some_and(|by| by <= now) {
            return Err(Fatal::ConnectTimeout);
        }
        if self.attachments.as_ref().is_some_and(|(_, by)| *by <= now) {
            return Err(Fatal::AttachmentsTimeout);
        }
        match self.heartbeat {
            Heartbeat::PongBy(by) if by <= now => Err(Fatal::PingTimeout),
            Heartbeat::PingAt(at) if at <= now + slack => {
                self.heartbeat = Heartbeat::PongBy(now + timing.ping_timeout);
                Ok(true)
            }
            Heartbeat::PongBy(_) | Heartbeat::PingAt(_) => Ok(false),
        }
    }
}

#[cfg(test)]
mod tests;
