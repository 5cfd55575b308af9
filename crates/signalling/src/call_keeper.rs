//! The calls of one room, as the room itself saw them: when the second person came, when fewer than two were
//! left, and everybody who took part between.
//!
//! [`CallKeeper`] is a state machine without I/O. It looks at who is present whenever that has changed, and
//! asks for three things: store what it knows of a call, report the call to the database, forget it. A call is
//! *owed* from its first moment, and again after each change, until a report of it was taken; a report that
//! failed is tried again later and later. So it survives whatever dies: the object (what is owed is stored), the
//! database (it is tried again), the network, the browser.
//!
//! Invariants
//! 1. At most one call runs. It has two people connected at its beginning; those who are held still take part.
//! 2. A call ends at the last moment in which two were connected, though that is known later.
//! 3. A report is a whole log: reporting twice, or late, does no harm.

use serde::{Deserialize, Serialize};
use vecmap::VecMap;
use zetra_domain::{CallLog, CallLogId, CallState, RoomId, Timestamp, UserId, limits};

use crate::pause;

const VERSION: u32 = 1;
/// A call that runs is reported again before the database would take it for one that was forgotten.
const RENEWAL_MS: i64 = limits::OPEN_CALL_MS / 2;
/// Calls that are owed. Past that the oldest is given up: the database was away for days.
const MAX_OWED: usize = 256;

/// Somebody who is present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presence {
    pub user: UserId,
    /// Since when its connection is lost, in milliseconds since the epoch, if it is.
    pub lost_at: Option<i64>,
}

/// What follows, to be performed in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallEffect {
    /// Store [`CallKeeper::stored`].
    Store(CallLogId),
    /// Delete what was stored of it.
    Forget(CallLogId),
    /// Report [`CallKeeper::log`] to the database, then call [`CallKeeper::reported`].
    Report(CallLogId),
}

