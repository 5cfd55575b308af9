//! Calls: when two reports are about the same call, and what its single log contains.
//!
//! | what | rule |
//! |---|---|
//! | times | a report's start and end are brought within the room's `createdAt` and now, then compared: an end before the start is refused |
//! | state | a log is over at its end, or open since the latest start among its reports without an end |
//! | what it covers | `[start, end]` when over, `[start, since + 24 h)` while open |
//! | as of now | an open log whose `since` is 24 h ago or more is over, and its end is `since`; this needs no write |
//! | same call | the same room, somebody in common, less than 60 s between what they cover; a report counts as the log that it would create |
//! | joining | the earlier start, everybody, and the later of the two states; at the same time, over is later. If the room itself kept one of the two, start and state are the room's alone |
//! | which stays | the log created first, with its caller and receiver |
//! | `/end` | a log that the room keeps is returned unchanged, until ten minutes after its end; any other is over at the reported time, or at `since` if that is later: a participant reports that it is over |
//! | duration | whole seconds from start to end, 0 while open |
//!
//! So a report of an earlier part of a call never ends what is running now; a redial within a minute reopens
//! it; a late report without an end does not reopen a call that is over.
//!
//! Joining is a union, a minimum and a maximum: commutative, associative and idempotent. So reports that all
//! have ends give the same logs in whatever order they arrive, and so do reports without ends of one call. The
//! order of arrival matters in three cases only. An open log takes later reports until its end is reported: if
//! ends are reported for two different times, the open report joins the one that arrives first. It takes only
//! those that arrive within 24 h of its last one. And caller and receiver are those of the first report.
//!
//! This module compares and joins two logs; the store decides which logs are read and written.

use std::cmp::Ordering;

use serde::{Serialize, Serializer, ser::SerializeStruct};

use crate::{CallLogId, Email, RoomId, Timestamp, UserId, Username, limits};

/// A report of a call: its caller and receiver, its room, its start, and its end if it is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub room: RoomId,
    pub caller: UserId,
    pub receiver: UserId,
    /// Everybody in the call; always contains the caller and the receiver.
    pub participants: Vec<UserId>,
    pub start: Timestamp,
    pub end: Option<Timestamp>,
}

impl Call {
    /// The same call with its times brought between `from` and `until`; `None` if it would then end before it
    /// begins. `from` wins if it is later than `until`: the clocks of two machines may differ.
    pub fn within(&self, from: Timestamp, until: Timestamp) -> Option<Self> {
        let start = self.start.min(until).max(from);
        let end = self.end.map(|end| end.min(until).max(from));
        end.is_none_or(|end| end >= start).then(|| Self { start, end, ..self.clone() })
    }
}

/// The state of a call, as far as it was reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallState {
    /// It goes on. `since` is the latest start among the reports without an end.
    Open {
        since: Timestamp,
    },
    Over {
        at: Timestamp,
    },
}

impl CallState {
    /// The state given by the two stored times. If only an end is stored, as by the Node backend, an open call
    /// has been open since its start.
    pub fn stored(start: Timestamp, end: Option<Timestamp>, open_since: Option<Timestamp>) -> Self {
        match end {
            Some(at) => Self::Over { at },
            None => Self::Open { since: open_since.unwrap_or(start) },
        }
    }

    /// The end, if it was reported.
    pub fn end(self) -> Option<Timestamp> {
        match self {
            Self::Open { .. } => None,
            Self::Over { at } => Some(at),
        }
    }

    /// The time of the last report without an end, while the call is open.
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
/// `P` represents the two people: by id, or as `Option<Person>`, `None` once the account is deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallLog<P = UserId> {
    pub id: CallLogId,
    pub caller: P,
    pub receiver: P,
    pub room: RoomId,
    pub participants: Vec<UserId>,
    pub start: Timestamp,
    pub state: CallState,
    /// The room saw the call: clients cannot set its times.
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

    /// The log as of this time: a call without a report for a day is over.
    #[must_use]
    pub fn as_of(self, now: Timestamp) -> Self {
        Self { state: self.state.as_of(now), ..self }
    }

    /// The same log with its two people represented differently.
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

    /// This log joined with another one of the same call.
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

    /// Whether the room ended it so recently that a request to end it returns how it ended.
    pub fn was_just_ended_by_room(&self, now: Timestamp) -> bool {
        self.kept_by_room && self.end().is_some_and(|end| now.since(end) < limits::ENDED_CALL_MS)
    }

    /// This call, ended by one of its participants; `None` if `end` is before it began.
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
