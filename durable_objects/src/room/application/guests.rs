//! Limits for connections that are in no room: they cost memory and nobody has admitted them.

use zetra_domain::UserId;
use zetra_runtime::GuestLimits;
use zetra_signalling::{Peer, PeerId};
use zetra_socketio::{Open, SocketId, engine::MayOpen};

use super::RoomApplication;
use crate::authenticator::Handshake;

impl RoomApplication {
    /// Whether one more connection with that handshake is allowed beside those that are open. When all places are taken,
    /// the network that has the most gives one of them, its oldest, to one that has fewer: otherwise whoever opens enough of
    /// them would keep everybody else out.
    pub(super) fn room_for_guest(&self, handshake: &str, open: &[Open<'_>]) -> MayOpen {
        let GuestLimits { per_address, total, .. } = self.settings.guests;
        let address = Handshake::read(handshake).address;
        // They have not sent CONNECT, or wait for its reply.
        let unadmitted = open.iter().filter(|other| other.socket.is_none());
        let of_address = unadmitted.filter(|other| Handshake::read(other.handshake).address == address);
        if of_address.count() >= per_address {
            return MayOpen::No;
        }
        let is_guest = |other: &&Open<'_>| other.socket.is_none_or(|socket| self.is_guest(socket));
        let guests: Vec<&Open<'_>> = open.iter().filter(is_guest).collect();
        if guests.len() < total {
            return MayOpen::Yes;
        }
        let network = network_of(handshake);
        let mut networks: Vec<_> =
            guests.into_iter().map(|guest| (network_of(guest.handshake), guest.session)).collect();
        networks.sort_unstable();
        let own = networks.iter().filter(|(other, _)| *other == network).count();
        let by_network = networks.chunk_by(|(one, _), (other, _)| one == other);
        match by_network.max_by_key(|of_one| of_one.len()) {
            Some(most @ [(_, oldest), ..]) if most.len() > own + 1 => MayOpen::InsteadOf(*oldest),
            _ => MayOpen::No,
        }
    }

    fn is_guest(&self, socket: SocketId) -> bool {
        let found = self.sockets.get(&socket);
        let found = found.and_then(|peer| Some((self.members.get(peer)?, self.room.peer(*peer)?)));
        // Who is to be joined again is accepted after that, and until then unadmitted.
        found.is_some_and(|(member, peer)| member.was.is_none() && !peer.is_joined())
    }

    /// Whether one more connection of that user is allowed.
    pub(super) fn has_room_for_user(&self, user: UserId) -> bool {
        let of_user = self.guests().filter(|(_, peer)| peer.credential().user() == Some(user));
        of_user.count() < self.settings.guests.per_user
    }

    /// Whether that connection in no room is one more than its user may have.
    pub(super) fn is_too_many_of_user(&self, peer: PeerId) -> bool {
        let user = self.room.peer(peer).and_then(|peer| peer.credential().user());
        let of_user = self.guests().filter(|(_, peer)| peer.credential().user() == user);
        user.is_some() && of_user.count() > self.settings.guests.per_user
    }

    fn guests(&self) -> impl Iterator<Item = (PeerId, &Peer)> {
        let peers = self.sockets.values().filter_map(|id| Some((*id, self.room.peer(*id)?)));
        peers.filter(|(_, peer)| !peer.is_joined())
    }
}

fn network_of(handshake: &str) -> Option<String> {
    Handshake::read(handshake).address.map(|address| address.network())
}
