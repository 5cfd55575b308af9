//! How large the documents of a collection are, learned from earlier replies: the size of the next reply is
//! unknown until it arrives, but memory has to be reserved before the query.
//!
//! An estimate, not a bound: MongoDB's own bound, 16 MiB a reply, would leave room for only a dozen requests.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// MongoDB's bound for a reply.
const LARGEST_REPLY: usize = 16 * 1024 * 1024;
/// A document of a collection without earlier replies.
const UNKNOWN: usize = 2 * 1024;
/// The most names that are kept: a client with a key can make up any number.
const NAMES: usize = 1_000;

/// By action and collection: the results of an aggregation say nothing about the stored documents.
#[derive(Debug, Default)]
pub struct Sizes(Mutex<HashMap<String, usize>>);

impl Sizes {
    /// The expected bytes of a reply with that many documents.
    pub fn expected(&self, name: &str, documents: usize) -> usize {
        let size = self.names().get(name).copied().unwrap_or(UNKNOWN);
        size.saturating_mul(documents).min(LARGEST_REPLY)
    }

    pub fn learn(&self, name: &str, reply: usize, documents: usize) {
        let Some(size) = reply.checked_div(documents) else { return };
        let mut names = self.names();
        if names.len() >= NAMES && !names.contains_key(name) {
            names.clear();
        }
        names.insert(name.to_owned(), size);
    }

    /// Each change is a single insertion, so a panic leaves the map consistent.
    fn names(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_expected_to_be_like_the_last_one() {
        let sizes = Sizes::default();
        assert_eq!(sizes.expected("find zetra.users", 10), 10 * UNKNOWN);
        sizes.learn("find zetra.users", 5_000, 10);
        assert_eq!(sizes.expected("find zetra.users", 100), 50_000);
        sizes.learn("find zetra.users", 100, 0);
        assert_eq!(sizes.expected("find zetra.users", 1), 500, "an empty reply says nothing");
        assert_eq!(sizes.expected("find zetra.users", usize::MAX), LARGEST_REPLY);
    }

    #[test]
    fn names_that_are_made_up_are_not_kept_without_end() {
        let sizes = Sizes::default();
        (0..2 * NAMES).for_each(|name| sizes.learn(&name.to_string(), 1, 1));
        assert!(sizes.names().len() <= NAMES);
    }
}
