//! What the client's room says.

use zetra_domain::RoomId;
use zetra_socketio::{
    Effect, SocketId,
    engine::{Departure, Mark},
};

use super::{Attempt, Gateway, GatewayCommand, Out, State, stored::Guest, tell};
use crate::exchange::{Delivery, FromSession};

impl Gateway {
    /// What a room says, in order.
    pub fn deliver(&mut self, from: RoomId, deliveries: Vec<Delivery>) -> Out<'static> {
        let mut out: Out<'_> =
            deliveries.into_iter().flat_map(|delivery| self.deliver_one(from, delivery)).collect();
        // What was delivered must survive a sleep: after it nobody knows what a pong proves.
        out.extend(self.guest().map(|guest| Effect::Keep(guest.socket)));
        out
    }

    /// Tells the room what has arrived, if it is news.
    pub(super) fn report(&mut self, room: RoomId, now: i64) -> Out<'static> {
        let Some(mark) = self.arrivals.take_report(now) else { return Vec::new() };
        let keep = self.guest().map(|guest| Effect::Keep(guest.socket));
        keep.into_iter().chain([tell(room, FromSession::Arrived(mark))]).collect()
    }

    fn deliver_one(&mut self, from: RoomId, delivery: Delivery) -> Out<'static> {
        let delivery = match delivery {
            // Messages keep their order: where the client had left, this object knows of it.
            Delivery::Stranger(_) if self.guest().is_some_and(|guest| guest.room == Some(from)) => {
                Delivery::Abandon
            }
            Delivery::Stranger(frame) => return self.answer(frame),
            other => other,
        };
        let Some(socket) = self.socket().filter(|_| self.listens_to(from)) else {
            // Whoever took the client in, too late to be heard, is not to keep it for ever.
            let taken =
                matches!(delivery, Delivery::Joined { joined: true, .. } | Delivery::Recovered { .. });
            return taken.then(|| tell(from, FromSession::Gone(Departure::Left))).into_iter().collect();
        };
        match delivery {
            Delivery::Frame { mark, frame } => {
                self.arrivals.delivered(mark);
                vec![Effect::Replay { socket, frames: vec![frame] }]
            }
            Delivery::Joined { joined, mark, frames } => self.joined(from, joined, mark, frames),
            Delivery::Recovered { sid, mark, frames } => self.recovered(sid, mark, frames),
            Delivery::NotRecovered => match std::mem::replace(&mut self.state, State::Empty) {
                State::Recovering(Attempt { guest, .. }) => self.welcome(guest),
                other => {
                    self.state = other;
                    Vec::new()
                }
            },
            Delivery::Left => self.left(from),
            Delivery::Disconnect => {
                self.end(from, Departure::Left, Effect::Disconnect { socket, close: true })
            }
            Delivery::Abandon => self.end(from, Departure::Lost, Effect::Abandon(socket)),
            Delivery::Stranger(_) => Vec::new(),
        }
    }

    fn joined(&mut self, room: RoomId, joined: bool, mark: Mark, frames: Vec<String>) -> Out<'static> {
        match std::mem::replace(&mut self.state, State::Empty) {
            State::Joining { guest, room: asked, .. } if asked == room => {
                self.settle(guest, room, joined, mark, frames)
            }
            State::Recovering(Attempt { guest, .. }) => {
                let (sid, pid) = (guest.sid.clone(), guest.pid.clone());
                let accept = Effect::Accept { socket: guest.socket, sid, pid: Some(pid) };
                self.lobby.connect(super::GUEST, guest.credential.clone());
                let mut out = vec![accept];
                out.extend(self.settle(guest, room, joined, mark, frames));
                out
            }
            other => {
                self.state = other;
                Vec::new()
            }
        }
    }

    /// The outcome of a join.
    fn settle(
        &mut self,
        mut guest: Guest,
        room: RoomId,
        joined: bool,
        mark: Mark,
        frames: Vec<String>,
    ) -> Out<'static> {
        let socket: SocketId = guest.socket;
        let mut out = vec![Effect::Replay { socket, frames }];
        if joined {
            let before = guest.room.replace(room).filter(|before| *before != room);
            // A socket is in one room at a time.
            out.extend(before.map(|before| tell(before, FromSession::Gone(Departure::Left))));
            self.arrivals.begin(mark);
            out.push(Effect::Command(GatewayCommand::Store));
        } else if guest.room == Some(room) {
            guest.room = None;
            out.push(Effect::Command(GatewayCommand::Forget));
        }
        self.state = State::Connected(guest);
        out.push(Effect::Resume(socket));
        out
    }

    fn recovered(&mut self, sid: String, mark: Mark, frames: Vec<String>) -> Out<'static> {
        match std::mem::replace(&mut self.state, State::Empty) {
            State::Recovering(Attempt { guest, room, pid, .. }) => {
                let socket = guest.socket;
                self.lobby.connect(super::GUEST, guest.credential.clone());
                let guest = Guest { sid: sid.clone(), pid: pid.clone(), room: Some(room), ..guest };
                self.state = State::Connected(guest);
                self.arrivals.begin(mark);
                vec![
                    Effect::Command(GatewayCommand::Store),
                    // What was missed comes before the reply: the client then knows it has everything.
                    Effect::Replay { socket, frames },
                    Effect::Accept { socket, sid, pid: Some(pid) },
                    Effect::Resume(socket),
                ]
            }
            other => {
                self.state = other;
                Vec::new()
            }
        }
    }

    fn answer(&self, frame: Option<String>) -> Out<'static> {
        let answer = self.socket().zip(frame);
        answer.map(|(socket, frame)| Effect::Replay { socket, frames: vec![frame] }).into_iter().collect()
    }

    /// The client is not in that room any more.
    fn left(&mut self, room: RoomId) -> Out<'static> {
        match &mut self.state {
            State::Connected(guest) | State::Joining { guest, .. } if guest.room == Some(room) => {
                guest.room = None;
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
        let other = self.guest().and_then(|guest| guest.room).filter(|other| *other != room);
        self.lobby.depart(super::GUEST);
        self.state = State::Empty;
        let leaving = other.map(|other| tell(other, FromSession::Gone(departure)));
        leaving.into_iter().chain([ending, Effect::Command(GatewayCommand::Forget)]).collect()
    }
}
