//! Totals over a user's calls.

use serde::Serialize;

/// `{totalCalls, completedCalls, activeCalls, totalDuration, averageDuration}`, durations in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CallStats {
    pub total_calls: i64,
    pub completed_calls: i64,
    pub active_calls: i64,
    pub total_duration: i64,
    pub average_duration: i64,
}

impl CallStats {
    pub fn new(total_calls: i64, completed_calls: i64, total_duration: i64) -> Self {
        Self {
            total_calls,
            completed_calls,
            active_calls: total_calls - completed_calls,
            total_duration,
            average_duration: total_duration.checked_div(total_calls).unwrap_or(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_average_of_no_calls_is_zero() {
        assert_eq!(CallStats::new(0, 0, 0).average_duration, 0);
        assert_eq!(CallStats::new(3, 2, 10).average_duration, 3);
    }
}
