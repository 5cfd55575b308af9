//! What was sent is missed by nobody and got twice by nobody, whatever is lost: the promises are stated in
//! [`zetra_socketio::oracle`].

use arbitrary::{Arbitrary, Unstructured};
use zetra_socketio::oracle::{Step, check};

const MAX_STEPS: usize = 400;

#[derive(Arbitrary)]
struct Numbers {
    what: u8,
    whom: u8,
    amount: u16,
}

pub(crate) fn run(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let steps = std::iter::from_fn(|| (!input.is_empty()).then(|| Numbers::arbitrary(&mut input).ok())?);
    check(steps.take(MAX_STEPS).map(|Numbers { what, whom, amount }| Step::decoded(what, whom, amount)));
}
