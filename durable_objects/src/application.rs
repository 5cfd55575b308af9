//! One type for the applications of the Room and the Session object, so that the server around them
//! is compiled once.

use serde::{Deserialize, Serialize};
use zetra_socketio::{
    Application, Connect, Effects, Event, Open, SocketId,
    engine::{Departure, Mark, MayOpen},
};

use crate::{
    room::{KeptMember, RoomApplication, RoomCommand},
    session::{Gateway, GatewayCommand, KeptClient},
};

pub(crate) enum AnyApplication {
    Room(Box<RoomApplication>),
    Session(Box<Gateway>),
}

pub(crate) enum AnyCommand {
    Room(RoomCommand),
    Session(GatewayCommand),
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum AnyKept {
    #[serde(rename = "r")]
    Room(KeptMember),
    #[serde(rename = "s")]
    Session(KeptClient),
}

type Out<'a> = Effects<'a, AnyCommand>;

impl AnyApplication {
    pub fn room(&self) -> Option<&RoomApplication> {
        match self {
            Self::Room(room) => Some(room),
            Self::Session(_) => None,
        }
    }

    pub fn session(&self) -> Option<&Gateway> {
        match self {
            Self::Session(gateway) => Some(gateway),
            Self::Room(_) => None,
        }
    }

    /// Runs `act` on the room, if this is one.
    pub fn in_room<'a>(
        &mut self,
        act: impl FnOnce(&mut RoomApplication) -> Effects<'a, RoomCommand>,
    ) -> Out<'a> {
        match self {
            Self::Room(room) => of_room(act(room)),
            Self::Session(_) => Vec::new(),
        }
    }

    /// Runs `act` on the session, if this is one.
    pub fn in_session<'a>(
        &mut self,
        act: impl FnOnce(&mut Gateway) -> Effects<'a, GatewayCommand>,
    ) -> Out<'a> {
        match self {
            Self::Session(gateway) => of_session(act(gateway)),
            Self::Room(_) => Vec::new(),
        }
    }
}

fn of_room(effects: Effects<'_, RoomCommand>) -> Out<'_> {
    effects.into_iter().map(|effect| effect.map(AnyCommand::Room)).collect()
}

fn of_session(effects: Effects<'_, GatewayCommand>) -> Out<'_> {
    effects.into_iter().map(|effect| effect.map(AnyCommand::Session)).collect()
}

/// Forwards a query to the inner application.
macro_rules! ask {
    ($self:ident, $application:ident => $question:expr) => {
        match $self {
            Self::Room($application) => $question,
            Self::Session($application) => $question,
        }
    };
}

/// Forwards an action to the inner application and wraps its effects.
macro_rules! act {
    ($self:ident, $application:ident => $act:expr) => {
        match $self {
            Self::Room($application) => of_room($act),
            Self::Session($application) => of_session($act),
        }
    };
}

impl Application for AnyApplication {
    type Command = AnyCommand;
    type Kept = AnyKept;

    fn serves(&self, namespace: &str) -> bool {
        ask!(self, application => application.serves(namespace))
    }

    fn may_open(&self, handshake: &str, open: &[Open<'_>]) -> MayOpen {
        ask!(self, application => application.may_open(handshake, open))
    }

    fn connect(&mut self, connect: Connect<'_>, now: i64) -> Out<'static> {
        act!(self, application => application.connect(connect, now))
    }

    fn event<'a>(&mut self, socket: SocketId, event: Event<'a>, now: i64) -> Out<'a> {
        act!(self, application => application.event(socket, event, now))
    }

    fn acknowledged(&mut self, socket: SocketId, id: u64, arguments: &[&str], now: i64) -> Out<'static> {
        act!(self, application => application.acknowledged(socket, id, arguments, now))
    }

    fn disconnected(&mut self, socket: SocketId, departure: Departure, now: i64) -> Out<'static> {
        act!(self, application => application.disconnected(socket, departure, now))
    }

    fn mark(&self, socket: SocketId) -> Mark {
        ask!(self, application => application.mark(socket))
    }

    fn arrived(&mut self, socket: SocketId, mark: Mark, now: i64) -> Out<'static> {
        act!(self, application => application.arrived(socket, mark, now))
    }

    fn tick(&mut self, now: i64) -> Out<'static> {
        act!(self, application => application.tick(now))
    }

    fn clock_set_back(&mut self, by: Option<i64>, now: i64) -> Out<'static> {
        act!(self, application => application.clock_set_back(by, now))
    }

    fn next_deadline(&self) -> Option<i64> {
        ask!(self, application => application.next_deadline())
    }

    fn kept(&self, socket: SocketId) -> Option<AnyKept> {
        match self {
            Self::Room(room) => room.kept(socket).map(AnyKept::Room),
            Self::Session(gateway) => gateway.kept(socket).map(AnyKept::Session),
        }
    }

    fn label(&self, handshake: &str) -> String {
        ask!(self, application => application.label(handshake))
    }

    fn held(&self) -> usize {
        ask!(self, application => application.held())
    }

    fn needs_storage(&self) -> bool {
        ask!(self, application => application.needs_storage())
    }
}
