//! How long to wait before a retry.

use serde::{Deserialize, Serialize};

const FIRST_MS: i64 = 5_000;
const LONGEST_MS: i64 = 60 * 60 * 1_000;

/// How recent attempts went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Backoff {
    /// Consecutive failed attempts.
    pub failed: u32,
    /// When to try again, in milliseconds since the epoch.
    pub retry_at: i64,
}

impl Backoff {
    /// The clock was set back: the pause is no longer than it was meant to be. True if that changed something.
    pub fn clock_set_back(&mut self, now: i64) -> bool {
        let latest = now + pause(self.failed);
        let changes = self.retry_at > latest;
        self.retry_at = self.retry_at.min(latest);
        changes
    }

    /// After one more attempt.
    #[must_use]
    pub fn after(self, taken: bool, now: i64) -> Self {
        if taken {
            return Self::default();
        }
        let failed = self.failed.saturating_add(1);
        Self { failed, retry_at: now + pause(failed) }
    }
}

/// Milliseconds to wait after that many failures: doubles each time, up to an hour.
pub(crate) fn pause(failures: u32) -> i64 {
    (FIRST_MS << failures.saturating_sub(1).min(16)).min(LONGEST_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_pause_is_longer_for_a_clock_that_is_set_back() {
        let hours = 7_200_000;
        let mut backoff = Backoff::default().after(false, hours).after(false, hours);
        assert!(!backoff.clock_set_back(hours));
        assert!(backoff.clock_set_back(0));
        assert_eq!(backoff.retry_at, 10_000);
    }
}
