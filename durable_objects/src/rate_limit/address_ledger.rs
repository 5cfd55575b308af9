//! Attempts and failures of one client address on the routes that check passwords. Pure.
//!
//! Two steps, so that guessing in parallel gains nothing: [`AddressLedger::attempt`] before a password is
//! checked, [`AddressLedger::settle`] after the check and before the client gets its response.

use serde::{Deserialize, Serialize};
use vecmap::VecMap;
use zetra_domain::{AccountKey, Attempt, AttemptOutcome, AuthLimits, Policy, Settlement, Standing};

use super::counter::Counter;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressLedger {
    attempts: Counter,
    failures: Counter,
    accounts: VecMap<AccountKey, Counter>,
}

impl AddressLedger {
    /// Counts an attempt unless the address is past its limits, and returns the accounts that it may not try.
    pub fn attempt(&mut self, limits: AuthLimits, now: i64) -> Attempt {
        self.clock_set_back(now);
        let [_, failures, attempts] = self.standings(None, limits, now);
        let refused = failures.tighter(attempts);
        if refused.remaining == 0 {
            return Attempt { allowed: false, standing: refused, locked: Vec::new() };
        }
        self.attempts.add(now, limits.window_ms);
        let [_, failures, attempts] = self.standings(None, limits, now);
        let locked = self.accounts.keys().filter_map(|account| {
            let [standing, ..] = self.standings(Some(account), limits, now);
            (standing.remaining == 0).then(|| (account.clone(), standing))
        });
        Attempt { allowed: true, standing: failures.tighter(attempts), locked: locked.collect() }
    }

    /// Counts the outcome of an attempt. Past a limit even the right password is refused, so that
    /// guesses made in parallel learn no more than those made one by one.
    pub fn settle(
        &mut self,
        account: &AccountKey,
        outcome: AttemptOutcome,
        limits: AuthLimits,
        now: i64,
    ) -> Settlement {
        self.clock_set_back(now);
        let [of_account, of_address, _] = self.standings(Some(account), limits, now);
        let refused = of_account.tighter(of_address);
        if refused.remaining == 0 && outcome != AttemptOutcome::TakenBack {
            return Settlement { allowed: false, standing: Some(refused) };
        }
        match outcome {
            AttemptOutcome::Passed => {}
            AttemptOutcome::Failed => {
                self.failures.add(now, limits.window_ms);
                self.accounts.retain(|_, counter| counter.current(now, limits.window_ms) > 0);
                self.accounts.entry(account.clone()).or_default().add(now, limits.window_ms);
            }
            AttemptOutcome::TakenBack => {
                self.failures.take_back();
                if let Some(counter) = self.accounts.get_mut(account) {
                    counter.take_back();
                }
            }
        }
        let [of_account, of_address, attempts] = self.standings(Some(account), limits, now);
        Settlement { allowed: true, standing: Some(of_account.tighter(of_address).tighter(attempts)) }
    }

    fn clock_set_back(&mut self, now: i64) {
        let counters = self.accounts.values_mut().chain([&mut self.attempts, &mut self.failures]);
        counters.for_each(|counter| counter.clock_set_back(now));
    }

    /// When everything counted so far expires; `None` if nothing is counted.
    pub fn over_at(&self, limits: AuthLimits) -> Option<i64> {
        let counters = self.accounts.values().chain([&self.attempts, &self.failures]);
        counters.filter_map(|counter| counter.ends_at(limits.window_ms)).max()
    }

    fn standings(&self, account: Option<&AccountKey>, limits: AuthLimits, now: i64) -> [Standing; 3] {
        let window = limits.window_ms;
        let of_account = account.and_then(|account| self.accounts.get(account)).copied().unwrap_or_default();
        [
            of_account.standing(Policy::AccountFailures, limits.account_failures, now, window),
            self.failures.standing(Policy::AddressFailures, limits.address_failures, now, window),
            self.attempts.standing(Policy::Attempts, limits.attempts, now, window),
        ]
    }
}

#[cfg(test)]
mod tests {
    use zetra_domain::Email;

    use super::*;

    const NOW: i64 = 1_700_000_000_000;

    /// The default limits.
    fn limits() -> AuthLimits {
        AuthLimits::default()
    }

    fn account(name: &str) -> AccountKey {
        AccountKey::of_email(&Email::parse(&format!("{name}@example.com")).unwrap())
    }

    fn fails(ledger: &mut AddressLedger, name: &str, now: i64) -> bool {
        ledger.settle(&account(name), AttemptOutcome::Failed, limits(), now).allowed
    }

    fn locked(ledger: &mut AddressLedger, now: i64) -> Vec<AccountKey> {
        ledger.attempt(limits(), now).locked.into_iter().map(|(account, _)| account).collect()
    }

