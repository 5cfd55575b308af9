//! Tracks what the room sent, how much of it has arrived at the client, and how much of that was reported to
//! the room.

use serde::{Deserialize, Serialize};
use zetra_socketio::engine::Mark;

/// Rooms number their events from one on. The bits above count this client's rooms, so that
/// a pong that arrives after a change of rooms proves nothing to the new one.
const ROOM_SHIFT: u32 = 48;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Arrivals {
    /// In the room's own marks.
    #[serde(rename = "d")]
    delivered: Mark,
    #[serde(skip)]
    arrived: Mark,
    #[serde(rename = "t")]
    told: Mark,
    #[serde(skip)]
    told_at: i64,
    #[serde(skip)]
    rooms: Mark,
}

impl Arrivals {
    /// The room has sent everything up to the mark.
    pub fn delivered(&mut self, mark: Mark) {
        self.delivered = self.delivered.max(mark);
    }

    /// The client is in another room now.
    pub fn begin(&mut self, mark: Mark) {
        *self = Self { delivered: mark, rooms: self.rooms + 1, ..Self::default() };
    }

    /// The mark for the engine.
    pub fn mark(&self) -> Mark {
        (self.rooms << ROOM_SHIFT) + self.delivered
    }

    /// Everything up to an earlier [`Arrivals::mark`] has arrived.
    pub fn arrived(&mut self, mark: Mark) {
        if mark >> ROOM_SHIFT == self.rooms {
            self.arrived = self.arrived.max(mark - (self.rooms << ROOM_SHIFT));
        }
    }

    /// The clock was set back.
    pub fn clock_set_back(&mut self, now: i64) {
        self.told_at = self.told_at.min(now);
    }

    /// Whether a report to the room is due even without an event to send.
    pub fn is_due(&self, now: i64, interval: i64) -> bool {
        self.arrived > self.told && now - self.told_at >= interval
    }

    /// The mark to report to the room, if it has changed.
    pub fn take_report(&mut self, now: i64) -> Option<Mark> {
        if self.arrived <= self.told {
            return None;
        }
        (self.told, self.told_at) = (self.arrived, now);
        Some(self.told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_room_is_told_once_and_not_of_what_another_room_said() {
        let mut arrivals = Arrivals::default();
        arrivals.begin(3);
        let in_first = arrivals.mark();
        assert_eq!(arrivals.take_report(0), None, "nothing is known to have arrived");
        arrivals.delivered(7);
        arrivals.arrived(in_first);
        assert_eq!(arrivals.take_report(10), Some(3));
        assert_eq!(arrivals.take_report(10), None);
        arrivals.arrived(arrivals.mark());
        assert!(!arrivals.is_due(19, 10) && arrivals.is_due(20, 10));
        arrivals.begin(1);
        arrivals.arrived(in_first);
        assert_eq!(arrivals.take_report(20), None, "that was the other room's");
        arrivals.arrived(arrivals.mark());
        assert_eq!(arrivals.take_report(20), Some(1));
    }
}
