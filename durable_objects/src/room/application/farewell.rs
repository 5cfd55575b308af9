//! Clients that may not know that they are no longer in the room. The host put them out, or another connection of their
//! user took their place, while their connection was lost, or dead and nobody had noticed. They are told on return.

use zetra_domain::UserId;
use zetra_signalling::{HostAction, Outgoing, Peer, PeerId, Refusal};
use zetra_socketio::{Effect, engine::Departure};

use super::{
    Out, RoomApplication, RoomCommand, Row,
    member::{Address, LostMember, PutOut},
};
use crate::offset;

/// How many connections of one user are to be told why they are out.
const MOST_FAREWELLS: usize = 4;

impl RoomApplication {
    /// The host has ended the room, or removed somebody from it.
    pub fn host_acts(&mut self, action: HostAction, now: i64) -> Out<'static> {
        tracing::info!(room = %self.id, ?action, "the host has removed somebody or ended the room");
        let concerned = |user: UserId| match action {
            HostAction::End { .. } => true,
            HostAction::Remove { user: removed, .. } => user == removed,
        };
        let mut out = Out::new();
        for (peer, lost) in self.lost.iter_mut().filter(|(_, lost)| concerned(lost.user)) {
            (lost.put_out, lost.put_out_after) = (Some(PutOut::Host(action)), None);
            out.push(Effect::Command(RoomCommand::Store(Row::Peer(*peer))));
        }
        let present = self.present_members(concerned, now);
        let effects = self.room.host_acts(action);
        self.put_out(present, PutOut::Host(action));
        out.extend(self.perform(effects, now));
        out
    }

    /// A user has joined as this peer, which was `was`: what is left of its other connections can only be told so.
    pub(super) fn replace_lost(
        &mut self,
        user: UserId,
        peer: PeerId,
        was: Option<PeerId>,
        out: &mut Out<'_>,
    ) {
        let Some(member) = self.members.get(&peer) else { return };
        let secrets: Vec<String> = [&member.pid].into_iter().chain(&member.former).cloned().collect();
        let of_user = self.lost.iter().filter(|(_, lost)| lost.user == user);
        let lost: Vec<PeerId> = of_user.map(|(peer, _)| *peer).collect();
        for of_user in lost {
            if of_user == peer {
                // Its row is that of the member by now.
                self.lost.remove(&of_user);
                continue;
            }
            let Some(lost) = self.lost.get_mut(&of_user) else { continue };
            if Some(of_user) == was || secrets.iter().any(|secret| lost.holds(secret)) {
                // The same client.
                self.forget_one_lost(of_user, out);
            } else if lost.put_out.is_none() {
                lost.put_out = Some(PutOut::Replaced);
                out.push(Effect::Command(RoomCommand::Store(Row::Peer(of_user))));
            }
        }
        self.limit_farewells(user, out);
    }

    /// Nobody's devices push the places of others out of the room.
    fn limit_farewells(&mut self, user: UserId, out: &mut Out<'_>) {
        let of_user = self.lost.iter().filter(|(_, lost)| lost.user == user && lost.put_out.is_some());
        let mut of_user: Vec<(i64, PeerId)> = of_user.map(|(peer, lost)| (lost.back_by, *peer)).collect();
        of_user.sort_unstable_by_key(|(back_by, _)| std::cmp::Reverse(*back_by));
        for (_, oldest) in of_user.into_iter().skip(MOST_FAREWELLS) {
            self.forget_one_lost(oldest, out);
        }
    }

    /// The members that these users are, as what is left of them if they are put out.
    pub(super) fn present_members(
        &self,
        concerned: impl Fn(UserId) -> bool,
        now: i64,
    ) -> Vec<(PeerId, LostMember)> {
        let present = self.members.iter().filter_map(|(peer, member)| {
            let machine = self.room.peer(*peer)?;
            let user = machine.user().filter(|user| concerned(*user))?;
            // If nobody has noticed by then that its connection is dead, it is alive, and the client has been told.
            let wait = match member.address {
                Address::Here(_) => self.settings.noticed_within,
                // Its end is not reported any more, once it is out of the room.
                Address::Session(_) => self.settings.noticed_within + self.settings.rejoin,
                Address::Nowhere => self.settings.rejoin,
            };
            let lost = LostMember::new(member, user, machine.credential(), now + wait);
            let is_connected = member.address != Address::Nowhere;
            Some((*peer, LostMember { put_out_after: is_connected.then(|| self.log.mark()), ..lost }))
        });
        present.collect()
    }

    /// Those of them who are not in the room any more are kept until it is certain that they know.
    pub(super) fn put_out(&mut self, present: Vec<(PeerId, LostMember)>, why: PutOut) {
        for (peer, lost) in present {
            if !self.room.peer(peer).is_some_and(Peer::is_joined) {
                self.lost.insert(peer, LostMember { put_out: Some(why), ..lost });
            }
        }
    }

    /// The connection of a client that was put out has ended.
    pub(super) fn put_out_and_gone(
        &mut self,
        peer: PeerId,
        departure: Departure,
        now: i64,
        out: &mut Out<'_>,
    ) {
        let Some(lost) = self.lost.get_mut(&peer) else { return };
        match departure {
            // Whoever says goodbye does not wait to be told anything.
            Departure::Left => self.forget_one_lost(peer, out),
            Departure::Lost | Departure::Ended | Departure::Overloaded => {
                lost.back_by = now + self.settings.rejoin;
                out.push(Effect::Command(RoomCommand::Store(Row::Peer(peer))));
            }
        }
    }

    /// What a client was told that was put out. It leaves the client's position as it is, so its offset is the client's own.
    pub(super) fn farewell(&self, why: PutOut, offset: &str) -> String {
        let room = self.id;
        let event = match why {
            PutOut::Host(HostAction::End { by }) => Outgoing::RoomEnded { room, by },
            PutOut::Host(HostAction::Remove { by, .. }) => Outgoing::Removed { room, by },
            PutOut::Replaced => Outgoing::Error { refusal: Refusal::Replaced, event: None, target: None },
        };
        offset::emission(&event, Some(offset)).frame("/").text()
    }
}
