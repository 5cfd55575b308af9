//! Turns an application's effects into packets of its clients' sessions.

use super::{Out, Postponed, SocketIo, send, send_bytes};
use crate::{
    Application, Effect, Effects, Emission, SocketId, encode,
    engine::{Departure, Message, Output, Protocol, SessionKey},
};

impl<A: Application> SocketIo<A> {
    pub(super) fn perform<'a>(&mut self, effects: Effects<'a, A::Command>, now: i64, out: &mut Out<'a, A>) {
        for effect in effects {
            match effect {
                Effect::Emit { to, emission } => self.emit(&to, emission, out),
                Effect::Ack { socket, id, arguments, attachments } => {
                    if let Some((key, client)) = self.client(socket) {
                        let namespace = client.namespace(socket).unwrap_or("/");
                        out.push(send(key, encode::ack(namespace, id, &arguments, attachments.len())));
                        out.extend(attachments.into_iter().map(|bytes| send_bytes(vec![key], bytes)));
                    }
                }
                Effect::Replay { socket, frames } => {
                    if let Some(key) = self.sockets.get(&socket).copied() {
                        out.extend(frames.into_iter().map(|frame| send(key, frame)));
                    }
                }
                Effect::Accept { socket, sid, pid } => self.accept(socket, &sid, pid.as_deref(), out),
                Effect::Refuse { socket, error } => {
                    let namespace = self.connecting.remove(&socket);
                    if let (Some(key), Some(namespace)) = (self.sockets.remove(&socket), namespace) {
                        out.push(send(key, encode::connect_error(&namespace, &error)));
                        self.resume(key, socket, now, out);
                    }
                }
                Effect::Wait(socket) => {
                    if let Some(connection) = self.connection(socket) {
                        connection.waiting.push(socket);
                        out.push(Output::Reschedule);
                    }
                }
                Effect::Resume(socket) => {
                    if let Some(key) = self.sockets.get(&socket).copied() {
                        self.resume(key, socket, now, out);
                    }
                }
                Effect::Disconnect { socket, close } => self.disconnect(socket, close, now, out),
                Effect::Abandon(socket) => {
                    out.extend(self.sockets.get(&socket).copied().map(Output::Abandon));
                }
                Effect::Keep(socket) => out.extend(self.sockets.get(&socket).copied().map(Output::Keep)),
                Effect::Reschedule => out.push(Output::Reschedule),
                Effect::Command(command) => out.push(Output::Command(command)),
            }
        }
    }

    pub(super) fn emit<'a>(&mut self, to: &[SocketId], emission: Emission<'a>, out: &mut Out<'a, A>) {
        let Emission { volatile, ack, .. } = emission;
        let mut namespace = None;
        let mut keys = Vec::with_capacity(to.len());
        for socket in to {
            let Some((key, client)) = self.client(*socket) else { continue };
            // A socket that has not joined, or has left, receives nothing.
            let Some(of_socket) = client.namespace(*socket) else { continue };
            namespace.get_or_insert_with(|| of_socket.to_owned());
            keys.push(key);
        }
        let Some(namespace) = namespace else { return };
        let limits = self.limits;
        if let Some(id) = ack {
            for socket in to {
                if let Some(connection) = self.connection(*socket) {
                    connection.client.expect_ack(*socket, id, limits);
                }
            }
            out.extend(keys.iter().map(|key| Output::Keep(*key)));
        }
        let message = Message::Text(emission.frame(&namespace));
        if emission.attachments.is_empty() {
            out.push(Output::Send { to: keys, message, volatile });
            return;
        }
        out.push(Output::Send { to: keys.clone(), message, volatile });
        out.extend(emission.attachments.into_iter().map(|bytes| Output::Send {
            to: keys.clone(),
            message: Message::Binary(bytes),
            volatile,
        }));
    }

    pub(super) fn accept(&mut self, socket: SocketId, sid: &str, pid: Option<&str>, out: &mut Out<'_, A>) {
        let Some(namespace) = self.connecting.remove(&socket) else { return };
        let Some(key) = self.sockets.get(&socket).copied() else { return };
        let Some(connection) = self.connections.get_mut(&key) else { return };
        let reply = encode::connect(&namespace, sid, pid);
        connection.client.join(namespace, socket);
        out.push(Output::Admit { session: key, admitted: true });
        out.push(Output::Keep(key));
        out.push(send(key, reply));
    }

    pub(super) fn disconnect(&mut self, socket: SocketId, close: bool, now: i64, out: &mut Out<'_, A>) {
        let Some(key) = self.sockets.remove(&socket) else { return };
        self.connecting.remove(&socket);
        let Some(connection) = self.connections.get_mut(&key) else { return };
        if let Some(namespace) = connection.client.leave(socket, now, self.limits) {
            out.push(send(key, encode::disconnect(&namespace)));
        }
        self.left(key, out);
        if close {
            self.forget(key, Departure::Left, now, out);
            out.push(Output::Close(key));
        }
    }

    /// A client that is no longer in any namespace counts as not admitted.
    pub(super) fn left(&self, key: SessionKey, out: &mut Out<'_, A>) {
        let admitted = self.connections.get(&key).is_some_and(|connection| connection.client.is_admitted());
        if !admitted {
            out.extend([Output::Admit { session: key, admitted }, Output::Reschedule]);
        }
        out.push(Output::Keep(key));
    }

    /// Plays back what the client sent while it waited.
    pub(super) fn resume(&mut self, key: SessionKey, socket: SocketId, now: i64, out: &mut Out<'_, A>) {
        let Some(connection) = self.connections.get_mut(&key) else { return };
        connection.waiting.retain(|waiting| *waiting != socket);
        while let Some(connection) = self.connections.get_mut(&key).filter(|c| c.waiting.is_empty()) {
            let Some(postponed) = connection.backlog.pop_front() else { return };
            connection.backlog_bytes -= postponed.bytes();
            let mut said = Vec::new();
            let outcome = match postponed {
                Postponed::Text(text) => {
                    let outcome = self.text(key, &text, now, &mut said);
                    for output in said {
                        out.push(output.into_owned());
                    }
                    outcome
                }
                Postponed::Binary(bytes) => self.binary(key, bytes, now, out),
            };
            if outcome.is_err() {
                out.push(Output::Fail(key));
                return;
            }
        }
    }

    pub(super) fn forget(&mut self, key: SessionKey, departure: Departure, now: i64, out: &mut Out<'_, A>) {
        let Some(connection) = self.connections.remove(&key) else { return };
        let gone: Vec<SocketId> =
            self.sockets.iter().filter(|(_, session)| **session == key).map(|(socket, _)| *socket).collect();
        for socket in gone {
            self.sockets.remove(&socket);
            self.connecting.remove(&socket);
            let left = departure == Departure::Lost && connection.says_goodbye(socket);
            let departure = if left { Departure::Left } else { departure };
            let effects = self.application.disconnected(socket, departure, now);
            self.perform(effects, now, out);
        }
    }
}
