//! How the log is stored: in parts, the first with a head.
//!
//! ```text
//! {"v":3,"tag":"…","log":{"next":7,"floors":[[0,4]],"parts":1}}
//! [[5,[0,1],13],[6,[1],13]]
//! 42["x",1,"…"]42["y",2,"…"]
//! ```
//!
//! The second line has number, receivers and length in bytes of each frame that follows; further parts begin
//! with it. During a burst the head is all there is: `{"v":3,"tag":"…","next":7,"log":null}`, with the number of the
//! burst's first event. Version 2 did not have that number. Version 1 did not distinguish a crash from a burst: it
//! reads as a burst, so nobody recovers from it.

use serde::{Deserialize, Serialize};

use super::{Entry, Log, LogLimits, Mark, Receiver, ReceiverId, Restored, State};

const VERSION: u32 = 3;
/// The store accepts values of 2 MB, and may need two bytes for each of ours.
const PART_BYTES: usize = 900_000;
/// No burst has so many events.
const MOST_IN_BURST: Mark = 1 << 32;

/// What has to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saving {
    /// By number, from 0 on.
    pub parts: Vec<String>,
    /// Numbers of the parts that are no longer needed.
    pub obsolete: Vec<usize>,
    /// Nothing may be sent before this is durable.
    pub before_sending: bool,
}

#[derive(Serialize, Deserialize)]
struct Head {
    v: u32,
    tag: String,
    /// The number of a burst's first event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<Mark>,
    log: Option<Contents>,
}

#[derive(Serialize, Deserialize)]
struct Contents {
    next: Mark,
    floors: Vec<(ReceiverId, Mark)>,
    parts: usize,
}

type Index = Vec<(Mark, Vec<ReceiverId>, usize)>;

pub(super) fn burst(tag: &str, next: Mark) -> String {
    json(&Head { v: VERSION, tag: tag.to_owned(), next: Some(next), log: None })
}

impl Log {
    /// Restores the log from its parts, with those receivers that still exist; if the parts are not complete, a
    /// new one with tag `tag`, as [`Log::new`] creates it. After a burst it begins above every number of the lost log,
    /// even if `first` does not.
    pub fn restore(
        tag: String,
        limits: LogLimits,
        first: Mark,
        mut parts: Vec<(usize, String)>,
        is_known: impl Fn(ReceiverId) -> bool,
    ) -> (Self, Restored) {
        parts.sort_unstable_by_key(|(number, _)| *number);
        let numbers: Vec<usize> = parts.iter().map(|(number, _)| *number).collect();
        let texts: Vec<&str> = parts.iter().map(|(_, text)| text.as_str()).collect();
        let (mut log, restored) = match read(&texts) {
            _ if texts.is_empty() => (Self::new(tag, limits, first), Restored::Nothing),
            Some((head, None)) => {
                let first = head.next.map_or(first, |next| first.max(next.saturating_add(MOST_IN_BURST)));
                (Self::new(tag, limits, first), Restored::InBurst)
            }
            Some((Head { tag, log: Some(contents), .. }, Some(entries))) => {
                let mut log = Self::new(tag, limits, contents.next);
                for (id, floor) in contents.floors.into_iter().filter(|(id, _)| is_known(*id)) {
                    log.receivers.insert(id, Receiver { floor, ..Receiver::default() });
                }
                for mut entry in entries {
                    entry.to.retain(|to| is_known(*to));
                    if !entry.to.is_empty() {
                        log.take(entry);
                    }
                }
                log.state = State::Calm { has_entries: !log.entries.is_empty() };
                (log, Restored::Whole)
            }
            _ => (Self::new(tag, limits, first), Restored::Unreadable),
        };
        log.parts = numbers;
        (log, restored)
    }

    pub(super) fn stored(&self) -> Vec<String> {
        let mut chunks: Vec<(Index, String)> = vec![(Vec::new(), String::new())];
        for entry in &self.entries {
            if chunks.last().is_some_and(|(_, frames)| {
                !frames.is_empty() && frames.len() + entry.frame.len() > PART_BYTES
            }) {
                chunks.push((Vec::new(), String::new()));
            }
            if let Some((index, frames)) = chunks.last_mut() {
                index.push((entry.number, entry.to.clone(), entry.frame.len()));
                frames.push_str(&entry.frame);
            }
        }
        let floors = self.receivers.iter().map(|(id, receiver)| (*id, receiver.floor)).collect();
        let contents = Contents { next: self.next, floors, parts: chunks.len() };
        let head = json(&Head { v: VERSION, tag: self.tag.clone(), next: None, log: Some(contents) });
        let mut parts: Vec<String> =
            chunks.into_iter().map(|(index, frames)| [json(&index), frames].join("\n")).collect();
        if let Some(first) = parts.first_mut() {
            *first = [head.as_str(), first.as_str()].join("\n");
        }
        parts
    }
}

/// The head, and the logged entries unless a burst was in progress.
fn read(parts: &[&str]) -> Option<(Head, Option<Vec<Entry>>)> {
    let (first, others) = parts.split_first()?;
    // Version 1 had no head: each part was one object, without a version.
    if serde_json::from_str::<Version1>(first).is_ok() {
        return Some((Head { v: 1, tag: String::new(), next: None, log: None }, None));
    }
    let (head, chunk) = first.split_once('\n').unwrap_or((first, ""));
    let head: Head = serde_json::from_str(head).ok()?;
    if !(2..=VERSION).contains(&head.v) {
        return None;
    }
    let Some(contents) = head.log.as_ref() else { return Some((head, None)) };
    if contents.parts != parts.len() {
        return None;
    }
    let mut entries = Vec::new();
    for chunk in std::iter::once(&chunk).chain(others) {
        let (index, mut frames) = chunk.split_once('\n')?;
        for (number, to, bytes) in serde_json::from_str::<Index>(index).ok()? {
            let (frame, rest) = frames.split_at_checked(bytes)?;
            entries.push(Entry { number, to, frame: frame.to_owned() });
            frames = rest;
        }
    }
    Some((head, Some(entries)))
}

#[derive(Deserialize)]
struct Version1 {
    #[serde(rename = "reserved")]
    _reserved: Mark,
}

/// Numbers and strings always serialise to JSON.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
