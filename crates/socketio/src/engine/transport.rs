//! The current transport of a session.

use super::{LinkId, Mark, Message, RequestId, Timing, payload};

#[derive(Debug)]
pub(super) enum Transport {
    Polling(Polling),
    WebSocket(LinkId),
}

/// Long-polling: at most one GET waits for messages, at most one POST carries some.
#[derive(Debug, Default)]
pub(super) struct Polling {
    /// The handshake to pass to the protocol when the client comes back with its session id.
    pub unopened: Option<String>,
    pub parked: Option<RequestId>,
    pub posting: Option<RequestId>,
    pub waiting: Waiting,
    /// Bytes of the body that is being read.
    pub body: usize,
    /// How much had been sent when a poll was last answered; the next one proves that it arrived.
    pub answered_at: Option<Mark>,
    pub probe: Option<Probe>,
    /// The session is over except for one more poll, or the end of its upgrade.
    pub closing: Option<Closing>,
}

impl Polling {
    /// Whether the client may have stopped polling for the sake of its WebSocket, which it does not use yet.
    ///
    /// If that WebSocket is closed just then, engine.io-client uses neither, and notices only that pings stay away.
    pub fn is_between_transports(&self) -> bool {
        self.parked.is_none() && self.probe.is_some_and(|probe| probe.answered)
    }

    /// Takes a probe that was not completed in time and that the client does not rely on.
    pub fn take_overdue_probe(&mut self, now: i64) -> Option<LinkId> {
        let relied_on = self.is_between_transports();
        self.probe.take_if(|probe| probe.until <= now && !relied_on).map(|probe| probe.link)
    }

    pub fn clock_set_back(&mut self, now: i64, timing: Timing) {
        if let Some(closing) = &mut self.closing {
            closing.until = closing.until.min(now + timing.close_timeout);
        }
        if let Some(probe) = &mut self.probe {
            probe.until = probe.until.min(now + timing.upgrade_timeout);
            probe.polls_until = probe.polls_until.min(now);
            // It waits for less than anything else.
            probe.release_at = probe.release_at.map(|at| at.min(now + timing.upgrade_timeout));
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Closing {
    /// What that poll receives, after everything else that waits.
    pub farewell: &'static str,
    /// Until when it is awaited.
    pub until: i64,
}

/// A WebSocket that may take the session over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probe {
    pub link: LinkId,
    /// The client's probe was answered: polls are no longer kept waiting for long.
    pub answered: bool,
    pub until: i64,
    /// A poll that comes before this time was most likely sent before the answer to the probe arrived: a stock client goes
    /// on when it has the answer to that poll.
    pub polls_until: i64,
    /// When to answer the poll that has come since then.
    pub release_at: Option<i64>,
}

/// What waits for the next poll.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    messages: Vec<Message<'static>>,
    bytes: usize,
}

impl Waiting {
    pub fn push(&mut self, message: Message<'static>) {
        self.bytes += message.bytes() + 1;
        self.messages.push(message);
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub fn take(&mut self) -> Vec<Message<'static>> {
        self.bytes = 0;
        std::mem::take(&mut self.messages)
    }

    /// Everything as one payload.
    pub fn take_payload(&mut self) -> String {
        let mut payload = String::with_capacity(self.bytes);
        for message in self.take() {
            if !payload.is_empty() {
                payload.push(payload::SEPARATOR);
            }
            message.push_to(&mut payload);
        }
        payload
    }
}
