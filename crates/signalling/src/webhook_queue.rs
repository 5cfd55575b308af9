//! Messages to post to the operator's webhook: in order, each until it is accepted, or for a day.
//!
//! [`WebhookQueue`] is a state machine without I/O. Only the first message in the queue is in flight; the next
//! one follows when the first was accepted or dropped. Each is stored before it is sent, so that it survives
//! the object. The backoff belongs to the receiver, not to the message: the one after a dropped message waits
//! just as long.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use zetra_domain::{RoomId, Timestamp, UserId};

use crate::{
    DisconnectReason,
    backoff::Backoff,
    versioned::{self, Versioned},
};

const VERSION: u32 = 1;
/// Milliseconds after which a message that was never accepted is dropped.
const PATIENCE_MS: i64 = 24 * 60 * 60 * 1_000;
/// Milliseconds after which the answer to an attempt is no longer awaited. The attempt itself times out long
/// before; this is for one that was lost with the object.
const ANSWER_MS: i64 = 60 * 1_000;
/// The most messages that wait. Past that the oldest is dropped.
const MAX_WAITING: usize = 1_000;

/// What happened in a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoomEvent {
    /// The first person is there.
    Started,
    Joined {
        user: UserId,
        /// `None` without a token.
        username: Option<String>,
    },
    Left {
        user: UserId,
        reason: DisconnectReason,
    },
    /// With the log as JSON.
    CallEnded(String),
    Ended {
        by: UserId,
    },
}

/// What to do next, in order. Messages are identified by their numbers, which give their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookEffect {
    /// Store [`WebhookQueue::stored`].
    Store(u64),
    /// Delete the stored message.
    Forget(u64),
    /// Post [`WebhookQueue::message`], then call [`WebhookQueue::answered`] with the attempt.
    Post { number: u64, attempt: u32 },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookMessage {
    v: u32,
    /// The same for every attempt: the receiver recognises repetitions by it.
    pub id: String,
    pub body: String,
    made_at: i64,
    /// For the receiver, as of when this message was first in the queue.
    backoff: Backoff,
}

#[derive(Debug)]
pub struct WebhookQueue {
    room: RoomId,
    waiting: BTreeMap<u64, WebhookMessage>,
    next: u64,
    /// The attempt in flight, and until when its answer is awaited.
    posting: Option<(u32, i64)>,
    attempts: u32,
    backoff: Backoff,
}

