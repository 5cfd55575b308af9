//! The sessions of one server: requests and frames go in, [`Action`]s come out.
//!
//! | transport | over |
//! |---|---|
//! | polling | a GET waits (is *parked*) for what the server has to say, a POST brings what the client says |
//! | polling, probed | a WebSocket asks whether it works; polls are answered at once from then on |
//! | WebSocket | one packet per frame; polls of this session are refused |
//!
//! Invariants: a session is named by at most one open transport; every request is answered exactly
//! once; what is sent to a session arrives in order, over whichever transport. A session over
//! WebSocket survives a sleep by its [`Attachment`]; one that polls has a request open and so does
//! not sleep.

use serde::{Deserialize, Serialize};
use vecmap::VecMap;

use super::{
    Departure, Limits, Message, Method, Outbox, Output, Protocol, Query, RequestError, Route, SessionKey,
    Timing, TransportName,
    heartbeat::{Due, Heartbeat},
    payload::{self, Part},
    transport::{Closing, Polling, Probe, Transport},
};

/// Names a WebSocket towards the embedder.
pub type LinkId = u32;
/// Names an HTTP request; the embedder's choice.
pub type RequestId = u32;

const PING: &str = "2";
const CLOSE: &str = "1";
const NOOP: &str = "6";
/// To a session that is being closed and has heard everything else.
const FAREWELL: &str = "6\u{1e}1";
/// A poll during an upgrade is answered after this time; one that is still there when the upgrade is
/// complete came too late.
const RELEASE_MS: i64 = 100;
/// A client that closes may have sent a poll that the close overtook.
const OVERTAKEN_MS: i64 = 1_000;
/// WebSocket close codes (RFC 6455, 7.4.1).
const GOING_AWAY: u16 = 1001;
const TOO_LARGE: u16 = 1009;
/// Pings due within this part of the interval are sent together, to wake up less often.
const SLACK_DIVISOR: i64 = 10;

#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    pub timing: Timing,
    pub limits: Limits,
}

/// To be performed in order.
#[derive(Debug, PartialEq, Eq)]
pub enum Action<'a, C> {
    Send {
        to: Vec<LinkId>,
        message: Message<'a>,
    },
    /// Close with a status, or without one.
    Close {
        link: LinkId,
        code: Option<u16>,
    },
    Respond {
        request: RequestId,
        response: Response,
    },
    /// Store [`Server::attachment`] with the WebSocket.
    Attach(LinkId),
    /// The protocol's.
    Command(C),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// 200 with packets, as `text/plain; charset=UTF-8`.
    Payload(String),
    /// 200 `ok`, as `text/html`.
    Ok,
    /// 400 with [`RequestError::body`].
    Refused(RequestError, Method),
    /// This status and no body.
    Empty(u16),
}

/// What a request that opens a session brings besides its query.
#[derive(Clone, Copy, Debug)]
pub struct Opening<'a> {
    /// The session id it gets: unguessable, never used before.
    pub sid: &'a str,
    /// For [`Protocol::open`].
    pub handshake: &'a str,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reception {
    /// It is answered by [`Action::Respond`], now or later.
    Http,
    /// Its body is wanted: call [`Server::post`] or [`Server::post_too_large`].
    Body,
    /// Accept the WebSocket under this name before performing the actions.
    WebSocket(LinkId),
    /// Accept the WebSocket and close it.
    Refused,
}

/// All that survives of a session over WebSocket while the server sleeps.
#[derive(Debug, Serialize, Deserialize)]
pub struct Attachment<K> {
    #[serde(rename = "l")]
    link: LinkId,
    #[serde(rename = "k")]
    key: SessionKey,
    #[serde(rename = "s")]
    sid: String,
    #[serde(rename = "h")]
    heartbeat: Heartbeat,
    #[serde(rename = "p")]
    kept: K,
}

impl<K> Attachment<K> {
    pub fn link(&self) -> LinkId {
        self.link
    }
}

struct Session {
    sid: String,
    transport: Transport,
    heartbeat: Heartbeat,
}

pub struct Server<P: Protocol> {
    settings: Settings,
    protocol: P,
    sessions: VecMap<SessionKey, Session>,
    /// Every WebSocket, those that probe included.
    links: VecMap<LinkId, SessionKey>,
    /// Requests whose bodies are being read.
    posts: VecMap<RequestId, SessionKey>,
    next_id: u32,
    /// Something happened that may move the next deadline.
    deadline_moved: bool,
    /// Something was said to a session that polls.
    unflushed: bool,
}

