//! How large replies are, learned from earlier ones: the size of the next reply is unknown until it arrives, but memory
//! has to be reserved before the query.
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

/// By action and collection, and by the stages of a pipeline: the results of one say nothing about those of another.
#[derive(Debug, Default)]
pub struct Sizes(Mutex<HashMap<String, Reply>>);

#[derive(Clone, Copy, Debug)]
struct Reply {
    bytes: usize,
    documents: usize,
}

impl Sizes {
    /// The expected bytes of a reply with that many documents.
    pub fn expected(&self, name: &str, documents: usize) -> usize {
        let last = self.names().get(name).copied().unwrap_or(Reply { bytes: UNKNOWN, documents: 1 });
        let expected = last.bytes.saturating_mul(documents).checked_div(last.documents);
        expected.unwrap_or(LARGEST_REPLY).min(LARGEST_REPLY)
    }

    pub fn learn(&self, name: &str, bytes: usize, documents: usize) {
        if documents == 0 {
            return;
        }
        let mut names = self.names();
        if names.len() >= NAMES && !names.contains_key(name) {
            names.clear();
        }
        names.insert(name.to_owned(), Reply { bytes, documents });
    }

    /// Each change is a single insertion, so a panic leaves the map consistent.
    fn names(&self) -> MutexGuard<'_, HashMap<String, Reply>> {
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
    fn small_replies_are_expected_to_the_byte() {
        let sizes = Sizes::default();
        sizes.learn("aggregate zetra.rooms $match $limit", 900, 1_000);
        assert_eq!(sizes.expected("aggregate zetra.rooms $match $limit", 1_000), 900);
    }

    #[test]
    fn names_that_are_made_up_are_not_kept_without_end() {
        let sizes = Sizes::default();
        (0..2 * NAMES).for_each(|name| sizes.learn(&name.to_string(), 1, 1));
        assert!(sizes.names().len() <= NAMES);
    }
}
