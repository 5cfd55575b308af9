//! The sessions of one server: requests and frames go in, [`Action`]s come out.
//!
//! | transport | over |
//! |---|---|
//! | polling | a GET waits (is *parked*) until there is something to send, a POST carries client data |
//! | polling, probed | a WebSocket checks whether it works; from then on polls are answered at once or soon |
//! | WebSocket | one packet per frame; polls of this session are refused |
//!
//! Invariants: a session is attached to at most one open transport; every request is answered exactly once;
//! what is sent to a session arrives in order, over whichever transport. A session over WebSocket survives a
//! sleep through its [`Attachment`]; a polling one has a request open most of the time and so hardly sleeps. An
//! upgrade that takes too long ends when something is due, unless its client may have stopped polling for it.

use vecmap::VecMap;

use super::{
    Departure, Limits, LinkId, Mark, Message, Method, Outbox, Output, Protocol, RequestError, RequestId,
    SessionKey, Timing,
    heartbeat::Due,
    transport::{Polling, Transport},
};

mod attachment;
mod clock;
mod ending;
mod http;
mod sending;
mod session;
mod websocket;

pub use attachment::Attachment;
use session::Session;

const PING: &str = "2";
const NOOP: &str = "6";

/// How a server behaves.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    /// Durations.
    pub timing: Timing,
    /// Limits for clients.
    pub limits: Limits,
}

/// What the embedder has to do; perform a list of them in order.
#[derive(Debug, PartialEq, Eq)]
pub enum Action<'a, C> {
    /// A WebSocket message goes out.
    Send {
        /// The WebSockets that get it.
        to: Vec<LinkId>,
        /// One text or binary frame.
        message: Message<'a>,
    },
    /// A WebSocket is closed. [`Server::closed`] need not be called for it, but may be.
    Close {
        /// The WebSocket.
        link: LinkId,
        /// The close code (RFC 6455, 7.4), or none.
        code: Option<u16>,
    },
    /// A request is answered.
    Respond {
        /// The request, as it was passed to [`Server::request`].
        request: RequestId,
        /// The answer.
        response: Response,
    },
    /// Store [`Server::attachment`] with the WebSocket.
    Attach(LinkId),
    /// A command of the protocol.
    Command(C),
}

/// An answer to a request. Caches must not keep it: send it with `Cache-Control: no-store`.
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

/// What the embedder adds to a request that opens a session.
#[derive(Clone, Copy, Debug)]
pub struct Opening<'a> {
    /// The id of the session: unguessable, never used before.
    pub sid: &'a str,
    /// For [`Protocol::open`].
    pub handshake: &'a str,
}

/// How a request continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reception {
    /// It is answered by [`Action::Respond`], now or later.
    Http,
    /// Its body is needed: call [`Server::post`], or [`Server::post_refused`] if it is larger than
    /// [`Server::max_body`].
    Body,
    /// Accept the WebSocket under this id before performing the actions.
    WebSocket(LinkId),
    /// Accept the WebSocket and close it.
    Refused,
}

/// The Engine.IO sessions of one server, and the protocol inside them.
///
/// The embedder calls [`request`](Server::request) for each HTTP request and WebSocket handshake, the
/// `receive_*` methods for frames, [`closed`](Server::closed) and [`aborted`](Server::aborted) when one ends,
/// and [`tick`](Server::tick) at [`next_deadline`](Server::next_deadline); it performs the [`Action`]s that
/// each returns. `now` is the time in milliseconds since the Unix epoch.
pub struct Server<P: Protocol> {
    settings: Settings,
    protocol: P,
    sessions: VecMap<SessionKey, Session>,
    /// All WebSockets, including those that probe.
    links: VecMap<LinkId, SessionKey>,
    /// Requests whose bodies are being read.
    posts: VecMap<RequestId, SessionKey>,
    next_number: u32,
    /// The time of the last input, if there was one.
    now: Option<i64>,
    /// Something happened that may move the next deadline.
    deadline_moved: bool,
    /// Something was sent to a session that polls.
    unflushed: bool,
    /// Sessions to which so much was sent that they are pinged to find out what has arrived.
    unasked: Vec<SessionKey>,
}

type Actions<'a, P> = Vec<Action<'a, <P as Protocol>::Command>>;

