//! Handles the messages of the client's room.

use zetra_domain::RoomId;
use zetra_socketio::{
    Effect, SocketId,
    engine::{Departure, Mark},
};

use super::{Attempt, Gateway, GatewayCommand, Out, State, stored::Client, tell};
use crate::exchange::{Delivery, FromSession};

impl Gateway {
    /// Handles a room's messages, in order.
    pub fn deliver(&mut self, from: RoomId, deliveries: Vec<Delivery>) -> Out<'static> {
        let mut out: Out<'_> =
            deliveries.into_iter().flat_map(|delivery| self.deliver_one(from, delivery)).collect();
        // The marks must survive hibernation: without them a pong proves nothing.
        out.extend(self.client().map(|client| Effect::Keep(client.socket)));
        out
    }

    /// Reports to the room what has arrived, if that has changed.
    pub(super) fn report(&mut self, room: RoomId, now: i64) -> Out<'static> {
        let Some(mark) = self.arrivals.take_report(now) else { return Vec::new() };
        let keep = self.client().map(|client| Effect::Keep(client.socket));
        keep.into_iter().chain([tell(room, FromSession::Arrived(mark))]).collect()
    }

    fn deliver_one(&mut self, from: RoomId, delivery: Delivery) -> Out<'static> {
        let Some(socket) = self.socket() else { return too_late(from, &delivery) };
        match delivery {
            // Messages keep their order: if the client had left, this object would already have been notified.
            Delivery::Stranger(_) if self.client().is_some_and(|client| client.room == Some(from)) => {
                self.end(from, Departure::Lost, Effect::Abandon(socket))
            }
            Delivery::Stranger(frame) => {
                let answer = frame.map(|frame| Effect::Replay { socket, frames: vec![frame] });
                answer.into_iter().collect()
            }
            Delivery::Frame { frame, .. } if self.left_behind == Some(from) && is_ack(&frame) => {
                vec![Effect::Replay { socket, frames: vec![frame] }]
            }
            delivery if !self.listens_to(from) => too_late(from, &delivery),
            // It has been in no room yet that could tell it anything.
            Delivery::Frame { .. } if matches!(self.state, State::Recovering(_)) => Vec::new(),
            Delivery::Frame { mark, frame } => {
                self.arrivals.delivered(mark);
                vec![Effect::Replay { socket, frames: vec![frame] }]
            }
            Delivery::Joined { joined, mark, frames } => self.joined(from, joined, mark, frames),
            Delivery::Recovered { sid, mark, frames } => self.recovered(sid, mark, frames),
            Delivery::NotRecovered => match self.take_attempt() {
                Some(Attempt { client, .. }) => self.welcome(client),
                None => Vec::new(),
            },
            Delivery::Left => self.left(from),
            Delivery::Disconnect => {
                self.end(from, Departure::Left, Effect::Disconnect { socket, close: true })
            }
            Delivery::Abandon => self.end(from, Departure::Lost, Effect::Abandon(socket)),
        }
    }

    fn joined(&mut self, room: RoomId, joined: bool, mark: Mark, frames: Vec<String>) -> Out<'static> {
        match std::mem::replace(&mut self.state, State::Empty) {
            State::Joining { client, room: asked, .. } if asked == room => {
                self.settle(client, room, joined, mark, frames)
            }
            State::Recovering(Attempt { client, .. }) => {
                let (sid, pid) = (client.sid.clone(), client.pid.clone());
                let accept = Effect::Accept { socket: client.socket, sid, pid: Some(pid) };
                self.lobby.connect(super::IN_LOBBY, client.credential.clone());
                let mut out = vec![accept];
                out.extend(self.settle(client, room, joined, mark, frames));
                out
            }
            other => {
                self.state = other;
                Vec::new()
            }
        }
    }

    /// Handles the outcome of a join.
    fn settle(
        &mut self,
        mut client: Client,
        room: RoomId,
        joined: bool,
        mark: Mark,
        frames: Vec<String>,
    ) -> Out<'static> {
        let socket: SocketId = client.socket;
        let mut out = vec![Effect::Replay { socket, frames }];
        if joined {
            let before = client.room.replace(room).filter(|before| *before != room);
            self.left_behind = before.or(self.left_behind).filter(|left| *left != room);
            self.retold.retain(|retold| *retold != room);
            // A socket is in one room at a time.
            out.extend(before.map(|before| tell(before, FromSession::Gone(Departure::Left))));
            self.arrivals.begin(mark);
            out.push(Effect::Command(GatewayCommand::Store));
        } else if client.room == Some(room) {
            client.room = None;
            out.push(Effect::Command(GatewayCommand::Forget));
        }
        self.state = State::Connected(client);
        out.push(Effect::Resume(socket));
        out
    }

    fn recovered(&mut self, sid: String, mark: Mark, frames: Vec<String>) -> Out<'static> {
        let Some(Attempt { client, room, pid, .. }) = self.take_attempt() else { return Vec::new() };
        let socket = client.socket;
        self.lobby.connect(super::IN_LOBBY, client.credential.clone());
        let client = Client { sid: sid.clone(), pid: pid.clone(), room: Some(room), ..client };
        self.state = State::Connected(client);
        self.arrivals.begin(mark);
        vec![
            Effect::Command(GatewayCommand::Store),
            // Missed frames come before the reply, after which the client has everything.
            Effect::Replay { socket, frames },
            Effect::Accept { socket, sid, pid: Some(pid) },
            Effect::Resume(socket),
        ]
    }

    /// Takes the pending recovery attempt, if there is one.
    fn take_attempt(&mut self) -> Option<Attempt> {
        match std::mem::replace(&mut self.state, State::Empty) {
            State::Recovering(attempt) => Some(attempt),
            other => {
                self.state = other;
                None
            }
        }
    }

    /// The client is no longer in that room.
    fn left(&mut self, room: RoomId) -> Out<'static> {
        match &mut self.state {
            State::Connected(client) | State::Joining { client, .. } if client.room == Some(room) => {
                client.room = None;
                vec![Effect::Command(GatewayCommand::Forget)]
            }
            _ => Vec::new(),
        }
    }

    /// That room has forgotten the client already, and ends its connection.
    fn end(
        &mut self,
        room: RoomId,
        departure: Departure,
        ending: Effect<'static, GatewayCommand>,
    ) -> Out<'static> {
        let others = self.leave_rooms(departure).into_iter().filter(|(other, _)| *other != room);
        let leaving = others.map(|(other, departure)| tell(other, FromSession::Gone(departure)));
        leaving.chain([ending, Effect::Command(GatewayCommand::Forget)]).collect()
    }
}

/// `43…`: no binary data comes from a room.
fn is_ack(frame: &str) -> bool {
    frame.starts_with("43")
}

/// A room that admits the client after it has stopped waiting must not keep it.
fn too_late(from: RoomId, delivery: &Delivery) -> Out<'static> {
    let taken = matches!(delivery, Delivery::Joined { joined: true, .. } | Delivery::Recovered { .. });
    taken.then(|| tell(from, FromSession::Gone(Departure::Left))).into_iter().collect()
}
