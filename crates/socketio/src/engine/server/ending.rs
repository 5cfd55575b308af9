//! How sessions end.

use super::{Action, Actions, LinkId, NOOP, Protocol, Response, Server, Session};
use crate::engine::{
    Departure, Message, SessionKey,
    transport::{Closing, Polling, Transport},
};

const CLOSE: &str = "1";
/// Sent to a session that is being closed and has received everything else.
const FAREWELL: &str = "6\u{1e}1";
/// How long to wait: a client that closes may have sent a poll that the close overtook.
const OVERTAKEN_MS: i64 = 1_000;

impl<P: Protocol> Server<P> {
    /// Ends a session from the server's side, in an orderly way. Waiting messages are sent first, in a payload
    /// of their own: a client acts on the close packet of a payload before it acts on the messages in front of
    /// it.
    pub(super) fn close(&mut self, key: SessionKey, now: i64, actions: &mut Actions<'_, P>) {
        let until = now + self.settings.timing.close_timeout;
        match self.polling(key) {
            Some(polling) if polling.parked.is_none() || !polling.waiting.is_empty() => {
                polling.closing = Some(Closing { farewell: FAREWELL, until });
                self.deadline_moved = true;
            }
            _ => self.end(key, CLOSE, None, actions),
        }
    }

    pub(super) fn closed_by_client(&mut self, key: SessionKey, now: i64, actions: &mut Actions<'_, P>) {
        match self.polling(key) {
            Some(polling) if polling.parked.is_none() => {
                polling.closing = Some(Closing { farewell: NOOP, until: now + OVERTAKEN_MS });
                polling.waiting.take();
                let probe = polling.probe.take();
                probe.into_iter().for_each(|probe| self.close_link(probe.link, None, actions));
            }
            _ => self.end(key, NOOP, None, actions),
        }
        self.tell_closed(key, Departure::Lost, now, actions);
    }

    /// Ends a session at once: it broke the protocol, or its client is gone.
    pub(super) fn fail(
        &mut self,
        key: SessionKey,
        departure: Departure,
        code: Option<u16>,
        now: i64,
        actions: &mut Actions<'_, P>,
    ) {
        let Some(session) = self.sessions.get(&key) else { return };
        let was_closing = session.is_closing();
        self.end(key, CLOSE, code, actions);
        if !was_closing {
            self.tell_closed(key, departure, now, actions);
        }
    }

    /// Ends a session whose client may be well: it has timed out, holds too much, or another one takes its place. In the
    /// middle of an upgrade the client learns of it when it completes the upgrade or polls.
    pub(super) fn abandon(
        &mut self,
        key: SessionKey,
        departure: Departure,
        now: i64,
        actions: &mut Actions<'_, P>,
    ) {
        let until = now + self.settings.timing.close_timeout;
        let Some(polling) = self.between_transports(key) else {
            return self.fail(key, departure, None, now, actions);
        };
        polling.waiting.take();
        polling.closing = Some(Closing { farewell: FAREWELL, until });
        self.end_body(key, Response::Empty(400), actions);
        self.tell_closed(key, departure, now, actions);
    }

    /// The session, unless it is over already, whose client may be between its two transports.
    pub(super) fn between_transports(&mut self, key: SessionKey) -> Option<&mut Polling> {
        self.polling(key).filter(|polling| polling.is_between_transports() && polling.closing.is_none())
    }

    /// Forgets the session; a poll that waits gets `farewell`, a WebSocket is closed.
    pub(super) fn end(
        &mut self,
        key: SessionKey,
        farewell: &str,
        code: Option<u16>,
        actions: &mut Actions<'_, P>,
    ) {
        if let Some(polling) = self.polling(key)
            && let Some(request) = polling.parked.take()
        {
            polling.waiting.push(Message::text(farewell.to_owned()));
            let response = Response::Payload(polling.waiting.take_payload());
            actions.push(Action::Respond { request, response });
        }
        if let Some(Session { transport: Transport::WebSocket(link), .. }) = self.sessions.get(&key) {
            let link = *link;
            self.close_link(link, code, actions);
        }
        self.forget(key, actions);
    }

    pub(super) fn forget(&mut self, key: SessionKey, actions: &mut Actions<'_, P>) {
        self.deadline_moved = true;
        self.end_body(key, Response::Empty(400), actions);
        let session = self.sessions.remove(&key);
        if let Some(Session { transport: Transport::Polling(Polling { probe: Some(probe), .. }), .. }) =
            session
        {
            self.close_link(probe.link, None, actions);
        }
    }

    /// Answers the POST that is being read, if there is one: the rest of its body is not needed.
    pub(super) fn end_body(&mut self, key: SessionKey, response: Response, actions: &mut Actions<'_, P>) {
        let posting = self.polling(key).and_then(|polling| {
            polling.body = 0;
            polling.posting.take()
        });
        if let Some(request) = posting.filter(|request| self.posts.remove(request).is_some()) {
            actions.push(Action::Respond { request, response });
        }
    }

    pub(super) fn tell_closed(
        &mut self,
        key: SessionKey,
        departure: Departure,
        now: i64,
        actions: &mut Actions<'_, P>,
    ) {
        self.deadline_moved = true;
        let mut out = Vec::new();
        self.protocol.closed(key, departure, now, &mut out);
        self.carry_out(out, now, actions);
    }

    pub(super) fn close_link(&mut self, link: LinkId, code: Option<u16>, actions: &mut Actions<'_, P>) {
        if self.links.remove(&link).is_some() {
            actions.push(Action::Close { link, code });
        }
    }
}
