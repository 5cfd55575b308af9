//! Connection state recovery: what was sent to which client, so that one that comes back gets what it missed
//! (github.com/socketio/socket.io, "connection state recovery"; not part of the protocol text).
//!
//! Every event gets a number. The client receives it as the event's last argument, an opaque string, and sends
//! the last one it saw when it returns.
//!
//! The log keeps what is not known to have arrived, bounded per receiver and in total. When the log is full the
//! oldest events go first, and a receiver that might have missed one of them does not recover: its *floor* is
//! the last event to it that is no longer kept.
//!
//! Events come in *bursts*. Before the first event of a burst is sent the store records that a burst is in
//! progress, and a while after its last event the store gets whatever is still unacknowledged. So a burst costs
//! two writes, however many events it has. An object that is lost during a burst finds out that it cannot know
//! what was missed, and its log starts over under another tag.

use std::collections::VecDeque;

use vecmap::VecMap;

use crate::{ReceiverId, engine::Mark};

#[cfg(any(test, feature = "oracle"))]
pub mod oracle;
mod stored;

pub use stored::Saving;

/// A burst is over when nothing was sent for this time. An object sleeps after ten seconds of silence; the
/// burst must be saved before that.
const CALM_MS: i64 = 5_000;

/// How much a [`Log`] keeps. Past a limit the oldest events go, and a receiver that might have missed one of
/// them does not recover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLimits {
    /// Events kept for one receiver.
    pub max_events: usize,
    /// Bytes of the frames kept for one receiver.
    pub max_bytes: usize,
    /// Bytes of all frames together.
    pub max_total_bytes: usize,
}

/// The events that are not known to have arrived, and their receivers.
///
/// An application appends the frame of each [`Emission`](crate::Emission), with
/// [`next_offset`](Log::next_offset) as its last argument; acknowledges what has
/// [arrived](crate::Application::arrived); and replays what a returning client has [missed](Log::missed). After
/// each of these it passes what [`take_saving`](Log::take_saving) returns to its store.
#[derive(Debug)]
pub struct Log {
    limits: LogLimits,
    /// Distinguishes offsets of this log from those of another.
    tag: String,
    next: Mark,
    entries: VecDeque<Entry>,
    receivers: VecMap<ReceiverId, Receiver>,
    bytes: usize,
    state: State,
    /// The parts that the store has.
    parts: Vec<usize>,
    /// What has not been passed to the store yet.
    saving: Option<Saving>,
}

/// What the store contains.
#[derive(Clone, Copy, Debug)]
enum State {
    /// The log, or nothing.
    Calm { has_entries: bool },
    /// That a burst is in progress; checked again at `check_at`.
    Burst { check_at: i64, last_event: i64 },
}

#[derive(Clone, Debug)]
struct Entry {
    number: Mark,
    /// The receivers that are not known to have it.
    to: Vec<ReceiverId>,
    frame: String,
}

#[derive(Debug, Default)]
struct Receiver {
    floor: Mark,
    events: usize,
    bytes: usize,
}

/// What the store contained of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restored {
    /// Nothing: the log is new.
    Nothing,
    /// All of it.
    Whole,
    /// It was lost during a burst.
    InBurst,
    /// It could not be read.
    Unreadable,
}

impl Log {
    /// `tag` must differ from that of any log whose offsets clients may still have, and the `first` number must
    /// be larger than any of an earlier log, since callers compare them as marks.
    pub fn new(tag: String, limits: LogLimits, first: Mark) -> Self {
        Self {
            limits,
            tag,
            next: first.max(1),
            entries: VecDeque::new(),
            receivers: VecMap::new(),
            bytes: 0,
            state: State::Calm { has_entries: false },
            parts: Vec::new(),
            saving: None,
        }
    }

    /// The offset of the event that [`Log::append`] will take next.
    pub fn next_offset(&self) -> String {
        format!("{}.{}", self.tag, self.next)
    }

    /// Everything so far, for [`Log::acknowledge`].
    pub fn mark(&self) -> Mark {
        self.next - 1
    }

    /// Bytes of what is kept.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Keeps an event for its receivers. `frame` is the Engine.IO message, as
    /// [`Emission::frame`](crate::Emission::frame) creates it; `now` is in milliseconds since the Unix epoch.
    pub fn append(&mut self, to: impl Iterator<Item = ReceiverId> + Clone, frame: String, now: i64) {
        match &mut self.state {
            State::Burst { last_event, .. } => *last_event = now,
            State::Calm { .. } => {
                self.state = State::Burst { check_at: now + CALM_MS, last_event: now };
                self.save(vec![stored::burst(&self.tag, self.next)], true);
            }
        }
        let entry = Entry { number: self.next, to: to.clone().collect(), frame };
        self.next += 1;
        self.take(entry);
        to.for_each(|to| self.bound(to));
        while self.bytes > self.limits.max_total_bytes {
            self.drop_front();
        }
    }

    /// Everything sent to the receiver up to the mark has arrived.
    pub fn acknowledge(&mut self, receiver: ReceiverId, mark: Mark) {
        self.release(receiver, mark);
        self.save_if_emptied();
    }

