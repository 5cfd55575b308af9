//! The objects, their clients, the store beside them, and everything that happens between them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use zetra_domain::{Membership, ObjectIds, Timestamp, UserId};
use zetra_socketio::engine::{Action, LinkId, Method, Query, Reception, RequestId};

use super::{
    client::{Client, Connection, Reply},
    object::{Actions, Name, Object, key, room_id},
};
use crate::{application::AnyCommand, session::Gateway};

mod performing;
mod work;

use work::Task;

pub(super) const START: i64 = 1_700_000_000_000;
pub(super) const CLIENTS: usize = 4;
/// The last client is the first one's user on another device.
const USERS: usize = 3;
const PROMPT_PONG: i64 = 50;
const LATE_PONG: i64 = 12_000;

/// Who gets what.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum To {
    Client(usize),
    Room(String),
    Session(String),
    Store,
    Webhook,
}

pub(super) struct World {
    sleeps: bool,
    pub objects: Vec<Object>,
    pub clients: Vec<Client>,
    users: Vec<UserId>,
    versions: [Option<i64>; USERS],
    memberships: [Membership; USERS],
    tasks: VecDeque<Task>,
    /// Reports of what has arrived. They come at once, so that they change no order.
    reports: VecDeque<Task>,
    /// The object whose work is being done.
    at_work: Option<Name>,
    /// What was sent since it was last looked at.
    pub sent: Vec<(To, String)>,
    /// Whether anything has happened since it was last looked at.
    pub has_changed: bool,
    /// Which socket has seen which offset.
    pub seen: BTreeSet<(String, String)>,
    /// Pongs that are due, and the WebSockets or polls that they belong to.
    pongs: Vec<(i64, usize, String)>,
    requests: BTreeMap<(Name, RequestId), usize>,
    replies: VecDeque<(usize, Reply)>,
    handshakes: u32,
    /// Milliseconds that have really passed, and what the clock says.
    pub elapsed: i64,
    pub now: i64,
}

impl World {
    pub fn new(sleeps: bool) -> Self {
        let mut ids = ObjectIds::new([5; 8]);
        Self {
            sleeps,
            objects: vec![Object::new(Name::Room)],
            clients: (0..CLIENTS).map(|number| Client::new(number % USERS)).collect(),
            users: (0..USERS).map(|_| ids.user(Timestamp::from_millis(START))).collect(),
            versions: [Some(0); USERS],
            memberships: [Membership::Participant; USERS],
            tasks: VecDeque::new(),
            reports: VecDeque::new(),
            at_work: None,
            sent: Vec::new(),
            has_changed: false,
            seen: BTreeSet::new(),
            pongs: Vec::new(),
            requests: BTreeMap::new(),
            replies: VecDeque::new(),
            handshakes: 0,
            elapsed: 0,
            now: START,
        }
    }

    /// When something happens by itself next, in elapsed milliseconds.
    pub fn next_at(&self) -> Option<i64> {
        let shift = self.elapsed - self.now;
        let alarms = self.objects.iter().filter_map(|object| object.alarm).map(|at| at + shift);
        alarms.chain(self.pongs.iter().map(|(at, ..)| *at)).map(|at| at.max(self.elapsed)).min()
    }

    pub fn passes(&mut self, millis: i64) {
        self.elapsed += millis;
        self.now += millis;
    }

    /// The objects whose alarm is due.
    pub fn due(&self) -> Vec<usize> {
        let is_due = |object: &Object| object.alarm.is_some_and(|at| at <= self.now);
        (0..self.objects.len()).filter(|number| is_due(&self.objects[*number])).collect()
    }

    /// The alarm of that object, or a spurious one. Whether it was due.
    pub fn rings(&mut self, number: usize) -> bool {
        self.may_sleep(number);
        let (is_due, actions) = self.objects[number].rings(self.now, self.elapsed);
        self.performs(number, actions);
        is_due
    }

    /// Whoever waits for something gets an input after that: without any, nobody can know.
    pub fn sets_clock(&mut self, millis: i64) {
        self.now += millis;
        for number in 0..self.objects.len() {
            if self.objects[number].alarm.is_some() {
                self.inputs(number, |object, now, elapsed| {
                    object.input(now, elapsed, false, |server| server.act(now, |_, _| ()))
                });
            }
        }
    }