#[derive(Debug)]
pub struct CallKeeper {
    room: RoomId,
    calls: VecMap<CallLogId, KeptCall>,
    /// Since when fewer than two are connected, while a call runs.
    alone_since: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct KeptCall {
    v: u32,
    caller: UserId,
    receiver: UserId,
    people: Vec<UserId>,
    start: i64,
    state: State,
    owed: Option<Owed>,
    /// A report is on its way; of what is told by the number.
    #[serde(skip)]
    reporting: Option<u32>,
    /// Counts the changes.
    #[serde(skip)]
    revision: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum State {
    #[serde(rename = "r")]
    Running { since: i64 },
    #[serde(rename = "o")]
    Over { at: i64 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Owed {
    /// Reports that failed.
    failed: u32,
    /// When to try again, if the one on its way is not answered.
    retry_at: i64,
}

impl CallKeeper {
    /// As it was stored, with those who are present now. What cannot be read is forgotten: those are the effects.
    pub fn restore(
        room: RoomId,
        stored: Vec<(CallLogId, String)>,
        people: &[Presence],
        now: i64,
    ) -> (Self, Vec<CallEffect>) {
        let (mut calls, mut effects) = (VecMap::new(), Vec::new());
        for (id, text) in stored {
            match serde_json::from_str::<KeptCall>(&text) {
                Ok(call) if call.v == VERSION => drop(calls.insert(id, call)),
                _ => {
                    tracing::error!(%room, call = %id, "a stored call cannot be read");
                    effects.push(CallEffect::Forget(id));
                }
            }
        }
        let mut keeper = Self { room, calls, alone_since: None };
        let connected = people.iter().filter(|person| person.lost_at.is_none()).count();
        if keeper.running().is_some() && connected < 2 {
            keeper.alone_since = Some(second_last_seen(people, now));
        }
        (keeper, effects)
    }

    /// Whether there is nothing to be stored.
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// The log of a call as it is to be reported, and which state of it that is.
    pub fn log(&self, id: CallLogId) -> Option<(CallLog, u32)> {
        let call = self.calls.get(&id)?;
        let log = CallLog {
            id,
            caller: call.caller,
            receiver: call.receiver,
            room: self.room,
            participants: call.people.clone(),
            start: Timestamp::from_millis(call.start),
            state: match call.state {
                State::Running { since } => CallState::Open { since: Timestamp::from_millis(since) },
                State::Over { at } => CallState::Over { at: Timestamp::from_millis(at) },
            },
            kept_by_room: true,
        };
        Some((log, call.revision))
    }

    pub fn stored(&self, id: CallLogId) -> Option<String> {
        serde_json::to_string(self.calls.get(&id)?).ok()
    }

    /// Who is present has changed, or may have: `people` in the order in which they came.
    pub fn observe(
        &mut self,
        people: &[Presence],
        now: i64,
        new_id: impl FnOnce() -> CallLogId,
    ) -> Vec<CallEffect> {
        let mut effects = Vec::new();
        let connected: Vec<UserId> =
            people.iter().filter(|person| person.lost_at.is_none()).map(|person| person.user).collect();
        if let Some(id) = self.running() {
            if connected.len() >= 2 {
                self.alone_since = None;
            } else {
                self.alone_since.get_or_insert(now);
            }
            let since_alone = self.alone_since;
            let Some(call) = self.calls.get_mut(&id) else { return effects };
            let newcomers: Vec<UserId> =
                connected.into_iter().filter(|user| !call.people.contains(user)).collect();
            let is_over = people.len() < 2;
            if is_over {
                let at = since_alone.unwrap_or(now).max(call.start);
                call.state = State::Over { at };
                self.alone_since = None;
            }
            if is_over || !newcomers.is_empty() {
                call.people.extend(newcomers);
                self.owe(id, now, &mut effects);
            }
        } else if let [caller, receiver, ..] = connected[..] {
            let id = new_id();
            let state = State::Running { since: now };
            let (owed, reporting, revision) = (None, None, 0);
            let people = connected;
            let call = KeptCall {
                v: VERSION,
                caller,
                receiver,
                people,
                start: now,
                state,
                owed,
                reporting,
                revision,
            };
            self.calls.insert(id, call);
            self.owe(id, now, &mut effects);
            self.give_up_the_oldest(&mut effects);
        }
        effects
    }

    /// When [`CallKeeper::tick`] wants to be called next, in milliseconds since the epoch.
    pub fn next_deadline(&self) -> Option<i64> {
        self.calls.values().filter_map(KeptCall::deadline).min()
    }

    /// Reports again what is due.
    pub fn tick(&mut self, now: i64) -> Vec<CallEffect> {
        let due = self.calls.iter().filter(|(_, call)| call.deadline().is_some_and(|at| at <= now));
        let due: Vec<CallLogId> = due.map(|(id, _)| *id).collect();
        let mut effects = Vec::new();
        for id in due {
            let Some(call) = self.calls.get_mut(&id) else { continue };
            if let (None, State::Running { since }) = (call.owed, &mut call.state) {
                *since = now;
                self.owe(id, now, &mut effects);
            } else if let Some(owed) = &mut call.owed {
                // The last report may be lost with an object that was not there to hear the answer.
                owed.retry_at = now + pause(owed.failed);
                call.reporting = Some(call.revision);
                effects.push(CallEffect::Report(id));
            }
        }
        effects
    }

    /// What became of a report of that state of the call.
    pub fn reported(&mut self, id: CallLogId, revision: u32, taken: bool, now: i64) -> Vec<CallEffect> {
        let Some(call) = self.calls.get_mut(&id) else { return Vec::new() };
        if call.reporting == Some(revision) {
            call.reporting = None;
        }
        if revision != call.revision {
            // It has changed meanwhile; that is reported once this one is out of the way.
            return match call.reporting {
                None => self.report(id),
                Some(_) => Vec::new(),
            };
        }
        match (taken, call.state) {
            (true, State::Over { .. }) => {
                self.calls.remove(&id);
                vec![CallEffect::Forget(id)]
            }
            (true, State::Running { .. }) => {
                call.owed = None;
                vec![CallEffect::Store(id)]
            }
            (false, _) => {
                let failed = call.owed.map_or(0, |owed| owed.failed) + 1;
                call.owed = Some(Owed { failed, retry_at: now + pause(failed) });
                vec![CallEffect::Store(id)]
            }
        }
    }

    /// Whether a call that the database does not know as it is began before that time, with one of these people.
    pub fn owes_one_of(&self, before: i64, people: &[UserId]) -> bool {
        let concerns =
            |call: &KeptCall| call.start < before && call.people.iter().any(|user| people.contains(user));
        self.calls.values().any(|call| call.owed.is_some() && concerns(call))
    }

    fn running(&self) -> Option<CallLogId> {
        let running = |(_, call): &(&CallLogId, &KeptCall)| matches!(call.state, State::Running { .. });
        self.calls.iter().find(running).map(|(id, _)| *id)
    }

    /// The call has changed: that is stored before it is reported.
    fn owe(&mut self, id: CallLogId, now: i64, effects: &mut Vec<CallEffect>) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.revision = call.revision.wrapping_add(1);
        let failed = call.owed.map_or(0, |owed| owed.failed);
        call.owed = Some(Owed { failed, retry_at: now + pause(failed) });
        effects.push(CallEffect::Store(id));
        // A database that does not answer is not asked more often because people come and go.
        if call.reporting.is_none() && failed == 0 {
            effects.extend(self.report(id));
        }
    }

    fn report(&mut self, id: CallLogId) -> Vec<CallEffect> {
        let Some(call) = self.calls.get_mut(&id) else { return Vec::new() };
        call.reporting = Some(call.revision);
        vec![CallEffect::Report(id)]
    }

    fn give_up_the_oldest(&mut self, effects: &mut Vec<CallEffect>) {
        while self.calls.len() > MAX_OWED {
            let oldest = self.calls.iter().min_by_key(|(_, call)| call.start).map(|(id, _)| *id);
            let Some(id) = oldest else { return };
            tracing::error!(room = %self.room, call = %id, "a call log is given up: too many are owed");
            self.calls.remove(&id);
            effects.push(CallEffect::Forget(id));
        }
    }
}

impl KeptCall {
    fn deadline(&self) -> Option<i64> {
        match (self.owed, self.state) {
            (Some(owed), _) => Some(owed.retry_at),
            (None, State::Running { since }) => Some(since + RENEWAL_MS),
            (None, State::Over { .. }) => None,
        }
    }
}

/// The last moment in which two of those who are present were connected.
fn second_last_seen(people: &[Presence], now: i64) -> i64 {
    let mut seen: Vec<i64> = people.iter().map(|person| person.lost_at.unwrap_or(now)).collect();
    seen.sort_unstable_by(|a, b| b.cmp(a));
    // Where one of them or none is left the rest has just gone.
    seen.get(1).copied().unwrap_or(now)
}

#[cfg(test)]
mod tests;
