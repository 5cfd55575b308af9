//! Connection state recovery: what was said to whom, so that a client which comes back gets what it
//! missed (github.com/socketio/socket.io, "connection state recovery"; not part of the protocol text).
//!
//! Every event gets a number. The client is told it as the event's last argument, an opaque string,
//! and brings the last one it saw when it returns.
//!
//! The log is bounded: by age, as nobody can come back later than that, and per receiver by events
//! and bytes. What goes, goes oldest first, and who might have missed it does not recover: a
//! receiver's *floor* is the last event that was dropped although it was for that receiver.
//!
//! It is saved in segments, one for each saving. An event that comes alone is saved before it is sent.
//! In a rush numbers are reserved instead and their events saved together a little later; after a crash
//! in between, the numbers that were reserved tell what is missing, and everybody's floor lies above
//! them.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use vecmap::VecMap;

/// Who is to receive an event; the embedder's choice.
pub type ReceiverId = u32;

/// Events that follow each other within this time are a rush.
const RUSH_MS: i64 = 50;
/// Numbers that one saving reserves in a rush.
const RESERVED: u64 = 1_024;
/// More is not left unsaved, even in a rush.
const UNSAVED_BYTES: usize = 256 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLimits {
    /// Milliseconds after which an event cannot be missed any more.
    pub max_age: i64,
    /// Per receiver.
    pub max_events: usize,
    pub max_bytes: usize,
}

#[derive(Debug)]
pub struct Log {
    limits: LogLimits,
    /// Tells offsets of this log from those of another.
    tag: String,
    next: u64,
    entries: VecDeque<Entry>,
    receivers: VecMap<ReceiverId, Receiver>,
    /// Everybody's floor.
    floor: u64,
    /// First numbers of the segments in the store.
    segments: VecDeque<u64>,
    saved: Saved,
}

#[derive(Debug)]
struct Saved {
    /// Everything below is in the store.
    next: u64,
    /// Everything below may have been used, as far as the store knows.
    reserved: u64,
    at: i64,
    /// When the rush is looked at again.
    rush_until: Option<i64>,
    /// Bytes of what is not in the store.
    unsaved_bytes: usize,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry {
    #[serde(rename = "n")]
    number: u64,
    #[serde(rename = "t")]
    at: i64,
    #[serde(rename = "r")]
    to: Vec<ReceiverId>,
    #[serde(rename = "f")]
    frame: String,
}

#[derive(Debug, Default)]
struct Receiver {
    floor: u64,
    events: usize,
    bytes: usize,
}

#[derive(Serialize, Deserialize)]
struct Segment {
    tag: String,
    reserved: u64,
    floor: u64,
    floors: Vec<(ReceiverId, u64)>,
    entries: Vec<Entry>,
}

/// To be written to the store before anything else is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saving {
    pub segment: u64,
    pub json: String,
    /// Segments that are not needed any more.
    pub obsolete: Vec<u64>,
}

impl Log {
    /// `tag` must differ from that of any log whose offsets clients may still have.
    pub fn new(tag: String, limits: LogLimits) -> Self {
        Self {
            limits,
            tag,
            next: 1,
            entries: VecDeque::new(),
            receivers: VecMap::new(),
            floor: 0,
            segments: VecDeque::new(),
            saved: Saved { next: 1, reserved: 1, at: i64::MIN / 2, rush_until: None, unsaved_bytes: 0 },
        }
    }

    /// The log as its segments tell it, in any order; a new one named `tag` where there are none.
    pub fn restore(
        tag: String,
        limits: LogLimits,
        segments: impl IntoIterator<Item = (u64, String)>,
    ) -> Self {
        let mut log = Self::new(tag, limits);
        let read = |(first, json): (u64, String)| Some((first, serde_json::from_str::<Segment>(&json).ok()?));
        let mut segments: Vec<(u64, Segment)> = segments.into_iter().filter_map(read).collect();
        segments.sort_unstable_by_key(|(first, _)| *first);
        log.segments = segments.iter().map(|(first, _)| *first).collect();
        if let Some((_, last)) = segments.last() {
            log.tag.clone_from(&last.tag);
            log.floor = last.floor;
            for (receiver, floor) in &last.floors {
                log.receivers.insert(*receiver, Receiver { floor: *floor, ..Receiver::default() });
            }
        }
        let reserved = segments.last().map_or(1, |(_, last)| last.reserved);
        for entry in segments.into_iter().flat_map(|(_, segment)| segment.entries) {
            log.next = entry.number + 1;
            log.count(&entry);
            log.entries.push_back(entry);
        }
        if reserved > log.next {
            log.next = reserved;
            log.floor = reserved - 1;
        }
        log.saved.next = log.next;
        log.saved.reserved = log.next;
        log
    }

    /// The offset of the event that [`Log::append`] will take next.
    pub fn next_offset(&self) -> String {
        self.offset(self.next)
    }

    /// An offset for an event that is not kept: who has it has everything before.
    pub fn current_offset(&self) -> String {
        self.offset(self.next - 1)
    }

