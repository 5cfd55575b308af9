//! Entering clients: as the peer they were, as one that is joined again, or as a new one.

use subtle::ConstantTimeEq;
use zetra_domain::UserId;
use zetra_signalling::{Credential, PeerId};
use zetra_socketio::{Effect, SocketId, engine::Mark};

use super::{
    Out, RoomApplication, deliver,
    emission::receiver,
    member::{Address, Member},
};
use crate::{
    authenticator::{ConnectError, Recovery},
    exchange::Delivery,
    offset,
};

/// The status of a client that presents a `pid`.
enum Returning {
    /// It recovers, and missed these frames.
    Recovered {
        peer: PeerId,
        sid: String,
        pid: String,
        frames: Vec<String>,
    },
    /// It was lost, and it is unknown what it missed.
    Lost {
        was: PeerId,
        user: UserId,
    },
    New,
}

impl RoomApplication {
    /// Lets in a socket whose credential is valid.
    pub(super) fn enter(
        &mut self,
        socket: SocketId,
        credential: Credential,
        recovery: Option<Recovery>,
        connection: String,
        now: i64,
    ) -> Out<'static> {
        let address = Address::Here(socket);
        match recovery.map_or(Returning::New, |recovery| self.returning(&recovery, &credential)) {
            Returning::Recovered { peer, sid, pid, frames } => {
                let mut out = self.recover(peer, credential, address, connection, now);
                // Missed frames come before the reply, after which the client has everything.
                out.push(Effect::Replay { socket, frames });
                out.push(Effect::Accept { socket, sid, pid: Some(pid) });
                out.push(Effect::Resume(socket));
                out
            }
            Returning::New | Returning::Lost { .. }
                if credential.user().is_some_and(|user| !self.has_room_for_user(user)) =>
            {
                let error = ConnectError::TooManyConnections;
                tracing::info!(connection, room = %self.id, ?error, "refused");
                vec![Effect::Refuse { socket, error: error.json() }]
            }
            Returning::Lost { was, user } => {
                let mut out = self.let_go(was, now);
                let peer = self.welcome(socket, credential, connection, now, &mut out);
                out.extend(self.rejoin(peer, was, user, now));
                out
            }
            Returning::New => {
                let mut out = Vec::new();
                self.welcome(socket, credential, connection, now, &mut out);
                out.push(Effect::Resume(socket));
                out
            }
        }
    }

    /// The same for the client of a Session object, which proposes `sid` and `pid` for a new one.
    pub(super) fn recover_for(
        &mut self,
        session: &str,
        recovery: &Recovery,
        credential: Credential,
        (sid, pid): (String, String),
        connection: String,
        now: i64,
    ) -> Out<'static> {
        let address = Address::Session(session.to_owned());
        match self.returning(recovery, &credential) {
            Returning::Recovered { peer, sid, frames, .. } => {
                let mut out = self.recover(peer, credential, address, connection, now);
                let mark = self.log.mark();
                out.push(deliver(session, Delivery::Recovered { sid, mark, frames }));
                out
            }
            Returning::Lost { was, user } => {
                let mut out = self.let_go(was, now);
                let peer = self.new_peer(Member::new(sid, pid, address, connection));
                let effect = self.room.connect(peer, credential);
                out.extend(self.perform(vec![effect], now));
                out.extend(self.rejoin(peer, was, user, now));
                out
            }
            Returning::New => vec![deliver(session, Delivery::NotRecovered)],
        }
    }

    /// Queries the store as if the client had sent `join-room`.
    fn rejoin(&mut self, peer: PeerId, was: PeerId, user: UserId, now: i64) -> Out<'static> {
        let Some(member) = self.members.get_mut(&peer) else { return Vec::new() };
        member.was = Some(was);
        tracing::info!(connection = member.connection, room = %self.id, peer = peer.0, was = was.0, "not recovered, joins again");
        let effect = self.room.look_up(peer, user, None);
        self.perform(effect.into_iter().collect(), now)
    }

    fn returning(&self, recovery: &Recovery, credential: &Credential) -> Returning {
        // With another room's offset the pid is ignored.
        if offset::room(&recovery.offset) != Some(self.id) {
            return Returning::New;
        }
        let is_known = |pid: &str| bool::from(pid.as_bytes().ct_eq(recovery.pid.as_bytes()));
        if let Some((&peer, member)) = self.members.iter().find(|(_, member)| is_known(&member.pid)) {
            let known = self.room.peer(peer).filter(|known| known.credential().user() == credential.user());
            let Some(user) = known.and_then(|known| known.user()) else { return Returning::New };
            return match self.log.missed(receiver(peer), &recovery.offset) {
                Some(frames) => {
                    let (sid, pid) = (member.sid.clone(), member.pid.clone());
                    Returning::Recovered { peer, sid, pid, frames }
                }
                None => Returning::Lost { was: peer, user },
            };
        }
        let lost = self.lost.iter().find(|(_, lost)| is_known(&lost.pid));
        let same = lost.filter(|(_, lost)| credential.user() == lost.has_token.then_some(lost.user));
        same.map_or(Returning::New, |(was, lost)| Returning::Lost { was: *was, user: lost.user })
    }

    /// Gives a peer a new address. Its previous connection is gone.
    fn recover(
        &mut self,
        peer: PeerId,
        credential: Credential,
        address: Address,
        connection: String,
        now: i64,
    ) -> Out<'static> {
        let mut out = self.detach(peer);
        if let Some(member) = self.members.get_mut(&peer) {
            tracing::info!(connection, before = member.connection, room = %self.id, peer = peer.0, "recovered");
            if let Address::Here(socket) = address {
                self.sockets.insert(socket, peer);
            }
            (member.address, member.connection) = (address, connection);
        }
        let effect = self.room.recover(peer, credential);
        out.extend(self.perform(vec![effect], now));
        out
    }

    /// A member that returned elsewhere but cannot recover there becomes lost here.
    fn let_go(&mut self, peer: PeerId, now: i64) -> Out<'static> {
        let mut out = self.detach(peer);
        if self.room.peer(peer).is_some_and(|peer| peer.held_until().is_none()) {
            let effects = self.room.lose(peer, now);
            out.extend(self.perform(effects, now));
        }
        out
    }

    /// Ends the connection by which the peer is reached.
    pub(super) fn detach(&mut self, peer: PeerId) -> Out<'static> {
        let Some(member) = self.members.get_mut(&peer) else { return Vec::new() };
        match std::mem::replace(&mut member.address, Address::Nowhere) {
            Address::Here(socket) => {
                self.sockets.remove(&socket);
                vec![Effect::Abandon(socket)]
            }
            Address::Session(session) => vec![deliver(&session, Delivery::Abandon)],
            Address::Nowhere => Vec::new(),
        }
    }

    /// Adds a new client.
    fn welcome(
        &mut self,
        socket: SocketId,
        credential: Credential,
        connection: String,
        now: i64,
        out: &mut Out<'static>,
    ) -> PeerId {
        let (sid, pid) = ((self.settings.new_id)(), (self.settings.new_id)());
        tracing::info!(connection, room = %self.id, "connected");
        let member = Member::new(sid.clone(), pid.clone(), Address::Here(socket), connection);
        let peer = self.new_peer(member);
        self.sockets.insert(socket, peer);
        let effect = self.room.connect(peer, credential);
        out.extend(self.perform(vec![effect], now));
        out.push(Effect::Accept { socket, sid, pid: Some(pid) });
        peer
    }

    /// Everything sent to the peer up to the mark has arrived.
    pub(super) fn arrived_at(&mut self, peer: PeerId, mark: Mark, now: i64) -> Out<'static> {
        self.log.acknowledge(receiver(peer), mark);
        self.perform(Vec::new(), now)
    }
}
