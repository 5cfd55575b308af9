//! Limits for connections that are in no room: they cost memory and nobody has admitted them.

use zetra_domain::UserId;
use zetra_runtime::GuestLimits;
use zetra_signalling::Peer;

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
        of_address < per_address && unadmitted.len() + self.guests().count() < total
    }

    /// Whether one more connection of that user is allowed.
    pub(super) fn has_room_for_user(&self, user: UserId) -> bool {
        let of_user = self.guests().filter(|peer| peer.credential().user() == Some(user));
        of_user.count() < self.settings.guests.per_user
    }

    fn guests(&self) -> impl Iterator<Item = &Peer> {
        let peers = self.sockets.values().filter_map(|peer| self.room.peer(*peer));
        peers.filter(|peer| !peer.is_joined())
    }
}
