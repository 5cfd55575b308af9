//! Messages on their way out.

use std::{borrow::Cow, rc::Rc};

use super::payload;

/// An Engine.IO message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// With Engine.IO's `4` in front, so that nothing has to be copied for it.
    Text(Frame<'a>),
    /// Bytes, which long-polling carries as base64.
    Binary(Rc<[u8]>),
}

/// A text frame in three parts; the middle one is relayed from the frame that was received.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What goes before.
    pub head: String,
    /// A slice of what was received.
    pub relayed: &'a str,
    /// What goes after.
    pub tail: Cow<'static, str>,
}

impl Frame<'_> {
    /// A frame of which nothing is relayed.
    pub fn whole(text: String) -> Self {
        Self { head: text, ..Self::default() }
    }

    /// The three parts in one.
    pub fn text(&self) -> String {
        [self.head.as_str(), self.relayed, &self.tail].concat()
    }
}

impl Message<'_> {
    /// A text message of which nothing is relayed.
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