type Actions<'a, P> = Vec<Action<'a, <P as Protocol>::Command>>;

impl<P: Protocol> Server<P> {
    /// The server as its attachments tell it. `protocol` gets what was kept of its sessions.
    pub fn restore(
        settings: Settings,
        attachments: Vec<Attachment<P::Kept>>,
        protocol: impl FnOnce(Vec<(SessionKey, P::Kept)>) -> P,
    ) -> Self {
        let (mut sessions, mut links, mut kept) = (VecMap::new(), VecMap::new(), Vec::new());
        let mut next_id = 0;
        for attachment in attachments {
            let Attachment { link, key, sid, heartbeat, kept: of_protocol } = attachment;
            next_id = next_id.max(link + 1).max(key + 1);
            sessions.insert(key, Session { sid, transport: Transport::WebSocket(link), heartbeat });
            links.insert(link, key);
            kept.push((key, of_protocol));
        }
        let protocol = protocol(kept);
        Self {
            settings,
            protocol,
            sessions,
            links,
            posts: VecMap::new(),
            next_id,
            deadline_moved: true,
            unflushed: false,
        }
    }

    pub fn protocol(&self) -> &P {
        &self.protocol
    }

    /// Whether there is no session.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Lets the protocol act on something that came from elsewhere.
    pub fn act<'a>(
        &mut self,
        now: i64,
        act: impl FnOnce(&mut P, &mut Outbox<'a, P::Command>),
    ) -> Actions<'a, P> {
        let (mut out, mut actions) = (Vec::new(), Vec::new());
        act(&mut self.protocol, &mut out);
        self.deadline_moved = true;
        self.carry_out(out, now, &mut actions);
        self.flush(&mut actions);
        actions
    }

    /// A request, its body not read yet. `octets` tells of `Content-Type: application/octet-stream`.
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
        let reception = match (query.route(method, |_| true), opening) {
            (Ok(Route::Open(transport)), Some(opening)) => {
                Ok(self.open(id, transport, opening, now, &mut actions))
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
        self.flush(&mut actions);
        (reception, actions)
    }

    /// The body of a request that was received as [`Reception::Body`].
    pub fn post<'a>(&mut self, id: RequestId, body: &'a str, now: i64) -> Actions<'a, P> {
        let mut actions = Vec::new();
        if let Some(key) = self.end_post(id) {
            for part in payload::split(body) {
                let packet = match part {
                    Some(Part::Text(text)) => self.packet(key, text, now, &mut actions),
                    Some(Part::Binary(bytes)) => self.binary(key, bytes, now, &mut actions),
                    None => Err(()),
                };
                if packet.is_err() {
                    self.fail(key, None, now, &mut actions);
                }
                if !self.sessions.contains_key(&key) {
                    break;
                }
            }
        }
        actions.push(Action::Respond { request: id, response: Response::Ok });
        self.flush(&mut actions);
        actions
    }

    /// The body is larger than `max_payload`, or no text: the session stays as it was.
    pub fn post_refused(&mut self, id: RequestId, status: u16) -> Actions<'static, P> {
        self.end_post(id);
        vec![Action::Respond { request: id, response: Response::Empty(status) }]
    }

    /// The client gave up a request: its session is lost, as the client must know what arrived.
    pub fn aborted(&mut self, id: RequestId, now: i64) -> Actions<'static, P> {
        let mut actions = Vec::new();
        let parked = self.sessions.iter_mut().find_map(|(key, session)| match &mut session.transport {
            Transport::Polling(polling) => polling.parked.take_if(|parked| *parked == id).map(|_| *key),
            Transport::WebSocket(_) => None,
        });
        if let Some(key) = parked.or_else(|| self.end_post(id)) {
            self.fail(key, None, now, &mut actions);
        }
        // Nobody reads it, but every request is answered.
        actions.push(Action::Respond { request: id, response: Response::Empty(400) });
        self.flush(&mut actions);
        actions
    }

    /// A text frame. One that was not looked at for its size is [`Server::oversize`]'s.
    pub fn receive_text<'a>(&mut self, link: LinkId, frame: &'a str, now: i64) -> Actions<'a, P> {
        let mut actions = Vec::new();
        let Some(key) = self.links.get(&link).copied() else { return actions };
        if frame.len() > self.settings.limits.max_payload {
            self.fail_link(link, key, Some(TOO_LARGE), now, &mut actions);
        } else if self.is_probe(key, link) {
            self.probe_says(key, link, frame, &mut actions);
        } else if self.packet(key, frame, now, &mut actions).is_err() {
            self.fail(key, None, now, &mut actions);
        }
        self.flush(&mut actions);
        actions
    }

    pub fn receive_binary(&mut self, link: LinkId, frame: Vec<u8>, now: i64) -> Actions<'static, P> {
        let mut actions = Vec::new();
        let Some(key) = self.links.get(&link).copied() else { return actions };
        if frame.len() > self.settings.limits.max_payload {
            self.fail_link(link, key, Some(TOO_LARGE), now, &mut actions);
        } else if self.is_probe(key, link) {
            self.fail_link(link, key, None, now, &mut actions);
        } else if self.binary(key, frame, now, &mut actions).is_err() {
            self.fail(key, None, now, &mut actions);
        }
        self.flush(&mut actions);
        actions
    }

    /// A frame that is larger than `max_payload` and was not even looked at.
    pub fn oversize(&mut self, link: LinkId, now: i64) -> Actions<'static, P> {
        let mut actions = Vec::new();
        if let Some(key) = self.links.get(&link).copied() {
            self.fail_link(link, key, Some(TOO_LARGE), now, &mut actions);
        }
        actions
    }

    /// The WebSocket is gone. `code` is the close frame's, where there was one.
    pub fn closed(&mut self, link: LinkId, code: Option<u16>, now: i64) -> Actions<'static, P> {
        let mut actions = Vec::new();
        let Some(key) = self.links.remove(&link) else { return actions };
        if self.is_probe(key, link) {
            self.forget_probe(key);
            return actions;
        }
        let departure = if code == Some(GOING_AWAY) { Departure::Left } else { Departure::Lost };
        if self.sessions.remove(&key).is_some() {
            self.tell_closed(key, departure, now, &mut actions);
        }
        self.flush(&mut actions);
        actions
    }

    /// Does what is due: pings, time-outs, and what the protocol has to do.
    pub fn tick(&mut self, now: i64) -> Actions<'static, P> {
        self.deadline_moved = true;
        let (mut pinged, mut timed_out, mut refused) = (Vec::new(), Vec::new(), Vec::new());
        let mut released = Vec::new();
        let Settings { timing, .. } = self.settings;
        for (key, session) in &mut self.sessions {
            if let Transport::Polling(polling) = &mut session.transport {
                if let Some(probe) = &mut polling.probe
                    && probe.release_at.take_if(|at| *at <= now).is_some()
                {
                    released.extend(polling.parked.take());
                }
                refused.extend(polling.probe.take_if(|probe| probe.until <= now).map(|probe| probe.link));
                if let Some(closing) = polling.closing {
                    timed_out.extend((closing.until <= now).then_some(*key));
                    continue;
                }
            }
            match session.heartbeat.tick(now, timing.ping_interval / SLACK_DIVISOR, timing) {
                Due::Ping => pinged.push(*key),
                Due::TimeOut => timed_out.push(*key),
                Due::Nothing => {}
            }
        }
        let mut actions = Vec::new();
        released.into_iter().for_each(|request| release(Some(request), &mut actions));
        for link in refused {
            self.close_link(link, None, &mut actions);
        }
        for key in timed_out {
            self.fail(key, None, now, &mut actions);
        }
        pinged.iter().for_each(|key| self.attach(*key, &mut actions));
        let mut out = Vec::new();
        if !pinged.is_empty() {
            out.push(Output::Send { to: pinged, message: Message::text(PING.to_owned()), volatile: false });
        }
        self.protocol.tick(now, &mut out);
        self.carry_out(out, now, &mut actions);
        self.flush(&mut actions);
        actions
    }

    /// The next deadline, if it may have moved since the last call.
    pub fn next_deadline(&mut self) -> Option<i64> {
        if !std::mem::take(&mut self.deadline_moved) {
            return None;
        }
        let sessions = self.sessions.values().map(Session::deadline);
        sessions.chain(self.protocol.next_deadline()).min()
    }

    pub fn attachment(&self, link: LinkId) -> Option<Attachment<P::Kept>> {
        let key = *self.links.get(&link)?;
        let session = self.sessions.get(&key)?;
        if !matches!(session.transport, Transport::WebSocket(main) if main == link) {
            return None;
        }
        let kept = self.protocol.kept(key)?;
        Some(Attachment { link, key, sid: session.sid.clone(), heartbeat: session.heartbeat, kept })
    }

    fn open(
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
        let key = self.new_id();
        self.protocol.open(key, opening.handshake, now);
        self.deadline_moved = true;
        let (transport, reception) = match transport {
            TransportName::Polling => (Transport::Polling(Polling::default()), Reception::Http),
            TransportName::WebSocket => {
                let link = self.new_id();
                self.links.insert(link, key);
                (Transport::WebSocket(link), Reception::WebSocket(link))
            }
        };
        let heartbeat = Heartbeat::begin(now, timing);
        self.sessions.insert(key, Session { sid: opening.sid.to_owned(), transport, heartbeat });
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
    fn expire(&mut self, sid: &str, now: i64, actions: &mut Actions<'_, P>) {
        let session = self.sessions.iter().find(|(_, session)| session.sid == sid);
        if let Some((&key, _)) = session.filter(|(_, session)| session.is_overdue(now)) {
            self.fail(key, None, now, actions);
        }
    }

    fn find(
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
            // Over WebSocket there is nothing that a plain request could ask for.
            (Transport::WebSocket(_), _) => false,
        };
        if fits && query.is_version_4() { Ok(*key) } else { Err(RequestError::BAD_REQUEST) }
    }

    fn request_of(
        &mut self,
        key: SessionKey,
        id: RequestId,
        method: Method,
        octets: bool,
        now: i64,
        actions: &mut Actions<'static, P>,
    ) -> Reception {
        let respond = |response| Action::Respond { request: id, response };
        match method {
            Method::Upgrade => return self.probe(key, now),
            Method::Get => self.poll(key, id, now, actions),
            Method::Other => actions.push(respond(Response::Empty(500))),
            Method::Post => {
                let Some(polling) = self.polling(key) else { return Reception::Http };
                if octets || polling.posting.is_some() {
                    self.fail(key, None, now, actions);
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

    fn poll(&mut self, key: SessionKey, id: RequestId, now: i64, actions: &mut Actions<'static, P>) {
        let Some(polling) = self.polling(key) else { return };
        let payload = if polling.parked.is_some() {
            self.fail(key, None, now, actions);
            actions.push(Action::Respond { request: id, response: Response::Empty(400) });
            return;
        } else if !polling.waiting.is_empty() {
            polling.waiting.take_payload()
        } else if let Some(closing) = polling.closing {
            self.forget(key, actions);
            closing.farewell.to_owned()
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

    /// A WebSocket for a session that there is. A second one does the first no harm.
    fn probe(&mut self, key: SessionKey, now: i64) -> Reception {
        let link = self.new_id();
        let until = now + self.settings.timing.upgrade_timeout;
        match self.polling(key).filter(|polling| polling.probe.is_none() && polling.closing.is_none()) {
            Some(polling) => {
                polling.probe = Some(Probe { link, answered: false, until, release_at: None });
                self.links.insert(link, key);
                self.deadline_moved = true;
                Reception::WebSocket(link)
            }
            None => Reception::Refused,
        }
    }

    fn probe_says(&mut self, key: SessionKey, link: LinkId, frame: &str, actions: &mut Actions<'_, P>) {
        let Some(polling) = self.polling(key) else { return };
        match frame {
            "2probe" => {
                polling.probe =
                    polling.probe.map(|probe| Probe { answered: true, release_at: None, ..probe });
                let parked = polling.parked.take();
                actions.push(Action::Send { to: vec![link], message: Message::text("3probe".to_owned()) });
                release(parked, actions);
            }
            "5" => self.upgrade(key, link, actions),
            _ => {
                self.forget_probe(key);
                self.close_link(link, None, actions);
            }
        }
    }

    fn upgrade(&mut self, key: SessionKey, link: LinkId, actions: &mut Actions<'_, P>) {
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
        }
        self.attach(key, actions);
    }

    /// One packet of the session's own transport. `Err` ends the session.
    fn packet<'a>(
        &mut self,
        key: SessionKey,
        packet: &'a str,
        now: i64,
        actions: &mut Actions<'a, P>,
    ) -> Result<(), ()> {
        let Settings { timing, .. } = self.settings;
        let Some(session) = self.sessions.get_mut(&key) else { return Ok(()) };
        let kind = packet.as_bytes().first();
        if kind == Some(&b'3') {
            session.heartbeat.pong(now, timing);
            self.deadline_moved = true;
            self.attach(key, actions);
            return Ok(());
        }
        if session.heartbeat.other_packet(now, timing) {
            self.deadline_moved = true;
            self.attach(key, actions);
        }
        match kind {
            Some(b'4') => {
                let mut out = Vec::new();
                let message = packet.get(1..).unwrap_or_default();
                let outcome = self.protocol.text(key, message, now, &mut out);
                self.carry_out(out, now, actions);
                outcome.map_err(|_| ())
            }
            Some(b'1') => {
                self.closed_by_client(key, now, actions);
                Ok(())
            }
            // Open, upgrade and noop mean nothing here and do no harm.
            Some(b'0' | b'5' | b'6') => Ok(()),
            _ => Err(()),
        }
    }

    fn binary(
        &mut self,
        key: SessionKey,
        bytes: Vec<u8>,
        now: i64,
        actions: &mut Actions<'_, P>,
    ) -> Result<(), ()> {
        let timing = self.settings.timing;
        let Some(session) = self.sessions.get_mut(&key) else { return Ok(()) };
        if session.heartbeat.other_packet(now, timing) {
            self.deadline_moved = true;
            self.attach(key, actions);
        }
        let mut out = Vec::new();
        let outcome = self.protocol.binary(key, bytes, now, &mut out);
        self.carry_out(out, now, actions);
        outcome.map_err(|_| ())
    }

    fn carry_out<'a>(&mut self, out: Outbox<'a, P::Command>, now: i64, actions: &mut Actions<'a, P>) {
        for output in out {
            match output {
                Output::Send { to, message, volatile } => self.send(to, message, volatile, now, actions),
                Output::Close(key) => self.close(key, now, actions),
                Output::Fail(key) => self.fail(key, None, now, actions),
                Output::Keep(key) => self.attach(key, actions),
                Output::Reschedule => self.deadline_moved = true,
                Output::Command(command) => actions.push(Action::Command(command)),
            }
        }
    }

    /// Answers the polls for which something waits now: what one turn says is one payload.
    fn flush(&mut self, actions: &mut Actions<'_, P>) {
        if !std::mem::take(&mut self.unflushed) {
            return;
        }
        for session in self.sessions.values_mut() {
            if let Transport::Polling(Polling { parked, waiting, .. }) = &mut session.transport
                && !waiting.is_empty()
                && let Some(request) = parked.take()
            {
                actions
                    .push(Action::Respond { request, response: Response::Payload(waiting.take_payload()) });
            }
        }
    }

    fn send<'a>(
        &mut self,
        to: Vec<SessionKey>,
        message: Message<'a>,
        volatile: bool,
        now: i64,
        actions: &mut Actions<'a, P>,
    ) {
        let (mut links, mut overflowed) = (Vec::with_capacity(to.len()), Vec::new());
        let max_buffered = self.settings.limits.max_buffered;
        for key in to {
            match self.sessions.get_mut(&key).map(|session| &mut session.transport) {
                Some(Transport::WebSocket(link)) => links.push(*link),
                Some(Transport::Polling(polling)) if !volatile || polling.parked.is_some() => {
                    polling.waiting.push(message.clone().into_owned());
                    self.unflushed = true;
                    if polling.waiting.bytes() > max_buffered {
                        overflowed.push(key);
                    }
                }
                Some(Transport::Polling(_)) | None => {}
            }
        }
        if !links.is_empty() {
            actions.push(Action::Send { to: links, message });
        }
        for key in overflowed {
            self.fail(key, None, now, actions);
        }
    }

    /// The server's own, orderly end of a session. What waits is told first, and alone: a client acts on
    /// the close packet of a payload before it acts on the messages in front of it.
    fn close(&mut self, key: SessionKey, now: i64, actions: &mut Actions<'_, P>) {
        let until = now + self.settings.timing.close_timeout;
        match self.polling(key) {
            Some(polling) if polling.parked.is_none() || !polling.waiting.is_empty() => {
                polling.closing = Some(Closing { farewell: FAREWELL, until });
                self.deadline_moved = true;
            }
            _ => self.end(key, CLOSE, None, actions),
        }
    }

    fn closed_by_client(&mut self, key: SessionKey, now: i64, actions: &mut Actions<'_, P>) {
        match self.polling(key) {
            Some(polling) if polling.closing.is_some() => return,
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

    /// Ends a session that broke the protocol or timed out.
    fn fail(&mut self, key: SessionKey, code: Option<u16>, now: i64, actions: &mut Actions<'_, P>) {
        if self.sessions.contains_key(&key) {
            self.end(key, CLOSE, code, actions);
            self.tell_closed(key, Departure::Lost, now, actions);
        }
    }

    /// A frame on this link was too bad to be read: the link ends, and with it the session it carries.
    fn fail_link(
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
            self.fail(key, code, now, actions);
        }
    }

    /// Forgets the session; a poll that waits gets `farewell`, a WebSocket is closed.
    fn end(&mut self, key: SessionKey, farewell: &str, code: Option<u16>, actions: &mut Actions<'_, P>) {
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

    fn forget(&mut self, key: SessionKey, actions: &mut Actions<'_, P>) {
        self.deadline_moved = true;
        let session = self.sessions.remove(&key);
        if let Some(Session { transport: Transport::Polling(Polling { probe: Some(probe), .. }), .. }) =
            session
        {
            self.close_link(probe.link, None, actions);
        }
    }

    fn tell_closed(&mut self, key: SessionKey, departure: Departure, now: i64, actions: &mut Actions<'_, P>) {
        self.deadline_moved = true;
        let mut out = Vec::new();
        self.protocol.closed(key, departure, now, &mut out);
        self.carry_out(out, now, actions);
    }

    fn close_link(&mut self, link: LinkId, code: Option<u16>, actions: &mut Actions<'_, P>) {
        if self.links.remove(&link).is_some() {
            actions.push(Action::Close { link, code });
        }
    }

    fn attach(&self, key: SessionKey, actions: &mut Actions<'_, P>) {
        if let Some(Session { transport: Transport::WebSocket(link), .. }) = self.sessions.get(&key) {
            actions.push(Action::Attach(*link));
        }
    }

    fn polling(&mut self, key: SessionKey) -> Option<&mut Polling> {
        match &mut self.sessions.get_mut(&key)?.transport {
            Transport::Polling(polling) => Some(polling),
            Transport::WebSocket(_) => None,
        }
    }

    fn is_probe(&self, key: SessionKey, link: LinkId) -> bool {
        match self.sessions.get(&key).map(|session| &session.transport) {
            Some(Transport::Polling(polling)) => polling.probe.is_some_and(|probe| probe.link == link),
            Some(Transport::WebSocket(_)) | None => false,
        }
    }

    fn forget_probe(&mut self, key: SessionKey) {
        if let Some(polling) = self.polling(key) {
            polling.probe = None;
        }
    }

    fn end_post(&mut self, id: RequestId) -> Option<SessionKey> {
        let key = self.posts.remove(&id)?;
        if let Some(polling) = self.polling(key) {
            polling.posting = None;
        }
        Some(key)
    }

    fn new_id(&mut self) -> u32 {
        let id = self.next_id;
        self.next_id = self.next_id.wrapping_add(1);
        id
    }
}

impl Session {
    fn is_closing(&self) -> bool {
        matches!(&self.transport, Transport::Polling(polling) if polling.closing.is_some())
    }

    fn is_overdue(&self, now: i64) -> bool {
        !self.is_closing() && self.heartbeat.is_overdue(now)
    }

    fn deadline(&self) -> i64 {
        let heartbeat = self.heartbeat.deadline();
        match &self.transport {
            Transport::Polling(Polling { closing: Some(closing), .. }) => closing.until,
            Transport::Polling(Polling { probe, .. }) => {
                let probe = probe.map(|probe| probe.release_at.unwrap_or(probe.until));
                probe.map_or(heartbeat, |probe| heartbeat.min(probe))
            }
            Transport::WebSocket(_) => heartbeat,
        }
    }
}

/// A poll that must not wait any longer.
fn release<C>(parked: Option<RequestId>, actions: &mut Vec<Action<'_, C>>) {
    let respond = |request| Action::Respond { request, response: Response::Payload(NOOP.to_owned()) };
    actions.extend(parked.map(respond));
}

#[cfg(test)]
mod tests;
