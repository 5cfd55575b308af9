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
    /// The tokens were revoked. The user was also in these rooms just then.
    Deliver(Vec<RoomId>),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outbox {
    #[serde(default)]
    v: FormatVersion<1>,
    pub user: UserId,
    /// In the order in which they are notified.
    rooms: Vec<RoomId>,
    announced_at: i64,
    /// How many announced changes are not known to be made.
    #[serde(default)]
    pending: u32,
    /// How many changes were announced.
    #[serde(default)]
    announced: u32,
    /// How many rooms at the end of the list were tried since the last pause.
    #[serde(default)]
    tried: usize,
    due: i64,
    /// Consecutive runs in which no room could be notified.
    failures: u32,
}

impl Outbox {
    /// For a user who is a participant of these rooms and some of whose tokens are about to be revoked.
    pub fn new(user: UserId, rooms: Vec<RoomId>, now: i64) -> Self {
        let due = now + CHECK_AFTER_MS;
        let (v, pending, announced) = (FormatVersion, 1, 1);
        Self { v, user, rooms, announced_at: now, pending, announced, tried: 0, due, failures: 0 }
    }

    /// The stored outbox. `None`, with an error in the log, if a later version wrote it or it cannot be read.
    pub fn from_json(text: &str) -> Option<Self> {
        let read = serde_json::from_str(text);
        read.inspect_err(|error| tracing::error!(%error, "a stored outbox cannot be read")).ok()
    }

    /// Another change, before the rooms were notified of the previous one.
    #[must_use]
    pub fn and(self, later: Self) -> Self {
        let rooms = union(later.rooms, self.rooms);
        let pending = self.pending.saturating_add(later.pending);
        Self { rooms, pending, announced: self.announced.wrapping_add(1), ..later }
    }

    /// One of the announced changes was made, while the user was in these rooms.
    pub fn made(&mut self, rooms: Vec<RoomId>) {
        self.rooms = union(rooms, std::mem::take(&mut self.rooms));
        self.pending = self.pending.saturating_sub(1);
        self.tried = 0;
    }

    /// The rooms to notify now.
    pub fn batch(&self) -> &[RoomId] {
        self.rooms.get(..BATCH).unwrap_or(&self.rooms)
    }

    /// Records which rooms were notified by a run that began with `begun`. They must be notified again of a change that was
    /// announced or made meanwhile, or is still to be made: the run may have read the tokens before it.
    pub fn told(&mut self, begun: &Self, told: &[RoomId], now: i64) {
        if self.has_changed_since(begun) {
            return;
        }
        self.announced_at = self.announced_at.min(now);
        let checked_at = self.announced_at + CHECK_AFTER_MS;
        let is_settled = self.pending == 0 || now >= checked_at;
        let batch = begun.batch();
        let again: Vec<_> =
            batch.iter().filter(|room| !is_settled || !told.contains(room)).copied().collect();
        self.rooms.retain(|room| !batch.contains(room));
        self.tried += again.len();
        self.rooms.extend(again);
        if is_settled {
            self.failures = if told.is_empty() { self.failures.saturating_add(1) } else { 0 };
        }
        // Each room once, and then a pause.
        self.due = if self.tried < self.rooms.len() {
            now
        } else {
            self.tried = 0;
            if is_settled { now + self.pause() } else { checked_at }
        };
    }

    /// The store could not be queried for the valid tokens.
    pub fn postpone(&mut self, begun: &Self, now: i64) {
        if self.has_changed_since(begun) {
            return;
        }
        self.failures = self.failures.saturating_add(1);
        self.announced_at = self.announced_at.min(now);
        self.due = now + self.pause();
    }

