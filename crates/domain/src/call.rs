//! Calls: when two reports are about the same call, and what the one log of it says.
//!
//! | what | rule |
//! |---|---|
//! | times | a report's start and end are brought within the room's `createdAt` and now, then compared: an end before the start is refused |
//! | state | a log is over at its end, or open since the latest start among its reports without an end |
//! | what it covers | `[start, end]` when over, `[start, since + 24 h)` while open |
//! | as of now | an open log whose `since` is 24 h ago or more is over, and its end is `since`; nobody has to write that |
//! | same call | the same room, somebody in common, less than 60 s between what they cover; a report counts as the log that it makes |
//! | joining | the earlier start, everybody, and of two states the later; over is the later of two at the same time. Where the room itself kept one of the two, start and state are the room's alone |
//! | which stays | the log made first, with its caller and receiver |
//! | `/end` | what the room keeps is answered as it is, until ten minutes after its end; else it is over at the time that is told, or at `since` if that is later: somebody of the call says that it is over |
//! | duration | whole seconds from start to end, 0 while open |
//!
//! So a report of an earlier part of a call never ends what runs now; a redial within a minute reopens; a late
//! report without an end does not reopen what is over.
//!
//! Joining is a union, a minimum and a maximum: commutative, associative, and the same twice as once. So
//! reports that all have ends give the same logs in whatever order they arrive, and so do reports without
//! ends of one call. The order of arrival matters in three things only. An open log takes later reports until its
//! end is told: where ends are reported for two times of day, the open report joins that which is told first.
//! It takes them until 24 h after its last one, not those that arrive afterwards. And caller and receiver are
//! those of the first reporter.
//!
//! This module compares and joins two logs; which logs are read and written is the store's to say.

use std::cmp::Ordering;

use serde::{Serialize, Serializer, ser::SerializeStruct};

use crate::{CallLogId, Email, RoomId, Timestamp, UserId, Username, limits};

/// What is reported: who called whom, where, from when, and until when if it is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub room: RoomId,
    pub caller: UserId,
    pub receiver: UserId,
    /// Everybody in the call; always holds the caller and the receiver.
    pub participants: Vec<UserId>,
    pub start: Timestamp,
    pub end: Option<Timestamp>,
}

impl Call {
    /// The same call with its times brought between `from` and `until`; `None` where it then ends before it
    /// begins. `from` wins where it is the later: clocks of two machines may differ.
    pub fn within(&self, from: Timestamp, until: Timestamp) -> Option<Self> {
        let start = self.start.min(until).max(from);
        let end = self.end.map(|end| end.min(until).max(from));
        end.is_none_or(|end| end >= start).then(|| Self { start, end, ..self.clone() })
    }
}

/// How far a call has come, as far as it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallState {
    /// It goes on. `since` is the latest start among the reports that say so.
    Open {
        since: Timestamp,
    },
    Over {
        at: Timestamp,
    },
}

impl CallState {
    /// What the two times that are stored say. Where only an end is kept, as the Node backend did, an open
    /// call is so since its start.
    pub fn stored(start: Timestamp, end: Option<Timestamp>, open_since: Option<Timestamp>) -> Self {
        match end {
            Some(at) => Self::Over { at },
            None => Self::Open { since: open_since.unwrap_or(start) },
        }
    }

    /// The end, if it was told.
    pub fn end(self) -> Option<Timestamp> {
        match self {
            Self::Open { .. } => None,
            Self::Over { at } => Some(at),
        }
    }

    /// The time of the last report that says that it goes on, while that is the last word.
    pub fn open_since(self) -> Option<Timestamp> {
        match self {
            Self::Open { since } => Some(since),
            Self::Over { .. } => None,
        }
    }

    fn as_of(self, now: Timestamp) -> Self {
        match self {
            Self::Open { since } if now.since(since) >= limits::OPEN_CALL_MS => Self::Over { at: since },
            state => state,
        }
    }

    fn time(self) -> Timestamp {
        let (Self::Open { since: time } | Self::Over { at: time }) = self;
        time
    }
}

