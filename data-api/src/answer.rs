//! The body of an answer, from when it starts to grow until it is sent: memory is reserved before it is used.

use std::io;

use axum::body::Bytes;

use crate::{
    error::ApiError,
    memory::{Held, Shortage},
};

/// Written to like a file; its errors are [`ApiError`]s, see `From<io::Error>`.
pub struct Answer {
    bytes: Vec<u8>,
    /// The most bytes it may have.
    most: usize,
    /// Bytes of the largest database reply that it was written from. That reply is in memory at the same time,
    /// and the next one is assumed to be as large.
    reply: usize,
    held: Held,
}

impl Answer {
    /// `held` may already hold memory, for what existed before the answer.
    pub fn new(held: Held) -> Self {
        Self { bytes: Vec::new(), most: usize::MAX, reply: 0, held }
    }

    pub fn bounded(self, most: usize) -> Self {
        Self { most, ..self }
    }

    /// Reserves memory for the first reply of the database, from an estimate of its bytes. Since it is only an
    /// estimate, it may not take all of the memory.
    pub fn expect_reply(&mut self, bytes: usize) -> Result<(), ApiError> {
        let bytes = bytes.min(self.held.limit() / 4);
        self.held.at_least(self.bytes.capacity().saturating_add(bytes)).map_err(refused)
    }

    /// Counts a reply that has arrived and is about to be written.
    pub fn count_reply(&mut self, bytes: usize) -> Result<(), ApiError> {
        self.reply = self.reply.max(bytes);
        self.held.at_least(self.bytes.capacity().saturating_add(self.reply)).map_err(refused)
    }

    /// The finished body. Its memory is given back once it has been sent.
    pub fn into_bytes(mut self) -> Bytes {
        self.held.at_most(self.bytes.capacity());
        Bytes::from_owner(self)
    }

    fn make_room(&mut self, more: usize) -> Result<(), ApiError> {
        let needed = self.bytes.len().saturating_add(more);
        if needed > self.most {
            return Err(ApiError::ResultTooLarge(format!("the result is larger than {} bytes", self.most)));
        }
        self.held.make_room(&mut self.bytes, more, self.reply).map_err(refused)
    }
}

fn refused(shortage: Shortage) -> ApiError {
    match shortage {
        Shortage::Now => ApiError::TooManyRequests,
        Shortage::Ever => {
            ApiError::ResultTooLarge("the result needs more memory than the server has for it".to_owned())
        }
    }
}

impl io::Write for Answer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.make_room(bytes.len()).map_err(io::Error::other)?;
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsRef<[u8]> for Answer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::memory::Memory;

    fn refusal(answer: &mut Answer, bytes: usize) -> ApiError {
        answer.write_all(&vec![b'x'; bytes]).unwrap_err().into()
    }

    #[test]
    fn an_answer_holds_what_it_takes_until_its_last_copy_is_sent() {
        let memory = Memory::new(100_000);
        let mut answer = Answer::new(memory.hold());
        answer.write_all(&[b'x'; 5_000]).unwrap();
        assert!(memory.taken() >= 5_000);
        answer.write_all(b"y").unwrap();
        let bytes = answer.into_bytes();
        let last = bytes.slice(5_000..);
        drop(bytes);
        assert!((5_001..=10_000).contains(&memory.taken()), "{}", memory.taken());
        assert_eq!(last, "y");
        drop(last);
        assert_eq!(memory.taken(), 0);
    }

    #[test]
    fn an_answer_that_grows_too_large_is_refused_before_it_takes_the_memory() {
        let memory = Memory::new(10_000);
        let mut bounded = Answer::new(memory.hold()).bounded(2_000);
        bounded.write_all(&[b'x'; 2_000]).unwrap();
        assert!(matches!(refusal(&mut bounded, 1), ApiError::ResultTooLarge(_)));
        let mut other = Answer::new(memory.hold());
        assert!(matches!(refusal(&mut other, 9_000), ApiError::TooManyRequests), "the first one has some");
        drop(bounded);
        other.write_all(&[b'x'; 9_000]).unwrap();
        assert!(matches!(refusal(&mut other, 2_000), ApiError::ResultTooLarge(_)), "there is no more");
        assert!(memory.taken() <= 10_000);
    }

    #[test]
    fn what_a_reply_is_expected_to_take_refuses_nothing_for_good() {
        let memory = Memory::new(10_000);
        let mut answer = Answer::new(memory.hold());
        answer.expect_reply(1_000_000).unwrap();
        assert_eq!(memory.taken(), 2_500);
    }

    #[test]
    fn a_reply_of_the_database_is_counted_beside_the_answer() {
        let memory = Memory::new(10_000);
        let mut answer = Answer::new(memory.hold());
        answer.count_reply(6_000).unwrap();
        answer.count_reply(10).unwrap();
        answer.write_all(&[b'x'; 3_000]).unwrap();
        assert!(memory.taken() >= 9_000);
        assert!(matches!(refusal(&mut answer, 3_000), ApiError::ResultTooLarge(_)));
    }
}
