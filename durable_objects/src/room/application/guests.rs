//! Limits for connections that are in no room: they cost memory and nobody has admitted them.

use zetra_domain::UserId;
use zetra_runtime::GuestLimits;
use zetra_signalling::{Peer, PeerId};

use super::RoomApplication;
use crate::authenticator::Handshake;

impl RoomApplication {
    /// Whether one more connection with that handshake is allowed. `unadmitted` are the handshakes of
    /// connections that have not sent CONNECT or wait for its reply.
    pub(super) fn has_room_for_guest(&self, handshake: &str, unadmitted: &[&str]) -> bool {
        let GuestLimits { per_address, total, .. } = self.settings.guests;
        let address_of = |handshake: &str| Handshake::read(handshake).address;
        let address = address_of(handshake);
        let of_address = unadmitted.iter().filter(|other| address_of(other) == address).count();
        // Who is to be joined again is accepted after that, and until then unadmitted.
        let is_accepted = |peer| self.members.get(&peer).is_some_and(|member| member.was.is_none());
        let guests = self.guests().filter(|(peer, _)| is_accepted(*peer)).count();
        of_address < per_address && unadmitted.len() + guests < total
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
