//! Messages from object to object: in order, one request at a time per addressee. Messages that accumulate
//! meanwhile are sent together in the next one.

use std::{cell::RefCell, collections::HashMap, future::Future};

/// Maximum bytes of one request; the rest waits for the next.
const BATCH_BYTES: usize = 1_000_000;
/// How many messages may wait for one addressee; more mean that it is not working.
const WAITING: usize = 4_096;
const WAITING_BYTES: usize = 2_000_000;

pub(crate) struct Mailboxes<T>(RefCell<HashMap<String, Mailbox<T>>>);

struct Mailbox<T> {
    waiting: Vec<T>,
    bytes: usize,
    /// A message had to be dropped.
    overflown: bool,
}

/// The addressee did not accept a request, or too many messages waited for it.
pub(crate) struct Undelivered;

impl<T: Measured> Mailboxes<T> {
    pub fn new() -> Self {
        Self(RefCell::new(HashMap::new()))
    }

    /// Queues a message. Returns true if [`Mailboxes::deliver`] has to be called.
    pub fn post(&self, to: &str, message: T) -> bool {
        let mut mailboxes = self.0.borrow_mut();
        let bytes = message.bytes();
        match mailboxes.get_mut(to) {
            Some(mailbox) if mailbox.waiting.len() >= WAITING || mailbox.bytes + bytes > WAITING_BYTES => {
                mailbox.overflown = true;
                false
            }
            Some(mailbox) => {
                mailbox.waiting.push(message);
                mailbox.bytes += bytes;
                false
            }
            None => {
                let mailbox = Mailbox { waiting: vec![message], bytes, overflown: false };
                mailboxes.insert(to.to_owned(), mailbox);
                true
            }
        }
    }

    /// Bytes of all waiting messages.
    pub fn bytes(&self) -> usize {
        self.0.borrow().values().map(|mailbox| mailbox.bytes).sum()
    }

    /// Sends until no message is left.
    pub async fn deliver<F, E>(&self, to: &str, send: impl Fn(Vec<T>) -> F) -> Result<(), Undelivered>
    where
        F: Future<Output = Result<(), E>>,
    {
        while let Some(batch) = self.take(to)? {
            if send(batch).await.is_err() {
                self.0.borrow_mut().remove(to);
                return Err(Undelivered);
            }
        }
        Ok(())
    }

    fn take(&self, to: &str) -> Result<Option<Vec<T>>, Undelivered> {
        let mut mailboxes = self.0.borrow_mut();
        let Some(mailbox) = mailboxes.get_mut(to) else { return Ok(None) };
        if mailbox.waiting.is_empty() || mailbox.overflown {
            let overflown = mailbox.overflown;
            mailboxes.remove(to);
            return if overflown { Err(Undelivered) } else { Ok(None) };
        }
        let mut bytes = 0;
        let fits = mailbox.waiting.iter().take_while(|message| {
            bytes += message.bytes();
            bytes <= BATCH_BYTES
        });
        let count = fits.count().max(1);
        let batch: Vec<T> = mailbox.waiting.drain(..count).collect();
        mailbox.bytes -= batch.iter().map(Measured::bytes).sum::<usize>();
        Ok(Some(batch))
    }
}

/// The approximate size of a message as JSON.
pub(crate) trait Measured {
    fn bytes(&self) -> usize;
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    impl Measured for u32 {
        fn bytes(&self) -> usize {
            400_000
        }
    }

    #[test]
    fn messages_arrive_in_order_several_to_one_request() {
        let mailboxes = Mailboxes::new();
        assert!(mailboxes.post("a", 1), "the first begins");
        assert!(!mailboxes.post("a", 2) && !mailboxes.post("a", 3));
        let sent = RefCell::new(Vec::new());
        let delivered = mailboxes.deliver("a", |batch| {
            if batch == [1, 2] {
                mailboxes.post("a", 4);
            }
            sent.borrow_mut().push(batch);
            async { Ok::<_, ()>(()) }
        });
        assert!(pollster::block_on(delivered).is_ok());
        assert_eq!(*sent.borrow(), [vec![1, 2], vec![3, 4]]);
        assert!(mailboxes.post("a", 5), "and begins anew");
    }

    #[test]
    fn an_addressee_that_fails_gets_nothing_more() {
        let mailboxes = Mailboxes::new();
        mailboxes.post("a", 1);
        mailboxes.post("a", 2);
        mailboxes.post("a", 3);
        let calls = Cell::new(0);
        let delivered = mailboxes.deliver("a", |_| {
            calls.set(calls.get() + 1);
            async { Err(()) }
        });
        assert!(pollster::block_on(delivered).is_err());
        assert_eq!(calls.get(), 1);
    }

    #[test]
    fn what_waits_is_bounded() {
        let mailboxes = Mailboxes::new();
        for number in 0..5_000 {
            mailboxes.post("a", number);
        }
        let delivered = mailboxes.deliver("a", |_| async { Ok::<_, ()>(()) });
        assert!(pollster::block_on(delivered).is_err());
    }
}
