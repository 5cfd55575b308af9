//! The counts for one account, from all addresses. Pure.
//!
//! Wrong passwords: past the limit within a window, no response reveals whether a password was right, except to
//! the addresses that signed in last, so that strangers cannot lock a user out. And what the user creates per
//! hour.

use serde::{Deserialize, Serialize};
use zetra_domain::{AddressKey, AuthLimits, Hourly, PasswordOutcome, Policy, Settlement};

use super::counter::Counter;

/// How many addresses are exempt from a lock-out caused by others.
const KNOWN_ADDRESSES: usize = 8;
/// How long an address stays known after its last sign-in.
const KNOWN_FOR_MS: i64 = 90 * 86_400_000;
const HOUR_MS: i64 = 3_600_000;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountLedger {
    failures: Counter,
    /// Latest first, with the time of the last sign-in.
    signed_in: Vec<(AddressKey, i64)>,
    #[serde(default)]
    rooms: Counter,
    #[serde(default)]
    call_logs: Counter,
}

impl AccountLedger {
    /// Counts the outcome of a password check, before the client gets its response.
    pub fn settle(
        &mut self,
        address: &AddressKey,
        outcome: PasswordOutcome,
        limits: AuthLimits,
        now: i64,
    ) -> Settlement {
        self.clock_set_back(now);
        self.signed_in.retain(|(_, at)| now - at < KNOWN_FOR_MS);
        let known = self.signed_in.iter().any(|(known, _)| known == address);
        let standing = |failures: Counter| {
            let standing =
                failures.standing(Policy::AccountTotal, limits.account_total, now, limits.window_ms);
            Some(standing).filter(|_| !known)
        };
        let before = standing(self.failures);
        if before.is_some_and(|standing| standing.remaining == 0) {
            return Settlement { allowed: false, standing: before };
        }
        match outcome {
            PasswordOutcome::Wrong => self.failures.add(now, limits.window_ms),
            PasswordOutcome::Right => {}
            PasswordOutcome::SignedIn => {
                self.signed_in.retain(|(known, _)| known != address);
                self.signed_in.insert(0, (address.clone(), now));
                self.signed_in.truncate(KNOWN_ADDRESSES);
            }
        }
        Settlement { allowed: true, standing: standing(self.failures) }
    }

    /// Counts one more of `what`.
    ///
    /// # Errors
    /// Past `limit`: the seconds until the hour is over. Nothing is counted then.
    pub fn spend(&mut self, what: Hourly, limit: u32, now: i64) -> Result<(), i64> {
        self.clock_set_back(now);
        let counter = self.hourly(what);
        if counter.current(now, HOUR_MS) >= limit {
            let left = counter.ends_at(HOUR_MS).map_or(0, |end| end - now);
            return Err((left + 999) / 1_000);
        }
        counter.add(now, HOUR_MS);
        Ok(())
    }

    /// What was counted last was not made. If its hour is over, one of the next hour is free.
    pub fn take_back(&mut self, what: Hourly, now: i64) {
        self.clock_set_back(now);
        self.hourly(what).take_back();
    }

    fn hourly(&mut self, what: Hourly) -> &mut Counter {
        match what {
            Hourly::Rooms => &mut self.rooms,
            Hourly::CallLogs => &mut self.call_logs,
        }
    }

    fn clock_set_back(&mut self, now: i64) {
        let counters = [&mut self.failures, &mut self.rooms, &mut self.call_logs];
        counters.into_iter().for_each(|counter| counter.clock_set_back(now));
        self.signed_in.iter_mut().for_each(|(_, at)| *at = (*at).min(now));
    }

