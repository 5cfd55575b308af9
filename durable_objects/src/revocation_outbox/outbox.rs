//! Which rooms still have to be notified, and when. Pure.
//!
//! A room that did not accept the notification is tried again with growing pauses, until every token that could
//! be affected has expired. Notifying a room twice does no harm.

use serde::{Deserialize, Serialize};
use zetra_domain::{RoomId, UserId, limits};

use crate::format_version::FormatVersion;

/// How many rooms one run notifies: on the free plan a request may send fifty subrequests.
const BATCH: usize = 40;
/// By then an announced change was made, or it never will be.
const CHECK_AFTER_MS: i64 = 120_000;
const FIRST_PAUSE_MS: i64 = 5_000;
const LONGEST_PAUSE_MS: i64 = 300_000;
const GIVE_UP_AFTER_MS: i64 = limits::TOKEN_DAYS * 86_400_000;

/// Requests to the object.
#[derive(Serialize, Deserialize)]
pub(crate) enum AskOutbox {
    /// Tokens are about to be revoked, of a user who may be in these rooms.
    Announce(Vec<RoomId>),
    /// The tokens were revoked.
    Deliver,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outbox {
    #[serde(default)]
    v: FormatVersion<1>,
    pub user: UserId,
    /// In the order in which they are notified.
    rooms: Vec<RoomId>,
    announced_at: i64,
    due: i64,
    /// Consecutive runs in which no room could be notified.
    failures: u32,
}

impl Outbox {
    /// For a user who is a participant of these rooms and some of whose tokens are about to be revoked.
    pub fn new(user: UserId, rooms: Vec<RoomId>, now: i64) -> Self {
        Self { v: FormatVersion, user, rooms, announced_at: now, due: now + CHECK_AFTER_MS, failures: 0 }
    }

    /// The stored outbox. `None`, with an error in the log, if a later version wrote it or it cannot be read.
    pub fn from_json(text: &str) -> Option<Self> {
        let read = serde_json::from_str(text);
        read.inspect_err(|error| tracing::error!(%error, "a stored outbox cannot be read")).ok()
    }

    /// Another change, before the rooms were notified of the previous one.
    #[must_use]
    pub fn and(self, later: Self) -> Self {
        let mut rooms = later.rooms;
        rooms.extend(self.rooms);
        rooms.sort_unstable_by_key(ToString::to_string);
        rooms.dedup();
        Self { rooms, ..later }
    }

    /// The rooms to notify now.
    pub fn batch(&self) -> &[RoomId] {
        self.rooms.get(..BATCH).unwrap_or(&self.rooms)
    }

    /// Records which rooms of a batch were notified.
    pub fn told(&mut self, batch: &[RoomId], told: &[RoomId], now: i64) {
        self.rooms.retain(|room| !batch.contains(room));
        let untried = !self.rooms.is_empty();
        self.rooms.extend(batch.iter().filter(|room| !told.contains(room)));
        self.failures = if told.is_empty() { self.failures.saturating_add(1) } else { 0 };
        self.announced_at = self.announced_at.min(now);
        self.due = if untried { now } else { now + self.pause() };
    }

    /// The store could not be queried for the valid tokens.
    pub fn postpone(&mut self, now: i64) {
        self.failures = self.failures.saturating_add(1);
        self.announced_at = self.announced_at.min(now);
        self.due = now + self.pause();
    }

    fn pause(&self) -> i64 {
        (FIRST_PAUSE_MS << self.failures.min(16)).min(LONGEST_PAUSE_MS)
    }

    /// When to run next, no later than after the longest pause even if the clock was set back; `None` if there is nothing
    /// left to do.
    pub fn due(&self, now: i64) -> Option<i64> {
        let worth_it = !self.rooms.is_empty() && now - self.announced_at < GIVE_UP_AFTER_MS;
        worth_it.then_some(self.due.min(now + LONGEST_PAUSE_MS))
    }
}

#[cfg(test)]
mod tests {
    use zetra_domain::{ObjectIds, Timestamp};

