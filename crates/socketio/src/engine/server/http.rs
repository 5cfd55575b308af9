//! Requests: handshakes, polls and posts.

use super::{Action, Actions, NOOP, Opening, Protocol, Reception, RequestId, Response, Server, Session};
use crate::engine::{
    Departure, MayOpen, Message, Method, Query, RequestError, Route, SessionKey, Settings, TransportName,
    heartbeat::Heartbeat,
    payload::{self, Part},
    transport::{Polling, Transport},
};

/// A late poll during an upgrade is answered after this time; one that is still parked when the upgrade is complete
/// came too late.
const RELEASE_MS: i64 = 100;

impl<P: Protocol> Server<P> {
    /// A request to the Engine.IO path whose body is not read yet: a handshake, a poll, a POST or the upgrade
    /// to WebSocket.
    ///
    /// `id` is the embedder's id for it. `octets` is whether its `Content-Type` is `application/octet-stream`:
    /// such a POST ends the session, as in the reference implementation. Without an `opening` no new session is
    /// opened (400, `Bad request`).
    pub fn request(
        &mut self,
        id: RequestId,
        query: &Query,
        method: Method,
        octets: bool,
        opening: Option<Opening<'_>>,
        now: i64,
    ) -> (Reception, Actions<'static, P>) {
        let mut actions = Vec::new();
        self.notice_clock(now, &mut actions);
        let reception = match (query.route(method, |_| true), opening) {
            (Ok(Route::Open(transport)), Some(opening)) => {
                if self.make_room(opening.handshake, now, &mut actions) {
                    Ok(self.open(id, transport, opening, now, &mut actions))
                } else {
                    Err(RequestError::TOO_MANY)
                }
            }
            (Ok(Route::Open(_)), None) => Err(RequestError::BAD_REQUEST),
            (Ok(Route::Session { sid, transport }), _) => {
                self.expire(sid, now, &mut actions);
                self.find(sid, query, transport, method)
                    .map(|key| self.request_of(key, id, method, octets, now, &mut actions))
            }
            (Err(error), _) => Err(error),
        };
        let reception = reception.unwrap_or_else(|error| {
            actions.push(Action::Respond { request: id, response: Response::Refused(error, method) });
            Reception::Http
        });
        self.flush(now, &mut actions);
        (reception, actions)
    }

