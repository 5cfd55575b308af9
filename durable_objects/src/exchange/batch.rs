//! Several messages from one object to another, as the body of one request: a line of JSON, and after it, as they
//! are, the texts of the messages. As strings in JSON they would be escaped and decoded, on both sides, every byte.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use thiserror::Error;

use super::Message;

/// A batch of messages.
pub struct Batch<T> {
    /// The sender: a room's id, or a Session's name.
    pub from: String,
    pub messages: Vec<T>,
}

#[derive(Debug, Error)]
pub enum BatchError {
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error("the texts are not as long as they should be")]
    Texts,
}

/// The line of JSON.
#[derive(Serialize, Deserialize)]
struct Envelope<T> {
    from: String,
    /// Without their texts.
    messages: Vec<T>,
    /// Of the texts, in bytes.
    lengths: Vec<usize>,
}

impl<T: Message + Serialize + DeserializeOwned> Batch<T> {
    /// The body of a request.
    pub fn into_body(self) -> String {
        let Self { from, mut messages } = self;
        let texts: Vec<String> = messages.iter_mut().flat_map(Message::texts).map(std::mem::take).collect();
        let lengths = texts.iter().map(String::len).collect();
        // Neither of these types can fail; nothing would be refused by the addressee.
        let mut body = serde_json::to_string(&Envelope { from, messages, lengths }).unwrap_or_default();
        body.reserve(1 + texts.iter().map(String::len).sum::<usize>());
        body.push('\n');
        body.extend(texts);
        body
    }

    /// Reads what [`into_body`](Self::into_body) wrote.
    ///
    /// # Errors
    /// If another version wrote it differently.
    pub fn from_body(body: &str) -> Result<Self, BatchError> {
        // JSON as it is written here contains no line break.
        let (line, mut rest) = body.split_once('\n').ok_or(BatchError::Texts)?;
        let Envelope { from, mut messages, lengths } = serde_json::from_str(line)?;
        let mut lengths = lengths.into_iter();
        for text in messages.iter_mut().flat_map(Message::texts) {
            let length = lengths.next().ok_or(BatchError::Texts)?;
            let (this, others) = rest.split_at_checked(length).ok_or(BatchError::Texts)?;
            this.clone_into(text);
            rest = others;
        }
        if rest.is_empty() && lengths.next().is_none() {
            Ok(Self { from, messages })
        } else {
            Err(BatchError::Texts)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::exchange::{Delivery, FromSession};

    fn delivery() -> impl Strategy<Value = Delivery> {
        let frames = proptest::collection::vec(".*", 0..4);
        prop_oneof![
            (any::<u64>(), ".*").prop_map(|(mark, frame)| Delivery::Frame { mark, frame }),
            (any::<bool>(), any::<u64>(), frames.clone())
                .prop_map(|(joined, mark, frames)| Delivery::Joined { joined, mark, frames }),
            (".*", any::<u64>(), frames).prop_map(|(sid, mark, frames)| Delivery::Recovered {
                sid,
                mark,
                frames
            }),
            proptest::option::of(".*").prop_map(Delivery::Stranger),
            Just(Delivery::NotRecovered),
            Just(Delivery::Disconnect),
        ]
    }

    proptest! {
        #[test]
        fn a_batch_is_read_as_it_was_written(from in ".*", messages in proptest::collection::vec(delivery(), 0..6)) {
            let body = Batch { from: from.clone(), messages: messages.clone() }.into_body();
            let read = Batch::<Delivery>::from_body(&body).unwrap();
            prop_assert_eq!((read.from, read.messages), (from, messages));
        }

        #[test]
        fn a_body_that_is_cut_or_longer_is_refused(frame in ".{1,20}", more in ".{1,5}") {
            let messages = vec![Delivery::Frame { mark: 1, frame }];
            let body = Batch { from: "room".to_owned(), messages }.into_body();
            let cut = body.char_indices().last().map_or(0, |(end, _)| end);
            prop_assert!(Batch::<Delivery>::from_body(&body[..cut]).is_err());
            prop_assert!(Batch::<Delivery>::from_body(&(body + &more)).is_err());
        }
    }

    #[test]
    fn the_texts_stay_as_they_are() {
        let (name, argument) = (r#""chat-message""#.to_owned(), r#"{"message":"a \"quote\"\n"}"#.to_owned());
        let messages = vec![FromSession::Event { name, arguments: vec![argument], ack: Some(7) }];
        let body = Batch { from: "a".to_owned(), messages }.into_body();
        assert!(body.ends_with(r#""chat-message"{"message":"a \"quote\"\n"}"#), "{body}");
    }
}
