//! Entering clients: as the peer they were, as one that is joined again, or as a new one.

use zetra_domain::UserId;
use zetra_signalling::{Credential, DisconnectReason, PeerId};
use zetra_socketio::{Effect, SocketId, engine::Mark};

use super::{
    Out, RoomApplication, deliver,
    emission::receiver,
    member::{Address, Member, is_same},
};
use crate::{
    authenticator::{ConnectError, Recovery},
    exchange::Delivery,
    offset,
};

/// What a client presents besides its credential.
pub(super) struct Presented {
    pub recovery: Option<Recovery>,
    /// Its connection's name in the log.
    pub connection: String,
    /// The ordinal of its arrival: the newest one holds a `pid`, whenever the store answers.
    pub arrival: u64,
}

/// The status of a client that presents a `pid`.
enum Returning {
    /// It recovers, and missed these frames.
    Recovered {
        peer: PeerId,
        sid: String,
        pid: String,
        frames: Vec<String>,
    },
    /// A newer connection holds it.
    Superseded,
    /// The host has removed it or ended the room, or it was replaced. The farewell, unless it has heard it.
    PutOut {
        was: PeerId,
        farewell: Option<String>,
    },
    /// It was lost, and it is unknown what it missed.
    Lost(Lost),
    New,
}

struct Lost {
    was: PeerId,
    user: UserId,
    /// What it presented, and what it should know.
    pids: Vec<String>,
}

impl RoomApplication {
    /// A client presents itself.
    pub(super) fn present(&mut self, recovery: Option<Recovery>, connection: String) -> Presented {
        self.arrivals += 1;
        Presented { recovery, connection, arrival: self.arrivals }
    }