    /// Whether a change was announced or made since that run began. Then a later run judges.
    fn has_changed_since(&self, begun: &Self) -> bool {
        (self.announced, self.pending) != (begun.announced, begun.pending)
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

/// Each room once.
fn union(mut rooms: Vec<RoomId>, more: Vec<RoomId>) -> Vec<RoomId> {
    rooms.extend(more);
    rooms.sort_unstable_by_key(ToString::to_string);
    rooms.dedup();
    rooms
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

    /// A whole run, in which these rooms accept the notification.
    fn tells(outbox: &mut Outbox, told: &[RoomId], now: i64) {
        let begun = outbox.clone();
        outbox.told(&begun, told, now);
    }

    /// A whole run, in which the store cannot be queried.
    fn postpones(outbox: &mut Outbox, now: i64) {
        let begun = outbox.clone();
        outbox.postpone(&begun, now);
    }

    #[test]
    fn every_room_is_told_a_batch_at_a_time_and_without_a_pause() {
        let mut outbox = outbox(100);
        assert_eq!(outbox.due(NOW), Some(NOW + CHECK_AFTER_MS), "nobody has said that it happened");
        outbox.made(Vec::new());
        let mut told = Vec::new();
        for _ in 0..3 {
            let batch = outbox.batch().to_vec();
            assert!(batch.len() <= BATCH);
            tells(&mut outbox, &batch, NOW);
            told.extend(batch);
            assert!(outbox.due(NOW).is_none_or(|due| due == NOW));
        }
        assert_eq!((told, outbox.due(NOW)), (rooms(100), None));
    }

    #[test]
    fn who_cannot_be_told_holds_up_nobody_and_is_asked_again() {
        let mut outbox = outbox(50);
        outbox.made(Vec::new());
        let batch = outbox.batch().to_vec();
        tells(&mut outbox, &batch[1..], NOW);
        assert_eq!(outbox.due(NOW), Some(NOW), "the others come first");
        let batch = outbox.batch().to_vec();
        let (failing, rest) = (rooms(1)[0], rooms(50)[40..].to_vec());
        assert_eq!(batch, [rest.clone(), vec![failing]].concat());
        tells(&mut outbox, &rest, NOW);
        assert_eq!(outbox.batch(), [failing]);
        let mut pauses = Vec::new();
        for _ in 0..10 {
            let due = outbox.due(NOW).unwrap();
            pauses.push(due - NOW);
            tells(&mut outbox, &[], NOW);
        }
        assert_eq!(pauses[..4], [5_000, 10_000, 20_000, 40_000]);
        assert_eq!(pauses[9], LONGEST_PAUSE_MS);
    }

    #[test]
    fn a_clock_that_is_set_back_postpones_it_by_no_more_than_a_pause() {
        let mut outbox = outbox(1);
        let before = NOW - 7_200_000;
        assert_eq!(outbox.due(before), Some(before + LONGEST_PAUSE_MS));
        postpones(&mut outbox, before);
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
        let mut first = outbox(50);
        first.made(Vec::new());
        tells(&mut first, &rooms(40), NOW);
        let all = first.and(Outbox::new(outbox(0).user, rooms(2), NOW + 5)).rooms;
        assert_eq!(all.len(), 12);
    }

    #[test]
    fn a_room_that_was_joined_after_the_announcement_is_told_too() {
        let mut outbox = outbox(2);
        outbox.made(rooms(3));
        assert_eq!(outbox.batch(), rooms(3));
        tells(&mut outbox, &rooms(3), NOW);
        assert_eq!(outbox.due(NOW), None);
        let mut none = Outbox::new(outbox.user, Vec::new(), NOW);
        none.made(rooms(1));
        assert_eq!(none.batch(), rooms(1));
    }

    #[test]
    fn a_run_that_began_before_a_second_change_settles_nothing() {
        let mut outbox = outbox(50);
        outbox.made(Vec::new());
        let begun = outbox.clone();
        let mut outbox = outbox.and(Outbox::new(begun.user, rooms(50), NOW + 5));
        outbox.told(&begun, begun.batch(), NOW + 6);
        assert_eq!((outbox.rooms.len(), outbox.due(NOW + 6)), (50, Some(NOW + 5 + CHECK_AFTER_MS)));
        // Nor if the second change is made before that run ends.
        outbox.made(Vec::new());
        outbox.told(&begun, begun.batch(), NOW + 7);
        assert_eq!(outbox.rooms.len(), 50);
    }

    #[test]
    fn of_two_changes_at_once_the_first_that_is_made_settles_nothing() {
        let mut outbox = outbox(3).and(outbox(3));
        outbox.made(Vec::new());
        tells(&mut outbox, &rooms(3), NOW + 6);
        assert_eq!((outbox.rooms.len(), outbox.due(NOW + 6)), (3, Some(NOW + CHECK_AFTER_MS)));
        let mut forgotten = outbox.clone();
        outbox.made(Vec::new());
        tells(&mut outbox, &rooms(3), NOW + 7);
        assert_eq!(outbox.due(NOW + 7), None);
        // Of a change that nobody says was made it is known in time.
        tells(&mut forgotten, &rooms(3), NOW + CHECK_AFTER_MS);
        assert_eq!(forgotten.due(NOW + CHECK_AFTER_MS), None);
    }

    #[test]
    fn of_many_rooms_all_are_told_of_a_change_at_once_though_another_is_pending() {
        let mut outbox = outbox(100).and(outbox(100));
        outbox.made(Vec::new());
        let mut told = Vec::new();
        while outbox.due(NOW) == Some(NOW) || told.is_empty() {
            let batch = outbox.batch().to_vec();
            tells(&mut outbox, &batch, NOW);
            told.extend(batch);
        }
        told.sort_unstable_by_key(ToString::to_string);
        told.dedup();
        assert_eq!((told.len(), outbox.rooms.len()), (100, 100));
        assert_eq!(outbox.due(NOW), Some(NOW + CHECK_AFTER_MS), "and then they wait");
    }

    #[test]
    fn a_run_that_began_before_a_change_was_made_settles_nothing() {
        let mut outbox = outbox(3).and(outbox(3));
        outbox.made(Vec::new());
        let begun = outbox.clone();
        outbox.made(Vec::new());
        outbox.told(&begun, &rooms(3), NOW + 1);
        outbox.postpone(&begun, NOW + 1);
        assert_eq!((outbox.rooms.len(), outbox.failures), (3, 0), "the run of the second change judges");
        tells(&mut outbox, &rooms(3), NOW + 2);
        assert_eq!(outbox.due(NOW + 2), None);
    }

    #[test]
    fn if_all_of_many_rooms_refuse_there_are_pauses() {
        let mut outbox = outbox(100);
        outbox.made(Vec::new());
        let dues: Vec<_> = (0..6)
            .map(|_| {
                tells(&mut outbox, &[], NOW);
                outbox.due(NOW).unwrap() - NOW
            })
            .collect();
        assert_eq!((dues[0], dues[1], outbox.rooms.len()), (0, 0, 100));
        assert!(dues[2] > 0 && dues[5] > dues[2], "{dues:?}");
    }

    #[test]
    fn while_a_change_is_to_be_made_a_failure_makes_no_run_follow_the_other() {
        let mut outbox = outbox(3);
        postpones(&mut outbox, NOW);
        assert_eq!(outbox.due(NOW), Some(NOW + 10_000));
        tells(&mut outbox, &[], NOW + 10_000);
        assert_eq!(outbox.due(NOW + 10_000), Some(NOW + CHECK_AFTER_MS));
    }

    #[test]
    fn an_outbox_without_a_version_is_read_and_one_of_a_later_version_is_not() {
        let user = ObjectIds::new([1; 8]).user(Timestamp::from_millis(NOW));
        let outbox = Outbox::new(user, rooms(2), NOW);
        let text = serde_json::to_string(&outbox).unwrap();
        assert_eq!(Outbox::from_json(&text), Some(outbox.clone()));
        let earlier =
            text.replacen(r#""v":1,"#, "", 1).replacen(r#""pending":1,"announced":1,"tried":0,"#, "", 1);
        assert_eq!(Outbox::from_json(&earlier), Some(Outbox { pending: 0, announced: 0, ..outbox }));
        assert_eq!(Outbox::from_json(&text.replacen(r#""v":1,"#, r#""v":2,"#, 1)), None);
        assert_eq!(Outbox::from_json("nonsense"), None);
    }
}
