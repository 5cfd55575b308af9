//! What the documents of a collection take, learned from the replies that came: how large the next reply
//! will be cannot be known before it is there, but memory is to be held before it is asked for.
//!
//! An estimate, not a bound: MongoDB's own, 16 MiB a reply, would leave place for a dozen requests.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// MongoDB's bound for a reply.
const LARGEST_REPLY: usize = 16 * 1024 * 1024;
/// A document of which nothing is known.
const UNKNOWN: usize = 2 * 1024;
/// Names that are kept. Who has a key can make up any number.
const NAMES: usize = 1_000;

/// By action and collection: what an aggregation gives says nothing of what is stored.
#[derive(Debug, Default)]
pub struct Sizes(Mutex<HashMap<String, usize>>);

impl Sizes {
    /// The bytes of a reply of so many documents.
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

    /// Each change is one insertion: what a panic leaves is whole.
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
