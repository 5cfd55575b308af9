//! Entering clients: as the peer they were, as one that is joined again, or as a new one.

use zetra_domain::UserId;
use zetra_signalling::{Credential, HostAction, Outgoing, PeerId};
use zetra_socketio::{Effect, SocketId, engine::Mark};

use super::{
    Out, RoomApplication, deliver,
    emission::receiver,
    member::{Address, LostMember, Member, is_same},
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
    /// It was lost, and the host has removed it or ended the room since.
    PutOut {
        was: PeerId,
        farewell: String,
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
        match self.returning(&presented, &credential) {
            Returning::Recovered { peer, sid, pid, frames } => {
                let mut out = self.recover(peer, credential, address, presented, now);
                // Missed frames come before the reply, after which the client has everything.
                out.push(Effect::Replay { socket, frames });
                out.push(Effect::Accept { socket, sid, pid: Some(pid) });
                out.push(Effect::Resume(socket));
                out
            }
            Returning::Superseded => vec![Effect::Abandon(socket)],
            Returning::New | Returning::Lost(_) | Returning::PutOut { .. }
                if credential.user().is_some_and(|user| !self.has_room_for_user(user)) =>
            {
                let error = ConnectError::TooManyConnections;
                tracing::info!(connection = presented.connection, room = %self.id, ?error, "refused");
                vec![Effect::Refuse { socket, error: error.json() }]
            }
            // It is accepted once the store has answered: it must not take itself for connected, and be in no room.
            Returning::Lost(lost) => {
                let ids = ((self.settings.new_id)(), (self.settings.new_id)());
                self.rejoin(lost, ids, address, credential, presented, now)
            }
            Returning::PutOut { was, farewell } => {
                let mut out = Vec::new();
                self.forget_one_lost(was, &mut out);
                out.extend(self.enter(socket, credential, Presented { recovery: None, ..presented }, now));
                out.push(Effect::Replay { socket, frames: vec![farewell] });
                out
            }
            Returning::New => {
                let mut out = Vec::new();
                let (sid, pid) = ((self.settings.new_id)(), (self.settings.new_id)());
                tracing::info!(connection = presented.connection, room = %self.id, "connected");
                self.add((sid.clone(), pid.clone()), address, credential, presented, now, &mut out);
                out.push(Effect::Accept { socket, sid, pid: Some(pid) });
                out.push(Effect::Resume(socket));
                out
            }
        }
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
        match self.returning(&presented, &credential) {
            Returning::Recovered { peer, sid, frames, .. } => {
                let mut out = self.recover(peer, credential, address, presented, now);
                let mark = self.log.mark();
                out.push(deliver(session, Delivery::Recovered { sid, mark, frames }));
                out
            }
            Returning::Superseded => vec![deliver(session, Delivery::Abandon)],
            Returning::Lost(lost) => self.rejoin(lost, proposed, address, credential, presented, now),
            Returning::PutOut { was, farewell } => {
                let mut out = Vec::new();
                self.forget_one_lost(was, &mut out);
                out.extend(self.perform(Vec::new(), now));
                let farewell = Delivery::Stranger(Some(farewell));
                out.extend([deliver(session, Delivery::NotRecovered), deliver(session, farewell)]);
                out
            }
            Returning::New => vec![deliver(session, Delivery::NotRecovered)],
        }
    }

    /// What everybody in the room was told. It leaves the client's position as it is, so its offset is the client's own.
    fn farewell(&self, action: HostAction, offset: &str) -> String {
        let room = self.id;
        let event = match action {
            HostAction::End { by } => Outgoing::RoomEnded { room, by },
            HostAction::Remove { by, .. } => Outgoing::Removed { room, by },
        };
        offset::emission(&event, Some(offset)).frame("/").text()
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
            let user = known.and_then(|known| known.user());
            let (Some(user), Some(member)) = (user, self.members.get(&peer)) else { return Returning::New };
            if member.arrival > presented.arrival {
                return Returning::Superseded;
            }
            // Of who presents a former one it is unknown what it has missed.
            let is_current = is_same(&member.pid, &recovery.pid);
            let missed = is_current.then(|| self.log.missed(receiver(peer), &recovery.offset)).flatten();
            return match missed {
                Some(frames) => {
                    let (sid, pid) = (member.sid.clone(), member.pid.clone());
                    Returning::Recovered { peer, sid, pid, frames }
                }
                None => Returning::Lost(Lost { was: peer, user, pids: both(&recovery.pid, &member.pid) }),
            };
        }
        let lost = self.lost.iter().find(|(_, lost)| lost.holds(&recovery.pid));
        let same = lost.filter(|(_, lost)| credential.user() == lost.has_token.then_some(lost.user));
        same.map_or(Returning::New, |(&was, LostMember { user, put_out, pid, .. })| match *put_out {
            Some(action) => Returning::PutOut { was, farewell: self.farewell(action, &recovery.offset) },
            None => Returning::Lost(Lost { was, user: *user, pids: both(&recovery.pid, pid) }),
        })
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

/// What was presented and what is current, which mostly are the same.
fn both(presented: &str, current: &str) -> Vec<String> {
    let mut pids = vec![current.to_owned()];
    if !is_same(presented, current) {
        pids.push(presented.to_owned());
    }
    pids
}
