//! The event rate of one peer: a token bucket in its one-number form (GCRA, ITU-T I.371).
//!
//! `ahead` is the time until which the events so far are paid for; an event is refused when that
//! lies further in the future than the burst allows.

use serde::{Deserialize, Serialize};

/// Milliseconds between two events at the steady rate of 50 a second.
const INTERVAL_MS: i64 = 20;
const BURST: i64 = 200;
const BURST_PER_PERSON: i64 = 20;
/// Refusals in a row that end the connection.
const REFUSALS: u8 = 10;
/// An object sleeps after about ten seconds of silence: a debt shorter than that is paid by then,
/// so only a longer one has to be stored.
const FORGOTTEN_AFTER_MS: i64 = 10_000;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rate {
    ahead: i64,
    #[serde(skip)]
    refusals: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passage {
    Allowed,
    Refused,
    /// Refused once too often: close the connection.
    Flood,
}

impl Rate {
    /// Counts one event at `now` (milliseconds) of somebody in a room of `people`.
    pub fn count(&mut self, now: i64, people: usize) -> Passage {
        let people = i64::try_from(people).unwrap_or(i64::MAX / BURST_PER_PERSON / INTERVAL_MS / 2);
        let burst = BURST + BURST_PER_PERSON * people;
        let ahead = self.ahead.max(now);
        if ahead - now > (burst - 1) * INTERVAL_MS {
            self.refusals = self.refusals.saturating_add(1);
            return if self.refusals >= REFUSALS { Passage::Flood } else { Passage::Refused };
        }
        self.ahead = ahead + INTERVAL_MS;
        self.refusals = 0;
        Passage::Allowed
    }

    /// Whether sleeping now would forgive a debt.
    pub fn is_worth_keeping(&self, now: i64) -> bool {
        self.ahead - now > FORGOTTEN_AFTER_MS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed_at_once(people: usize) -> usize {
        let mut rate = Rate::default();
        (0..5_000).take_while(|_| rate.count(1_000, people) == Passage::Allowed).count()
    }

    #[test]
    fn the_burst_grows_with_the_room() {
        assert_eq!(allowed_at_once(1), 220);
        assert_eq!(allowed_at_once(64), 1_480);
    }

    #[test]
    fn fifty_a_second_pass_for_ever() {
        let mut rate = Rate::default();
        assert!((0..10_000).all(|event| rate.count(event * 20, 1) == Passage::Allowed));
    }

    #[test]
    fn ten_refusals_in_a_row_are_a_flood() {
        let mut rate = Rate::default();
        while rate.count(0, 0) == Passage::Allowed {}
        assert!((0..8).all(|_| rate.count(0, 0) == Passage::Refused));
        assert_eq!(rate.count(20, 0), Passage::Allowed, "a passed event ends the row");
        assert!((0..9).all(|_| rate.count(20, 0) == Passage::Refused));
        assert_eq!(rate.count(20, 0), Passage::Flood);
    }
}
