//! How long to wait before something is tried again.

const FIRST_MS: i64 = 5_000;
const LONGEST_MS: i64 = 60 * 60 * 1_000;

/// Milliseconds after so many failures: twice as long after each, an hour at most.
pub(crate) fn pause(failures: u32) -> i64 {
    (FIRST_MS << failures.saturating_sub(1).min(16)).min(LONGEST_MS)
}
