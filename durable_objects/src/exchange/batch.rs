//! Several messages from one object to another, as one text: a line of JSON, and after it, as they are, the
//! texts of the messages. As strings in JSON they would be escaped and decoded, on both sides, every byte.

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
enum BatchError {
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
    /// The text that [`read`](Self::read) reads.
    pub fn into_text(self) -> String {
        let Self { from, mut messages } = self;
        let texts: Vec<String> = messages.iter_mut().flat_map(Message::texts).map(std::mem::take).collect();
        let lengths = texts.iter().map(String::len).collect();
        // Neither of these types can fail; nothing would be refused by the addressee.
        let mut text = serde_json::to_string(&Envelope { from, messages, lengths }).unwrap_or_default();
        text.reserve(1 + texts.iter().map(String::len).sum::<usize>());
        text.push('\n');
        text.extend(texts);
        text
    }

    /// `None` if another version wrote it differently, which is logged.
    pub fn read(text: &str) -> Option<Self> {
        Self::parse(text).inspect_err(|error| tracing::error!(%error, "a batch cannot be read")).ok()
    }

    fn parse(text: &str) -> Result<Self, BatchError> {
        // JSON as it is written here contains no line break.
        let (line, mut rest) = text.split_once('\n').ok_or(BatchError::Texts)?;
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
    use proptest::{collection::vec, prelude::*};
    use zetra_signalling::{Credential, Rate};

    use super::*;
    use crate::exchange::{Delivery, FromSession, Joining};

    const TEXT: &str = "(?s).*";

    fn texts() -> impl Strategy<Value = Vec<String>> {
        vec(TEXT, 0..4)
    }

    fn delivery() -> impl Strategy<Value = Delivery> {
        prop_oneof![
            (any::<u64>(), TEXT).prop_map(|(mark, frame)| Delivery::Frame { mark, frame }),
            (any::<bool>(), any::<u64>(), texts()).prop_map(|(joined, mark, frames)| Delivery::Joined {
                joined,
                mark,
                frames
            }),
            (TEXT, any::<u64>(), texts()).prop_map(|(sid, mark, frames)| Delivery::Recovered {
                sid,
                mark,
                frames
            }),
            proptest::option::of(TEXT).prop_map(Delivery::Stranger),
            Just(Delivery::NotRecovered),
            Just(Delivery::Disconnect),
        ]
    }

    /// A message with secrets has no `Debug`, so it is made of something that has.
    type Said = (String, Vec<String>, Option<u64>, bool);

    fn message((text, arguments, ack, joins): Said) -> FromSession {
        if !joins {
            return FromSession::Event { name: text, arguments, ack };
        }
        let (credential, connection) = (Credential::None, String::new());
        FromSession::Join(Joining {
            sid: text,
            pid: String::new(),
            credential,
            connection,
            arguments,
            ack,
            rate: Rate::default(),
        })
    }

    fn said(message: FromSession) -> Said {
        match message {
            FromSession::Event { name, arguments, ack } => (name, arguments, ack, false),
            FromSession::Join(Joining { sid, arguments, ack, .. }) => (sid, arguments, ack, true),
            _ => panic!("nothing else was written"),
        }
    }

    proptest! {
        #[test]
        fn a_rooms_batch_is_read_as_it_was_written(from in TEXT, messages in vec(delivery(), 0..6)) {
            let text = Batch { from: from.clone(), messages: messages.clone() }.into_text();
            let read = Batch::<Delivery>::read(&text).unwrap();
            prop_assert_eq!((read.from, read.messages), (from, messages));
        }

        #[test]
        fn a_sessions_batch_is_read_as_it_was_written(
            from in TEXT,
            all in vec((TEXT, texts(), any::<Option<u64>>(), any::<bool>()), 0..6),
        ) {
            let messages = all.iter().cloned().map(message).collect();
            let text = Batch { from: from.clone(), messages }.into_text();
            let read = Batch::<FromSession>::read(&text).unwrap();
            let heard: Vec<Said> = read.messages.into_iter().map(said).collect();
            prop_assert_eq!((read.from, heard), (from, all));
        }

        #[test]
        fn a_text_that_is_cut_or_longer_is_refused(frame in ".{1,20}", more in ".{1,5}") {
            let messages = vec![Delivery::Frame { mark: 1, frame }];
            let text = Batch { from: "room".to_owned(), messages }.into_text();
            let cut = text.char_indices().last().map_or(0, |(end, _)| end);
            prop_assert!(Batch::<Delivery>::read(&text[..cut]).is_none());
            prop_assert!(Batch::<Delivery>::read(&(text + &more)).is_none());
        }
    }

    #[test]
    fn the_texts_stay_as_they_are() {
        let (name, argument) = (r#""chat-message""#.to_owned(), r#"{"message":"a \"quote\"\n"}"#.to_owned());
        let messages = vec![FromSession::Event { name, arguments: vec![argument], ack: Some(7) }];
        let text = Batch { from: "a".to_owned(), messages }.into_text();
        assert!(text.ends_with(r#""chat-message"{"message":"a \"quote\"\n"}"#), "{text}");
    }
}
