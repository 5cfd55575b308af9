//! What a [`Log`] promises, as an oracle that keeps everything: never a gap, never a double, never a refusal without
//! a reason. The property test and the fuzzer give it steps.

#![allow(clippy::indexing_slicing, reason = "an oracle that panics says so")]

use std::collections::{BTreeMap, BTreeSet};

use super::{Log, LogLimits, Mark, ReceiverId, Restored, Saving};

/// Small enough to be exceeded.
pub const LIMITS: LogLimits = LogLimits { max_events: 8, max_bytes: 1_000, max_total_bytes: 1_500 };
const RECEIVERS: u32 = 3;

/// A log, a store that keeps what it is given, and three receivers.
#[derive(Debug)]
pub struct Story {
    /// The log.
    pub log: Log,
    /// What was stored.
    pub store: BTreeMap<usize, String>,
    /// Parts written or deleted.
    pub writes: usize,
    /// The store before what was written last, while a crash may still lose that.
    before: Option<BTreeMap<usize, String>>,
    now: i64,
    logs: u32,
}

impl Story {
    /// A new log and an empty store.
    pub fn new() -> Self {
        let log = Log::new("log0".to_owned(), LIMITS, 1);
        Self { log, store: BTreeMap::new(), writes: 0, before: None, now: 1_000_000, logs: 0 }
    }

    /// Sends something and returns its offset.
    pub fn says(&mut self, to: &[ReceiverId], text: &str) -> String {
        let offset = self.log.next_offset();
        self.log.append(to.iter().copied(), text.to_owned(), self.now);
        self.saves();
        offset
    }

    /// Everything up to the mark has arrived.
    pub fn acknowledges(&mut self, receiver: ReceiverId, mark: Mark) {
        self.log.acknowledge(receiver, mark);
        self.saves();
    }

    /// The receiver will not come back.
    pub fn forgets(&mut self, receiver: ReceiverId) {
        self.log.forget(receiver);
        self.saves();
    }

    /// Time passes, and the log does what is due.
    pub fn waits(&mut self, millis: i64) {
        let until = self.now + millis;
        while let Some(at) = self.log.next_deadline().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.log.tick(self.now);
            self.saves();
        }
        self.now = until;
        // What was written is on disk long before.
        self.before = None;
    }

    /// A sleep, or the loss of the object: what is in memory is gone.
    pub fn restarts(&mut self) -> Restored {
        self.before = None;
        self.logs += 1;
        let parts = self.store.clone().into_iter().collect();
        let (log, restored) =
            Log::restore(format!("log{}", self.logs), LIMITS, 1_000 * u64::from(self.logs), parts, |id| {
                id < ReceiverId(RECEIVERS)
            });
        self.log = log;
        restored
    }

    /// The object is lost before its last write was durable; whether there was one.
    fn crashes(&mut self) -> bool {
        let lost = self.before.take();
        let has_lost = lost.is_some();
        self.store = lost.unwrap_or_else(|| self.store.clone());
        self.restarts();
        has_lost
    }

    fn saves(&mut self) {
        let Some(Saving { parts, obsolete, before_sending }) = self.log.take_saving() else { return };
        if before_sending {
            self.before = None;
        } else {
            self.before.get_or_insert_with(|| self.store.clone());
        }
        self.writes += parts.len() + obsolete.len();
        obsolete.iter().for_each(|part| assert!(self.store.remove(part).is_some(), "part {part}"));
        self.store.extend(parts.into_iter().enumerate());
    }
}

impl Default for Story {
    fn default() -> Self {
        Self::new()
    }
}

/// Something that happens to a log.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// An event of about that many bytes, to all receivers or to one.
    Say {
        /// All of them, if none.
        to: Option<u32>,
        /// How long it is.
        bytes: usize,
    },
    /// A pong, or a poll: all that was sent has arrived.
    Arrive(u32),
    /// The connection breaks, unnoticed.
    Lose(u32),
    /// The receiver returns with the last offset it has seen.
    Return(u32),
    /// The receiver says goodbye.
    Forget(u32),
    /// Milliseconds pass.
    Wait(i64),
    /// The object is lost, or sleeps if no burst is in progress.
    Restart,
    /// The object is lost, and with it what was just written.
    Crash,
}

impl Step {
    /// A step for any three numbers.
    pub fn decoded(what: u8, whom: u8, amount: u16) -> Self {
        let (whom, amount) = (u32::from(whom) % RECEIVERS, usize::from(amount));
        match what % 16 {
            0 | 1 => Self::Say { to: None, bytes: amount % 300 },
            2..=5 => Self::Say { to: Some(whom), bytes: amount % 300 },
            6 | 7 => Self::Arrive(whom),
            8 => Self::Lose(whom),
            9 | 10 => Self::Return(whom),
            11 => Self::Forget(whom),
            12 | 13 => Self::Wait((amount % 6_000) as i64),
            14 => Self::Restart,
            _ => Self::Crash,
        }
    }
}