    /// Lets in a socket whose credential is valid.
    pub(super) fn enter(
        &mut self,
        socket: SocketId,
        credential: Credential,
        presented: Presented,
        now: i64,
    ) -> Out<'static> {
        let address = Address::Here(socket);
        let returning = self.returning(&presented, &credential);
        let mut out = self.end_predecessor(&returning, &presented, &credential, now);
        match returning {
            Returning::Recovered { peer, sid, pid, frames } => {
                let mut out = self.recover(peer, credential, address, presented, now);
                // Missed frames come before the reply, after which the client has everything.
                out.push(Effect::Replay { socket, frames });
                out.push(Effect::Accept { socket, sid, pid: Some(pid) });
                out.push(Effect::Resume(socket));
                out
            }
            Returning::Superseded => vec![Effect::Abandon(socket)],
            // It is accepted once the store has answered: it must not take itself for connected, and be in no room.
            Returning::Lost(lost) => {
                let ids = ((self.settings.new_id)(), (self.settings.new_id)());
                self.rejoin(lost, ids, address, credential, presented, now)
            }
            Returning::PutOut { was, farewell } => {
                self.forget_one_lost(was, &mut out);
                // Before the reply, as everything that was missed: it is known when the client is told that it is connected.
                out.extend(farewell.map(|farewell| Effect::Replay { socket, frames: vec![farewell] }));
                out.extend(self.welcome(socket, credential, presented, now));
                out
            }
            Returning::New if credential.user().is_some_and(|user| !self.has_room_for_user(user)) => {
                let error = ConnectError::TooManyConnections;
                tracing::info!(connection = presented.connection, room = %self.id, ?error, "refused");
                out.push(Effect::Refuse { socket, error: error.json() });
                out
            }
            Returning::New => {
                out.extend(self.welcome(socket, credential, presented, now));
                out
            }
        }
    }

    /// Lets in a new client.
    fn welcome(
        &mut self,
        socket: SocketId,
        credential: Credential,
        presented: Presented,
        now: i64,
    ) -> Out<'static> {
        let mut out = Vec::new();
        let (sid, pid) = ((self.settings.new_id)(), (self.settings.new_id)());
        tracing::info!(connection = presented.connection, room = %self.id, "connected");
        let address = Address::Here(socket);
        self.add((sid.clone(), pid.clone()), address, credential, presented, now, &mut out);
        out.push(Effect::Accept { socket, sid, pid: Some(pid) });
        out.push(Effect::Resume(socket));
        out
    }

    /// The same for the client of a Session object, which proposes `sid` and `pid` for a new one.
    pub(super) fn recover_for(
        &mut self,
        session: &str,
        credential: Credential,
        presented: Presented,
        proposed: (String, String),
        now: i64,
    ) -> Out<'static> {
        let address = Address::Session(session.to_owned());
        let returning = self.returning(&presented, &credential);
        let mut out = self.end_predecessor(&returning, &presented, &credential, now);
        match returning {
            Returning::Recovered { peer, sid, frames, .. } => {
                let mut out = self.recover(peer, credential, address, presented, now);
                let mark = self.log.mark();
                out.push(deliver(session, Delivery::Recovered { sid, mark, frames }));
                out
            }
            Returning::Superseded => vec![deliver(session, Delivery::Abandon)],
            Returning::Lost(lost) => self.rejoin(lost, proposed, address, credential, presented, now),
            Returning::PutOut { was, farewell } => {
                self.forget_one_lost(was, &mut out);
                out.extend(self.perform(Vec::new(), now));
                out.extend(farewell.map(|farewell| deliver(session, Delivery::Stranger(Some(farewell)))));
                out.push(deliver(session, Delivery::NotRecovered));
                out
            }
            Returning::New => {
                out.push(deliver(session, Delivery::NotRecovered));
                out
            }
        }
    }

    /// Ends the connection, in no room, that the client had before, if it cannot go on with it: there is one for a `pid`.
    fn end_predecessor(
        &mut self,
        returning: &Returning,
        presented: &Presented,
        credential: &Credential,
        now: i64,
    ) -> Out<'static> {
        let mut out = Vec::new();
        let pid = presented.recovery.as_ref().map(|recovery| &recovery.pid);
        let before = pid.filter(|_| matches!(returning, Returning::New | Returning::PutOut { .. }));
        let Some(before) = before.and_then(|pid| self.member_of(pid)) else { return out };
        let same = self.room.peer(before).filter(|known| known.credential().user() == credential.user());
        if same.is_some_and(|known| !known.is_joined()) {
            out.extend(self.detach(before));
            let effects = self.room.depart(before, DisconnectReason::Left);
            out.extend(self.perform(effects, now));
        }
        out
    }

    /// Queries the store as if the client, which is a new one with that `sid` and `pid`, had sent `join-room`.
    fn rejoin(
        &mut self,
        Lost { was, user, pids }: Lost,
        ids: (String, String),
        address: Address,
        credential: Credential,
        presented: Presented,
        now: i64,
    ) -> Out<'static> {
        let mut out = self.let_go(was, now);
        let peer = self.add(ids, address, credential, presented, now, &mut out);
        let Some(member) = self.members.get_mut(&peer) else { return out };
        member.was = Some((was, pids));
        tracing::info!(connection = member.connection, room = %self.id, peer = peer.0, was = was.0, "not recovered, joins again");
        let effect = self.room.look_up(peer, user, None);
        out.extend(self.perform(effect.into_iter().collect(), now));
        out
    }

    fn returning(&self, presented: &Presented, credential: &Credential) -> Returning {
        // With another room's offset the pid is ignored.
        let Some(recovery) =
            presented.recovery.as_ref().filter(|recovery| offset::room(&recovery.offset) == Some(self.id))
        else {
            return Returning::New;
        };
        if let Some(peer) = self.member_of(&recovery.pid) {
            let known = self.room.peer(peer).filter(|known| known.credential().user() == credential.user());
            let (Some(known), Some(member)) = (known, self.members.get(&peer)) else { return Returning::New };
            if member.arrival > presented.arrival {
                return Returning::Superseded;
            }
            if let Some(user) = known.user() {
                return self.returning_member(peer, user, member, recovery);
            }
            // It is no longer in the room, and perhaps it does not know why.
        }
        let lost = self.lost.iter().find(|(_, lost)| lost.holds(&recovery.pid));
        let same = lost.filter(|(_, lost)| credential.user() == lost.has_token.then_some(lost.user));
        same.map_or(Returning::New, |(&was, lost)| match lost.put_out {
            Some(why) => {
                let is_missed = !lost.has_heard(&recovery.offset);
                let farewell = is_missed.then(|| self.farewell(why, &recovery.offset));
                Returning::PutOut { was, farewell }
            }
            None => {
                let pids = distinct_pids(&recovery.pid, &lost.pid);
                Returning::Lost(Lost { was, user: lost.user, pids })
            }
        })
    }

    /// The status of a client that is in the room, perhaps over a connection that nobody knows to be dead.
    fn returning_member(
        &self,
        peer: PeerId,
        user: UserId,
        member: &Member,
        Recovery { pid, offset }: &Recovery,
    ) -> Returning {
        // Of who presents a former one it is unknown what it has missed.
        let is_current = is_same(&member.pid, pid);
        match is_current.then(|| self.log.missed(receiver(peer), offset)).flatten() {
            Some(frames) => {
                let (sid, pid) = (member.sid.clone(), member.pid.clone());
                Returning::Recovered { peer, sid, pid, frames }
            }
            None => Returning::Lost(Lost { was: peer, user, pids: distinct_pids(pid, &member.pid) }),
        }
    }

    /// The member with that recovery secret.
    pub(super) fn member_of(&self, pid: &str) -> Option<PeerId> {
        self.members.iter().find(|(_, member)| member.holds(pid)).map(|(peer, _)| *peer)
    }

    /// Gives a peer a new address. Its previous connection is gone.
    fn recover(
        &mut self,
        peer: PeerId,
        credential: Credential,
        address: Address,
        Presented { connection, arrival, .. }: Presented,
        now: i64,
    ) -> Out<'static> {
        let mut out = self.detach(peer);
        if let Some(member) = self.members.get_mut(&peer) {
            tracing::info!(connection, before = member.connection, room = %self.id, peer = peer.0, "recovered");
            if let Address::Here(socket) = address {
                self.sockets.insert(socket, peer);
            }
            (member.address, member.connection, member.arrival) = (address, connection, arrival);
        }
        let effect = self.room.recover(peer, credential);
        out.extend(self.perform(vec![effect], now));
        out
    }

    /// A member that may have missed something, or that returned elsewhere but cannot recover there, becomes lost here.
    pub(super) fn let_go(&mut self, peer: PeerId, now: i64) -> Out<'static> {
        let detached = self.detach(peer);
        self.unsettled.extend(detached);
        let is_present = self.room.peer(peer).is_some_and(|peer| peer.held_until().is_none());
        let effects = if is_present { self.room.lose(peer, now) } else { Vec::new() };
        self.perform(effects, now)
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

    /// Adds a new client, with its `sid` and `pid`.
    pub(super) fn add(
        &mut self,
        (sid, pid): (String, String),
        address: Address,
        credential: Credential,
        Presented { connection, arrival, .. }: Presented,
        now: i64,
        out: &mut Out<'static>,
    ) -> PeerId {
        let here = if let Address::Here(socket) = address { Some(socket) } else { None };
        let peer = self.new_peer(Member { arrival, ..Member::new(sid, pid, address, connection) });
        here.map(|socket| self.sockets.insert(socket, peer));
        let effect = self.room.connect(peer, credential);
        out.extend(self.perform(vec![effect], now));
        peer
    }

    /// Everything sent to the peer up to the mark has arrived.
    pub(super) fn arrived_at(&mut self, peer: PeerId, mark: Mark, now: i64) -> Out<'static> {
        self.log.acknowledge(receiver(peer), mark);
        self.perform(Vec::new(), now)
    }
}

/// Both secrets, without repetition: they are usually equal.
fn distinct_pids(presented: &str, current: &str) -> Vec<String> {
    let mut pids = vec![current.to_owned()];
    if !is_same(presented, current) {
        pids.push(presented.to_owned());
    }
    pids
}
