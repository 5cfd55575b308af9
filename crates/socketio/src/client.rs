//! One client: the Socket.IO packets of one Engine.IO session.
//!
//! It decides what a message means and when it has waited too long; it sends nothing itself. What survives
//! hibernation is the client itself (it serialises), except a half-received binary packet: a client that sleeps
//! in the middle of one has broken the protocol anyway.
//!
//! | state | deadline | then |
//! |---|---|---|
//! | no namespace joined | `connect_by` | close |
//! | binary packet begun | `attachments_by` | close |

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    SocketId,
    binary::Attachments,
    packet::{Packet, PacketError, PacketType, Payload},
};

/// CONNECT packets, each of which may cost the application a query: so many at once, and another one each tenth of a second. A
/// client that sends more has broken the protocol.
const CONNECTS_AT_ONCE: i64 = 1_000;
const CONNECT_MS: i64 = 100;

/// Limits on what one client may use in Socket.IO. Durations are in milliseconds. A client that exceeds a limit
/// has broken the protocol and its session ends, unless a field says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From the open packet to the first namespace joined.
    pub connect_timeout: i64,
    /// From the announcement of a binary packet to its last attachment.
    pub attachments_timeout: i64,
    /// Attachments of one packet.
    pub max_attachments: usize,
    /// Bytes of the attachments of one packet.
    pub max_attachment_bytes: usize,
    /// Namespaces one client may join.
    pub max_namespaces: usize,
    /// Acks that the server waits for; beyond that the oldest is dropped.
    pub max_acks: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect_timeout: 45_000,
            attachments_timeout: 10_000,
            max_attachments: 10,
            max_attachment_bytes: 256 * 1024,
            max_namespaces: 16,
            max_acks: 64,
        }
    }
}

/// The state of a client. Times are milliseconds since the Unix epoch.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Client {
    /// Namespaces joined, in the order of joining.
    #[serde(rename = "n")]
    sockets: Vec<(String, SocketId)>,
    #[serde(rename = "c")]
    connect_by: Option<i64>,
    /// Acks that were requested.
    #[serde(rename = "a", default, skip_serializing_if = "Vec::is_empty")]
    acks: Vec<(SocketId, u64)>,
    /// When its CONNECT packets so far are paid for (GCRA, ITU-T I.371). A sleep forgives them.
    #[serde(skip)]
    connects_paid_at: i64,
    #[serde(skip)]
    attachments: Option<(Attachments, i64)>,
}

/// The meaning of a message.
#[derive(Debug)]
pub(crate) enum Received<'a> {
    /// Nothing yet: a part of a binary packet, or an answer that is not awaited.
    Nothing,
    /// The client asks to join, with an object as its credentials.
    Connect {
        namespace: &'a str,
        auth: Option<&'a str>,
    },
    /// The client leaves a namespace; the session stays.
    Disconnect(SocketId),
    /// `elements` are the name and the arguments, as JSON.
    Event {
        socket: SocketId,
        id: Option<u64>,
        elements: Vec<&'a str>,
    },
    /// A binary packet is complete: [`Client::read_complete`] the announcement.
    Complete {
        announcement: String,
        attachments: Vec<Vec<u8>>,
    },
    Ack {
        socket: SocketId,
        id: u64,
        elements: Vec<&'a str>,
    },
}

/// Errors that end the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum Fatal {
    #[error(transparent)]
    Packet(#[from] PacketError),
    #[error("packet for a namespace that was not joined, or a second CONNECT to one that was")]
    Namespace,
    #[error("too many CONNECT packets")]
    Connects,
    #[error("text between the attachments of a binary packet")]
    Interleaved,
    #[error("binary frame that no packet announced")]
    UnexpectedBinary,
    #[error("packet that only a server sends")]
    Direction,
    #[error("no namespace joined in time")]
    ConnectTimeout,
    #[error("attachments did not arrive in time")]
    AttachmentsTimeout,
}

impl Client {
    pub fn new(now: i64, limits: Limits) -> Self {
        let connect_by = Some(now + limits.connect_timeout);
        Self { sockets: Vec::new(), connect_by, acks: Vec::new(), connects_paid_at: 0, attachments: None }
    }

    /// The part of it that survives.
    pub fn kept(&self) -> Self {
        let Self { sockets, connect_by, acks, .. } = self;
        let (sockets, connect_by, acks) = (sockets.clone(), *connect_by, acks.clone());
        Self { sockets, connect_by, acks, connects_paid_at: 0, attachments: None }
    }

