//! Outgoing messages.

use std::{borrow::Cow, rc::Rc};

use super::payload;

/// An Engine.IO message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// With Engine.IO's `4` in front, so that adding it needs no copy.
    Text(Frame<'a>),
    /// Bytes, which long-polling carries as base64.
    Binary(Rc<[u8]>),
}

/// A text frame in three parts; the middle one is relayed from the frame that was received.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The part before.
    pub head: String,
    /// A slice of what was received.
    pub relayed: &'a str,
    /// The part after.
    pub tail: Cow<'static, str>,
}

impl Frame<'_> {
    /// A frame with no relayed part.
    pub fn whole(text: String) -> Self {
        Self { head: text, ..Self::default() }
    }

    /// The three parts joined.
    pub fn text(&self) -> String {
        [self.head.as_str(), self.relayed, &self.tail].concat()
    }
}

impl Message<'_> {
    /// A text message with no relayed part.
    pub fn text(text: String) -> Self {
        Self::Text(Frame::whole(text))
    }

    /// The same, with the borrowed part copied.
    pub fn into_owned(self) -> Message<'static> {
        match self {
            Self::Text(frame) => Message::text(frame.text()),
            Self::Binary(bytes) => Message::Binary(bytes),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Text(frame) => frame.head.len() + frame.relayed.len() + frame.tail.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    /// As a packet of a long-polling payload.
    pub(super) fn push_to(&self, payload: &mut String) {
        match self {
            Self::Text(frame) => {
                [frame.head.as_str(), frame.relayed, &frame.tail]
                    .iter()
                    .for_each(|part| payload.push_str(part));
            }
            Self::Binary(bytes) => payload.push_str(&payload::binary(bytes)),
        }
    }
}