    /// The receiver will not come back.
    pub fn forget(&mut self, receiver: ReceiverId) {
        self.release(receiver, self.next);
        self.receivers.remove(&receiver);
        self.save_if_emptied();
    }

    /// The frames that the receiver missed after the event with that offset, in order; `None` if that is not
    /// known: the offset belongs to another log, or events have been dropped since.
    pub fn missed(&self, receiver: ReceiverId, offset: &str) -> Option<Vec<String>> {
        let number: Mark = offset.strip_prefix(self.tag.as_str())?.strip_prefix('.')?.parse().ok()?;
        let floor = self.receivers.get(&receiver).map_or(0, |receiver| receiver.floor);
        if number < floor || number >= self.next {
            return None;
        }
        let missed =
            self.entries.iter().filter(|entry| entry.number > number && entry.to.contains(&receiver));
        Some(missed.map(|entry| entry.frame.clone()).collect())
    }

    /// What has to be stored now, if anything.
    pub fn take_saving(&mut self) -> Option<Saving> {
        self.saving.take()
    }

    /// When [`Log::tick`] wants to be called, in milliseconds since the Unix epoch.
    pub fn next_deadline(&self) -> Option<i64> {
        match self.state {
            State::Burst { check_at, .. } => Some(check_at),
            State::Calm { .. } => None,
        }
    }

    /// The clock was set back: a burst is over no later than if its last event were just now.
    pub fn clock_set_back(&mut self, now: i64) {
        if let State::Burst { check_at, last_event } = &mut self.state {
            *last_event = (*last_event).min(now);
            *check_at = (*check_at).min(now + CALM_MS);
        }
    }

    /// Saves what a burst left unacknowledged, when it is over.
    pub fn tick(&mut self, now: i64) {
        if let State::Burst { check_at, last_event } = &mut self.state
            && *check_at <= now
        {
            *check_at = *last_event + CALM_MS;
            if *check_at <= now {
                self.save_all();
            }
        }
    }

    /// Events are not kept in the store longer than needed.
    fn save_if_emptied(&mut self) {
        if self.entries.is_empty() && matches!(self.state, State::Calm { has_entries: true }) {
            self.save_all();
        }
    }

    fn save_all(&mut self) {
        self.state = State::Calm { has_entries: !self.entries.is_empty() };
        self.save(self.stored(), false);
    }

    fn save(&mut self, parts: Vec<String>, before_sending: bool) {
        // What was not written yet no longer needs to be.
        let (pending, urgent) = match self.saving.take() {
            Some(saving) => (saving.obsolete, before_sending || saving.before_sending),
            None => (Vec::new(), before_sending),
        };
        let kept = 0..parts.len();
        let obsolete = pending.into_iter().chain(std::mem::take(&mut self.parts));
        let obsolete = obsolete.filter(|part| !kept.contains(part)).collect();
        self.parts = kept.collect();
        self.saving = Some(Saving { parts, obsolete, before_sending: urgent });
    }

    fn take(&mut self, entry: Entry) {
        for to in &entry.to {
            if !self.receivers.contains_key(to) {
                self.receivers.insert(*to, Receiver::default());
            }
            if let Some(receiver) = self.receivers.get_mut(to) {
                receiver.events += 1;
                receiver.bytes += entry.frame.len();
            }
        }
        self.bytes += entry.frame.len();
        self.entries.push_back(entry);
    }

    fn release(&mut self, receiver: ReceiverId, up_to: Mark) {
        let Some(known) = self.receivers.get_mut(&receiver).filter(|known| known.events > 0) else { return };
        let mut unneeded = false;
        for entry in self.entries.iter_mut().take_while(|entry| entry.number <= up_to) {
            let before = entry.to.len();
            entry.to.retain(|to| *to != receiver);
            if entry.to.len() < before {
                known.raise_floor(entry);
                unneeded |= entry.to.is_empty();
            }
        }
        if unneeded {
            self.entries.retain(|entry| !entry.to.is_empty());
            self.bytes = self.entries.iter().map(|entry| entry.frame.len()).sum();
        }
    }

    fn drop_front(&mut self) {
        let Some(entry) = self.entries.pop_front() else { return };
        self.bytes -= entry.frame.len();
        for to in &entry.to {
            if let Some(receiver) = self.receivers.get_mut(to) {
                receiver.raise_floor(&entry);
            }
        }
    }

    /// Drops the receiver's oldest events until the rest is within the limits.
    fn bound(&mut self, id: ReceiverId) {
        let LogLimits { max_events, max_bytes, .. } = self.limits;
        while let Some(receiver) = self.receivers.get_mut(&id)
            && (receiver.events > max_events || receiver.bytes > max_bytes)
        {
            let Some(index) = self.entries.iter().position(|entry| entry.to.contains(&id)) else { return };
            let Some(entry) = self.entries.get_mut(index) else { return };
            entry.to.retain(|to| *to != id);
            receiver.raise_floor(entry);
            if entry.to.is_empty() {
                self.bytes -= entry.frame.len();
                self.entries.remove(index);
            }
        }
    }
}

impl Receiver {
    fn raise_floor(&mut self, entry: &Entry) {
        self.floor = entry.number;
        self.events -= 1;
        self.bytes -= entry.frame.len();
    }
}

#[cfg(test)]
mod tests;
