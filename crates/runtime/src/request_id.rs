//! The id of the request being served, for requests to other servers on its behalf.

use std::{
    cell::RefCell,
    future::{Future, poll_fn},
    pin::pin,
};

thread_local! {
    static CURRENT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `future` with `id` as the [`current`] one. Requests interleave on one thread: the id is set for each
/// poll.
pub async fn scope<F: Future>(id: &str, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|context| {
        let before = CURRENT.replace(Some(id.to_owned()));
        let polled = future.as_mut().poll(context);
        CURRENT.set(before);
        polled
    })
    .await
}

/// The id, if a request is being served.
pub fn current() -> Option<String> {
    CURRENT.with_borrow(Clone::clone)
}

#[cfg(test)]
mod tests {
    use futures_util::future::join;

    use super::*;

    /// Yields once.
    async fn turn() {
        let mut waited = false;
        poll_fn(|context| {
            if std::mem::replace(&mut waited, true) {
                return std::task::Poll::Ready(());
            }
            context.waker().wake_by_ref();
            std::task::Poll::Pending
        })
        .await;
    }

    #[test]
    fn requests_that_take_turns_keep_their_own_ids() {
        let asks = async |id: &str| {
            scope(id, async {
                let before = current();
                turn().await;
                (before, current())
            })
            .await
        };
        let (one, two) = pollster::block_on(join(asks("one"), asks("two")));
        let both = |id: &str| (Some(id.to_owned()), Some(id.to_owned()));
        assert_eq!((one, two), (both("one"), both("two")));
        assert_eq!(current(), None);
    }
}
