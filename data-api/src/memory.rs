//! The memory that all requests in progress take together: bodies being read and parsed, answers being built
//! and sent.
//!
//! It is counted, not measured: code that needs memory reserves it first, and is refused if the total would be
//! exceeded. The guard gives the reservation back, whatever happens to the request.
//!
//! Invariant: `taken` is the sum over all guards, and never more than `limit`.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

#[derive(Debug)]
pub struct Memory {
    limit: usize,
    taken: AtomicUsize,
}

/// The first capacity of a buffer, so the least that a request holds.
pub const SMALLEST: usize = 1024;

/// Why memory is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortage {
    /// Other requests hold it; it will be available again.
    Now,
    /// The total is smaller than that.
    Ever,
}

/// The reservation of one request.
#[derive(Debug)]
pub struct Held {
    memory: Arc<Memory>,
    bytes: usize,
}

impl Memory {
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, taken: AtomicUsize::new(0) })
    }

    pub fn taken(&self) -> usize {
        self.taken.load(Relaxed)
    }

    /// A guard that holds nothing yet.
    pub fn hold(self: &Arc<Self>) -> Held {
        Held { memory: Arc::clone(self), bytes: 0 }
    }
}

impl Held {
    /// The total.
    pub fn limit(&self) -> usize {
        self.memory.limit
    }

    /// Increases the reservation to at least that many bytes.
    pub fn at_least(&mut self, bytes: usize) -> Result<(), Shortage> {
        let Memory { limit, taken } = &*self.memory;
        if bytes > *limit {
            return Err(Shortage::Ever);
        }
        let more = bytes.saturating_sub(self.bytes);
        let fits = |taken: usize| taken.checked_add(more).filter(|sum| sum <= limit);
        taken.fetch_update(Relaxed, Relaxed, fits).map_err(|_| Shortage::Now)?;
        self.bytes += more;
        Ok(())
    }

    /// Makes room for that many more bytes in a buffer; `beside` is what is held besides the buffer.
    pub fn make_room(&mut self, buffer: &mut Vec<u8>, more: usize, beside: usize) -> Result<(), Shortage> {
        let (needed, old) = (buffer.len().saturating_add(more), buffer.capacity());
        if needed > old {
            let new = needed.max(old.saturating_mul(2)).max(SMALLEST);
            // While it moves, both exist.
            self.at_least(beside.saturating_add(old).saturating_add(new))?;
            buffer.reserve_exact(new - buffer.len());
        }
        Ok(())
    }

    /// Gives back everything above that many bytes.
    pub fn at_most(&mut self, bytes: usize) {
        let less = self.bytes.saturating_sub(bytes);
        self.memory.taken.fetch_sub(less, Relaxed);
        self.bytes -= less;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.at_most(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_together_stays_below_the_limit_and_goes_back_with_its_guard() {
        let memory = Memory::new(100);
        let (mut first, mut second) = (memory.hold(), memory.hold());
        first.at_least(70).unwrap();
        assert_eq!(second.at_least(31), Err(Shortage::Now));
        second.at_least(30).unwrap();
        assert_eq!(memory.taken(), 100);
        first.at_least(50).unwrap();
        assert_eq!(memory.taken(), 100, "it has that already");
        first.at_most(20);
        assert_eq!(memory.taken(), 50);
        drop(first);
        drop(second);
        assert_eq!(memory.taken(), 0);
    }

    #[test]
    fn who_needs_more_than_there_is_is_not_told_to_come_back() {
        let memory = Memory::new(100);
        let mut held = memory.hold();
        assert_eq!(held.at_least(101), Err(Shortage::Ever));
        assert_eq!(memory.taken(), 0);
    }
}