    /// A text message, without Engine.IO's `4`.
    pub fn receive_text<'a>(
        &mut self,
        text: &'a str,
        now: i64,
        limits: Limits,
    ) -> Result<Received<'a>, Fatal> {
        if self.attachments.is_some() {
            return Err(Fatal::Interleaved);
        }
        let packet = Packet::decode(text)?;
        let socket = self.socket(packet.namespace);
        match (socket, packet.kind) {
            (None, PacketType::Connect) => {
                if self.sockets.len() >= limits.max_namespaces {
                    return Err(Fatal::Namespace);
                }
                self.count_connect(now)?;
                let auth = if let Payload::Value(auth) = packet.payload { Some(auth) } else { None };
                Ok(Received::Connect { namespace: packet.namespace, auth })
            }
            (Some(_), PacketType::Connect) | (None, _) => Err(Fatal::Namespace),
            (Some(socket), PacketType::Disconnect) => {
                self.leave(socket, now, limits);
                Ok(Received::Disconnect(socket))
            }
            (Some(_), PacketType::BinaryEvent | PacketType::BinaryAck) => {
                let pending = Attachments::announced(text, &packet, limits.max_attachments)?;
                self.attachments = Some((pending, now + limits.attachments_timeout));
                Ok(Received::Nothing)
            }
            (Some(_), PacketType::ConnectError) => Err(Fatal::Direction),
            (Some(socket), PacketType::Event | PacketType::Ack) => self.meaning(socket, packet),
        }
    }

    pub fn receive_binary(&mut self, bytes: Vec<u8>, limits: Limits) -> Result<Received<'static>, Fatal> {
        let (mut pending, by) = self.attachments.take().ok_or(Fatal::UnexpectedBinary)?;
        if pending.push(bytes, limits.max_attachment_bytes)? {
            let (announcement, attachments) = pending.into_parts();
            return Ok(Received::Complete { announcement, attachments });
        }
        self.attachments = Some((pending, by));
        Ok(Received::Nothing)
    }

    /// Bytes of an incomplete binary packet.
    pub fn held(&self) -> usize {
        self.attachments.as_ref().map_or(0, |(pending, _)| pending.bytes())
    }

    /// Reads a binary packet whose attachments have all arrived.
    pub fn read_complete<'a>(&mut self, announcement: &'a str) -> Result<Received<'a>, Fatal> {
        let packet = Packet::decode(announcement)?;
        let socket = self.socket(packet.namespace).ok_or(Fatal::Namespace)?;
        self.meaning(socket, packet)
    }

    fn meaning<'a>(&mut self, socket: SocketId, packet: Packet<'a>) -> Result<Received<'a>, Fatal> {
        let Payload::Array(elements) = packet.payload else { return Err(PacketError::Shape.into()) };
        if matches!(packet.kind, PacketType::Event | PacketType::BinaryEvent) {
            return Ok(Received::Event { socket, id: packet.id, elements });
        }
        let answered = packet.id.filter(|id| self.take_ack(socket, *id));
        Ok(answered.map_or(Received::Nothing, |id| Received::Ack { socket, id, elements }))
    }

    /// Whether it is in a namespace.
    pub fn is_admitted(&self) -> bool {
        !self.sockets.is_empty()
    }

    /// The application accepts the client in `namespace`.
    pub fn join(&mut self, namespace: String, socket: SocketId) {
        self.connect_by = None;
        self.sockets.push((namespace, socket));
    }

    /// The client leaves, or is removed. In no namespace it has as much time for the next one as it had for the
    /// first.
    pub fn leave(&mut self, socket: SocketId, now: i64, limits: Limits) -> Option<String> {
        let index = self.sockets.iter().position(|(_, joined)| *joined == socket)?;
        self.acks.retain(|(asked, _)| *asked != socket);
        let (namespace, _) = self.sockets.remove(index);
        if self.sockets.is_empty() {
            self.connect_by = Some(now + limits.connect_timeout);
        }
        Some(namespace)
    }

    pub fn sockets(&self) -> impl Iterator<Item = SocketId> + '_ {
        self.sockets.iter().map(|(_, socket)| *socket)
    }

    pub fn namespace(&self, socket: SocketId) -> Option<&str> {
        self.sockets.iter().find(|(_, joined)| *joined == socket).map(|(namespace, _)| namespace.as_str())
    }

    /// An ack is requested.
    pub fn expect_ack(&mut self, socket: SocketId, id: u64, limits: Limits) {
        if self.acks.len() >= limits.max_acks {
            self.acks.remove(0);
        }
        self.acks.push((socket, id));
    }

    /// The clock was set back. True if that changed something that has to survive a sleep.
    pub fn clock_set_back(&mut self, now: i64, limits: Limits) -> bool {
        let before = self.connect_by;
        self.connect_by = before.map(|by| by.min(now + limits.connect_timeout));
        if let Some((_, by)) = &mut self.attachments {
            *by = (*by).min(now + limits.attachments_timeout);
        }
        self.connect_by != before
    }

    /// When [`Client::check`] may fail.
    pub fn deadline(&self) -> Option<i64> {
        let attachments_by = self.attachments.as_ref().map(|(_, by)| *by);
        [self.connect_by, attachments_by].into_iter().flatten().min()
    }

    /// Whether the client met the deadlines that are over at `now`.
    pub fn check(&self, now: i64) -> Result<(), Fatal> {
        if self.connect_by.is_some_and(|by| by <= now) {
            return Err(Fatal::ConnectTimeout);
        }
        if self.attachments.as_ref().is_some_and(|(_, by)| *by <= now) {
            return Err(Fatal::AttachmentsTimeout);
        }
        Ok(())
    }

    fn count_connect(&mut self, now: i64) -> Result<(), Fatal> {
        let latest = now + CONNECTS_AT_ONCE * CONNECT_MS;
        // It is later only after the clock was set back.
        self.connects_paid_at = self.connects_paid_at.clamp(now, latest);
        if self.connects_paid_at + CONNECT_MS > latest {
            return Err(Fatal::Connects);
        }
        self.connects_paid_at += CONNECT_MS;
        Ok(())
    }

    fn socket(&self, namespace: &str) -> Option<SocketId> {
        self.sockets.iter().find(|(joined, _)| joined == namespace).map(|(_, socket)| *socket)
    }

    fn take_ack(&mut self, socket: SocketId, id: u64) -> bool {
        let asked = self.acks.iter().position(|asked| *asked == (socket, id));
        asked.map(|index| self.acks.remove(index)).is_some()
    }
}

#[cfg(test)]
mod tests;