/// By time; over is later than open at the same time.
impl Ord for CallState {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |state: &Self| (state.time(), state.end().is_some());
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for CallState {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The one record of a call, `{_id, callerId, receiverId, roomId, participants, startTime, endTime,
/// duration}`.
///
/// `P` is how the two people are told: by id, or as `Option<Person>`, `None` once the account is deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallLog<P = UserId> {
    pub id: CallLogId,
    pub caller: P,
    pub receiver: P,
    pub room: RoomId,
    pub participants: Vec<UserId>,
    pub start: Timestamp,
    pub state: CallState,
    /// The room saw the call: its times are not a client's to tell.
    pub kept_by_room: bool,
}

/// A person in a list of calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Person {
    #[serde(rename = "_id")]
    pub id: UserId,
    pub username: Username,
    pub email: Email,
}

impl<P> CallLog<P> {
    pub fn end(&self) -> Option<Timestamp> {
        self.state.end()
    }

    /// Whole seconds, 0 while the call goes on.
    pub fn duration(&self) -> i64 {
        self.end().map_or(0, |end| end.since(self.start).max(0) / 1_000)
    }

    /// What the log says at this time: a call that nobody has spoken of for a day is over.
    #[must_use]
    pub fn as_of(self, now: Timestamp) -> Self {
        Self { state: self.state.as_of(now), ..self }
    }

    /// The same log with its two people told in another way.
    pub fn with_people<Q>(self, caller: Q, receiver: Q) -> CallLog<Q> {
        let Self { id, room, participants, start, state, kept_by_room, .. } = self;
        CallLog { id, caller, receiver, room, participants, start, state, kept_by_room }
    }
}

/// Logs are compared and joined as of one time.
impl CallLog {
    pub fn new(id: CallLogId, call: Call) -> Self {
        Self {
            id,
            state: CallState::stored(call.start, call.end, None),
            caller: call.caller,
            receiver: call.receiver,
            room: call.room,
            participants: call.participants,
            start: call.start,
            kept_by_room: false,
        }
    }

    /// The end of what the log covers. An open one takes later reports for a day.
    pub fn covers_until(&self) -> Timestamp {
        match self.state {
            CallState::Open { since } => since.plus_millis(limits::OPEN_CALL_MS),
            CallState::Over { at } => at,
        }
    }

    pub fn is_same_call(&self, other: &Self) -> bool {
        let apart = |earlier: &Self, later: &Self| {
            later.start.since(earlier.covers_until()) >= limits::SAME_CALL_GAP_MS
        };
        let in_common = other.participants.iter().any(|user| self.participants.contains(user));
        self.room == other.room && in_common && !apart(self, other) && !apart(other, self)
    }

    /// This log and what another one of the same call says.
    #[must_use]
    pub fn joined_with(mut self, other: &Self) -> Self {
        for user in &other.participants {
            if !self.participants.contains(user) {
                self.participants.push(*user);
            }
        }
        (self.start, self.state) = match (self.kept_by_room, other.kept_by_room) {
            (true, false) => (self.start, self.state),
            (false, true) => (other.start, other.state),
            (true, true) | (false, false) => (self.start.min(other.start), self.state.max(other.state)),
        };
        self.kept_by_room |= other.kept_by_room;
        self
    }

    /// Whether the room ended it so lately that who ends it now is told how it ended.
    pub fn was_just_ended_by_room(&self, now: Timestamp) -> bool {
        self.kept_by_room && self.end().is_some_and(|end| now.since(end) < limits::ENDED_CALL_MS)
    }

    /// This call, ended by somebody in it; `None` when `end` is before it began.
    pub fn ended_at(&self, end: Timestamp) -> Option<Self> {
        let at = end.max(self.state.time());
        (end >= self.start).then(|| Self { state: CallState::Over { at }, ..self.clone() })
    }
}

impl<P: Serialize> Serialize for CallLog<P> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut log = serializer.serialize_struct("CallLog", 8)?;
        log.serialize_field("_id", &self.id)?;
        log.serialize_field("callerId", &self.caller)?;
        log.serialize_field("receiverId", &self.receiver)?;
        log.serialize_field("roomId", &self.room)?;
        log.serialize_field("participants", &self.participants)?;
        log.serialize_field("startTime", &self.start)?;
        log.serialize_field("endTime", &self.end())?;
        log.serialize_field("duration", &self.duration())?;
        log.end()
    }
}

#[cfg(test)]
mod tests;
