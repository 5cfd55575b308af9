//! A counter within a window that begins with the first count.

use serde::{Deserialize, Serialize};
use zetra_domain::{Policy, Standing};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counter {
    count: u32,
    /// When the window began, in milliseconds since the epoch.
    since: i64,
}

impl Counter {
    /// The clock may have been set back: no window lasts longer than from now on. After one wrong
    /// reading the window stays early, so it ends early and its count is dropped.
    pub(super) fn clock_set_back(&mut self, now: i64) {
        self.since = self.since.min(now);
    }

    pub(super) fn current(self, now: i64, window: i64) -> u32 {
        if now - self.since >= window { 0 } else { self.count }
    }

    pub(super) fn add(&mut self, now: i64, window: i64) {
        match self.current(now, window) {
            0 => *self = Self { count: 1, since: now },
            count => self.count = count.saturating_add(1),
        }
    }

    pub(super) fn take_back(&mut self) {
        self.count = self.count.saturating_sub(1);
    }

    pub(super) fn standing(self, policy: Policy, limit: u32, now: i64, window: i64) -> Standing {
        let count = self.current(now, window);
        let left = if count == 0 { window } else { self.since + window - now };
        Standing {
            policy,
            limit,
            remaining: limit.saturating_sub(count),
            reset: (left + 999) / 1_000,
            window: window / 1_000,
        }
    }

    /// When the window ends; `None` if nothing is counted.
    pub(super) fn ends_at(self, window: i64) -> Option<i64> {
        (self.count > 0).then_some(self.since + window)
    }
}