    #[test]
    fn five_failures_lock_the_account_and_no_other() {
        let mut ledger = AddressLedger::default();
        assert!((0..5).all(|_| fails(&mut ledger, "ann", NOW)));
        assert!(!fails(&mut ledger, "ann", NOW), "the sixth");
        let right = ledger.settle(&account("ann"), AttemptOutcome::Passed, limits(), NOW);
        assert_eq!(
            (right.allowed, right.standing.map(|standing| standing.reset)),
            (false, Some(900)),
            "the right password too"
        );
        assert_eq!(locked(&mut ledger, NOW), [account("ann")]);
        assert!(ledger.settle(&account("bob"), AttemptOutcome::Passed, limits(), NOW).allowed);
    }

    #[test]
    fn a_right_password_is_never_a_failure() {
        let mut ledger = AddressLedger::default();
        assert!(
            (0..100).all(|_| ledger.settle(&account("ann"), AttemptOutcome::Passed, limits(), NOW).allowed)
        );
    }

    #[test]
    fn a_failure_that_is_taken_back_was_none_and_only_one_is_taken_back() {
        let mut ledger = AddressLedger::default();
        assert!((0..5).all(|_| fails(&mut ledger, "ann", NOW)));
        let taken_back = ledger.settle(&account("ann"), AttemptOutcome::TakenBack, limits(), NOW);
        assert_eq!(
            (taken_back.allowed, taken_back.standing.map(|standing| standing.remaining)),
            (true, Some(1))
        );
        assert!(fails(&mut ledger, "ann", NOW));
        assert!(!fails(&mut ledger, "ann", NOW), "the sixth that is not taken back");
        assert!((0..15).all(|number| fails(&mut ledger, &format!("user-{number}"), NOW)));
        assert!(!fails(&mut ledger, "new", NOW), "nor is it one of the address");
    }

    #[test]
    fn twenty_failures_lock_the_address() {
        let mut ledger = AddressLedger::default();
        assert!((0..20).all(|number| fails(&mut ledger, &format!("user-{number}"), NOW)));
        assert!(!ledger.attempt(limits(), NOW).allowed);
        assert!(!ledger.settle(&account("new"), AttemptOutcome::Passed, limits(), NOW).allowed);
    }

    #[test]
    fn two_hundred_attempts_lock_the_address() {
        let mut ledger = AddressLedger::default();
        assert!((0..200).all(|_| ledger.attempt(limits(), NOW).allowed));
        assert!(
            ledger.settle(&account("ann"), AttemptOutcome::Passed, limits(), NOW).allowed,
            "the last one still goes through"
        );
        let refused = ledger.attempt(limits(), NOW);
        assert_eq!((refused.allowed, refused.standing.policy), (false, Policy::Attempts));
    }

    #[test]
    fn the_window_begins_with_the_first_failure_and_ends() {
        let mut ledger = AddressLedger::default();
        for minute in 0..5 {
            fails(&mut ledger, "ann", NOW + minute * 60_000);
        }
        assert_eq!(locked(&mut ledger, NOW + 899_999), [account("ann")]);
        assert_eq!(locked(&mut ledger, NOW + 900_000), []);
        assert_eq!(ledger.over_at(limits()), Some(NOW + 899_999 + 900_000), "the attempt's own window");
        assert_eq!(AddressLedger::default().over_at(limits()), None);
    }

    #[test]
    fn a_clock_that_is_set_back_lengthens_no_window_and_forgives_nothing() {
        let mut ledger = AddressLedger::default();
        assert!((0..5).all(|_| fails(&mut ledger, "ann", NOW)));
        let before = NOW - 7_200_000;
        assert_eq!(locked(&mut ledger, before), [account("ann")]);
        assert_eq!(ledger.over_at(limits()), Some(before + limits().window_ms));
        assert_eq!(locked(&mut ledger, before + limits().window_ms), []);
    }

    #[test]
    fn the_tightest_limit_is_told() {
        let mut ledger = AddressLedger::default();
        let first = ledger.attempt(limits(), NOW).standing;
        assert_eq!((first.policy, first.limit, first.remaining), (Policy::AddressFailures, 20, 20));
        let after = ledger.settle(&account("ann"), AttemptOutcome::Failed, limits(), NOW).standing.unwrap();
        assert_eq!((after.policy, after.remaining, after.reset), (Policy::AccountFailures, 4, 900));
    }

    #[test]
    fn what_is_stored_is_bounded_and_tells_no_address() {
        let mut ledger = AddressLedger::default();
        for number in 0..500 {
            fails(&mut ledger, &format!("user-{number}"), NOW);
        }
        let stored = serde_json::to_string(&ledger).unwrap();
        assert!(stored.len() < 2_000 && !stored.contains("example.com"), "{stored}");
        assert_eq!(serde_json::from_str::<AddressLedger>(&stored).unwrap(), ledger);
    }
}