    /// Keeps an event, as the frame that is sent.
    pub fn append(&mut self, to: &[ReceiverId], frame: String, now: i64) {
        let entry = Entry { number: self.next, at: now, to: to.to_vec(), frame };
        self.next += 1;
        self.saved.unsaved_bytes += entry.frame.len();
        self.count(&entry);
        self.entries.push_back(entry);
        while self.entries.front().is_some_and(|oldest| oldest.at + self.limits.max_age < now) {
            self.drop_front();
        }
        for receiver in to {
            self.bound(*receiver);
        }
    }

    /// What `receiver` missed after `offset`; `None` where that is not known for certain.
    pub fn missed(&self, receiver: ReceiverId, offset: &str) -> Option<Vec<String>> {
        let number: u64 = offset.strip_prefix(self.tag.as_str())?.strip_prefix('.')?.parse().ok()?;
        let floor = self.receivers.get(&receiver).map_or(0, |receiver| receiver.floor).max(self.floor);
        if number < floor || number >= self.next {
            return None;
        }
        let missed =
            self.entries.iter().filter(|entry| entry.number > number && entry.to.contains(&receiver));
        Some(missed.map(|entry| entry.frame.clone()).collect())
    }

    /// The receiver will not come back.
    pub fn forget(&mut self, receiver: ReceiverId) {
        if self.receivers.remove(&receiver).is_none() {
            return;
        }
        for entry in &mut self.entries {
            entry.to.retain(|to| *to != receiver);
        }
        self.entries.retain(|entry| !entry.to.is_empty());
    }

    /// What has to be saved before what was appended is sent.
    pub fn save(&mut self, now: i64) -> Option<Saving> {
        if self.saved.next == self.next {
            return None;
        }
        let rush = now - self.saved.at < RUSH_MS;
        if rush && self.next <= self.saved.reserved && self.saved.unsaved_bytes < UNSAVED_BYTES {
            return None;
        }
        let in_rush = rush || self.saved.rush_until.is_some();
        Some(self.saving(now, in_rush))
    }

    /// When [`Log::tick`] wants to be called.
    pub fn next_deadline(&self) -> Option<i64> {
        self.saved.rush_until
    }

    /// Saves what a rush left, and ends it when nothing more came.
    pub fn tick(&mut self, now: i64) -> Option<Saving> {
        self.saved.rush_until.filter(|until| *until <= now)?;
        let goes_on = self.saved.next < self.next;
        Some(self.saving(now, goes_on))
    }

    fn saving(&mut self, now: i64, in_rush: bool) -> Saving {
        let first = self.saved.next;
        self.saved = Saved {
            next: self.next,
            reserved: if in_rush { self.next + RESERVED } else { self.next },
            at: now,
            rush_until: in_rush.then_some(now + 2 * RUSH_MS),
            unsaved_bytes: 0,
        };
        if self.segments.back() != Some(&first) {
            self.segments.push_back(first);
        }
        let unsaved = self.entries.iter().rev().take_while(|entry| entry.number >= first);
        let mut entries: Vec<Entry> = unsaved.cloned().collect();
        entries.reverse();
        let segment = Segment {
            tag: self.tag.clone(),
            reserved: self.saved.reserved,
            floor: self.floor,
            floors: self.receivers.iter().map(|(id, receiver)| (*id, receiver.floor)).collect(),
            entries,
        };
        let oldest = self.entries.front().map_or(self.next, |entry| entry.number);
        let mut obsolete = Vec::new();
        while self.segments.get(1).is_some_and(|second| *second <= oldest) {
            obsolete.extend(self.segments.pop_front());
        }
        let json = serde_json::to_string(&segment).unwrap_or_default();
        Saving { segment: first, json, obsolete }
    }

    fn count(&mut self, entry: &Entry) {
        for to in &entry.to {
            if !self.receivers.contains_key(to) {
                self.receivers.insert(*to, Receiver::default());
            }
            if let Some(receiver) = self.receivers.get_mut(to) {
                receiver.events += 1;
                receiver.bytes += entry.frame.len();
            }
        }
    }

    fn drop_front(&mut self) {
        if let Some(entry) = self.entries.pop_front() {
            for to in &entry.to {
                self.raise_floor(*to, entry.number, entry.frame.len());
            }
        }
    }

    /// Drops the receiver's oldest events until the rest is within the limits.
    fn bound(&mut self, receiver: ReceiverId) {
        let LogLimits { max_events, max_bytes, .. } = self.limits;
        let over = |log: &Self| {
            log.receivers.get(&receiver).is_some_and(|r| r.events > max_events || r.bytes > max_bytes)
        };
        while over(self) {
            let Some(index) = self.entries.iter().position(|entry| entry.to.contains(&receiver)) else {
                return;
            };
            let Some(entry) = self.entries.get_mut(index) else { return };
            entry.to.retain(|to| *to != receiver);
            let (number, bytes, unwanted) = (entry.number, entry.frame.len(), entry.to.is_empty());
            if unwanted {
                self.entries.remove(index);
            }
            self.raise_floor(receiver, number, bytes);
        }
    }

    fn raise_floor(&mut self, receiver: ReceiverId, number: u64, bytes: usize) {
        if let Some(receiver) = self.receivers.get_mut(&receiver) {
            receiver.floor = number;
            receiver.events -= 1;
            receiver.bytes -= bytes;
        }
    }

    fn offset(&self, number: u64) -> String {
        format!("{}.{number}", self.tag)
    }
}

#[cfg(test)]
mod tests;