    use super::*;

    const NOW: i64 = 1_700_000_000_000;

    fn rooms(count: u8) -> Vec<RoomId> {
        (0..count).map(|number| RoomId::from_random([number; 16])).collect()
    }

    fn outbox(count: u8) -> Outbox {
        Outbox::new(ObjectIds::new([7; 8]).user(Timestamp::from_millis(NOW)), rooms(count), NOW)
    }

    #[test]
    fn every_room_is_told_a_batch_at_a_time_and_without_a_pause() {
        let mut outbox = outbox(100);
        assert_eq!(outbox.due(NOW), Some(NOW + CHECK_AFTER_MS), "nobody has said that it happened");
        let mut told = Vec::new();
        for _ in 0..3 {
            let batch = outbox.batch().to_vec();
            assert!(batch.len() <= BATCH);
            outbox.told(&batch, &batch, NOW);
            told.extend(batch);
            assert!(outbox.due(NOW).is_none_or(|due| due == NOW));
        }
        assert_eq!((told, outbox.due(NOW)), (rooms(100), None));
    }

    #[test]
    fn who_cannot_be_told_holds_up_nobody_and_is_asked_again() {
        let mut outbox = outbox(50);
        let batch = outbox.batch().to_vec();
        outbox.told(&batch, &batch[1..], NOW);
        assert_eq!(outbox.due(NOW), Some(NOW), "the others come first");
        let batch = outbox.batch().to_vec();
        let (failing, rest) = (rooms(1)[0], rooms(50)[40..].to_vec());
        assert_eq!(batch, [rest.clone(), vec![failing]].concat());
        outbox.told(&batch, &rest, NOW);
        assert_eq!(outbox.batch(), [failing]);
        let mut pauses = Vec::new();
        for _ in 0..10 {
            let due = outbox.due(NOW).unwrap();
            pauses.push(due - NOW);
            outbox.told(&[failing], &[], NOW);
        }
        assert_eq!(pauses[..4], [5_000, 10_000, 20_000, 40_000]);
        assert_eq!(pauses[9], LONGEST_PAUSE_MS);
    }

    #[test]
    fn a_clock_that_is_set_back_postpones_it_by_no_more_than_a_pause() {
        let mut outbox = outbox(1);
        let before = NOW - 7_200_000;
        assert_eq!(outbox.due(before), Some(before + LONGEST_PAUSE_MS));
        outbox.postpone(before);
        assert_eq!(outbox.due(before + GIVE_UP_AFTER_MS), None, "its days begin then");
    }

    #[test]
    fn it_is_given_up_when_every_token_has_expired() {
        let outbox = outbox(1);
        assert!(outbox.due(NOW + GIVE_UP_AFTER_MS - 1).is_some());
        assert_eq!(outbox.due(NOW + GIVE_UP_AFTER_MS), None);
    }

    #[test]
    fn a_second_change_loses_no_room_of_the_first() {
        let mut first = outbox(3);
        first.told(&rooms(1), &rooms(1), NOW);
        let mut all = first.and(Outbox::new(outbox(0).user, rooms(2), NOW + 5)).rooms;
        all.sort_unstable_by_key(ToString::to_string);
        assert_eq!(all.len(), 3);
    }

    #[test]
    fn an_outbox_without_a_version_is_read_and_one_of_a_later_version_is_not() {
        let user = ObjectIds::new([1; 8]).user(Timestamp::from_millis(NOW));
        let outbox = Outbox::new(user, rooms(2), NOW);
        let text = serde_json::to_string(&outbox).unwrap();
        assert_eq!(Outbox::from_json(&text), Some(outbox.clone()));
        assert_eq!(Outbox::from_json(&text.replacen(r#""v":1,"#, "", 1)), Some(outbox));
        assert_eq!(Outbox::from_json(&text.replacen(r#""v":1,"#, r#""v":2,"#, 1)), None);
        assert_eq!(Outbox::from_json("nonsense"), None);
    }
}
