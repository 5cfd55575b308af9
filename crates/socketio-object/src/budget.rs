//! How much one isolate holds for the clients of all its objects: they share one WASM memory.

use std::cell::Cell;

/// Bytes that all objects of an isolate hold for their clients together.
const MAX_OF_ALL: usize = 32_000_000;

thread_local! {
    static HELD: Cell<usize> = const { Cell::new(0) };
    /// The number of objects that hold anything.
    static HOLDERS: Cell<usize> = const { Cell::new(0) };
}

/// The share of one object.
#[derive(Default)]
pub(crate) struct Budget(Cell<usize>);

impl Budget {
    /// Records how much the object holds. True if that is more than `max`, or if all objects together hold more
    /// than allowed and this one more than its share: objects that hold little must not suffer for others.
    pub fn is_exceeded(&self, held: usize, max: usize) -> bool {
        self.note(held);
        let (of_all, holders) = (HELD.get(), HOLDERS.get());
        held > max || (of_all > MAX_OF_ALL && held >= of_all / holders.max(1))
    }

    fn note(&self, held: usize) {
        let before = self.0.replace(held);
        HELD.set(HELD.get() + held - before);
        HOLDERS.set(HOLDERS.get() + usize::from(held > 0) - usize::from(before > 0));
    }
}

impl Drop for Budget {
    fn drop(&mut self) {
        self.note(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_holds_more_than_its_share_is_told_when_all_hold_too_much() {
        let objects: Vec<Budget> = (0..5).map(|_| Budget::default()).collect();
        assert!(!objects[0].is_exceeded(7_000_000, 8_000_000));
        assert!(objects[0].is_exceeded(8_000_001, 8_000_000), "more than one object may");
        for object in &objects[..4] {
            assert!(!object.is_exceeded(7_000_000, 8_000_000));
        }
        assert!(!objects[4].is_exceeded(1_000, 8_000_000), "28 MB");
        assert!(!objects[3].is_exceeded(8_000_000, 8_000_000), "29 MB of 32");
        objects[2].note(11_500_000);
        assert!(!objects[4].is_exceeded(1_000, 8_000_000), "who holds little does not suffer");
        assert!(objects[3].is_exceeded(8_000_000, 8_000_000), "who holds much does");
        drop(objects);
        assert_eq!((HELD.get(), HOLDERS.get()), (0, 0));
    }
}
