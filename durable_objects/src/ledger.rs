//! Attempts and failures of one client address at the auth routes. Pure.
//!
//! Two steps, so that guessing in parallel gains nothing: [`Ledger::attempt`] before a password is
//! looked at, [`Ledger::settle`] after it was and before the client learns of it. Each counter has a
//! window that begins with its first event.

use base64ct::{Base64UrlUnpadded, Encoding};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use vecmap::VecMap;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Failures per address and account.
    pub account_failures: u32,
    /// Failures per address.
    pub address_failures: u32,
    /// Attempts per address, failed or not.
    pub attempts: u32,
    pub window_ms: i64,
}

/// Names an account without telling it: the ledger outlives the request and needs no addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountKey(String);

impl AccountKey {
    pub fn of(email: &str) -> Self {
        let digest = Sha256::digest(email.as_bytes());
        // It only has to tell a few accounts apart and to be short.
        Self(Base64UrlUnpadded::encode_string(digest.get(..12).unwrap_or(&digest)))
    }
}

/// How an address stands with the limit that is nearest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    pub policy: Policy,
    pub limit: u32,
    pub remaining: u32,
    /// Seconds until the counter starts anew.
    pub reset: i64,
    /// Seconds of the window.
    pub window: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    AccountFailures,
    AddressFailures,
    Attempts,
}

impl Policy {
    pub fn name(self) -> &'static str {
        match self {
            Self::AccountFailures => "account-failures",
            Self::AddressFailures => "address-failures",
            Self::Attempts => "attempts",
        }
    }
}

/// The answer to [`Ledger::attempt`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    pub allowed: bool,
    pub standing: Standing,
    /// Accounts that are past their own limit.
    pub locked: Vec<(AccountKey, Standing)>,
}

/// The answer to [`Ledger::settle`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    pub allowed: bool,
    pub standing: Standing,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    attempts: Counter,
    failures: Counter,
    accounts: VecMap<AccountKey, Counter>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Counter {
    count: u32,
    /// When the window began, in milliseconds since the epoch.
    since: i64,
}

impl Counter {
    fn current(self, now: i64, window: i64) -> u32 {
        if now - self.since >= window { 0 } else { self.count }
    }

    fn add(&mut self, now: i64, window: i64) {
        match self.current(now, window) {
            0 => *self = Self { count: 1, since: now },
            count => self.count = count.saturating_add(1),
        }
    }

    fn standing(self, policy: Policy, limit: u32, now: i64, window: i64) -> Standing {
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
}

impl Ledger {
    /// Somebody tries. Counts the attempt unless the address is past its limits, and tells which
    /// accounts may not be tried from it.
    pub fn attempt(&mut self, limits: Limits, now: i64) -> Attempt {
        let [_, failures, attempts] = self.standings(None, limits, now);
        let refused = tightest([failures, attempts]);
        if refused.remaining == 0 {
            return Attempt { allowed: false, standing: refused, locked: Vec::new() };
        }
        self.attempts.add(now, limits.window_ms);
        let [_, failures, attempts] = self.standings(None, limits, now);
        let locked = self.accounts.keys().filter_map(|account| {
            let [standing, ..] = self.standings(Some(account), limits, now);
            (standing.remaining == 0).then(|| (account.clone(), standing))
        });
        Attempt { allowed: true, standing: tightest([failures, attempts]), locked: locked.collect() }
    }

    /// An attempt has come to its end. Past a limit even the right password is refused, so that
    /// guesses made in parallel learn no more than those made one by one.
    pub fn settle(&mut self, account: &AccountKey, failed: bool, limits: Limits, now: i64) -> Verdict {
        let [of_account, of_address, _] = self.standings(Some(account), limits, now);
        let refused = tightest([of_account, of_address]);
        if refused.remaining == 0 {
            return Verdict { allowed: false, standing: refused };
        }
        if failed {
            self.failures.add(now, limits.window_ms);
            self.accounts.retain(|_, counter| counter.current(now, limits.window_ms) > 0);
            self.accounts.entry(account.clone()).or_default().add(now, limits.window_ms);
        }
        Verdict { allowed: true, standing: tightest(self.standings(Some(account), limits, now)) }
    }

    /// When everything counted so far is forgotten; `None` when nothing is.
    pub fn forgotten_at(&self, limits: Limits) -> Option<i64> {
        let counters = self.accounts.values().chain([&self.attempts, &self.failures]);
        counters.filter(|counter| counter.count > 0).map(|counter| counter.since + limits.window_ms).max()
    }

