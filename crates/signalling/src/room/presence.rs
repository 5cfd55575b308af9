//! Who is in the room: joining, leaving, losing a connection and coming back.

use zetra_domain::{Admission, Membership, RoomId, UserId};

use super::{Asked, Effect, PeerId, Rejected, Room, error, rates::debtor_of};
use crate::{AckBody, Credential, DisconnectReason, Joined, Outgoing, Peer, Refusal, RoomEvent};

impl Room {
    /// The store's answer to [`Effect::Lookup`]; `None` if the store could not be queried. A token revoked in
    /// the meantime, or before this room was notified, ends its connection. A peer admitted `in_place_of`
    /// another one is that same client, come back too late to recover: the old peer is removed first.
    pub fn admit(
        &mut self,
        id: PeerId,
        user: UserId,
        ack: Option<u64>,
        admission: Option<Admission>,
        in_place_of: Option<PeerId>,
    ) -> Vec<Effect<'static>> {
        let mut effects = Vec::new();
        let overruled = self.asked.remove(&id).and_then(|asked| asked.overruled);
        let Some(peer) = self.peers.get(&id) else { return effects };
        let revoked = admission.as_ref().and_then(|told| peer.credential.revoked_by(told.tokens.as_ref()));
        let refusal = match (revoked.or(overruled), admission.map(|told| told.membership)) {
            (Some(refusal), _) => Some(refusal),
            (None, Some(Membership::Participant)) => {
                let was_empty = self.present().is_empty();
                let before = in_place_of.filter(|before| *before != id);
                let lost = |before| self.depart(before, DisconnectReason::Lost);
                effects.extend(before.into_iter().flat_map(lost));
                self.enter(id, user, was_empty, &mut effects).err()
            }
            (None, Some(Membership::NotParticipant)) => Some(Refusal::NotParticipant),
            (None, Some(Membership::LockedOut)) => Some(Refusal::RoomLocked),
            (None, Some(Membership::Removed)) => Some(Refusal::Removed),
            (None, Some(Membership::RoomNotFound)) => Some(Refusal::RoomNotFound),
            (None, None) => Some(Refusal::StoreUnavailable),
        };
        match refusal {
            Some(refusal) => effects.push(Rejected::from(refusal).told_to(id, Some("join-room"), ack)),
            None => effects.extend(ack.map(|ack| Effect::Ack {
                peer: id,
                id: ack,
                body: AckBody::Joined(self.others_than(user)),
            })),
        }
        if let Some(revoked) = revoked {
            self.expel(id, DisconnectReason::of_token(revoked), &mut effects);
        }
        effects
    }

    /// The connection is gone for good.
    pub fn depart(&mut self, id: PeerId, reason: DisconnectReason) -> Vec<Effect<'static>> {
        self.remove(id, reason, |_, _| Effect::Forget(id))
    }

    /// The connection is gone without a goodbye: a peer that was in the room is held for a while.
    pub fn lose(&mut self, id: PeerId, now: i64) -> Vec<Effect<'static>> {
        match self.peers.get_mut(&id) {
            Some(peer) if peer.joined.is_some() && self.limits.hold > 0 => {
                peer.held_until = Some(now + self.limits.hold);
                vec![Effect::Store(id)]
            }
            Some(peer) if peer.joined.is_some() => self.expire(id),
            _ => self.depart(id, DisconnectReason::Lost),
        }
    }

    /// The peer is back over another connection, with a credential already checked to be valid for it. The old
    /// connection may still have looked alive.
    pub fn recover(&mut self, id: PeerId, credential: Credential) -> Effect<'static> {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.held_until = None;
            peer.credential = credential;
        }
        Effect::Store(id)
    }

    /// A peer that is held, and would be dropped before then, is held until then.
    pub fn hold_on(&mut self, id: PeerId, until: i64) {
        if let Some(held_until) = self.peers.get_mut(&id).and_then(|peer| peer.held_until.as_mut()) {
            *held_until = (*held_until).max(until);
        }
    }

    /// Drops a peer that was lost and may still come back.
    pub fn expire(&mut self, id: PeerId) -> Vec<Effect<'static>> {
        self.remove(id, DisconnectReason::Lost, |peer, joined| match joined {
            Some(user) => Effect::Expire { peer: id, user, credential: peer.credential },
            None => Effect::Forget(id),
        })
    }

    pub(super) fn remove(
        &mut self,
        id: PeerId,
        reason: DisconnectReason,
        effect: impl FnOnce(Peer, Option<UserId>) -> Effect<'static>,
    ) -> Vec<Effect<'static>> {
        let mut effects = Vec::new();
        self.asked.remove(&id);
        if let Some(peer) = self.peers.remove(&id) {
            let user = peer.user();
            self.remember_debt(debtor_of(&peer), peer.rate);
            effects.push(effect(peer, user));
            if let Some(user) = user {
                self.tell_all(Outgoing::UserDisconnected(user, reason), &mut effects);
                effects.push(Effect::Happened(RoomEvent::Left { user, reason }));
            }
        }
        effects
    }

    pub(super) fn join<'a>(
        &mut self,
        id: PeerId,
        room: RoomId,
        claimed: Option<UserId>,
        ack: Option<u64>,
        effects: &mut Vec<Effect<'a>>,
    ) -> Result<Option<AckBody>, Rejected> {
        let Some(peer) = self.peers.get(&id) else { return Ok(None) };
        if self.id.is_some_and(|here| here != room) {
            return Err(Refusal::WrongRoom.into());
        }
        let known = peer.credential.user().or_else(|| peer.joined.map(|joined| joined.user));
        let user = match (known, claimed) {
            (Some(known), Some(claimed)) if known != claimed => return Err(Refusal::UserMismatch.into()),
            (None, None) => return Err(Refusal::InvalidRoomOrUser.into()),
            (Some(user), _) | (None, Some(user)) => user,
        };
        if self.id.is_none() {
            effects.push(Effect::Elsewhere { peer: id, room });
            return Ok(None);
        }
        if peer.joined.is_some() {
            return Ok(Some(AckBody::Joined(self.others_than(user))));
        }
        effects.extend(self.look_up(id, user, ack));
        Ok(None)
    }

    /// Checks with the store whether the peer may be in the room as that user.
    pub fn look_up(&mut self, id: PeerId, user: UserId, ack: Option<u64>) -> Option<Effect<'static>> {
        self.peers.get(&id)?;
        self.asked.insert(id, Asked { user, overruled: None });
        Some(Effect::Lookup { peer: id, user, ack })
    }

    /// Puts an admitted user into the room and notifies everybody. `was_empty`: nobody was in it, not even over a connection
    /// that this one replaces.
    pub(super) fn enter(
        &mut self,
        id: PeerId,
        user: UserId,
        was_empty: bool,
        effects: &mut Vec<Effect<'static>>,
    ) -> Result<(), Refusal> {
        let Some(peer) = self.peers.get(&id) else { return Ok(()) };
        let taken = self.present().iter().any(|joined| joined.user == user);
        if taken && peer.is_tokenless() {
            return Err(Refusal::AlreadyInRoom);
        }
        if !taken && self.present_count() >= self.limits.max_present {
            return Err(Refusal::RoomFull);
        }
        self.inherit_debts(id, user);
        self.take_over(user, effects);
        let present = self.present();
        let to_newcomer = |event| Effect::Emit { to: vec![id], event };
        effects.extend(present.iter().map(|other| to_newcomer(Outgoing::UserConnected(other.user))));
        let users = present.iter().map(|other| other.user).collect();
        effects.push(to_newcomer(Outgoing::ExistingUsers(users)));
        effects.extend(present.iter().filter_map(|other| {
            Some(to_newcomer(Outgoing::MediaState { user: other.user, media: other.media? }))
        }));
        self.tell_all(Outgoing::UserConnected(user), effects);
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        let mut username = None;
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.joined = Some(Joined { user, sequence, media: None });
            username = peer.credential.claims().map(|claims| claims.username.clone());
        }
        effects.push(Effect::Store(id));
        if was_empty {
            effects.push(Effect::Happened(RoomEvent::Started));
        }
        effects.push(Effect::Happened(RoomEvent::Joined { user, username }));
        Ok(())
    }

    /// The newest connection of a user replaces an older one, even one that is held.
    pub(super) fn take_over(&mut self, user: UserId, effects: &mut Vec<Effect<'static>>) {
        let of_user = |peer: &Peer| peer.joined.is_some_and(|joined| joined.user == user);
        for older in self.peers_that(of_user) {
            match self.peers.get_mut(&older) {
                Some(peer) if peer.held_until.is_none() => {
                    effects.push(Effect::Emit { to: vec![older], event: error(Refusal::Replaced) });
                    self.leave(older, DisconnectReason::Replaced, effects);
                }
                _ => effects.extend(self.depart(older, DisconnectReason::Replaced)),
            }
        }
    }

    /// Out of the room; the connection goes on.
    pub(super) fn leave(&mut self, id: PeerId, reason: DisconnectReason, effects: &mut Vec<Effect<'_>>) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        // Without a token it is nobody in particular once it has left.
        let (debtor, rate) = (debtor_of(peer), peer.rate);
        if let Some(joined) = peer.joined.take() {
            self.remember_debt(debtor, rate);
            effects.push(Effect::Store(id));
            self.tell_all(Outgoing::UserDisconnected(joined.user, reason), effects);
            effects.push(Effect::Happened(RoomEvent::Left { user: joined.user, reason }));
        }
    }
}
