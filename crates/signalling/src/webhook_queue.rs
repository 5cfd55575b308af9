//! What is to be posted to the operator's webhook: in order, until it is taken, or for a day.
//!
//! [`WebhookQueue`] is a state machine without I/O. Only the first in the queue is on its way; the next one
//! follows when that was taken or given up. Each is stored before it is sent, so that it survives the object.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use zetra_domain::{RoomId, Timestamp, UserId};

use crate::{DisconnectReason, pause};

const VERSION: u32 = 1;
/// Milliseconds after which a message that nobody takes is given up.
const PATIENCE_MS: i64 = 24 * 60 * 60 * 1_000;
/// Messages that wait. Past that the oldest is given up.
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

/// What follows, to be performed in order. Messages are named by their numbers, which say their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookEffect {
    /// Store [`WebhookQueue::stored`].
    Store(u64),
    /// Delete what was stored of it.
    Forget(u64),
    /// Post [`WebhookQueue::message`], then call [`WebhookQueue::answered`].
    Post(u64),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookMessage {
    v: u32,
    /// The same each time that it is sent: the receiver tells repetitions by it.
    pub id: String,
    pub body: String,
    made_at: i64,
    failed: u32,
    retry_at: i64,
}

#[derive(Debug)]
pub struct WebhookQueue {
    room: RoomId,
    waiting: BTreeMap<u64, WebhookMessage>,
    next: u64,
    is_posting: bool,
}

impl WebhookQueue {
    /// As it was stored. What cannot be read is forgotten: those are the effects.
    pub fn restore(room: RoomId, stored: Vec<(u64, String)>) -> (Self, Vec<WebhookEffect>) {
        let (mut waiting, mut effects) = (BTreeMap::new(), Vec::new());
        for (number, text) in stored {
            match serde_json::from_str::<WebhookMessage>(&text) {
                Ok(message) if message.v == VERSION => drop(waiting.insert(number, message)),
                _ => {
                    tracing::error!(%room, "a stored webhook message cannot be read");
                    effects.push(WebhookEffect::Forget(number));
                }
            }
        }
        let next = waiting.keys().next_back().map_or(0, |last| last + 1);
        (Self { room, waiting, next, is_posting: false }, effects)
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

    /// Something has happened; `id` is unguessable and different each time.
    pub fn push(&mut self, event: &RoomEvent, id: String, now: i64) -> Vec<WebhookEffect> {
        let (number, body) = (self.next, body(self.room, event, now));
        self.next += 1;
        let message =
            WebhookMessage { v: VERSION, id, body, made_at: now, failed: 0, retry_at: now + pause(0) };
        self.waiting.insert(number, message);
        let mut effects = vec![WebhookEffect::Store(number)];
        while self.waiting.len() > MAX_WAITING {
            let Some((oldest, _)) = self.waiting.pop_first() else { break };
            tracing::error!(room = %self.room, "a webhook message is given up: too many wait");
            effects.push(WebhookEffect::Forget(oldest));
        }
        // Where others wait before it, it waits with them.
        if self.waiting.len() == 1 {
            effects.extend(self.post_first(now));
        }
        effects
    }

    /// When [`WebhookQueue::tick`] wants to be called next, in milliseconds since the epoch.
    pub fn next_deadline(&self) -> Option<i64> {
        self.waiting.first_key_value().map(|(_, first)| first.retry_at)
    }

    /// Posts the first again, if it is due.
    pub fn tick(&mut self, now: i64) -> Vec<WebhookEffect> {
        let due = self.next_deadline().is_some_and(|at| at <= now);
        if !due {
            return Vec::new();
        }
        // What was on its way may be lost with an object that was not there to hear the answer.
        self.is_posting = false;
        let mut effects = self.give_up_the_old(now);
        effects.extend(self.post_first(now));
        effects
    }

    /// Whether the receiver has taken a message.
    pub fn answered(&mut self, number: u64, taken: bool, now: i64) -> Vec<WebhookEffect> {
        let Some(message) = self.waiting.get_mut(&number) else { return Vec::new() };
        self.is_posting = false;
        if taken {
            self.waiting.remove(&number);
            let mut effects = vec![WebhookEffect::Forget(number)];
            effects.extend(self.post_first(now));
            return effects;
        }
        message.failed += 1;
        message.retry_at = now + pause(message.failed);
        let effects = vec![WebhookEffect::Store(number)];
        let given_up = self.give_up_the_old(now);
        if given_up.is_empty() { effects } else { given_up }
    }

    fn post_first(&mut self, now: i64) -> Option<WebhookEffect> {
        let (number, first) = self.waiting.iter_mut().next()?;
        if std::mem::replace(&mut self.is_posting, true) {
            return None;
        }
        first.retry_at = now + pause(first.failed);
        Some(WebhookEffect::Post(*number))
    }

    fn give_up_the_old(&mut self, now: i64) -> Vec<WebhookEffect> {
        let mut effects = Vec::new();
        while let Some((&number, first)) = self.waiting.first_key_value()
            && first.failed > 0
            && now - first.made_at >= PATIENCE_MS
        {
            tracing::error!(room = %self.room, message = first.id, "a webhook message is given up after a day");
            self.waiting.remove(&number);
            effects.push(WebhookEffect::Forget(number));
        }
        effects
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
