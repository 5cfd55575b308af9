//! The event rate of one peer: a token bucket in its one-number form (GCRA, ITU-T I.371).
//!
//! `ahead` is the time until which the events so far are paid for; an event is refused if that lies further in
//! the future than the burst allows.

use serde::{Deserialize, Serialize};

use crate::Limits;

const BURST_PER_PERSON: i64 = 20;
/// A larger event counts as several, since it goes to everybody in the room.
const BYTES_PER_EVENT: usize = 32 * 1024;
/// No event may be larger.
pub const MAX_EVENT_BYTES: usize = 1 << 20;
/// What one event counts for at most.
const MOST_EVENTS: i64 = 1 + (MAX_EVENT_BYTES / BYTES_PER_EVENT) as i64;
/// Refusals in a row that end the connection.
const REFUSALS: u8 = 10;
/// An object sleeps after about ten seconds of silence: a debt shorter than that is paid by then,
/// so only a longer one has to be stored.
const FORGOTTEN_AFTER_MS: i64 = 10_000;

/// How many events one connection may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventRate {
    pub per_second: i64,
    /// 20 for each person in the room are added to it.
    pub burst: i64,
}

impl Default for EventRate {
    fn default() -> Self {
        Self { per_second: 50, burst: 200 }
    }
}

/// The recent event rate of one connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// In microseconds since the epoch.
    ahead: i64,
    #[serde(skip)]
    refusals: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Allowed,
    Refused,
    /// Refused too often in a row: close the connection.
    Flood,
}

impl Rate {
    /// Counts one event of `bytes` bytes at `now` (milliseconds), from a peer in a room of `people` people.
    pub(crate) fn count(&mut self, now: i64, bytes: usize, people: usize, allowed: EventRate) -> Verdict {
        let people = i64::try_from(people).unwrap_or(i64::from(u16::MAX)).min(i64::from(u16::MAX));
        let interval = 1_000_000 / allowed.per_second.max(1);
        let burst = allowed.burst + BURST_PER_PERSON * people;
        let now = now * 1_000;
        let ahead = self.ahead.max(now);
        if ahead - now > (burst - 1) * interval {
            self.refusals = self.refusals.saturating_add(1);
            return if self.refusals >= REFUSALS { Verdict::Flood } else { Verdict::Refused };
        }
        let events = 1 + i64::try_from(bytes / BYTES_PER_EVENT).unwrap_or(i64::from(u16::MAX));
        self.ahead = ahead + events * interval;
        self.refusals = 0;
        Verdict::Allowed
    }

    /// Counts an event that a room elsewhere judges, up to the largest debt that anybody can have there.
    pub(crate) fn count_elsewhere(&mut self, now: i64, bytes: usize, limits: Limits) {
        let _ = self.count(now, bytes, limits.max_present, limits.rate);
        self.refusals = 0;
    }

    /// The clock was set back by so many milliseconds, if that is known: the debt stays the same. A debt larger than anybody
    /// can have is a stale reading; it is replaced by a full one, so the peer has no burst left. True if that changed something.
    pub(crate) fn clock_set_back(&mut self, by: Option<i64>, now: i64, limits: Limits) -> bool {
        let before = self.ahead;
        let interval = 1_000_000 / limits.rate.per_second.max(1);
        let now = now * 1_000;
        self.ahead = (self.ahead - by.unwrap_or(0) * 1_000).max(0);
        let people = i64::try_from(limits.max_present).unwrap_or(i64::from(u16::MAX));
        let most = limits.rate.burst + BURST_PER_PERSON * people + MOST_EVENTS;
        if self.ahead - now > most * interval {
            self.ahead = now + (limits.rate.burst - 1) * interval;
        }
        self.ahead != before
    }

    /// Takes over a larger debt, of the same person over another connection.
    pub(crate) fn owes_too(&mut self, other: Self) {
        self.ahead = self.ahead.max(other.ahead);
    }

    /// When the debt is paid, in milliseconds since the epoch.
    pub fn paid_at(&self) -> i64 {
        self.ahead / 1_000
    }

    /// Whether sleeping now would forgive a debt.
    pub(crate) fn is_worth_keeping(&self, now: i64) -> bool {
        self.paid_at() - now > FORGOTTEN_AFTER_MS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed_at_once(people: usize) -> usize {
        let mut rate = Rate::default();
        (0..5_000)
            .take_while(|_| rate.count(1_000, 100, people, EventRate::default()) == Verdict::Allowed)
            .count()
    }

    #[test]
    fn the_burst_grows_with_the_room() {
        assert_eq!(allowed_at_once(1), 220);
        assert_eq!(allowed_at_once(64), 1_480);
    }

    #[test]
    fn what_is_large_counts_as_several() {
        let mut rate = Rate::default();
        let large = |_: &usize| rate.count(1_000, 256 * 1024, 1, EventRate::default()) == Verdict::Allowed;
        assert_eq!((0..1_000).take_while(large).count(), 25, "nine for each");
    }

    #[test]
    fn fifty_a_second_pass_for_ever() {
        let mut rate = Rate::default();
        assert!(
            (0..10_000).all(|event| rate.count(event * 20, 100, 1, EventRate::default()) == Verdict::Allowed)
        );
    }

    #[test]
    fn a_clock_that_is_set_back_locks_nobody_out_and_gives_nothing_away() {
        let limits = Limits { max_present: 64, hold: 0, rate: EventRate::default() };
        let allowed = |rate: &mut Rate, now| rate.count(now, 100, 1, limits.rate) == Verdict::Allowed;
        let (hours, mut rate) = (7_200_000, Rate::default());
        while allowed(&mut rate, hours) {}
        assert!(rate.clock_set_back(Some(hours - 1_000), 1_000, limits));
        assert!(!allowed(&mut rate, 1_000), "what was used is used");
        assert!(allowed(&mut rate, 1_020), "the next one comes in time");
        let mut kept = Rate { ahead: hours * 1_000, refusals: 0 };
        assert!(kept.clock_set_back(None, 1_000, limits), "before a sleep");
        assert_eq!((0..300).filter(|_| allowed(&mut kept, 1_000)).count(), 21, "what people add to a burst");
        assert!(!kept.clock_set_back(None, 1_000, limits), "a debt that can be stays");
    }

    #[test]
    fn ten_refusals_in_a_row_are_a_flood() {
        let mut rate = Rate::default();
        while rate.count(0, 100, 0, EventRate::default()) == Verdict::Allowed {}
        assert!((0..8).all(|_| rate.count(0, 100, 0, EventRate::default()) == Verdict::Refused));
        assert_eq!(
            rate.count(20, 100, 0, EventRate::default()),
            Verdict::Allowed,
            "a passed event ends the row"
        );
        assert!((0..9).all(|_| rate.count(20, 100, 0, EventRate::default()) == Verdict::Refused));
        assert_eq!(rate.count(20, 100, 0, EventRate::default()), Verdict::Flood);
    }
}
