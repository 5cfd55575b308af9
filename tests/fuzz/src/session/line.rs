//! The embedder: performs the actions of a server, and checks them.

use std::{collections::BTreeMap, convert::Infallible};

use zetra_socketio::{
    Packet, SocketId, SocketIo,
    engine::{
        Action, Limits, LinkId, Message, Method, Opening, Query, Reception, RequestId, Response, Server,
        Settings, Timing,
        payload::{self, Part},
    },
    packet::Payload,
};

use super::application::{Echo, NUMBERED};

/// Small enough to be exceeded.
const SETTINGS: Settings = Settings {
    timing: Timing {
        ping_interval: 25_000,
        ping_timeout: 20_000,
        upgrade_timeout: 10_000,
        close_timeout: 30_000,
    },
    limits: Limits {
        max_payload: 2_000,
        max_unadmitted: 500,
        max_buffered: 4_000,
        ping_after: 1_000,
        max_held: 6_000,
        max_sent: 12_000,
    },
};
/// Engine.IO ends no session for less.
const MUCH: usize = 16 * 1024;
const OF_CLIENTS: zetra_socketio::Limits = zetra_socketio::Limits {
    connect_timeout: 45_000,
    attachments_timeout: 10_000,
    max_attachments: 3,
    max_attachment_bytes: 1_000,
    max_namespaces: 2,
    max_acks: 2,
};
/// After this time without clients everything is over.
const FOR_EVER: u32 = 200_000;
/// More alarms at one time than anything needs.
const ALARMS: usize = 100;

type Actions<'a> = Vec<Action<'a, Infallible>>;

pub(super) struct Line {
    server: Server<SocketIo<Echo>>,
    now: i64,
    alarm: Option<i64>,
    /// Whether each was answered.
    requests: BTreeMap<RequestId, bool>,
    /// Requests whose bodies are being read.
    begun: Vec<RequestId>,
    /// Whether each is open.
    links: BTreeMap<LinkId, bool>,
    attached: BTreeMap<LinkId, String>,
    sids: Vec<String>,
    sid: usize,
    link: Option<LinkId>,
    /// The number of the last event that each socket got.
    heard: BTreeMap<SocketId, u64>,
    /// An object that has been polled does not sleep here.
    is_polled: bool,
}

impl Line {
    pub(super) fn new() -> Self {
        Self {
            server: restored(Vec::new()),
            now: 1_700_000_000_000,
            alarm: None,
            requests: BTreeMap::new(),
            begun: Vec::new(),
            links: BTreeMap::new(),
            attached: BTreeMap::new(),
            sids: Vec::new(),
            sid: 0,
            link: None,
            heard: BTreeMap::new(),
            is_polled: false,
        }
    }

    pub(super) fn opens_polling(&mut self) {
        self.is_polled = true;
        self.sid = self.sids.len();
        self.sids.push(format!("session-{}", self.sid));
        self.request("transport=polling&EIO=4", Method::Get, false);
    }

    pub(super) fn opens_websocket(&mut self) {
        self.sid = self.sids.len();
        self.sids.push(format!("session-{}", self.sid));
        self.request("transport=websocket&EIO=4", Method::Upgrade, false);
    }

    pub(super) fn turns_to_session(&mut self, number: u32) {
        self.sid = number as usize % self.sids.len().max(1);
    }

    pub(super) fn turns_to_link(&mut self, number: u32) {
        let number = number as usize % self.links.len().max(1);
        self.link = self.links.keys().nth(number).copied();
    }

    pub(super) fn gets(&mut self) {
        self.request_of_session("polling", Method::Get, false);
    }

    pub(super) fn puts(&mut self) {
        self.request_of_session("polling", Method::Other, false);
    }

    pub(super) fn upgrades(&mut self) {
        self.request_of_session("websocket", Method::Upgrade, false);
    }

    pub(super) fn begins_post(&mut self, octets: bool) {
        self.request_of_session("polling", Method::Post, octets);
    }

    pub(super) fn posts(&mut self, body: &str) {
        let before = self.begun.len();
        self.begins_post(false);
        if self.begun.len() > before {
            self.ends_post(body);
        }
    }

