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
//! It is saved in segments. An event that comes alone is saved before it is sent, so a crash loses
//! nothing. In a rush that would cost more than the relay: numbers are reserved instead, and what is
//! still wanted when the rush is over is saved then. After a crash in a rush the reservation tells that
//! something is missing, and everybody's floor lies above its numbers.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use vecmap::VecMap;

/// Who is to receive an event; the embedder's choice.
pub type ReceiverId = u32;

/// Events that follow each other within this time are a rush,
const RUSH_MS: i64 = 50;
/// which is over when none has come for this time.
const CALM_MS: i64 = 250;
/// Numbers that are reserved at once in a rush.
const RESERVED: u64 = 8_192;
/// Where the reservation is kept, among the segments, whose numbers begin with one.
const RESERVATION: u64 = 0;
/// A segment that is larger is not added to.
const SEGMENT_BYTES: usize = 256 * 1024;

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
    /// [`RESERVATION`] is in the store.
    is_reserved: bool,
    /// When something new was last asked to be saved, and whether there is something newer.
    at: i64,
    is_asked: bool,
    /// In a rush: when it is looked at again.
    rush_until: Option<i64>,
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
    /// The numbers below may have been used.
    reserved: u64,
    floor: u64,
    floors: Vec<(ReceiverId, u64)>,
    entries: Vec<Entry>,
}

/// What the store has to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saving {
    /// Segments by their first numbers, as JSON.
    pub segments: Vec<(u64, String)>,
    /// Segments that are not needed any more.
    pub obsolete: Vec<u64>,
    /// Nothing may be sent before this is durable.
    pub before_sending: bool,
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
            saved: Saved {
                next: 1,
                reserved: 1,
                is_reserved: false,
                is_asked: false,
                at: i64::MIN / 2,
                rush_until: None,
            },
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
        if let Some((_, last)) = segments.last() {
            log.tag.clone_from(&last.tag);
            log.floor = last.floor;
            for (receiver, floor) in &last.floors {
                log.receivers.insert(*receiver, Receiver { floor: *floor, ..Receiver::default() });
            }
        }
        let reservation = segments.first().filter(|(first, _)| *first == RESERVATION);
        log.saved.is_reserved = reservation.is_some();
        let last = reservation.or(segments.last());
        let reserved = last.map_or(1, |(_, segment)| segment.reserved);
        for (first, segment) in segments {
            if first != RESERVATION {
                log.segments.push_back(first);
            }
            for entry in segment.entries {
                log.next = entry.number + 1;
                log.count(&entry);
                log.entries.push_back(entry);
            }
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
        self.saved.is_asked = true;
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

    /// What has to be saved for what was appended.
    pub fn save(&mut self, now: i64) -> Option<Saving> {
        if !std::mem::take(&mut self.saved.is_asked) {
            return None;
        }
        let calm = now - std::mem::replace(&mut self.saved.at, now) >= RUSH_MS;
        if calm && self.saved.rush_until.is_none() {
            return Some(Saving { before_sending: true, ..self.save_all() });
        }
        if self.saved.rush_until.is_none() {
            self.saved.rush_until = Some(now + CALM_MS);
        }
        if self.next <= self.saved.reserved {
            return None;
        }
        self.saved.reserved = self.next + RESERVED;
        self.saved.is_reserved = true;
        let segments = vec![(RESERVATION, self.segment(Vec::new()))];
        Some(Saving { segments, obsolete: Vec::new(), before_sending: true })
    }

    /// When [`Log::tick`] wants to be called.
    pub fn next_deadline(&self) -> Option<i64> {
        self.saved.rush_until
    }

    /// Saves what a rush left, when it is over.
    pub fn tick(&mut self, now: i64) -> Option<Saving> {
        self.saved.rush_until.filter(|until| *until <= now)?;
        let calm_at = self.saved.at + CALM_MS;
        if calm_at > now {
            self.saved.rush_until = Some(calm_at);
            return None;
        }
        self.saved.rush_until = None;
        Some(self.save_all())
    }

    /// Everything that the store does not have, in segments of a bounded size; it needs no reservation.
    fn save_all(&mut self) -> Saving {
        let first = self.saved.next;
        self.saved.next = self.next;
        self.saved.reserved = self.next;
        let unsaved = self.entries.iter().filter(|entry| entry.number >= first).cloned();
        let mut parts: Vec<(u64, Vec<Entry>)> = vec![(first, Vec::new())];
        let mut bytes = 0;
        for entry in unsaved {
            bytes += entry.frame.len();
            match parts.last_mut() {
                Some((_, entries)) if bytes <= SEGMENT_BYTES || entries.is_empty() => entries.push(entry),
                _ => {
                    bytes = entry.frame.len();
                    parts.push((entry.number, vec![entry]));
                }
            }
        }
        self.segments.extend(parts.iter().map(|(first, _)| *first));
        let segments = parts.into_iter().map(|(first, entries)| (first, self.segment(entries))).collect();
        let oldest = self.entries.front().map_or(self.next, |entry| entry.number);
        let mut obsolete = Vec::new();
        if std::mem::take(&mut self.saved.is_reserved) {
            obsolete.push(RESERVATION);
        }
        while self.segments.get(1).is_some_and(|second| *second <= oldest) {
            obsolete.extend(self.segments.pop_front());
        }
        Saving { segments, obsolete, before_sending: false }
    }

    fn segment(&self, entries: Vec<Entry>) -> String {
        let segment = Segment {
            tag: self.tag.clone(),
            reserved: self.saved.reserved,
            floor: self.floor,
            floors: self.receivers.iter().map(|(id, receiver)| (*id, receiver.floor)).collect(),
            entries,
        };
        // Numbers and strings: there is nothing that JSON could not say.
        serde_json::to_string(&segment).unwrap_or_default()
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
