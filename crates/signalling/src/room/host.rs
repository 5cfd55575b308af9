//! What the host does to those in the room.
//!
//! The store's row is the truth, and anyone who joins later is judged by it. The code here deals with the
//! people present and with joins whose store query is in flight: its answer may be out of date.

use zetra_domain::UserId;

use super::{Effect, PeerId, Room};
use crate::{DisconnectReason, HostAction, Joined, Outgoing, Peer, Refusal, RoomEvent};

impl Room {
    pub fn host_acts(&mut self, action: HostAction) -> Vec<Effect<'static>> {
        match action {
            HostAction::End { by } => self.end(by),
            HostAction::Remove { user, by } => self.remove_user(user, by),
        }
    }

    /// Everybody leaves and is notified that all the others left, for clients that do not support
    /// `room-ended`.
    fn end(&mut self, by: UserId) -> Vec<Effect<'static>> {
        let mut effects = Vec::new();
        self.overrule(|_| true, Refusal::RoomNotFound);
        if let Some(room) = self.id {
            self.tell_all(Outgoing::RoomEnded { room, by }, &mut effects);
        }
        for Joined { user, .. } in self.present() {
            let others = self.peers_that(|peer| peer.user().is_some_and(|other| other != user));
            if !others.is_empty() {
                let event = Outgoing::UserDisconnected(user, DisconnectReason::RoomEnded);
                effects.push(Effect::Emit { to: others, event });
            }
        }
        for id in self.peers_that(Peer::is_joined) {
            self.put_out(id, DisconnectReason::RoomEnded, &mut effects);
        }
        effects.push(Effect::Happened(RoomEvent::Ended { by }));
        effects
    }

    fn remove_user(&mut self, user: UserId, by: UserId) -> Vec<Effect<'static>> {
        let mut effects = Vec::new();
        self.overrule(|asking| asking == user, Refusal::Removed);
        for id in self.peers_that(|peer| peer.user() == Some(user)) {
            if let Some(room) = self.id {
                effects.push(Effect::Emit { to: vec![id], event: Outgoing::Removed { room, by } });
            }
            self.put_out(id, DisconnectReason::Removed, &mut effects);
            self.tell_all(Outgoing::UserDisconnected(user, DisconnectReason::Removed), &mut effects);
        }
        effects
    }

    /// A connected peer stays connected, outside the room; a held one can no longer come back to its place.
    fn put_out(&mut self, id: PeerId, reason: DisconnectReason, effects: &mut Vec<Effect<'static>>) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let user = peer.joined.take().map(|joined| joined.user);
        effects.extend(user.map(|user| Effect::Happened(RoomEvent::Left { user, reason })));
        let held = peer.held_until.is_some().then(|| self.peers.remove(&id)).flatten();
        effects.push(match (held, user) {
            (Some(Peer { credential, .. }), Some(user)) => Effect::Expire { peer: id, user, credential },
            (Some(_), None) => Effect::Forget(id),
            (None, _) => Effect::Store(id),
        });
    }

    pub(super) fn overrule(&mut self, concerns: impl Fn(UserId) -> bool, refusal: Refusal) {
        let concerned = self.asked.values_mut().filter(|asked| concerns(asked.user));
        concerned.for_each(|asked| asked.overruled = Some(refusal));
    }
}
