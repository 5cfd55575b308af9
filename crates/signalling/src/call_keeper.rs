//! The calls of one room, as the room itself saw them: when the second person arrived, when fewer than two were
//! left, and everybody who took part.
//!
//! [`CallKeeper`] is a state machine without I/O. It looks at who is present whenever that changes, and
//! requests three things: store the state of a call, report the call to the database, forget it. A call is
//! *owed* from its first moment, and again after each change, until the database accepts a report of it. Only
//! one report is in flight at a time; a failed one is retried with growing delays. So a call survives the loss
//! of the object (what is owed is stored), the database (the report is retried), the network and the browser.
//!
//! Invariants
//! 1. At most one call runs. Two people are connected when it begins. People whose connection is held still
//!    take part; someone who arrives while fewer than two are connected does not.
//! 2. A call ends at the last moment at which two were connected, even if that is learned later.
//! 3. A report is a complete log, so reporting twice does no harm. A late answer, no longer awaited, is
//!    ignored.

use serde::{Deserialize, Serialize};
use vecmap::VecMap;
use zetra_domain::{CallLog, CallLogId, CallState, RoomId, Timestamp, UserId, limits};

use crate::{
    backoff::Backoff,
    versioned::{self, Versioned},
};

const VERSION: u32 = 1;
/// A running call is reported again before the database would consider it abandoned.
const RENEWAL_MS: i64 = limits::OPEN_CALL_MS / 2;
/// Milliseconds after which the answer to a report is no longer awaited. It is lost only if its task is.
const ANSWER_MS: i64 = 5 * 60 * 1_000;
/// The most calls that are owed. Past that the oldest is dropped: the database was away for days.
const MAX_OWED: usize = 256;

/// Someone who is present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presence {
    pub user: UserId,
    /// When the connection was lost, in milliseconds since the epoch; `None` while it is connected.
    pub lost_at: Option<i64>,
}

/// What to do next, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallEffect {
    /// Store [`CallKeeper::stored`].
    Store(CallLogId),
    /// Delete the stored state of that call.
    Forget(CallLogId),
    /// Report [`CallKeeper::log`] to the database, then call [`CallKeeper::reported`].
    Report(CallLogId),
}

#[derive(Debug)]
pub struct CallKeeper {
    room: RoomId,
    calls: VecMap<CallLogId, KeptCall>,
    /// Since when fewer than two have been connected, while a call runs.
    alone_since: Option<i64>,
    reporting: Option<Reporting>,
    backoff: Backoff,
}

/// The report in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reporting {
    call: CallLogId,
    revision: u32,
    until: i64,
}

/// The outcome of a report.
#[derive(Debug, PartialEq, Eq)]
pub struct Reported {
    pub effects: Vec<CallEffect>,
    /// The answer was awaited: it belongs to the latest report.
    pub is_current: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct KeptCall {
    v: u32,
    caller: UserId,
    receiver: UserId,
    people: Vec<UserId>,
    start: i64,
    state: State,
    /// Since when fewer than two have been connected, where that does not follow from the people present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    alone_since: Option<i64>,
    owed: bool,
    /// For the latest report.
    backoff: Backoff,
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

impl CallKeeper {
    /// Restores the stored calls, with the people present now. Rows that cannot be read are dropped; the
    /// effects delete them.
    pub fn restore(
        room: RoomId,
        stored: Vec<(CallLogId, String)>,
        people: &[Presence],
        now: i64,
    ) -> (Self, Vec<CallEffect>) {
        let (calls, unreadable) = versioned::read::<_, KeptCall>(room, stored);
        let backoff =
            calls.iter().map(|(_, call)| call.backoff).max_by_key(|of| of.retry_at).unwrap_or_default();
        let calls = calls.into_iter().collect();
        let mut keeper = Self { room, calls, alone_since: None, reporting: None, backoff };
        let connected = people.iter().filter(|person| person.lost_at.is_none()).count();
        if let Some(call) = keeper.running().and_then(|id| keeper.calls.get(&id))
            && connected < 2
        {
            keeper.alone_since = call.alone_since.or(Some(second_last_seen(people, now)));
        }
        (keeper, unreadable.into_iter().map(CallEffect::Forget).collect())
    }

    /// Whether there is nothing to be stored.
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// The log of a call to report, and the revision of the call that it reflects.
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

    /// Called whenever the people present have, or may have, changed; `people` are in order of arrival.
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
            self.go_on(id, people, connected, now, &mut effects);
        } else if let [caller, receiver, ..] = connected[..] {
            let id = new_id();
            let call = KeptCall {
                v: VERSION,
                caller,
                receiver,
                people: connected,
                start: now,
                state: State::Running { since: now },
                alone_since: None,
                owed: true,
                backoff: Backoff::default(),
                revision: 0,
            };
            self.calls.insert(id, call);
            effects.push(CallEffect::Store(id));
            self.give_up_the_oldest(&mut effects);
        }
        effects.extend(self.report_next(now));
        effects
    }

    /// When [`CallKeeper::tick`] wants to be called next, in milliseconds since the epoch.
    pub fn next_deadline(&self) -> Option<i64> {
        let renewals = self.calls.values().filter_map(|call| self.renewal_of(call));
        let report = match self.reporting {
            Some(reporting) => Some(reporting.until),
            None => self.calls.values().any(|call| call.owed).then_some(self.backoff.retry_at),
        };
        renewals.chain(report).min()
    }