impl WebhookQueue {
    /// Restores the stored messages. Rows that cannot be read are dropped; the effects delete them.
    pub fn restore(room: RoomId, stored: Vec<(u64, String)>) -> (Self, Vec<WebhookEffect>) {
        let (waiting, unreadable) = versioned::read::<_, WebhookMessage>(room, stored);
        let waiting: BTreeMap<_, _> = waiting.into_iter().collect();
        let next = waiting.keys().next_back().map_or(0, |last| last + 1);
        let backoff =
            waiting.values().map(|message| message.backoff).max_by_key(|of| of.retry_at).unwrap_or_default();
        let queue = Self { room, waiting, next, posting: None, attempts: 0, backoff };
        (queue, unreadable.into_iter().map(WebhookEffect::Forget).collect())
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub fn message(&self, number: u64) -> Option<&WebhookMessage> {
        self.waiting.get(&number)
    }

    pub fn stored(&self, number: u64) -> Option<String> {
        serde_json::to_string(self.waiting.get(&number)?).ok()
    }

    /// Queues an event; `id` must be unguessable and different each time.
    pub fn push(&mut self, event: &RoomEvent, id: String, now: i64) -> Vec<WebhookEffect> {
        let (number, body) = (self.next, body(self.room, event, now));
        self.next += 1;
        let message = WebhookMessage { v: VERSION, id, body, made_at: now, backoff: Backoff::default() };
        self.waiting.insert(number, message);
        let mut effects = vec![WebhookEffect::Store(number)];
        while self.waiting.len() > MAX_WAITING {
            let Some((oldest, _)) = self.waiting.pop_first() else { break };
            tracing::error!(room = %self.room, "a webhook message is given up: too many wait");
            effects.push(WebhookEffect::Forget(oldest));
        }
        effects.extend(self.post_first(now));
        effects
    }

    /// When [`WebhookQueue::tick`] wants to be called next, in milliseconds since the epoch.
    pub fn next_deadline(&self) -> Option<i64> {
        let until = self.posting.map_or(self.backoff.retry_at, |(_, until)| until);
        (!self.waiting.is_empty()).then_some(until)
    }

    /// The clock was set back: nothing is awaited longer than from now on, and no message is younger than now.
    pub fn clock_set_back(&mut self, now: i64) -> Vec<WebhookEffect> {
        if let Some((_, until)) = &mut self.posting {
            *until = (*until).min(now + ANSWER_MS);
        }
        self.backoff.clock_set_back(now);
        let mut effects = Vec::new();
        for (number, message) in &mut self.waiting {
            let changes = message.backoff.clock_set_back(now) | (message.made_at > now);
            message.made_at = message.made_at.min(now);
            effects.extend(changes.then_some(WebhookEffect::Store(*number)));
        }
        effects
    }

    /// Posts the first message again, if it is due.
    pub fn tick(&mut self, now: i64) -> Vec<WebhookEffect> {
        self.posting.take_if(|(_, until)| *until <= now);
        self.post_first(now).into_iter().collect()
    }

    /// Records whether the receiver accepted a message. The answer to an attempt that is not awaited is
    /// ignored.
    pub fn answered(&mut self, number: u64, attempt: u32, taken: bool, now: i64) -> Vec<WebhookEffect> {
        if self.posting.take_if(|(awaited, _)| *awaited == attempt).is_none() {
            return Vec::new();
        }
        self.backoff = self.backoff.after(taken, now);
        let mut effects = Vec::new();
        if taken {
            effects.extend(self.waiting.remove(&number).map(|_| WebhookEffect::Forget(number)));
        } else {
            effects.extend(self.give_up_the_old(now));
            if let Some((first, message)) = self.waiting.iter_mut().next() {
                message.backoff = self.backoff;
                effects.push(WebhookEffect::Store(*first));
            }
        }
        effects.extend(self.post_first(now));
        effects
    }

    fn post_first(&mut self, now: i64) -> Option<WebhookEffect> {
        let number = *self.waiting.keys().next()?;
        if self.posting.is_some() || self.backoff.retry_at > now {
            return None;
        }
        self.attempts = self.attempts.wrapping_add(1);
        self.posting = Some((self.attempts, now + ANSWER_MS));
        Some(WebhookEffect::Post { number, attempt: self.attempts })
    }

    fn give_up_the_old(&mut self, now: i64) -> Vec<WebhookEffect> {
        let mut effects = Vec::new();
        while let Some((&number, first)) = self.waiting.first_key_value()
            && now - first.made_at >= PATIENCE_MS
        {
            tracing::error!(room = %self.room, message = first.id, "a webhook message is given up after a day");
            self.waiting.remove(&number);
            effects.push(WebhookEffect::Forget(number));
        }
        effects
    }
}

impl Versioned for WebhookMessage {
    fn is_current(&self) -> bool {
        self.v == VERSION
    }
}

/// `{type, timestamp, data:{roomId, …}}`
fn body(room: RoomId, event: &RoomEvent, now: i64) -> String {
    let (kind, more) = match event {
        RoomEvent::Started => ("room.started", String::new()),
        RoomEvent::Joined { user, username } => {
            let username = serde_json::Value::from(username.as_deref());
            ("participant.joined", format!(r#","userId":"{user}","username":{username}"#))
        }
        RoomEvent::Left { user, reason } => {
            ("participant.left", format!(r#","userId":"{user}","reason":"{}""#, reason.as_str()))
        }
        RoomEvent::CallEnded(log) => ("call.ended", format!(r#","callLog":{log}"#)),
        RoomEvent::Ended { by } => ("room.ended", format!(r#","by":"{by}","reason":"ended_by_host""#)),
    };
    let at = Timestamp::from_millis(now);
    format!(r#"{{"type":"{kind}","timestamp":"{at}","data":{{"roomId":"{room}"{more}}}}}"#)
}

#[cfg(test)]
mod tests;
