//! One session: its transport, whether its client is alive, and how much waits for it.

use crate::engine::{
    Limits, Mark, Timing,
    heartbeat::Heartbeat,
    transport::{Polling, Transport},
};

/// Milliseconds that a client with more than [`Limits::max_buffered`] in flight has to acknowledge some of it.
const UNREAD_MS: i64 = 5_000;
/// The same while more than [`Limits::max_sent`] is in flight to all clients.
const SLOW_MS: i64 = 1_000;
/// A client with more in flight than this many times [`Limits::max_buffered`] ends at once.
const UNREAD_FACTOR: usize = 4;

pub(super) struct Session {
    pub sid: String,
    pub transport: Transport,
    pub heartbeat: Heartbeat,
    /// How much had been sent when it was last pinged. It does not survive a sleep: a pong after one proves
    /// only that the client is alive.
    pub pinged_at: Option<Mark>,
    /// The protocol has admitted the client.
    pub admitted: bool,
    /// Bytes sent over WebSocket and not known to have arrived, and how many of them had been sent
    /// when it was last pinged.
    pub sent: usize,
    pub sent_at_ping: usize,
    /// When it was pinged, while the pong is owed.
    pub asked_at: Option<i64>,
}

impl Session {
    pub fn new(sid: String, transport: Transport, heartbeat: Heartbeat) -> Self {
        Self {
            sid,
            transport,
            heartbeat,
            pinged_at: None,
            admitted: false,
            sent: 0,
            sent_at_ping: 0,
            asked_at: None,
        }
    }

    /// The clock was set back. True if that changed something that has to survive a sleep.
    pub fn clock_set_back(&mut self, now: i64, timing: Timing) -> bool {
        self.asked_at = self.asked_at.map(|at| at.min(now));
        if let Transport::Polling(polling) = &mut self.transport {
            polling.clock_set_back(now, timing);
        }
        self.heartbeat.clock_set_back(now, timing)
    }

    pub fn pinged(&mut self, mark: Mark, now: i64) {
        self.pinged_at = Some(mark);
        self.sent_at_ping = self.sent;
        self.asked_at = Some(now);
    }

    /// A pong that was owed: how much had been sent at its ping, if still known.
    pub fn ponged(&mut self) -> Option<Mark> {
        self.sent -= std::mem::take(&mut self.sent_at_ping);
        self.asked_at = None;
        self.pinged_at.take()
    }

    /// Bytes held here for its client. Bytes already sent are held by the runtime.
    pub fn held(&self) -> usize {
        match &self.transport {
            Transport::Polling(polling) => polling.waiting.bytes() + polling.body,
            Transport::WebSocket(_) => 0,
        }
    }

    /// Whether its client leaves much unread, and has not acknowledged anything for a second.
    pub fn is_slow(&self, limits: Limits, now: i64) -> bool {
        let asked_before = self.asked_at.is_some_and(|asked_at| now - asked_at > SLOW_MS);
        self.sent > limits.max_buffered || (self.sent > limits.ping_after && asked_before)
    }

    /// Whether more waits for its client than may: for its poll, or in flight to one that does not read.
    pub fn is_overloaded(&self, limits: Limits, now: i64) -> bool {
        let unread = self.sent > limits.max_buffered
            && self.asked_at.is_some_and(|asked_at| now - asked_at > UNREAD_MS);
        self.held() > limits.max_buffered || unread || self.sent > UNREAD_FACTOR * limits.max_buffered
    }

    /// The handshake of a client that has not come back yet.
    pub fn unopened(&self) -> Option<&str> {
        match &self.transport {
            Transport::Polling(polling) => polling.unopened.as_deref(),
            Transport::WebSocket(_) => None,
        }
    }

    pub fn is_closing(&self) -> bool {
        matches!(&self.transport, Transport::Polling(polling) if polling.closing.is_some())
    }

    /// A client that has not come back since the handshake is not pinged, but gets only the time of a pong.
    pub fn is_overdue(&self, now: i64, timing: Timing) -> bool {
        let in_vain = self.unopened().is_some() && self.heartbeat.next_beat() + timing.ping_timeout <= now;
        in_vain || (!self.is_closing() && self.heartbeat.is_overdue(now))
    }

    /// A client that has only completed the handshake does not wake the server up: it may never come back.
    pub fn deadline(&self) -> Option<i64> {
        let beat = self.heartbeat.next_beat();
        match &self.transport {
            Transport::Polling(Polling { closing: Some(closing), .. }) => Some(closing.until),
            Transport::Polling(Polling { unopened: Some(_), .. }) => None,
            Transport::Polling(Polling { probe, .. }) => {
                let release = probe.and_then(|probe| probe.release_at);
                Some(release.map_or(beat, |release| beat.min(release)))
            }
            Transport::WebSocket(_) => Some(beat),
        }
    }
}