impl<P: Protocol> Server<P> {
    /// Restores the server after a sleep. `attachments` are those of its open WebSockets, none at the first
    /// start; `protocol` creates the protocol from the stored state of its sessions.
    pub fn restore(
        settings: Settings,
        attachments: Vec<Attachment<P::Kept>>,
        protocol: impl FnOnce(Vec<(SessionKey, P::Kept)>) -> P,
    ) -> Self {
        let (mut sessions, mut links, mut kept) = (VecMap::new(), VecMap::new(), Vec::new());
        let mut next_number = 0;
        for attachment in attachments {
            let Attachment { link, key, sid, heartbeat, admitted, kept: of_protocol, .. } = attachment;
            next_number = next_number.max(link.0 + 1).max(key.0 + 1);
            let transport = Transport::WebSocket(link);
            sessions.insert(key, Session { admitted, ..Session::new(sid, transport, heartbeat) });
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
            next_number,
            now: None,
            deadline_moved: true,
            unflushed: false,
            unasked: Vec::new(),
        }
    }

    /// The protocol inside the sessions.
    pub fn protocol(&self) -> &P {
        &self.protocol
    }

    /// Whether there are no sessions.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Lets the protocol act on input from elsewhere.
    pub fn act<'a>(
        &mut self,
        now: i64,
        act: impl FnOnce(&mut P, &mut Outbox<'a, P::Command>),
    ) -> Actions<'a, P> {
        let (mut out, mut actions) = (Vec::new(), Vec::new());
        self.notice_clock(now, &mut actions);
        act(&mut self.protocol, &mut out);
        self.deadline_moved = true;
        self.carry_out(out, now, &mut actions);
        self.flush(now, &mut actions);
        actions
    }

    /// Does what is due: pings, time-outs, and the protocol's own work.
    pub fn tick(&mut self, now: i64) -> Actions<'static, P> {
        self.deadline_moved = true;
        let (mut pinged, mut timed_out, mut refused) = (Vec::new(), Vec::new(), Vec::new());
        let (mut moved, mut released, mut over) = (Vec::new(), Vec::new(), Vec::new());
        let (mut actions, mut out, timing) = (Vec::new(), Vec::new(), self.settings.timing);
        self.notice_clock(now, &mut actions);
        for (key, session) in &mut self.sessions {
            if let Transport::Polling(polling) = &mut session.transport {
                refused.extend(polling.take_overdue_probe(now));
                if let Some(probe) = &mut polling.probe
                    && probe.release_at.take_if(|at| *at <= now).is_some()
                {
                    released.extend(polling.parked.take());
                }
                if let Some(closing) = polling.closing {
                    over.extend((closing.until <= now).then_some(*key));
                    continue;
                }
            }
            // Its client may never come back. If it does, the beat that it has missed is due at once.
            if session.unopened().is_some() {
                timed_out.extend(session.is_overdue(now, timing).then_some(*key));
                continue;
            }
            let before = session.heartbeat;
            match session.heartbeat.tick(now, timing) {
                Due::Ping => {
                    session.pinged(self.protocol.mark(*key), now);
                    pinged.push(*key);
                }
                Due::TimeOut => timed_out.push(*key),
                // The pong is still owed: the beat has passed all the same.
                Due::Nothing => moved.extend((session.heartbeat != before).then_some(*key)),
            }
        }
        released.into_iter().for_each(|request| release(Some(request), &mut actions));
        refused.into_iter().for_each(|link| self.close_link(link, None, &mut actions));
        over.into_iter().for_each(|key| self.forget(key, &mut actions));
        for key in timed_out {
            self.abandon(key, Departure::Lost, now, &mut actions);
        }
        pinged.iter().chain(&moved).for_each(|key| self.attach(*key, &mut actions));
        if !pinged.is_empty() {
            out.push(Output::Send { to: pinged, message: Message::text(PING.to_owned()), volatile: false });
        }
        self.protocol.tick(now, &mut out);
        self.carry_out(out, now, &mut actions);
        self.flush(now, &mut actions);
        actions
    }

    /// When [`Server::tick`] wants to be called, in milliseconds since the Unix epoch; `None` if nothing is
    /// due, or if the deadline has not moved since the last call.
    pub fn next_deadline(&mut self) -> Option<i64> {
        if !std::mem::take(&mut self.deadline_moved) {
            return None;
        }
        let sessions = self.sessions.values().filter_map(Session::deadline);
        sessions.chain(self.protocol.next_deadline()).min()
    }

    /// The state to store with the WebSocket for [`Server::restore`]; `None` for one that only probes an
    /// upgrade, or that the server does not have.
    pub fn attachment(&self, link: LinkId) -> Option<Attachment<P::Kept>> {
        let key = *self.links.get(&link)?;
        let session = self.sessions.get(&key)?;
        if !matches!(session.transport, Transport::WebSocket(main) if main == link) {
            return None;
        }
        let kept = self.protocol.kept(key)?;
        let (sid, heartbeat) = (session.sid.clone(), session.heartbeat);
        let admitted = session.admitted;
        Some(Attachment { version: attachment::VERSION, link, key, sid, heartbeat, admitted, kept })
    }

    /// One packet from the session's own transport, ignored if the session is over. `Err` ends the session.
    fn packet<'a>(
        &mut self,
        key: SessionKey,
        packet: &'a str,
        now: i64,
        actions: &mut Actions<'a, P>,
    ) -> Result<(), ()> {
        let Settings { timing, .. } = self.settings;
        let Some(session) = self.open_session(key) else { return Ok(()) };
        let kind = packet.as_bytes().first();
        if kind == Some(&b'3') {
            if session.heartbeat.pong() {
                let mark = session.ponged();
                self.attach(key, actions);
                self.arrived(key, mark, now, actions);
            }
            return Ok(());
        }
        if session.heartbeat.other_packet(now, timing) {
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
            // Open, upgrade and noop have no meaning here and do no harm.
            Some(b'0' | b'5' | b'6') => Ok(()),
            _ => {
                tracing::warn!(connection = self.protocol.label(key), "a packet of no known type");
                Err(())
            }
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
        let Some(session) = self.open_session(key) else { return Ok(()) };
        if session.heartbeat.other_packet(now, timing) {
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
                Output::Admit { session, admitted } => {
                    if let Some(session) = self.sessions.get_mut(&session) {
                        session.admitted = admitted;
                    }
                }
                Output::Fail(key) => self.fail(key, Departure::Ended, None, now, actions),
                Output::Abandon(key) => self.abandon(key, Departure::Lost, now, actions),
                Output::Keep(key) => self.attach(key, actions),
                Output::Reschedule => self.deadline_moved = true,
                Output::Command(command) => actions.push(Action::Command(command)),
            }
        }
    }

    fn attach(&self, key: SessionKey, actions: &mut Actions<'_, P>) {
        if let Some(Session { transport: Transport::WebSocket(link), .. }) = self.sessions.get(&key) {
            actions.push(Action::Attach(*link));
        }
    }

    /// Bytes of the largest message that this client may send.
    fn max_message(&self, key: SessionKey) -> usize {
        let Limits { max_payload, max_unadmitted, .. } = self.settings.limits;
        let admitted = self.sessions.get(&key).is_some_and(|session| session.admitted);
        if admitted { max_payload } else { max_payload.min(max_unadmitted) }
    }

    /// The session, unless it is over and only waits for its client to learn of it.
    fn open_session(&mut self, key: SessionKey) -> Option<&mut Session> {
        self.sessions.get_mut(&key).filter(|session| !session.is_closing())
    }

    fn polling(&mut self, key: SessionKey) -> Option<&mut Polling> {
        match &mut self.sessions.get_mut(&key)?.transport {
            Transport::Polling(polling) => Some(polling),
            Transport::WebSocket(_) => None,
        }
    }

    fn new_link(&mut self) -> LinkId {
        LinkId(self.new_number())
    }

    fn new_key(&mut self) -> SessionKey {
        SessionKey(self.new_number())
    }

    fn new_number(&mut self) -> u32 {
        let number = self.next_number;
        self.next_number = self.next_number.wrapping_add(1);
        number
    }
}

/// Answers a poll that must not wait any longer.
fn release<C>(parked: Option<RequestId>, actions: &mut Vec<Action<'_, C>>) {
    let respond = |request| Action::Respond { request, response: Response::Payload(NOOP.to_owned()) };
    actions.extend(parked.map(respond));
}

#[cfg(test)]
mod tests;
