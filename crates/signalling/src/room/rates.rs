//! What people have sent too fast is theirs, not their connection's: neither a new connection nor another tab has a new burst.

use zetra_domain::UserId;

use super::{Effect, Room};
use crate::{Peer, PeerId, Rate};

/// A user, and whether without a token: then one may call oneself what one likes, so that is kept apart.
pub(super) type Debtor = (UserId, bool);

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
        let debtor = (user, is_tokenless);
        let mut debt = self.debts.get(&debtor).copied().unwrap_or_default();
        let of_user = self.peers.values().filter(|peer| debtor_of(peer) == Some(debtor));
        of_user.for_each(|peer| debt.owes_too(peer.rate));
        self.inherit_rate(id, debt);
    }

    /// A peer leaves the room, or altogether. `debtor` is who it was there.
    pub(super) fn remember_debt(&mut self, debtor: Option<Debtor>, rate: Rate) {
        let Some(debtor) = debtor else { return };
        self.debts.entry(debtor).or_default().owes_too(rate);
        // With the default rate a debt is paid within half a minute, in which not so many come and go.
        if self.debts.len() > 2 * self.limits.max_present {
            let paid_first =
                self.debts.iter().min_by_key(|(_, debt)| debt.paid_at()).map(|(debtor, _)| *debtor);
            paid_first.map(|debtor| self.debts.remove(&debtor));
        }
    }
}

/// Who owes what a peer has sent.
pub(super) fn debtor_of(peer: &Peer) -> Option<Debtor> {
    let user = peer.credential.user().or(peer.user())?;
    Some((user, peer.is_tokenless()))
}
