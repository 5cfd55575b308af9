//! The heartbeat of one session: the server pings, the client pongs (Engine.IO v4, "Heartbeat").
//!
//! All sessions of a server whose clients have come back since the handshake are pinged at the same *beats*, an
//! interval apart, so that the server wakes up once for all of them. Whether a pong is overdue is decided at the
//! first beat after its deadline, or at the session's next request. As in the reference implementation (since
//! 6.6.11) the first packet that comes instead of the pong proves that the client is alive and extends the deadline
//! once.

use serde::{Deserialize, Serialize};

use super::Timing;

/// The first ping of a session comes no sooner than this, nor than half an interval: not right after the open
/// packet.
const LEAD_MS: i64 = 1_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Heartbeat {
    #[serde(rename = "b")]
    next_beat: i64,
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    pong_by: Option<i64>,
    /// The deadline of the pong was extended once.
    #[serde(rename = "x", default, skip_serializing_if = "std::ops::Not::not")]
    put_off: bool,
}

pub(super) enum Due {
    Nothing,
    Ping,
    TimeOut,
}

impl Heartbeat {
    /// `beat` is one of the server's, if it has any: the session adopts its rhythm. A session that is alone
    /// begins with a whole interval.
    pub fn begin(now: i64, beat: Option<i64>, timing: Timing) -> Self {
        let interval = timing.ping_interval.max(1);
        let soonest = now + LEAD_MS.min(interval / 2);
        let in_step = beat.map(|beat| beat - (beat - soonest).div_euclid(interval) * interval);
        Self { next_beat: in_step.unwrap_or(now + interval), pong_by: None, put_off: false }
    }

    pub fn next_beat(self) -> i64 {
        self.next_beat
    }

    /// The clock was set back: nothing is further away than when it was set, and the rhythm stays. True if that
    /// changed something.
    pub fn clock_set_back(&mut self, now: i64, timing: Timing) -> bool {
        let before = *self;
        let interval = timing.ping_interval.max(1);
        if self.next_beat > now + interval + LEAD_MS {
            self.next_beat -= (self.next_beat - now - 1).div_euclid(interval) * interval;
        }
        self.pong_by = self.pong_by.map(|by| by.min(now + timing.ping_timeout));
        *self != before
    }

    /// A pong; true if one was owed.
    pub fn pong(&mut self) -> bool {
        self.put_off = false;
        self.pong_by.take().is_some()
    }

    /// Any other packet; true if it changed something.
    pub fn other_packet(&mut self, now: i64, timing: Timing) -> bool {
        let puts_off = self.pong_by.is_some() && !self.put_off;
        if puts_off {
            self.pong_by = Some(now + timing.ping_timeout);
            self.put_off = true;
        }
        puts_off
    }

    /// An extra ping; false while a pong is owed.
    pub fn ping_now(&mut self, now: i64, timing: Timing) -> bool {
        let free = self.pong_by.is_none();
        if free {
            self.pong_by = Some(now + timing.ping_timeout);
        }
        free
    }

    pub fn is_overdue(self, now: i64) -> bool {
        self.pong_by.is_some_and(|by| by <= now)
    }

    pub fn tick(&mut self, now: i64, timing: Timing) -> Due {
        if self.is_overdue(now) {
            return Due::TimeOut;
        }
        if self.next_beat > now {
            return Due::Nothing;
        }
        // Missed beats are not made up for.
        let interval = timing.ping_interval.max(1);
        self.next_beat += ((now - self.next_beat).div_euclid(interval) + 1) * interval;
        if self.pong_by.is_some() {
            return Due::Nothing;
        }
        self.pong_by = Some(now + timing.ping_timeout);
        Due::Ping
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_back_delays_no_beat_and_keeps_the_rhythm() {
        let timing = Timing::default();
        let (mut one, mut other) =
            (Heartbeat::begin(7_200_000, None, timing), Heartbeat::begin(7_200_000, Some(7_300_000), timing));
        assert!(!one.clock_set_back(7_200_000, timing), "it was not");
        assert!(one.ping_now(7_200_000, timing));
        assert!(one.clock_set_back(10, timing) && other.clock_set_back(10, timing));
        assert!(one.next_beat() <= 10 + timing.ping_interval && other.next_beat() == one.next_beat());
        assert!(one.is_overdue(10 + timing.ping_timeout));
    }

    #[test]
    fn a_session_falls_into_step_and_is_not_pinged_beside_its_open_packet() {
        let timing = Timing::default();
        let first = |now, beat| Heartbeat::begin(now, beat, timing).next_beat();
        assert_eq!(first(7, None), 25_007, "alone it begins with a whole interval");
        assert_eq!(first(10_000, Some(25_000)), 25_000);
        assert_eq!(first(24_000, Some(25_000)), 25_000, "a second away");
        assert_eq!(first(24_001, Some(25_000)), 50_000);
        assert_eq!(first(1_000, Some(50_000)), 25_000, "the other one's first beat is not the next");
        assert_eq!(first(90_000, Some(25_000)), 100_000, "an old beat");
        let quick = Timing { ping_interval: 300, ..timing };
        assert_eq!(Heartbeat::begin(100, Some(300), quick).next_beat(), 300, "half an interval");
        assert_eq!(Heartbeat::begin(151, Some(300), quick).next_beat(), 600);
    }
}
