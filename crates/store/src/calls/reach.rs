//! Which logs are read for a report: those of certain people, between two times.

use zetra_domain::{CallLog, Timestamp, UserId, limits};

/// The most logs that one read returns. They are in the order of their starts.
pub(crate) const MOST_LOGS: usize = 100;
/// How far a read extends beyond a report's times, so that another report of the same call seldom needs a
/// second one.
const BEYOND_MS: i64 = 10 * 60 * 1_000;

/// All logs of a room that involve one of these people and cover some of the time between `from` and `until`,
/// both exclusive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reach {
    pub(crate) people: Vec<UserId>,
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
}

impl Reach {
    /// Everything that may be the same call as this log.
    pub(crate) fn of(log: &CallLog) -> Self {
        Self {
            people: log.participants.clone(),
            from: log.start.plus_millis(-limits::SAME_CALL_GAP_MS),
            until: log.covers_until().plus_millis(limits::SAME_CALL_GAP_MS),
        }
    }

    /// The first range to read.
    pub(crate) fn of_report(report: &CallLog) -> Self {
        let Self { people, from, until } = Self::of(report);
        Self { people, from: from.plus_millis(-BEYOND_MS), until: until.plus_millis(BEYOND_MS) }
    }

    pub(crate) fn covers(&self, other: &Self) -> bool {
        self.from <= other.from
            && self.until >= other.until
            && other.people.iter().all(|user| self.people.contains(user))
    }

    /// The part that was read, if the read was cut off.
    pub(crate) fn cut(&self, at: Option<Timestamp>) -> Self {
        Self { until: at.map_or(self.until, |at| self.until.min(at)), ..self.clone() }
    }
}
