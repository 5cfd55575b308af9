//! One session: over what it speaks, whether its client lives, and how much waits for it.

use crate::engine::{
    Limits, Mark, Timing,
    heartbeat::Heartbeat,
    transport::{Polling, Transport},
};

/// Who has more on its way than may wait is given this time to say that it reads,
const UNREAD_MS: i64 = 5_000;
/// or this, where too much is on the way to all,
const SLOW_MS: i64 = 1_000;
/// and never more than so many times as much.
const UNREAD_FACTOR: usize = 4;

pub(super) struct Session {
    pub sid: String,
    pub transport: Transport,
    pub heartbeat: Heartbeat,
    /// What had been said when it was last pinged. It does not survive a sleep: a pong that comes
    /// after one proves nothing but that the client lives.
    pub pinged_at: Option<Mark>,
    /// The protocol has let the client in.
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

    pub fn pinged(&mut self, mark: Mark, now: i64) {
        self.pinged_at = Some(mark);
        self.sent_at_ping = self.sent;
        self.asked_at = Some(now);
    }

    /// A pong that was owed: what had been said when it was asked for, where that is still known.
    pub fn ponged(&mut self) -> Option<Mark> {
        self.sent -= std::mem::take(&mut self.sent_at_ping);
        self.asked_at = None;
        self.pinged_at.take()
    }

    /// Bytes that are held for its client here. What was sent is the runtime's.
    pub fn held(&self) -> usize {
        match &self.transport {
            Transport::Polling(polling) => polling.waiting.bytes() + polling.body,
            Transport::WebSocket(_) => 0,
        }
    }

    /// Whether it leaves much unread, and has not said for a second that it reads.
    pub fn is_slow(&self, limits: Limits, now: i64) -> bool {
        let asked_before = self.asked_at.is_some_and(|asked_at| now - asked_at > SLOW_MS);
        self.sent > limits.max_buffered || (self.sent > limits.ping_after && asked_before)
    }

    /// Whether more waits for its client than may: for its poll, or on the way to one that does not read.
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

    /// Who has not come back since the handshake is not pinged, but has no more time for it than a pong.
    pub fn is_overdue(&self, now: i64, timing: Timing) -> bool {
        let in_vain = self.unopened().is_some() && self.heartbeat.next_beat() + timing.ping_timeout <= now;
        in_vain || (!self.is_closing() && self.heartbeat.is_overdue(now))
    }

    /// A client that has only shaken hands is not woken up for: it may never come back.
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