    /// The body of a request that was received as [`Reception::Body`]: packets in the form of
    /// [`payload`](crate::engine::payload).
    pub fn post<'a>(&mut self, id: RequestId, body: &'a str, now: i64) -> Actions<'a, P> {
        let mut actions = Vec::new();
        self.notice_clock(now, &mut actions);
        if let Some(key) = self.end_post(id) {
            for part in payload::split(body) {
                let packet = match part {
                    Some(Part::Text(text)) => self.packet(key, text, now, &mut actions),
                    Some(Part::Binary(bytes)) => self.binary(key, bytes, now, &mut actions),
                    None => Err(()),
                };
                if packet.is_err() {
                    self.fail(key, Departure::Ended, None, now, &mut actions);
                }
                if !self.sessions.contains_key(&key) {
                    break;
                }
            }
            actions.push(Action::Respond { request: id, response: Response::Ok });
        }
        self.flush(now, &mut actions);
        actions
    }

    /// Bytes of the largest body allowed for this request; 0 for a request without a body.
    pub fn max_body(&self, id: RequestId) -> usize {
        self.posts.get(&id).map_or(0, |key| self.max_message(*key))
    }

    /// Reports how much of the body has been read. This may end a session that holds too much; its request is
    /// then answered, and the rest of the body is not needed.
    pub fn body_read(&mut self, id: RequestId, bytes: usize, now: i64) -> Actions<'static, P> {
        let mut actions = Vec::new();
        self.notice_clock(now, &mut actions);
        if let Some(polling) = self.posts.get(&id).copied().and_then(|key| self.polling(key)) {
            polling.body = bytes;
            self.flush(now, &mut actions);
        }
        actions
    }

    /// The body is larger than [`Server::max_body`], or not text: the request is answered with that HTTP
    /// status, 413 for instance, and the session continues.
    pub fn post_refused(&mut self, id: RequestId, status: u16) -> Actions<'static, P> {
        let known = self.end_post(id).is_some();
        let response = Response::Empty(status);
        known.then_some(Action::Respond { request: id, response }).into_iter().collect()
    }

    /// The client gave up a request: its session is lost, since the client must know what arrived.
    pub fn aborted(&mut self, id: RequestId, now: i64) -> Actions<'static, P> {
        let mut actions = Vec::new();
        self.notice_clock(now, &mut actions);
        let parked = self.sessions.iter_mut().find_map(|(key, session)| match &mut session.transport {
            Transport::Polling(polling) => polling.parked.take_if(|parked| *parked == id).map(|_| *key),
            Transport::WebSocket(_) => None,
        });
        if let Some(key) = parked.or_else(|| self.end_post(id)) {
            self.fail(key, Departure::Lost, None, now, &mut actions);
            // Nobody reads the answer, but every request gets one.
            actions.push(Action::Respond { request: id, response: Response::Empty(400) });
        }
        self.flush(now, &mut actions);
        actions
    }

    pub(super) fn open(
        &mut self,
        id: RequestId,
        transport: TransportName,
        opening: Opening<'_>,
        now: i64,
        actions: &mut Actions<'static, P>,
    ) -> Reception {
        let Settings { timing, limits } = self.settings;
        let upgrades = if transport == TransportName::Polling { "\"websocket\"" } else { "" };
        let packet = format!(
            r#"0{{"sid":"{}","upgrades":[{upgrades}],"pingInterval":{},"pingTimeout":{},"maxPayload":{}}}"#,
            opening.sid, timing.ping_interval, timing.ping_timeout, limits.max_payload
        );
        let key = self.new_key();
        self.deadline_moved = true;
        let (transport, reception) = match transport {
            TransportName::Polling => {
                let unopened = Some(opening.handshake.to_owned());
                (Transport::Polling(Polling { unopened, ..Polling::default() }), Reception::Http)
            }
            TransportName::WebSocket => {
                self.protocol.open(key, opening.handshake, now);
                let link = self.new_link();
                self.links.insert(link, key);
                (Transport::WebSocket(link), Reception::WebSocket(link))
            }
        };
        let beat = self.sessions.values().next().map(|session| session.heartbeat.next_beat());
        let (sid, heartbeat) = (opening.sid.to_owned(), Heartbeat::begin(now, beat, timing));
        self.sessions.insert(key, Session::new(sid, transport, heartbeat));
        match reception {
            Reception::WebSocket(link) => {
                actions.push(Action::Attach(link));
                actions.push(Action::Send { to: vec![link], message: Message::text(packet) });
            }
            Reception::Http | Reception::Body | Reception::Refused => {
                actions.push(Action::Respond { request: id, response: Response::Payload(packet) });
            }
        }
        reception
    }

    /// A heartbeat that was missed counts from its deadline on, not from the next tick.
    pub(super) fn expire(&mut self, sid: &str, now: i64, actions: &mut Actions<'_, P>) {
        let session = self.sessions.iter().find(|(_, session)| session.sid == sid);
        let timing = self.settings.timing;
        if let Some((&key, _)) = session.filter(|(_, session)| session.is_overdue(now, timing)) {
            self.fail(key, Departure::Lost, None, now, actions);
        }
    }

    pub(super) fn find(
        &self,
        sid: &str,
        query: &Query,
        transport: TransportName,
        method: Method,
    ) -> Result<SessionKey, RequestError> {
        let found = self.sessions.iter().find(|(_, session)| session.sid == sid);
        let (key, session) = found.ok_or(RequestError::SESSION_UNKNOWN)?;
        let fits = match (&session.transport, method) {
            (_, Method::Upgrade) => transport == TransportName::WebSocket,
            (Transport::Polling(_), _) => transport == TransportName::Polling,
            // Over WebSocket a plain request cannot ask for anything.
            (Transport::WebSocket(_), _) => false,
        };
        if fits && query.is_version_4() { Ok(*key) } else { Err(RequestError::BAD_REQUEST) }
    }

    pub(super) fn request_of(
        &mut self,
        key: SessionKey,
        id: RequestId,
        method: Method,
        octets: bool,
        now: i64,
        actions: &mut Actions<'static, P>,
    ) -> Reception {
        let respond = |response| Action::Respond { request: id, response };
        if let Some(handshake) = self.polling(key).and_then(|polling| polling.unopened.take()) {
            self.protocol.open(key, &handshake, now);
            self.deadline_moved = true;
        }
        match method {
            Method::Upgrade => return self.probe(key, now),
            Method::Get => self.poll(key, id, now, actions),
            // The reference answers 500, though nothing of the server's has failed.
            Method::Other => actions.push(respond(Response::Refused(RequestError::BAD_METHOD, method))),
            Method::Post => {
                let Some(polling) = self.polling(key) else { return Reception::Http };
                if octets || polling.posting.is_some() {
                    let departure = if octets { Departure::Ended } else { Departure::Lost };
                    self.fail(key, departure, None, now, actions);
                    actions.push(respond(Response::Empty(400)));
                } else {
                    polling.posting = Some(id);
                    self.posts.insert(id, key);
                    return Reception::Body;
                }
            }
        }
        Reception::Http
    }

    pub(super) fn poll(
        &mut self,
        key: SessionKey,
        id: RequestId,
        now: i64,
        actions: &mut Actions<'static, P>,
    ) {
        let Some(polling) = self.polling(key) else { return };
        if polling.parked.is_some() {
            self.fail(key, Departure::Lost, None, now, actions);
            actions.push(Action::Respond { request: id, response: Response::Empty(400) });
            return;
        }
        let arrived = polling.answered_at.take();
        self.arrived(key, arrived, now, actions);
        let mark = self.protocol.mark(key);
        let Some(polling) = self.polling(key) else {
            actions.push(Action::Respond { request: id, response: Response::Empty(400) });
            return;
        };
        let payload = if !polling.waiting.is_empty() {
            polling.answered_at = Some(mark);
            polling.waiting.take_payload()
        } else if let Some(closing) = polling.closing {
            self.forget(key, actions);
            closing.farewell.to_owned()
        } else if polling.probe.is_some_and(|probe| probe.answered && now < probe.polls_until) {
            NOOP.to_owned()
        } else {
            polling.parked = Some(id);
            if let Some(probe) = polling.probe.as_mut().filter(|probe| probe.answered) {
                probe.release_at = Some(now + RELEASE_MS);
                self.deadline_moved = true;
            }
            return;
        };
        actions.push(Action::Respond { request: id, response: Response::Payload(payload) });
    }

    /// Whether there is room for one more, perhaps because another session has ended for it. Sessions whose clients have
    /// not come back in time make room.
    fn make_room(&mut self, handshake: &str, now: i64, actions: &mut Actions<'_, P>) -> bool {
        let timing = self.settings.timing;
        self.sessions.retain(|_, session| session.unopened().is_none() || !session.is_overdue(now, timing));
        let sessions = self.sessions.iter();
        let unopened: Vec<_> =
            sessions.filter_map(|(key, session)| Some((*key, session.unopened()?))).collect();
        match self.protocol.may_open(handshake, &unopened) {
            MayOpen::Yes => true,
            MayOpen::No => false,
            MayOpen::InsteadOf(key) => {
                // At once, also in the middle of an upgrade: otherwise those who give way could pile up.
                self.fail(key, Departure::Lost, None, now, actions);
                true
            }
        }
    }

    pub(super) fn end_post(&mut self, id: RequestId) -> Option<SessionKey> {
        let key = self.posts.remove(&id)?;
        if let Some(polling) = self.polling(key) {
            (polling.posting, polling.body) = (None, 0);
        }
        Some(key)
    }
}
