//! How the client is authenticated, enters a room, and leaves.

use zetra_domain::RoomId;
use zetra_signalling::{Credential, DisconnectReason};
use zetra_socketio::{Effect, SocketId, engine::Departure};

use super::{Attempt, Gateway, GatewayCommand, IN_LOBBY, Out, PATIENCE_MS, State, stored::Client, tell};
use crate::{
    authenticator::{ConnectError, Recovery, TURNED_AWAY_MS, Verification},
    exchange::{FromSession, Joining, Recovering},
    offset,
};

impl Gateway {
    /// Handles the store's result for the user of [`GatewayCommand::Verify`](super::GatewayCommand::Verify).
    pub fn verified(&mut self, socket: SocketId, verification: Verification, now: i64) -> Out<'static> {
        match std::mem::replace(&mut self.state, State::Empty) {
            State::Verifying { socket: asker, claims, recovery, connection, .. } if asker == socket => {
                match verification.admits(&claims) {
                    Ok(()) => self.enter(socket, Credential::Token(claims), recovery, connection, now),
                    // Refused, it would not try again by itself, though it may still be recovered.
                    Err(ConnectError::StoreUnavailable) if recovery.is_some() => {
                        tracing::info!(connection, "cannot be recovered while the store fails");
                        self.state = State::TurnedAway { socket, until: now + TURNED_AWAY_MS };
                        vec![Effect::Reschedule]
                    }
                    Err(error) => {
                        tracing::info!(connection, ?error, "refused");
                        vec![Effect::Refuse { socket, error: error.json() }]
                    }
                }
            }
            other => {
                self.state = other;
                Vec::new()
            }
        }
    }

    /// Lets in a client with a valid credential.
    pub(super) fn enter(
        &mut self,
        socket: SocketId,
        credential: Credential,
        recovery: Option<Recovery>,
        connection: String,
        now: i64,
    ) -> Out<'static> {
        let (sid, pid) = ((self.settings.new_id)(), (self.settings.new_id)());
        let client = Client { socket, sid, pid, credential, room: None, connection };
        let known = recovery.and_then(|recovery| Some((offset::room(&recovery.offset)?, recovery)));
        let Some((room, recovery)) = known else { return self.welcome(client) };
        let (brought, until) = (recovery.pid.clone(), now + PATIENCE_MS);
        let Client { sid, pid, credential, connection, .. } = client.clone();
        self.state = State::Recovering(Attempt { client, room, pid: brought, until });
        vec![tell(room, FromSession::Recover(Recovering { recovery, credential, sid, pid, connection }))]
    }

    /// Adds a new client.
    pub(super) fn welcome(&mut self, client: Client) -> Out<'static> {
        let (socket, sid, pid) = (client.socket, client.sid.clone(), client.pid.clone());
        tracing::info!(connection = client.connection, "connected");
        self.lobby.connect(IN_LOBBY, client.credential.clone());
        self.state = State::Connected(client);
        vec![Effect::Accept { socket, sid, pid: Some(pid) }, Effect::Resume(socket)]
    }

    pub(super) fn join(
        &mut self,
        room: RoomId,
        arguments: Vec<String>,
        ack: Option<u64>,
        now: i64,
    ) -> Out<'static> {
        let State::Connected(client) = std::mem::replace(&mut self.state, State::Empty) else {
            return Vec::new();
        };
        let Client { socket, sid, pid, credential, connection, .. } = client.clone();
        self.state = State::Joining { client, room, until: now + PATIENCE_MS };
        let rate = self.rate();
        let joining = Joining { sid, pid, credential, connection, arguments, ack, rate };
        vec![Effect::Wait(socket), tell(room, FromSession::Join(joining))]
    }

    /// The client is gone: notifies every room that has it.
    pub(super) fn part(&mut self, departure: Departure) -> Out<'static> {
        let gone = self.leave_rooms(departure);
        // The next client on this connection is another one.
        let forget = self.parted.map(|_| Effect::Command(GatewayCommand::Forget));
        gone.into_iter()
            .map(|(room, departure)| tell(room, FromSession::Gone(departure)))
            .chain(forget)
            .collect()
    }

    /// How the client leaves its room, and one that has been asked to take it. Nothing of the latter has reached it, so it
    /// cannot come back there, and its place is not held.
    pub(super) fn leave_rooms(&mut self, departure: Departure) -> Vec<(RoomId, Departure)> {
        self.lobby.depart(IN_LOBBY, DisconnectReason::Left);
        let (own, asked) = match std::mem::replace(&mut self.state, State::Empty) {
            State::Empty | State::Verifying { .. } | State::TurnedAway { .. } => (None, None),
            State::Recovering(Attempt { room, .. }) => (Some(room), None),
            State::Connected(client) => (client.room, None),
            State::Joining { client, room, .. } => {
                (client.room, Some(room).filter(|_| client.room != Some(room)))
            }
        };
        (self.parted, self.left_behind) = (own.map(|room| (room, departure)), None);
        let from_asked = match departure {
            Departure::Lost | Departure::Overloaded => Departure::Left,
            Departure::Left | Departure::Ended => departure,
        };
        self.parted.into_iter().chain(asked.map(|room| (room, from_asked))).collect()
    }
}
