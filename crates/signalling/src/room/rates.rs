//! What people have sent too fast is theirs, not their connection's: neither a new connection nor another tab has a new burst.

use zetra_domain::UserId;

use super::{Effect, Room};
use crate::{Peer, PeerId, Rate};

impl Room {
    /// In a lobby: the peer has sent an event to the room that it is in, which judges it. It counts for what it sends next,
    /// here and in the next room.
    pub fn event_elsewhere(&mut self, id: PeerId, bytes: usize, now: i64) -> Option<Effect<'static>> {
        let peer = self.peers.get_mut(&id)?;
        peer.rate.count_elsewhere(now, bytes, self.limits);
        peer.rate.is_worth_keeping(now).then_some(Effect::Keep(id))
    }

    /// In a lobby: whether the peer is in a room elsewhere, with whose burst its next event is judged.
    pub fn set_elsewhere(&mut self, is_elsewhere: bool) {
        self.is_elsewhere = is_elsewhere;
    }

    /// What the peer has sent until now, elsewhere or before a sleep.
    pub fn inherit_rate(&mut self, id: PeerId, rate: Rate) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.rate.owes_too(rate);
        }
    }

    /// When the last of those who have gone will have paid, in milliseconds since the epoch. A sleep before that forgives it.
    pub fn departed_have_paid_at(&self) -> Option<i64> {
        self.debts.values().map(Rate::paid_at).max()
    }

    /// A peer is that user: what the user's other connections have sent, those of the past too, counts for it.
    pub(super) fn inherit_debts(&mut self, id: PeerId, user: UserId) {
        let Some(is_tokenless) = self.peers.get(&id).map(Peer::is_tokenless) else { return };
        let is_the_same = |peer: &Peer| owner(peer) == Some((user, is_tokenless));
        let of_others = self.peers.values().filter(|peer| is_the_same(peer)).map(|peer| peer.rate);
        let debts: Vec<_> = of_others.chain(self.debts.get(&(user, is_tokenless)).copied()).collect();
        if let Some(peer) = self.peers.get_mut(&id) {
            debts.into_iter().for_each(|debt| peer.rate.owes_too(debt));
        }
    }

    /// A peer leaves the room, or altogether.
    pub(super) fn remember_debt(&mut self, peer: &Peer) {
        let Some(owner) = owner(peer) else { return };
        match self.debts.get_mut(&owner) {
            Some(debt) => debt.owes_too(peer.rate),
            None => drop(self.debts.insert(owner, peer.rate)),
        }
        // With the default rate a debt is paid within half a minute, in which not so many come and go.
        if self.debts.len() > 2 * self.limits.max_present {
            let paid_first =
                self.debts.iter().min_by_key(|(_, debt)| debt.paid_at()).map(|(owner, _)| *owner);
            paid_first.map(|owner| self.debts.remove(&owner));
        }
    }
}

/// Whose connection it is. Without a token one may call oneself what one likes, so that is kept apart.
fn owner(peer: &Peer) -> Option<(UserId, bool)> {
    let user = peer.credential.user().or(peer.user())?;
    Some((user, peer.is_tokenless()))
}