/// A receiver as the oracle sees it.
#[derive(Default)]
struct Client {
    lost: bool,
    /// The offsets and texts that were sent to it.
    said: Vec<(String, String)>,
    /// How many of `said` it has.
    has: usize,
    /// How many of `said` the server knows to have arrived.
    acknowledged: usize,
    /// More waited for it than the log keeps, or it was in a burst that was lost.
    may_fail: bool,
}

/// Takes the steps and compares: a returning receiver gets exactly what it missed, and is refused only if more
/// waited than the log keeps or a burst was lost.
///
/// # Panics
/// If the log breaks a promise.
pub fn check(steps: impl IntoIterator<Item = Step>) {
    let mut story = Story::new();
    let mut clients: [Client; RECEIVERS as usize] = Default::default();
    let mut offsets = BTreeSet::new();
    for (number, step) in steps.into_iter().enumerate() {
        match step {
            Step::Say { to, bytes } => {
                let to: Vec<ReceiverId> = to
                    .map_or_else(|| (0..RECEIVERS).collect(), |to| vec![to])
                    .into_iter()
                    .map(ReceiverId)
                    .collect();
                let text = format!("{number}{}", "x".repeat(bytes));
                let offset = story.says(&to, &text);
                assert!(offsets.insert(offset.clone()), "{offset} twice");
                for ReceiverId(to) in to {
                    clients[to as usize].hears(&offset, &text);
                }
                judge_sizes(&mut clients);
            }
            Step::Arrive(whom) => {
                let client = &mut clients[whom as usize];
                if !client.lost {
                    story.acknowledges(ReceiverId(whom), story.log.mark());
                    client.acknowledged = client.said.len();
                    client.may_fail = false;
                }
            }
            Step::Lose(whom) => clients[whom as usize].lost = true,
            Step::Return(whom) => clients[whom as usize].returns(ReceiverId(whom), &mut story),
            Step::Forget(whom) => {
                story.forgets(ReceiverId(whom));
                clients[whom as usize] = Client::default();
            }
            Step::Wait(millis) => story.waits(millis),
            Step::Restart => {
                let asleep = story.log.next_deadline().is_none();
                let restored = story.restarts();
                assert!(asleep || restored == Restored::InBurst, "{restored:?}");
                clients.iter_mut().for_each(|client| client.survives(asleep));
            }
            Step::Crash => {
                let asleep = story.log.next_deadline().is_none();
                let is_whole = !story.crashes() && asleep;
                clients.iter_mut().for_each(|client| client.survives(is_whole));
            }
        }
        assert!(story.log.bytes() <= LIMITS.max_total_bytes, "{} bytes are kept", story.log.bytes());
    }
}

impl Client {
    fn hears(&mut self, offset: &str, text: &str) {
        self.said.push((offset.to_owned(), text.to_owned()));
        self.has = if self.lost { self.has } else { self.said.len() };
    }

    fn returns(&mut self, id: ReceiverId, story: &mut Story) {
        // One that has seen no event has no offset.
        let Some((offset, _)) = self.has.checked_sub(1).and_then(|last| self.said.get(last)) else { return };
        let missed: Vec<String> = self.said[self.has..].iter().map(|(_, text)| text.clone()).collect();
        match story.log.missed(id, offset) {
            Some(frames) => assert_eq!(frames, missed),
            None => {
                assert!(self.may_fail, "refused for nothing");
                // It comes back as a new receiver that has missed nothing.
                story.forgets(id);
                *self = Self::default();
            }
        }
        self.lost = false;
        self.has = self.said.len();
    }

    fn survives(&mut self, is_whole: bool) {
        self.may_fail |= !is_whole;
        self.lost |= !is_whole;
    }

    fn waiting(&self) -> &[(String, String)] {
        &self.said[self.acknowledged..]
    }
}

/// Past these limits a receiver may be refused.
fn judge_sizes(clients: &mut [Client]) {
    let all: BTreeMap<String, String> = clients.iter().flat_map(Client::waiting).cloned().collect();
    let is_full = all.values().map(String::len).sum::<usize>() > LIMITS.max_total_bytes;
    for client in clients {
        let bytes = client.waiting().iter().map(|(_, text)| text.len()).sum::<usize>();
        client.may_fail |= is_full || client.waiting().len() > LIMITS.max_events || bytes > LIMITS.max_bytes;
    }
}
