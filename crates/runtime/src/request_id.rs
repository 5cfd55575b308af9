//! The id of the request being served, for requests to other servers on its behalf.

use std::{
    cell::RefCell,
    future::{Future, poll_fn},
    pin::pin,
};

use tracing::Instrument;

thread_local! {
    static CURRENT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The header that names a request, also in what is asked of other servers and of objects on its behalf.
pub const HEADER: &str = "x-request-id";

/// Runs `future` with `id` as the [`current`] one, and in each line that it logs. Requests interleave on one thread: the id is
/// set for each poll.
pub async fn scope<F: Future>(id: &str, future: F) -> F::Output {
    let mut future = pin!(future.instrument(tracing::info_span!("request", requestId = id)));
    poll_fn(|context| {
        let before = CURRENT.replace(Some(id.to_owned()));
        let polled = future.as_mut().poll(context);
        CURRENT.set(before);
        polled
    })
    .await
}

/// The same for what was asked on behalf of a request, or of none.
pub async fn scope_of<F: Future>(id: Option<String>, future: F) -> F::Output {
    match id {
        Some(id) => scope(&id, future).await,
        None => future.await,
    }
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