    pub(super) fn ends_post(&mut self, body: &str) {
        let Some(id) = self.begun.pop() else { return };
        let read = self.server.body_read(id, body.len().min(self.server.max_body(id)), self.now);
        self.perform(read);
        let actions = if body.len() > self.server.max_body(id) {
            self.server.post_refused(id, 413)
        } else {
            self.server.post(id, body, self.now)
        };
        self.perform(actions);
        assert!(self.requests[&id], "a POST that was read is not answered");
    }

    pub(super) fn aborts(&mut self) {
        let last = self.requests.iter().rev().find(|(_, is_answered)| !**is_answered);
        let Some(id) = last.map(|(id, _)| *id) else { return };
        self.begun.retain(|begun| *begun != id);
        let actions = self.server.aborted(id, self.now);
        self.perform(actions);
        assert!(self.requests[&id], "a request that was given up is not answered");
    }

    pub(super) fn says(&mut self, frame: &str) {
        let Some(link) = self.link else { return };
        let actions = if frame.len() > self.server.max_frame(link) {
            self.server.oversize(link, self.now)
        } else {
            self.server.receive_text(link, frame, self.now)
        };
        self.perform(actions);
    }

    pub(super) fn says_binary(&mut self, bytes: u32) {
        let Some(link) = self.link else { return };
        let actions = self.server.receive_binary(link, vec![7; bytes as usize % 3_000], self.now);
        self.perform(actions);
    }

    pub(super) fn closes(&mut self, code: Option<u16>) {
        let Some(link) = self.link else { return };
        self.links.insert(link, false);
        let actions = self.server.closed(link, code, self.now);
        self.perform(actions);
    }

    pub(super) fn answers(&mut self) {
        let now = self.now;
        let actions = self.server.act(now, |protocol, out| protocol.act(now, out, Echo::answer));
        self.perform(actions);
    }

    pub(super) fn waits(&mut self, millis: u32) {
        let until = self.now + i64::from(millis);
        let mut at_once = 0;
        while let Some(at) = self.alarm.take_if(|at| *at <= until) {
            at_once = if at > self.now { 0 } else { at_once + 1 };
            assert!(at_once < ALARMS, "the alarm rings without end");
            self.now = self.now.max(at);
            let actions = self.server.tick(self.now);
            self.perform(actions);
        }
        self.now = until;
    }

    /// The clock is set: by hours back, by days forward.
    pub(super) fn turns_clock(&mut self, millis: i64) {
        self.now += millis;
    }

    /// The state in memory is lost; what was stored of the open WebSockets is not.
    pub(super) fn sleeps(&mut self) {
        let is_busy = !self.server.protocol().application().waiting.is_empty();
        if self.is_polled || is_busy {
            return;
        }
        let open = self.links.iter().filter(|(_, is_open)| **is_open).map(|(link, _)| *link);
        let stored: Vec<String> = open.map(|link| self.attached[&link].clone()).collect();
        self.server = restored(stored);
        // The numbers of those that are gone may be used again.
        let sockets = &self.server.protocol().application().sockets;
        self.heard.retain(|socket, _| sockets.contains_key(socket));
        self.schedule();
    }

    pub(super) fn holds_little(&self) {
        let held = self.server.held();
        let most = SETTINGS.limits.max_held + MUCH * self.sids.len();
        assert!(held <= most, "{held} bytes are held");
    }

    /// The clients go away.
    pub(super) fn ends(mut self) {
        for link in self.links.keys().copied().collect::<Vec<_>>() {
            self.link = Some(link);
            self.closes(None);
        }
        // Whoever looks at the clock finds out that it was set back.
        self.answers();
        self.waits(FOR_EVER);
        // A client that has never come back wakes nobody up, and comes too late.
        for number in 0..self.sids.len() {
            self.sid = number;
            self.gets();
        }
        let waiting = self.requests.iter().find(|(_, is_answered)| !**is_answered);
        assert!(waiting.is_none(), "{waiting:?} is never answered");
        assert!(self.server.is_empty(), "a session is left");
        assert!(self.server.protocol().application().sockets.is_empty(), "a socket is left");
    }