    pub fn pongs(&mut self) {
        while let Some(index) = self.pongs.iter().position(|(at, ..)| *at <= self.elapsed) {
            let (_, client, sid) = self.pongs.remove(index);
            let connection = self.clients[client].connection.as_ref();
            if connection.is_some_and(|connection| connection.sid == sid && !connection.is_deaf) {
                self.says(client, "3");
            }
        }
    }

    pub fn opens(&mut self, client: usize, through_session: bool, polls: bool) {
        if self.clients[client].connection.is_some() {
            return;
        }
        let sid = format!("session-{}", self.handshakes);
        self.handshakes += 1;
        let object = if through_session { Name::Session(sid.clone()) } else { Name::Room };
        if through_session {
            self.objects.push(Object::new(object.clone()));
        }
        let (transport, method) =
            if polls { ("polling", Method::Get) } else { ("websocket", Method::Upgrade) };
        let connection = Connection { object, link: None, sid: sid.clone(), probe: None, is_deaf: false };
        self.clients[client].connection = Some(connection);
        self.requests(client, &format!("EIO=4&transport={transport}"), method);
    }

    /// CONNECT, with a token and with what it has of an earlier connection.
    pub fn connects(&mut self, client: usize) {
        let user = self.clients[client].user;
        let version = self.versions[user].unwrap_or_default();
        let at = Timestamp::from_millis(self.now);
        let token = key().issue(self.users[user], &format!("user{user}"), version, [0; 9], at);
        let recovery = self.clients[client].recovery();
        self.says(client, &format!(r#"40{{"token":"{token}"{recovery}}}"#));
    }

    /// An event; in its arguments `$room` and `$0` are the room's and a user's id.
    pub fn sends(&mut self, client: usize, name: &str, arguments: &str, asks: bool) {
        let arguments = arguments.replace("$room", &room_id().to_string());
        let arguments = (0..USERS).fold(arguments, |arguments, user| {
            arguments.replace(&format!("${user}"), &self.users[user].to_string())
        });
        let ack = if asks { self.clients[client].acks.to_string() } else { String::new() };
        self.clients[client].acks += u64::from(asks);
        self.says(client, &format!(r#"42{ack}["{name}",{arguments}]"#));
    }

    pub fn says(&mut self, client: usize, frame: &str) {
        let Some((object, link)) = self.line_of(client) else { return };
        match link {
            Some(link) => self.inputs(object, |object, now, elapsed| {
                object.input(now, elapsed, false, |server| {
                    server.receive_text(link, frame, now).into_iter().map(owned).collect()
                })
            }),
            None => self.posts(client, object, frame),
        }
    }

    pub fn says_binary(&mut self, client: usize) {
        let Some((object, Some(link))) = self.line_of(client) else { return };
        self.inputs(object, |object, now, elapsed| {
            object.input(now, elapsed, false, |server| server.receive_binary(link, vec![7; 9], now))
        });
    }

    pub fn upgrades(&mut self, client: usize) {
        let connection = self.clients[client].connection.as_ref();
        let Some(Connection { sid, link: None, probe: None, is_deaf: false, .. }) = connection else {
            return;
        };
        self.requests(client, &format!("EIO=4&transport=websocket&sid={sid}"), Method::Upgrade);
    }

    /// The connection ends, with the code of a close frame if one came.
    pub fn loses(&mut self, client: usize, code: Option<u16>) {
        let Some(Connection { object, link, probe, .. }) = self.clients[client].connection.take() else {
            return;
        };
        let number = self.number(&object);
        for link in [probe, link].into_iter().flatten() {
            self.inputs(number, |object, now, elapsed| {
                // It is listed until its handler has run.
                let actions = object.input(now, elapsed, false, |server| server.closed(link, code, now));
                object.sockets.retain(|(of, _)| *of != link);
                actions
            });
        }
        let parked = self.requests.iter().find(|(_, of)| **of == client).map(|((_, id), _)| *id);
        if let Some(id) = parked {
            self.inputs(number, |object, now, elapsed| {
                object.input(now, elapsed, false, |server| server.aborted(id, now))
            });
        }
    }

    /// What happens to its frames from now on nobody knows.
    pub fn deafens(&mut self, client: usize) {
        if let Some(connection) = self.clients[client].connection.as_mut() {
            connection.is_deaf = true;
        }
    }

    /// What is stored, and whose it is.
    pub fn rows(&self) -> impl Iterator<Item = (&Name, &BTreeMap<String, String>)> {
        self.objects.iter().map(|object| (&object.name, &object.rows))
    }

    pub fn is_user(&self, id: &str) -> bool {
        self.users.iter().any(|user| user.to_string() == id)
    }

    pub fn number(&self, name: &Name) -> usize {
        self.objects.iter().position(|object| object.name == *name).unwrap()
    }

    fn line_of(&self, client: usize) -> Option<(usize, Option<LinkId>)> {
        let connection = self.clients[client].connection.as_ref().filter(|connection| !connection.is_deaf)?;
        Some((self.number(&connection.object), connection.link))
    }

    fn requests(&mut self, client: usize, query: &str, method: Method) {
        let Some(Connection { object, sid, .. }) = &self.clients[client].connection else { return };
        let (name, sid) = (object.clone(), sid.clone());
        let number = self.number(&name);
        self.may_sleep(number);
        let (now, elapsed) = (self.now, self.elapsed);
        let (id, reception, actions) =
            self.objects[number].opens(now, elapsed, &Query::decode(query), method, &sid);
        let Some(connection) = self.clients[client].connection.as_mut() else { return };
        match reception {
            Reception::Http | Reception::Body => drop(self.requests.insert((name, id), client)),
            Reception::WebSocket(link) if query.contains("sid=") => connection.probe = Some(link),
            Reception::WebSocket(link) => connection.link = Some(link),
            Reception::Refused => {}
        }
        self.performs(number, actions);
        if let Some(link) = self.clients[client].connection.as_ref().and_then(|connection| connection.probe) {
            self.inputs(number, |object, now, elapsed| {
                object.input(now, elapsed, false, |server| {
                    server.receive_text(link, "2probe", now).into_iter().map(owned).collect()
                })
            });
        }
    }

    fn posts(&mut self, client: usize, number: usize, body: &str) {
        let Some(Connection { object, sid, .. }) = &self.clients[client].connection else { return };
        let (name, sid) = (object.clone(), sid.clone());
        self.may_sleep(number);
        let query = Query::decode(&format!("EIO=4&transport=polling&sid={sid}"));
        let (now, elapsed) = (self.now, self.elapsed);
        let (id, reception, actions) = self.objects[number].opens(now, elapsed, &query, Method::Post, &sid);
        self.requests.insert((name, id), client);
        self.performs(number, actions);
        if reception == Reception::Body {
            self.inputs(number, |object, now, elapsed| {
                object.input(now, elapsed, true, |server| {
                    server.post(id, body, now).into_iter().map(owned).collect()
                })
            });
        }
    }

    fn inputs(&mut self, number: usize, input: impl FnOnce(&mut Object, i64, i64) -> Actions) {
        self.may_sleep(number);
        let actions = input(&mut self.objects[number], self.now, self.elapsed);
        self.performs(number, actions);
    }

    fn may_sleep(&mut self, number: usize) {
        if !self.sleeps {
            return;
        }
        let name = &self.objects[number].name;
        let mut tasks = self.tasks.iter();
        let waits = self.at_work.as_ref() == Some(name) || tasks.any(|task| task.owner() == *name);
        // A session that polls is in memory only.
        let polls = self.clients.iter().filter_map(|client| client.connection.as_ref());
        let polls = polls.filter(|connection| connection.object == *name).any(|of| of.link.is_none());
        // The room may be asking the store for a Session: a sleep would lose what the client says meanwhile.
        let is_asked_for = self.objects[number].gateway().is_some_and(Gateway::waits);
        // A known gap.
        let now = self.now;
        let forgives = self.objects[number].room().is_some_and(|room| room.forgives_in_sleep(now));
        let elapsed = self.elapsed;
        self.objects[number].may_sleep(elapsed, waits || polls || is_asked_for || forgives);
    }
}

fn owned(action: Action<'_, AnyCommand>) -> Action<'static, AnyCommand> {
    match action {
        Action::Send { to, message } => Action::Send { to, message: message.into_owned() },
        Action::Close { link, code } => Action::Close { link, code },
        Action::Respond { request, response } => Action::Respond { request, response },
        Action::Attach(link) => Action::Attach(link),
        Action::Command(command) => Action::Command(command),
    }
}
