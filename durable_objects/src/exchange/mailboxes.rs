//! Messages from object to object: in order, one call at a time per addressee. Messages that accumulate
//! meanwhile are sent together in the next one.

use std::{cell::RefCell, collections::HashMap, fmt::Display};

use super::{Batch, Message};

/// Maximum bytes of one batch; the rest waits for the next.
const BATCH_BYTES: usize = 1_000_000;
/// How many messages may wait for one addressee; more mean that it is not working.
const WAITING: usize = 4_096;
const WAITING_BYTES: usize = 2_000_000;

pub(crate) struct Mailboxes<T>(RefCell<HashMap<String, Mailbox<T>>>);

struct Mailbox<T> {
    from: String,
    waiting: Vec<T>,
    bytes: usize,
    /// A message had to be dropped.
    overflowed: bool,
}

/// What to do about an addressee.
pub(crate) enum Next<T> {
    /// Send it this.
    Batch(Batch<T>),
    /// Nothing waits for it any more.
    Nothing,
    /// It did not accept a batch, or too many messages waited for it; they are lost.
    Undelivered,
}

impl<T: Message> Mailboxes<T> {
    pub fn new() -> Self {
        Self(RefCell::new(HashMap::new()))
    }

    /// Queues a message. Returns true if nothing is being sent to the addressee, so that [`Mailboxes::next`] has
    /// to be called.
    pub fn post(&self, from: &dyn Display, to: &str, message: T) -> bool {
        let mut mailboxes = self.0.borrow_mut();
        let bytes = message.bytes();
        match mailboxes.get_mut(to) {
            Some(mailbox) if mailbox.waiting.len() >= WAITING || mailbox.bytes + bytes > WAITING_BYTES => {
                mailbox.overflowed = true;
                false
            }
            Some(mailbox) => {
                mailbox.waiting.push(message);
                mailbox.bytes += bytes;
                false
            }
            None => {
                let from = from.to_string();
                let mailbox = Mailbox { from, waiting: vec![message], bytes, overflowed: false };
                mailboxes.insert(to.to_owned(), mailbox);
                true
            }
        }
    }

    /// Bytes of all waiting messages.
    pub fn bytes(&self) -> usize {
        self.0.borrow().values().map(|mailbox| mailbox.bytes).sum()
    }

    /// What to do next about an addressee, which has accepted the last batch or not.
    pub fn next(&self, to: &str, accepted: bool) -> Next<T> {
        let mut mailboxes = self.0.borrow_mut();
        let Some(mailbox) = mailboxes.get_mut(to) else { return Next::Nothing };
        if !accepted || mailbox.overflowed {
            mailboxes.remove(to);
            return Next::Undelivered;
        }
        if mailbox.waiting.is_empty() {
            mailboxes.remove(to);
            return Next::Nothing;
        }
        let mut bytes = 0;
        let fits = mailbox.waiting.iter().take_while(|message| {
            bytes += message.bytes();
            bytes <= BATCH_BYTES
        });
        let count = fits.count().max(1);
        let messages: Vec<T> = mailbox.waiting.drain(..count).collect();
        mailbox.bytes -= messages.iter().map(Message::bytes).sum::<usize>();
        Next::Batch(Batch { from: mailbox.from.clone(), messages })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Message for u32 {
        fn texts(&mut self) -> Vec<&mut String> {
            Vec::new()
        }

        fn bytes(&self) -> usize {
            400_000
        }
    }

    fn sent(next: Next<u32>) -> Vec<u32> {
        match next {
            Next::Batch(Batch { from, messages }) if from == "me" => messages,
            _ => Vec::new(),
        }
    }

    #[test]
    fn messages_are_sent_in_order_several_in_one_batch() {
        let mailboxes = Mailboxes::new();
        assert!(mailboxes.post(&"me", "a", 1), "the first begins");
        assert!(!mailboxes.post(&"me", "a", 2) && !mailboxes.post(&"me", "a", 3));
        assert_eq!(sent(mailboxes.next("a", true)), [1, 2]);
        assert!(!mailboxes.post(&"me", "a", 4), "a batch is under way");
        assert_eq!(sent(mailboxes.next("a", true)), [3, 4]);
        assert!(matches!(mailboxes.next("a", true), Next::Nothing));
        assert!(mailboxes.post(&"me", "a", 5), "and begins anew");
    }

    #[test]
    fn an_addressee_that_does_not_accept_gets_nothing_more() {
        let mailboxes = Mailboxes::new();
        for number in 1..=3 {
            mailboxes.post(&"me", "a", number);
        }
        assert_eq!(sent(mailboxes.next("a", true)), [1, 2]);
        assert!(matches!(mailboxes.next("a", false), Next::Undelivered));
        assert!(matches!(mailboxes.next("a", true), Next::Nothing) && mailboxes.bytes() == 0);
    }

    #[test]
    fn what_waits_is_bounded() {
        let mailboxes = Mailboxes::new();
        for number in 0..5_000 {
            mailboxes.post(&"me", "a", number);
        }
        assert!(mailboxes.bytes() <= WAITING_BYTES);
        assert!(matches!(mailboxes.next("a", true), Next::Undelivered));
    }
}
