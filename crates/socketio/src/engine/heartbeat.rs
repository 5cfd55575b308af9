//! The heartbeat of one session: the server pings, the client pongs (Engine.IO v4, "Heartbeat").
//!
//! The first ping comes a full interval after the open packet, each next one an interval after the
//! pong. As in the reference (since 6.6.11) the first packet that comes instead of the pong proves
//! that the client lives and gives it the time once more.

use serde::{Deserialize, Serialize};

use super::Timing;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Heartbeat {
    #[serde(rename = "i")]
    PingAt(i64),
    #[serde(rename = "o")]
    PongBy(i64),
    /// [`Heartbeat::PongBy`], put off once.
    #[serde(rename = "x")]
    PutOff(i64),
}

pub(super) enum Due {
    Nothing,
    Ping,
    TimeOut,
}

impl Heartbeat {
    pub fn begin(now: i64, timing: Timing) -> Self {
        Self::PingAt(now + timing.ping_interval)
    }

    /// A pong; unsolicited ones change nothing.
    pub fn pong(&mut self, now: i64, timing: Timing) {
        if !matches!(self, Self::PingAt(_)) {
            *self = Self::begin(now, timing);
        }
    }

    /// Any other packet; true if that changed something.
    pub fn other_packet(&mut self, now: i64, timing: Timing) -> bool {
        let puts_off = matches!(self, Self::PongBy(_));
        if puts_off {
            *self = Self::PutOff(now + timing.ping_timeout);
        }
        puts_off
    }

    pub fn deadline(self) -> i64 {
        let (Self::PingAt(at) | Self::PongBy(at) | Self::PutOff(at)) = self;
        at
    }

    pub fn is_overdue(self, now: i64) -> bool {
        !matches!(self, Self::PingAt(_)) && self.deadline() <= now
    }

    /// What is due at `now`; a ping that is due within `slack` milliseconds counts as sent.
    pub fn tick(&mut self, now: i64, slack: i64, timing: Timing) -> Due {
        match *self {
            Self::PingAt(at) if at <= now + slack => {
                // A ping that is a little late leaves the deadline where it was.
                let by = (at + timing.ping_timeout).max(now + timing.ping_timeout / 2);
                *self = Self::PongBy(by);
                Due::Ping
            }
            _ if self.is_overdue(now) => Due::TimeOut,
            _ => Due::Nothing,
        }
    }
}
