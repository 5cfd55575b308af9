//! Which round trips of a database meet a fault; the seams of both databases have one.

/// No faults at first.
pub struct Plan<F> {
    /// Since the faults were planned.
    round_trips: usize,
    first: usize,
    faults: Vec<F>,
    met: usize,
}

impl<F> Default for Plan<F> {
    fn default() -> Self {
        Self { round_trips: 0, first: 0, faults: Vec::new(), met: 0 }
    }
}

impl<F: Copy> Plan<F> {
    /// The `first` round trip from now on meets the first fault, the one after it the second.
    pub fn new(first: usize, faults: &[F]) -> Self {
        Self { first, faults: faults.to_vec(), ..Self::default() }
    }

    /// The fault of the round trip that now begins.
    pub fn next(&mut self) -> Option<F> {
        self.round_trips += 1;
        let index = self.round_trips.checked_sub(self.first)?;
        let fault = self.faults.get(index).copied();
        self.met += usize::from(fault.is_some());
        fault
    }

    /// No more faults; tells how many were met.
    pub fn calm(&mut self) -> usize {
        std::mem::take(self).met
    }
}