    fn request_of_session(&mut self, transport: &str, method: Method, octets: bool) {
        let sid = self.sids.get(self.sid).map_or("unknown", String::as_str);
        let query = format!("transport={transport}&EIO=4&sid={sid}");
        self.request(&query, method, octets);
    }

    fn request(&mut self, query: &str, method: Method, octets: bool) {
        let id = RequestId(self.requests.len() as u32);
        self.requests.insert(id, false);
        let sid = self.sids.last().cloned().unwrap_or_default();
        let opening = Some(Opening { sid: &sid, handshake: "" });
        let (reception, actions) =
            self.server.request(id, &Query::decode(query), method, octets, opening, self.now);
        match reception {
            Reception::Http => {}
            Reception::Body => self.begun.push(id),
            Reception::Refused => {
                self.requests.insert(id, true);
            }
            Reception::WebSocket(link) => {
                // The 101 is its answer.
                self.requests.insert(id, true);
                // After a sleep the number of one that is closed may be used again.
                assert_ne!(self.links.insert(link, true), Some(true), "{link} is used twice");
                self.link = Some(link);
            }
        }
        self.perform(actions);
    }

    fn perform(&mut self, actions: Actions<'_>) {
        for action in actions {
            match action {
                Action::Send { to, message } => {
                    for link in &to {
                        assert!(self.links[link], "{link} is closed");
                    }
                    let Message::Text(frame) = message else { continue };
                    to.iter().for_each(|_| self.hears(&frame.text()));
                }
                Action::Close { link, .. } => {
                    assert_eq!(self.links.insert(link, false), Some(true), "{link} is closed again");
                }
                Action::Respond { request, response } => {
                    assert_eq!(
                        self.requests.insert(request, true),
                        Some(false),
                        "{request} is answered again"
                    );
                    let Response::Payload(payload) = response else { continue };
                    for part in payload::split(&payload) {
                        if let Part::Text(frame) = part.expect("a payload that can be read") {
                            self.hears(frame);
                        }
                    }
                }
                Action::Attach(link) => {
                    if let Some(attachment) = self.server.attachment(link) {
                        let text = serde_json::to_string(&attachment).expect("an attachment is JSON");
                        self.attached.insert(link, text);
                    }
                }
                Action::Command(never) => match never {},
            }
        }
        let next = self.schedule();
        let is_near = next.is_none_or(|at| at - self.now <= OF_CLIENTS.connect_timeout);
        assert!(is_near, "the alarm is set for a distant time");
    }

    /// The alarm is only ever moved to an earlier time.
    fn schedule(&mut self) -> Option<i64> {
        let next = self.server.next_deadline();
        if let Some(at) = next {
            self.alarm = Some(self.alarm.map_or(at, |alarm| alarm.min(at)));
        }
        next
    }

    fn hears(&mut self, frame: &str) {
        let Some(packet) = frame.strip_prefix('4') else {
            return assert!(frame.starts_with(['0', '1', '2', '3', '6']), "no packet of a server: {frame}");
        };
        let packet = Packet::decode(packet).expect("what the server sends can be read");
        let Payload::Array(elements) = packet.payload else { return };
        if let [name, socket, number, ..] = elements.as_slice()
            && name.trim_matches('"') == NUMBERED
            && matches!(packet.kind.digit(), '2' | '5')
        {
            let (socket, number) =
                (SocketId(socket.parse().expect("a socket")), number.parse().expect("a number"));
            let last = self.heard.insert(socket, number).unwrap_or_default();
            assert_eq!(number, last + 1, "a gap, a double or another order at {socket}");
        }
    }
}

fn restored(stored: Vec<String>) -> Server<SocketIo<Echo>> {
    let attachments =
        stored.iter().map(|text| serde_json::from_str(text).expect("what was stored can be read"));
    Server::restore(SETTINGS, attachments.collect(), |kept| {
        SocketIo::restore(OF_CLIENTS, kept, Echo::restored)
    })
}