    /// Does what is due: sends reports, first attempts and retries.
    pub fn tick(&mut self, now: i64) -> Vec<CallEffect> {
        let mut effects = Vec::new();
        if self.reporting.take_if(|reporting| reporting.until <= now).is_some() {
            tracing::error!(room = %self.room, "a report of a call was never answered");
        }
        let due = |(_, call): &(&CallLogId, &KeptCall)| self.renewal_of(call).is_some_and(|at| at <= now);
        if let Some(id) = self.calls.iter().find(due).map(|(id, _)| *id)
            && let Some(call) = self.calls.get_mut(&id)
        {
            call.state = State::Running { since: now };
            call.changed();
            effects.push(CallEffect::Store(id));
        }
        effects.extend(self.report_next(now));
        effects
    }

    /// The clock was set back: nothing is awaited longer than from now on, and nothing has happened later.
    pub fn clock_set_back(&mut self, now: i64) -> Vec<CallEffect> {
        if let Some(reporting) = &mut self.reporting {
            reporting.until = reporting.until.min(now + ANSWER_MS);
        }
        self.backoff.clock_set_back(now);
        self.alone_since = self.alone_since.map(|since| since.min(now));
        let mut effects = Vec::new();
        for (id, call) in &mut self.calls {
            let mut changes = call.backoff.clock_set_back(now);
            if let State::Running { since } = &mut call.state {
                changes |= *since > now;
                *since = (*since).min(now);
            }
            if let Some(since) = &mut call.alone_since {
                changes |= *since > now;
                *since = (*since).min(now);
            }
            effects.extend(changes.then_some(CallEffect::Store(*id)));
        }
        effects
    }

    /// Records the outcome of a report of that revision of the call.
    pub fn reported(&mut self, id: CallLogId, revision: u32, taken: bool, now: i64) -> Reported {
        let is_it = |reporting: &mut Reporting| (reporting.call, reporting.revision) == (id, revision);
        if self.reporting.take_if(is_it).is_none() {
            return Reported { effects: Vec::new(), is_current: false };
        }
        let mut effects = Vec::new();
        self.backoff = self.backoff.after(taken, now);
        if let Some(call) = self.calls.get_mut(&id) {
            call.backoff = self.backoff;
            if taken && call.revision == revision {
                call.owed = false;
            }
            match call.state {
                State::Over { .. } if !call.owed => {
                    self.calls.remove(&id);
                    effects.push(CallEffect::Forget(id));
                }
                State::Over { .. } | State::Running { .. } => effects.push(CallEffect::Store(id)),
            }
        }
        effects.extend(self.report_next(now));
        Reported { effects, is_current: true }
    }

    /// Whether a call that began before that time is still running, or not yet in the database.
    pub fn goes_on(&self, before: i64) -> bool {
        self.calls.values().any(|call| call.start < before)
    }

    fn go_on(
        &mut self,
        id: CallLogId,
        people: &[Presence],
        connected: Vec<UserId>,
        now: i64,
        effects: &mut Vec<CallEffect>,
    ) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let two_are_here = connected.len() >= 2;
        self.alone_since = if two_are_here { None } else { self.alone_since.or(Some(now)) };
        if people.len() < 2 {
            let State::Running { since } = call.state else { return };
            let at = self.alone_since.take().unwrap_or(now).max(call.start).max(since);
            (call.state, call.alone_since) = (State::Over { at }, None);
            call.changed();
            return effects.push(CallEffect::Store(id));
        }
        let newcomers: Vec<UserId> =
            connected.into_iter().filter(|user| two_are_here && !call.people.contains(user)).collect();
        if !newcomers.is_empty() {
            call.people.extend(newcomers);
            call.changed();
            effects.push(CallEffect::Store(id));
        }
        // After a sleep, people who left no longer show until when two were connected.
        let told = self.alone_since.filter(|since| second_last_seen(people, now) != *since);
        if std::mem::replace(&mut call.alone_since, told) != told {
            effects.push(CallEffect::Store(id));
        }
    }

    /// When a running call that the database has must be reported again; never while it may already have ended.
    fn renewal_of(&self, call: &KeptCall) -> Option<i64> {
        match call.state {
            State::Running { since } if !call.owed && self.alone_since.is_none() => Some(since + RENEWAL_MS),
            State::Running { .. } | State::Over { .. } => None,
        }
    }

    /// Reports what is owed, the oldest first but after those that have not failed, unless a report is in
    /// flight or has just failed.
    fn report_next(&mut self, now: i64) -> Option<CallEffect> {
        if self.reporting.is_some() || self.backoff.retry_at > now {
            return None;
        }
        let owed = self.calls.iter().filter(|(_, call)| call.owed);
        let (id, call) = owed.min_by_key(|(_, call)| (call.backoff.failed, call.start))?;
        self.reporting = Some(Reporting { call: *id, revision: call.revision, until: now + ANSWER_MS });
        Some(CallEffect::Report(*id))
    }

    fn running(&self) -> Option<CallLogId> {
        let running = |(_, call): &(&CallLogId, &KeptCall)| matches!(call.state, State::Running { .. });
        self.calls.iter().find(running).map(|(id, _)| *id)
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

impl Versioned for KeptCall {
    fn is_current(&self) -> bool {
        self.v == VERSION
    }
}

impl KeptCall {
    fn changed(&mut self) {
        self.owed = true;
        self.revision = self.revision.wrapping_add(1);
    }
}

/// The last moment at which two of the people present were connected.
fn second_last_seen(people: &[Presence], now: i64) -> i64 {
    let mut seen: Vec<i64> = people.iter().map(|person| person.lost_at.unwrap_or(now)).collect();
    seen.sort_unstable_by(|a, b| b.cmp(a));
    // With one person or none left, the other has just gone.
    seen.get(1).copied().unwrap_or(now)
}

#[cfg(test)]
mod tests;