    fn standings(&self, account: Option<&AccountKey>, limits: Limits, now: i64) -> [Standing; 3] {
        let window = limits.window_ms;
        let of_account = account.and_then(|account| self.accounts.get(account)).copied().unwrap_or_default();
        [
            of_account.standing(Policy::AccountFailures, limits.account_failures, now, window),
            self.failures.standing(Policy::AddressFailures, limits.address_failures, now, window),
            self.attempts.standing(Policy::Attempts, limits.attempts, now, window),
        ]
    }
}

/// Of two that are used up, the one that lasts longer tells when to come back.
fn tightest<const N: usize>(standings: [Standing; N]) -> Standing {
    let order = |standing: &Standing| (standing.remaining, -standing.reset);
    // Every caller passes two or three.
    standings.into_iter().min_by_key(order).expect("there is at least one standing")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits =
        Limits { account_failures: 5, address_failures: 20, attempts: 200, window_ms: 900_000 };
    const NOW: i64 = 1_700_000_000_000;

    fn account(name: &str) -> AccountKey {
        AccountKey::of(name)
    }

    fn fails(ledger: &mut Ledger, name: &str, now: i64) -> bool {
        ledger.settle(&account(name), true, LIMITS, now).allowed
    }

    fn locked(ledger: &mut Ledger, now: i64) -> Vec<AccountKey> {
        ledger.attempt(LIMITS, now).locked.into_iter().map(|(account, _)| account).collect()
    }

    #[test]
    fn five_failures_lock_the_account_and_no_other() {
        let mut ledger = Ledger::default();
        assert!((0..5).all(|_| fails(&mut ledger, "ann", NOW)));
        assert!(!fails(&mut ledger, "ann", NOW), "the sixth");
        let right = ledger.settle(&account("ann"), false, LIMITS, NOW);
        assert_eq!((right.allowed, right.standing.reset), (false, 900), "the right password too");
        assert_eq!(locked(&mut ledger, NOW), [account("ann")]);
        assert!(ledger.settle(&account("bob"), false, LIMITS, NOW).allowed);
    }

    #[test]
    fn a_right_password_is_never_a_failure() {
        let mut ledger = Ledger::default();
        assert!((0..100).all(|_| ledger.settle(&account("ann"), false, LIMITS, NOW).allowed));
    }

    #[test]
    fn twenty_failures_lock_the_address() {
        let mut ledger = Ledger::default();
        assert!((0..20).all(|number| fails(&mut ledger, &format!("user-{number}"), NOW)));
        assert!(!ledger.attempt(LIMITS, NOW).allowed);
        assert!(!ledger.settle(&account("new"), false, LIMITS, NOW).allowed);
    }

    #[test]
    fn two_hundred_attempts_lock_the_address() {
        let mut ledger = Ledger::default();
        assert!((0..200).all(|_| ledger.attempt(LIMITS, NOW).allowed));
        assert!(
            ledger.settle(&account("ann"), false, LIMITS, NOW).allowed,
            "the last one still goes through"
        );
        let refused = ledger.attempt(LIMITS, NOW);
        assert_eq!((refused.allowed, refused.standing.policy), (false, Policy::Attempts));
    }

    #[test]
    fn the_window_begins_with_the_first_failure_and_ends() {
        let mut ledger = Ledger::default();
        for minute in 0..5 {
            fails(&mut ledger, "ann", NOW + minute * 60_000);
        }
        assert_eq!(locked(&mut ledger, NOW + 899_999), [account("ann")]);
        assert_eq!(locked(&mut ledger, NOW + 900_000), []);
        assert_eq!(ledger.forgotten_at(LIMITS), Some(NOW + 899_999 + 900_000), "the attempt's own window");
        assert_eq!(Ledger::default().forgotten_at(LIMITS), None);
    }

    #[test]
    fn the_tightest_limit_is_told() {
        let mut ledger = Ledger::default();
        let first = ledger.attempt(LIMITS, NOW).standing;
        assert_eq!((first.policy, first.limit, first.remaining), (Policy::AddressFailures, 20, 20));
        let after = ledger.settle(&account("ann"), true, LIMITS, NOW).standing;
        assert_eq!((after.policy, after.remaining, after.reset), (Policy::AccountFailures, 4, 900));
    }

    #[test]
    fn what_is_stored_is_bounded_and_tells_no_address() {
        let mut ledger = Ledger::default();
        for number in 0..500 {
            fails(&mut ledger, &format!("user-{number}@example.com"), NOW);
        }
        let stored = serde_json::to_string(&ledger).unwrap();
        assert!(stored.len() < 2_000 && !stored.contains("example.com"), "{stored}");
        assert_eq!(serde_json::from_str::<Ledger>(&stored).unwrap(), ledger);
    }
}
