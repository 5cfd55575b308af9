//! Sending to clients, and limits on how much may wait for them.

use super::{Action, Actions, Mark, PING, Protocol, Response, Server, Session};
use crate::engine::{
    Departure, Message, SessionKey,
    transport::{Polling, Transport},
};

/// Bytes past which a session may be considered to hold too much.
const MUCH: usize = 16 * 1024;

impl<P: Protocol> Server<P> {
    /// Bytes held for all clients, except those that the runtime is sending.
    pub fn held(&self) -> usize {
        self.protocol.held() + self.sessions.values().map(Session::held).sum::<usize>()
    }

    /// Ends the session for which most is held, if anything is.
    pub fn end_greediest(&mut self, now: i64) -> Actions<'static, P> {
        let mut actions = Vec::new();
        self.end_one(now, &mut actions);
        self.flush(now, &mut actions);
        actions
    }

    /// Everything sent in one turn is one payload: answers the polls for which something now waits. The total
    /// held for all clients is bounded by ending the sessions that hold most.
    pub(super) fn flush(&mut self, now: i64, actions: &mut Actions<'_, P>) {
        while self.held() > self.settings.limits.max_held && self.end_one(now, actions) {}
        self.ask_what_arrived(now, actions);
        self.bound_what_is_sent(now, actions);
        if !std::mem::take(&mut self.unflushed) {
            return;
        }
        for (key, session) in &mut self.sessions {
            if let Transport::Polling(Polling { parked, waiting, answered_at, .. }) = &mut session.transport
                && !waiting.is_empty()
                && let Some(request) = parked.take()
            {
                *answered_at = Some(self.protocol.mark(*key));
                let response = Response::Payload(waiting.take_payload());
                actions.push(Action::Respond { request, response });
            }
        }
    }

    /// The total in flight to all clients is bounded too: the sessions with the most in flight end, if their
    /// clients have not acknowledged anything for a while.
    fn bound_what_is_sent(&mut self, now: i64, actions: &mut Actions<'_, P>) {
        let limits = self.settings.limits;
        while self.sessions.values().map(|session| session.sent).sum::<usize>() > limits.max_sent {
            let most = self.sessions.iter().max_by_key(|(_, session)| session.sent);
            let Some((&key, _)) = most.filter(|(_, session)| session.is_slow(limits, now)) else { return };
            let connection = self.protocol.label(key);
            tracing::warn!(connection, "too much is on the way to all clients: the slowest connection ends");
            self.abandon(key, Departure::Overloaded, now, actions);
        }
    }

    fn end_one(&mut self, now: i64, actions: &mut Actions<'_, P>) -> bool {
        let held = |(key, session): (&SessionKey, &Session)| session.held() + self.protocol.held_for(*key);
        let most = self.sessions.iter().map(|entry| (held(entry), *entry.0)).max();
        // If no session holds much, none of them is to blame.
        let Some((bytes, key)) = most.filter(|(bytes, _)| *bytes > MUCH) else { return false };
        let connection = self.protocol.label(key);
        tracing::warn!(connection, bytes, "too much is held for all clients: the greediest connection ends");
        self.abandon(key, Departure::Overloaded, now, actions);
        true
    }

    pub(super) fn send<'a>(
        &mut self,
        to: Vec<SessionKey>,
        message: Message<'a>,
        volatile: bool,
        now: i64,
        actions: &mut Actions<'a, P>,
    ) {
        let (mut links, mut overflowed) = (Vec::with_capacity(to.len()), Vec::new());
        let (limits, bytes) = (self.settings.limits, message.bytes());
        for key in to {
            let of_key = self.sessions.get_mut(&key).filter(|session| !session.is_closing());
            let Some(session) = of_key else { continue };
            match &mut session.transport {
                Transport::WebSocket(link) => {
                    links.push(*link);
                    session.sent += bytes;
                    if session.asked_at.is_none() && session.sent > limits.ping_after {
                        self.unasked.push(key);
                    }
                }
                Transport::Polling(polling) if !volatile || polling.parked.is_some() => {
                    polling.waiting.push(message.clone().into_owned());
                    self.unflushed = true;
                }
                Transport::Polling(_) => {}
            }
            if session.is_overloaded(limits, now) {
                overflowed.push(key);
            }
        }
        if !links.is_empty() {
            actions.push(Action::Send { to: links, message });
        }
        for key in overflowed {
            let connection = self.protocol.label(key);
            tracing::warn!(connection, "too much waits for a client: its connection ends");
            self.abandon(key, Departure::Overloaded, now, actions);
        }
    }

    /// Finds out what has arrived at a session that is sent more than its regular pings can confirm: by an
    /// extra ping, after everything that this turn sends.
    fn ask_what_arrived(&mut self, now: i64, actions: &mut Actions<'_, P>) {
        let timing = self.settings.timing;
        for key in std::mem::take(&mut self.unasked) {
            let Some(session) = self.sessions.get_mut(&key) else { continue };
            let Transport::WebSocket(link) = session.transport else { continue };
            if session.heartbeat.ping_now(now, timing) {
                session.pinged(self.protocol.mark(key), now);
                actions.push(Action::Send { to: vec![link], message: Message::text(PING.to_owned()) });
                self.attach(key, actions);
            }
        }
    }

    /// Everything sent up to the mark has reached the client, since the transport preserves order.
    pub(super) fn arrived(
        &mut self,
        key: SessionKey,
        mark: Option<Mark>,
        now: i64,
        actions: &mut Actions<'_, P>,
    ) {
        if let Some(mark) = mark {
            let mut out = Vec::new();
            self.protocol.arrived(key, mark, now, &mut out);
            self.carry_out(out, now, actions);
        }
    }
}
