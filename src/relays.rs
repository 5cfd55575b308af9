//! A cache of the TURN service's credentials per user, until shortly before they expire, so that repeated
//! requests of a client do not cost the operator money. Bounded; it lasts as long as the isolate.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use serde_json::Value;
use zetra_domain::{Timestamp, UserId};

/// How many users' credentials are cached.
const USERS: usize = 1_024;
/// How long before expiry credentials are replaced: the remaining time must last for a call.
const SHORTLY_MS: i64 = 3_600_000;

#[derive(Default)]
pub struct RelayCache(Mutex<HashMap<UserId, Relays>>);

#[derive(Clone)]
pub struct Relays {
    /// `RTCIceServer` dictionaries.
    pub servers: Vec<Value>,
    pub expires_at: Timestamp,
}

impl RelayCache {
    pub fn of(&self, user: UserId, now: Timestamp) -> Option<Relays> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(&user).filter(|relays| relays.is_good(now)).cloned()
    }

    pub fn keep(&self, user: UserId, relays: Relays, now: Timestamp) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= USERS {
            kept.retain(|_, relays| relays.is_good(now));
        }
        if kept.len() >= USERS {
            let oldest = kept.iter().min_by_key(|(_, relays)| relays.expires_at).map(|(user, _)| *user);
            oldest.map(|oldest| kept.remove(&oldest));
        }
        kept.insert(user, relays);
    }
}

impl Relays {
    fn is_good(&self, now: Timestamp) -> bool {
        self.expires_at.since(now) > SHORTLY_MS
    }
}

#[cfg(test)]
mod tests {
    use zetra_domain::ObjectIds;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn relays(hours: i64) -> Relays {
        Relays { servers: Vec::new(), expires_at: NOW.plus_millis(hours * 3_600_000) }
    }

    #[test]
    fn they_are_kept_until_shortly_before_they_expire() {
        let (cache, user) = (RelayCache::default(), ObjectIds::new([1; 8]).user(NOW));
        assert!(cache.of(user, NOW).is_none());
        cache.keep(user, relays(12), NOW);
        assert!(cache.of(user, NOW.plus_millis(11 * 3_600_000 - 1)).is_some());
        assert!(cache.of(user, NOW.plus_millis(11 * 3_600_000)).is_none());
    }

    #[test]
    fn what_is_kept_is_bounded_and_the_oldest_goes() {
        let (cache, mut ids) = (RelayCache::default(), ObjectIds::new([1; 8]));
        let first = ids.user(NOW);
        cache.keep(first, relays(11), NOW);
        for _ in 0..USERS {
            cache.keep(ids.user(NOW), relays(12), NOW);
        }
        assert!(cache.of(first, NOW).is_none());
        assert_eq!(cache.0.lock().unwrap().len(), USERS);
    }
}