    /// When there is nothing left to remember; `None` if there is nothing now.
    pub fn over_at(&self, limits: AuthLimits) -> Option<i64> {
        let known = self.signed_in.first().map(|(_, at)| at + KNOWN_FOR_MS);
        let made = [self.rooms, self.call_logs].map(|counter| counter.ends_at(HOUR_MS));
        made.into_iter().chain([known, self.failures.ends_at(limits.window_ms)]).flatten().max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000_000;

    /// The default limits.
    fn limits() -> AuthLimits {
        AuthLimits::default()
    }

    fn address(number: usize) -> AddressKey {
        AddressKey::of(&format!("192.0.2.{number}"))
    }

    fn tries(ledger: &mut AccountLedger, from: usize, outcome: PasswordOutcome, now: i64) -> bool {
        ledger.settle(&address(from), outcome, limits(), now).allowed
    }

    #[test]
    fn what_was_not_made_is_taken_back_and_nothing_else() {
        let mut ledger = AccountLedger::default();
        assert_eq!(ledger.spend(Hourly::Rooms, 1, NOW), Ok(()));
        assert_eq!(ledger.spend(Hourly::CallLogs, 1, NOW), Ok(()));
        ledger.take_back(Hourly::Rooms, NOW);
        assert_eq!(ledger.spend(Hourly::Rooms, 1, NOW), Ok(()));
        assert!(ledger.spend(Hourly::CallLogs, 1, NOW).is_err());
    }

    #[test]
    fn an_account_is_guessed_a_hundred_times_whatever_the_addresses() {
        let mut ledger = AccountLedger::default();
        assert!((0..100).all(|from| tries(&mut ledger, from, PasswordOutcome::Wrong, NOW)));
        assert!(!tries(&mut ledger, 101, PasswordOutcome::Wrong, NOW), "the hundred and first");
        assert!(!tries(&mut ledger, 102, PasswordOutcome::SignedIn, NOW), "the right one too");
        assert!(tries(&mut ledger, 102, PasswordOutcome::SignedIn, NOW + limits().window_ms));
    }

    #[test]
    fn the_last_eight_that_signed_in_are_not_locked_out_by_strangers() {
        let mut ledger = AccountLedger::default();
        assert!((0..9).all(|from| tries(&mut ledger, from, PasswordOutcome::SignedIn, NOW)));
        assert!((50..150).all(|from| tries(&mut ledger, from, PasswordOutcome::Wrong, NOW)));
        assert!((1..9).all(|from| tries(&mut ledger, from, PasswordOutcome::SignedIn, NOW)));
        assert!(!tries(&mut ledger, 0, PasswordOutcome::SignedIn, NOW), "the ninth last");
    }

    #[test]
    fn so_many_of_a_kind_are_made_in_an_hour() {
        let mut ledger = AccountLedger::default();
        assert!((0..60).all(|_| ledger.spend(Hourly::Rooms, 60, NOW).is_ok()));
        assert_eq!(ledger.spend(Hourly::Rooms, 60, NOW + 600_000), Err(3_000));
        assert_eq!(ledger.spend(Hourly::CallLogs, 60, NOW), Ok(()), "kinds are counted each for itself");
        assert_eq!(ledger.spend(Hourly::Rooms, 60, NOW + HOUR_MS), Ok(()));
    }

    #[test]
    fn a_clock_that_is_set_back_lengthens_no_hour() {
        let mut ledger = AccountLedger::default();
        assert!((0..60).all(|_| ledger.spend(Hourly::Rooms, 60, NOW).is_ok()));
        let before = NOW - 2 * HOUR_MS;
        assert_eq!(ledger.spend(Hourly::Rooms, 60, before), Err(3_600));
        assert_eq!(ledger.spend(Hourly::Rooms, 60, before + HOUR_MS), Ok(()));
    }

    #[test]
    fn it_is_over_when_nothing_is_worth_remembering() {
        let mut ledger = AccountLedger::default();
        assert_eq!(ledger.over_at(limits()), None);
        tries(&mut ledger, 1, PasswordOutcome::Wrong, NOW);
        assert_eq!(ledger.over_at(limits()), Some(NOW + limits().window_ms));
        tries(&mut ledger, 1, PasswordOutcome::SignedIn, NOW);
        assert_eq!(ledger.over_at(limits()), Some(NOW + KNOWN_FOR_MS));
    }
}
