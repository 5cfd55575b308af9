//! How long to wait before something is tried again.

const FIRST_MS: i64 = 5_000;
const LONGEST_MS: i64 = 60 * 60 * 1_000;

/// Milliseconds: twice as long after each failure, an hour at most.
pub(crate) fn pause(failed: u32) -> i64 {
    (FIRST_MS << failed.min(16)).min(LONGEST_MS)
}
