//! An application that echoes what it receives, numbered, and does what the name of an event says.

use std::{collections::BTreeMap, convert::Infallible};

use zetra_socketio::{
    Application, Connect, Effect, Effects, Emission, Event, Open, SocketId,
    engine::{Departure, Frame, MayOpen},
};

type Out<'a> = Effects<'a, Infallible>;

/// The name of the events that are numbered.
pub(super) const NUMBERED: &str = "e";
const UNADMITTED: usize = 4;

#[derive(Default)]
pub(super) struct Echo {
    pub sockets: BTreeMap<SocketId, Socket>,
    /// Sockets that wait for [`Echo::answer`].
    pub waiting: Vec<SocketId>,
}

#[derive(Clone, Default)]
pub(super) struct Socket {
    namespace: String,
    is_accepted: bool,
    /// The number of the last event to it.
    sent: u64,
    /// Acks that it owes.
    asked: Vec<u64>,
}

/// Namespace, last number, owed acks.
pub(super) type KeptSocket = (String, u64, Vec<u64>);

impl Echo {
    pub(super) fn restored(kept: Vec<(SocketId, KeptSocket)>) -> Self {
        let socket =
            |(id, (namespace, sent, asked))| (id, Socket { namespace, is_accepted: true, sent, asked });
        Self { sockets: kept.into_iter().map(socket).collect(), waiting: Vec::new() }
    }

    /// The socket that has waited longest need not wait any longer.
    pub(super) fn answer(&mut self) -> Out<'static> {
        if self.waiting.is_empty() {
            return Vec::new();
        }
        let id = self.waiting.remove(0);
        let Some(socket) = self.sockets.get_mut(&id) else { return Vec::new() };
        let is_new = !std::mem::replace(&mut socket.is_accepted, true);
        let accept = is_new.then(|| accept(id));
        accept.into_iter().chain([Effect::Resume(id)]).collect()
    }

    /// A numbered event.
    fn emission<'a>(&mut self, id: SocketId, value: &'a str, attachments: Vec<Vec<u8>>) -> Emission<'a> {
        let socket = self.sockets.get_mut(&id).expect("it is connected");
        socket.sent += 1;
        let head = format!("{id},{}{}", socket.sent, if value.is_empty() { "" } else { "," });
        let arguments = Frame { head, relayed: value, ..Frame::default() };
        let attachments = attachments.into_iter().map(Into::into).collect();
        Emission { name: NUMBERED.into(), arguments, attachments, ..Emission::default() }
    }

    fn others(&self, id: SocketId) -> Vec<SocketId> {
        let namespace = &self.sockets.get(&id).expect("it is connected").namespace;
        let here =
            self.sockets.iter().filter(|(_, socket)| socket.is_accepted && socket.namespace == *namespace);
        here.map(|(id, _)| *id).collect()
    }
}

impl Application for Echo {
    type Command = Infallible;
    type Kept = KeptSocket;

    fn serves(&self, namespace: &str) -> bool {
        matches!(namespace, "/" | "/custom" | "/admin")
    }

    fn may_open(&self, _: &str, open: &[Open<'_>]) -> MayOpen {
        let unadmitted = open.iter().filter(|open| open.socket.is_none()).count();
        let oldest = open.first().map(|open| open.session);
        match oldest {
            _ if unadmitted < UNADMITTED => MayOpen::Yes,
            Some(oldest) if open.len().is_multiple_of(2) => MayOpen::InsteadOf(oldest),
            _ => MayOpen::No,
        }
    }

    fn connect(&mut self, connect: Connect<'_>, _: i64) -> Out<'static> {
        let Connect { socket: id, namespace, auth, .. } = connect;
        let auth = auth.unwrap_or_default();
        if auth.contains("refuse") {
            return vec![Effect::Refuse { socket: id, error: r#"{"message":"no"}"#.to_owned() }];
        }
        let is_accepted = !auth.contains("wait");
        let socket = Socket { namespace: namespace.to_owned(), is_accepted, ..Socket::default() };
        assert!(self.sockets.insert(id, socket).is_none(), "{id} connects twice");
        if is_accepted {
            return vec![accept(id)];
        }
        self.waiting.push(id);
        vec![Effect::Wait(id)]
    }

    fn event<'a>(&mut self, id: SocketId, event: Event<'a>, _: i64) -> Out<'a> {
        let Event { name, arguments, ack, attachments } = event;
        assert!(self.sockets.get(&id).is_some_and(|socket| socket.is_accepted), "an event of nobody");
        assert!(!self.waiting.contains(&id), "it waits");
        let value = arguments.first().copied().unwrap_or_default();
        let mut effects = Vec::new();
        match name {
            "\"all\"" => effects
                .push(Effect::Emit { to: self.others(id), emission: Emission::new("all", "1".to_owned()) }),
            "\"volatile\"" => {
                let emission = Emission { volatile: true, ..Emission::new("volatile", "1".to_owned()) };
                effects.push(Effect::Emit { to: self.others(id), emission });
            }
            "\"ask\"" => {
                let emission = self.emission(id, "", Vec::new());
                let asked = &mut self.sockets.get_mut(&id).expect("it is connected").asked;
                let number = asked.last().map_or(0, |last| last + 1);
                asked.push(number);
                effects.push(Effect::Emit {
                    to: vec![id],
                    emission: Emission { ack: Some(number), ..emission },
                });
            }
            "\"wait\"" => {
                self.waiting.push(id);
                effects.push(Effect::Wait(id));
            }
            "\"abandon\"" => effects.push(Effect::Abandon(id)),
            "\"leave\"" | "\"end\"" => {
                self.sockets.remove(&id);
                return vec![Effect::Disconnect { socket: id, close: name == "\"end\"" }];
            }
            _ => {
                let emission = self.emission(id, value, attachments);
                effects.push(Effect::Emit { to: vec![id], emission });
            }
        }
        let answer = |ack| Effect::Ack {
            socket: id,
            id: ack,
            arguments: arguments.join(","),
            attachments: Vec::new(),
        };
        effects.extend(ack.map(answer));
        effects.push(Effect::Keep(id));
        effects
    }

    fn acknowledged(&mut self, id: SocketId, ack: u64, _: &[&str], _: i64) -> Out<'static> {
        let socket = self.sockets.get_mut(&id).expect("it is connected");
        let asked = socket.asked.iter().position(|asked| *asked == ack).expect("an ack that was asked for");
        socket.asked.remove(asked);
        vec![Effect::Keep(id)]
    }

    fn disconnected(&mut self, id: SocketId, _: Departure, _: i64) -> Out<'static> {
        assert!(self.sockets.remove(&id).is_some(), "{id} ends twice");
        Vec::new()
    }

    fn kept(&self, id: SocketId) -> Option<KeptSocket> {
        let socket = self.sockets.get(&id).filter(|socket| socket.is_accepted)?;
        Some((socket.namespace.clone(), socket.sent, socket.asked.clone()))
    }
}

fn accept(socket: SocketId) -> Effect<'static, Infallible> {
    Effect::Accept { socket, sid: format!("sid-{socket}"), pid: None }
}
