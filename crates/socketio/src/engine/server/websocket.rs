//! Frames of WebSockets, and the upgrade from polling.

use super::{Action, Actions, LinkId, Protocol, Reception, Response, Server, release};
use crate::engine::{
    Departure, Message, Method, RequestError, SessionKey,
    transport::{Probe, Transport},
};

/// WebSocket close codes (RFC 6455, 7.4.1).
const GOING_AWAY: u16 = 1001;
const TOO_LARGE: u16 = 1009;
/// A longer round trip of a probe counts as this long.
const MAX_ROUND_TRIP_MS: i64 = 1_000;

impl<P: Protocol> Server<P> {
    /// A text frame. Pass one whose size exceeds the limit to [`Server::oversize`] instead.
    pub fn receive_text<'a>(&mut self, link: LinkId, frame: &'a str, now: i64) -> Actions<'a, P> {
        let mut actions = Vec::new();
        self.notice_clock(now, &mut actions);
        let Some(key) = self.links.get(&link).copied() else { return actions };
        if frame.len() > self.max_message(key) {
            self.fail_link(link, key, Some(TOO_LARGE), now, &mut actions);
        } else if self.is_probe(key, link) {
            self.probe_says(key, link, frame, now, &mut actions);
        } else if self.packet(key, frame, now, &mut actions).is_err() {
            self.fail(key, Departure::Ended, None, now, &mut actions);
        }
        self.flush(now, &mut actions);
        actions
    }

    /// A binary frame.
    pub fn receive_binary(&mut self, link: LinkId, frame: Vec<u8>, now: i64) -> Actions<'static, P> {
        let mut actions = Vec::new();
        self.notice_clock(now, &mut actions);
        let Some(key) = self.links.get(&link).copied() else { return actions };
        if frame.len() > self.max_message(key) {
            self.fail_link(link, key, Some(TOO_LARGE), now, &mut actions);
        } else if self.is_probe(key, link) {
            self.fail_link(link, key, None, now, &mut actions);
        } else if self.binary(key, frame, now, &mut actions).is_err() {
            self.fail(key, Departure::Ended, None, now, &mut actions);
        }
        self.flush(now, &mut actions);
        actions
    }

    /// Bytes of the largest frame allowed on this link; 0 for one that the server does not have.
    pub fn max_frame(&self, link: LinkId) -> usize {
        self.links.get(&link).map_or(0, |key| self.max_message(*key))
    }

    /// A frame that is larger than [`Server::max_frame`] and was not read.
    pub fn oversize(&mut self, link: LinkId, now: i64) -> Actions<'static, P> {
        let mut actions = Vec::new();
        self.notice_clock(now, &mut actions);
        if let Some(key) = self.links.get(&link).copied() {
            self.fail_link(link, key, Some(TOO_LARGE), now, &mut actions);
        }
        self.flush(now, &mut actions);
        actions
    }

    /// The WebSocket is gone. `code` is from the close frame, if there was one.
    pub fn closed(&mut self, link: LinkId, code: Option<u16>, now: i64) -> Actions<'static, P> {
        let mut actions = Vec::new();
        self.notice_clock(now, &mut actions);
        let Some(key) = self.links.remove(&link) else { return actions };
        if self.is_probe(key, link) {
            // A proxy that ends the WebSocket of a client between two polls with this code is taken for a closed tab.
            let leaves = code == Some(GOING_AWAY) && self.between_transports(key).is_some();
            self.forget_probe(key);
            if leaves {
                self.fail(key, Departure::Left, None, now, &mut actions);
                self.flush(now, &mut actions);
            }
            return actions;
        }
        let departure = if code == Some(GOING_AWAY) { Departure::Left } else { Departure::Lost };
        if self.sessions.remove(&key).is_some() {
            self.tell_closed(key, departure, now, &mut actions);
        }
        self.flush(now, &mut actions);
        actions
    }

    /// A WebSocket for an existing session. A second one does no harm to the first.
    pub(super) fn probe(&mut self, key: SessionKey, now: i64) -> Reception {
        let link = self.new_link();
        let until = now + self.settings.timing.upgrade_timeout;
        match self.polling(key).filter(|polling| polling.probe.is_none() && polling.closing.is_none()) {
            Some(polling) => {
                polling.probe =
                    Some(Probe { link, answered: false, until, polls_until: now, release_at: None });
                self.links.insert(link, key);
                self.deadline_moved = true;
                Reception::WebSocket(link)
            }
            None => Reception::Refused,
        }
    }

    pub(super) fn probe_says(
        &mut self,
        key: SessionKey,
        link: LinkId,
        frame: &str,
        now: i64,
        actions: &mut Actions<'_, P>,
    ) {
        let upgrade_timeout = self.settings.timing.upgrade_timeout;
        let Some(polling) = self.polling(key) else { return };
        match frame {
            "2probe" => {
                let parked = polling.parked.take();
                if let Some(probe) = &mut polling.probe {
                    probe.release_at = None;
                    if !std::mem::replace(&mut probe.answered, true) {
                        // The probe came one round trip after the WebSocket was accepted. A poll that its client sent
                        // before it had the answer comes within another one, give or take.
                        let opened_at = probe.until - upgrade_timeout;
                        let round_trip = (now - opened_at).clamp(0, MAX_ROUND_TRIP_MS);
                        (probe.polls_until, probe.until) = (now + 2 * round_trip, now + upgrade_timeout);
                    }
                }
                actions.push(Action::Send { to: vec![link], message: Message::text("3probe".to_owned()) });
                release(parked, actions);
            }
            "5" => self.upgrade(key, link, now, actions),
            _ => {
                self.forget_probe(key);
                self.close_link(link, None, actions);
            }
        }
    }

    pub(super) fn upgrade(&mut self, key: SessionKey, link: LinkId, now: i64, actions: &mut Actions<'_, P>) {
        let refused = Response::Refused(RequestError::BAD_REQUEST, Method::Post);
        self.end_body(key, refused, actions);
        let Some(session) = self.sessions.get_mut(&key) else { return };
        let before = std::mem::replace(&mut session.transport, Transport::WebSocket(link));
        self.deadline_moved = true;
        if let Transport::Polling(mut polling) = before {
            match polling.parked.filter(|_| polling.probe.is_some_and(|probe| probe.release_at.is_some())) {
                Some(request) => {
                    let response = Response::Refused(RequestError::BAD_REQUEST, Method::Get);
                    actions.push(Action::Respond { request, response });
                }
                None => release(polling.parked, actions),
            }
            let waiting = polling.waiting.take().into_iter();
            actions.extend(waiting.map(|message| Action::Send { to: vec![link], message }));
            if polling.closing.is_some() {
                return self.close(key, now, actions);
            }
        }
        self.attach(key, actions);
    }

    /// A frame on this link could not be read: the link ends, and with it the session it carries.
    pub(super) fn fail_link(
        &mut self,
        link: LinkId,
        key: SessionKey,
        code: Option<u16>,
        now: i64,
        actions: &mut Actions<'_, P>,
    ) {
        if self.is_probe(key, link) {
            self.forget_probe(key);
            self.close_link(link, code, actions);
        } else {
            tracing::warn!(connection = self.protocol.label(key), ?code, "a frame that cannot be read");
            self.fail(key, Departure::Ended, code, now, actions);
        }
    }

    pub(super) fn is_probe(&self, key: SessionKey, link: LinkId) -> bool {
        match self.sessions.get(&key).map(|session| &session.transport) {
            Some(Transport::Polling(polling)) => polling.probe.is_some_and(|probe| probe.link == link),
            Some(Transport::WebSocket(_)) | None => false,
        }
    }

    pub(super) fn forget_probe(&mut self, key: SessionKey) {
        if let Some(polling) = self.polling(key) {
            polling.probe = None;
        }
    }
}
