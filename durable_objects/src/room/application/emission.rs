//! Performs the room machine's effects: what is sent, logged and stored.

use zetra_signalling::{DisconnectReason, Outgoing, Peer, PeerId, Refusal};
use zetra_socketio::{Application, Effect, Log, ReceiverId, ack, engine::Mark};

use super::{
    Out, RoomApplication, RoomCommand, RoomEffect, Row, deliver,
    member::{Address, LostMember},
};
use crate::{exchange::Delivery, offset};

/// How many lost members may be joined again; past that the one that has been away longest is forgotten.
const MAX_LOST: usize = 256;

impl RoomApplication {
    pub(super) fn perform<'a>(&mut self, effects: Vec<RoomEffect<'a>>, now: i64) -> Out<'a> {
        // Pending effects come first.
        let mut out = std::mem::take(&mut self.unsettled);
        let settled = out.len();
        out.reserve(effects.len() + 1);
        let (mut forgotten, mut left, mut presence_changed) = (Vec::new(), Vec::new(), false);
        let deadline = self.log.next_deadline();
        for effect in effects {
            match effect {
                RoomEffect::Emit { to, event } => self.emit(&to, &event, now, &mut out),
                RoomEffect::Ack { peer, id, body } => match self.address(peer) {
                    Some(Address::Here(socket)) => {
                        let (socket, attachments) = (*socket, Vec::new());
                        out.push(Effect::Ack { socket, id, arguments: body.json(), attachments });
                    }
                    Some(Address::Session(session)) => {
                        let (mark, frame) = (self.log.mark(), ack("/", id, &body.json(), 0));
                        out.push(deliver(session, Delivery::Frame { mark, frame }));
                    }
                    Some(Address::Nowhere) | None => {}
                },
                RoomEffect::Lookup { peer, user, ack } => {
                    if let Some(Address::Here(socket)) = self.address(peer) {
                        out.push(Effect::Wait(*socket));
                    }
                    out.push(Effect::Command(RoomCommand::Lookup { peer, user, ack }));
                }
                RoomEffect::Store(peer) => {
                    presence_changed = true;
                    self.store(peer, &mut out);
                    left.push(peer);
                }
                RoomEffect::Keep(peer) => self.keep(peer, &mut out),
                RoomEffect::Forget(peer) => {
                    presence_changed = true;
                    self.log_end(peer, "left the room");
                    if self.members.get(&peer).is_some_and(|member| member.stored) {
                        out.push(self.row_of_departed(peer));
                    }
                    forgotten.push(peer);
                }
                RoomEffect::Expire { peer, user, credential } => {
                    presence_changed = true;
                    self.log_end(peer, "lost, may join again");
                    if let Some(member) = self.members.get(&peer) {
                        let lost = LostMember::new(member, user, &credential, now + self.settings.rejoin);
                        // Or it was put out just now.
                        self.lost.entry(peer).or_insert(lost);
                        out.push(Effect::Command(RoomCommand::Store(Row::Peer(peer))));
                    }
                    forgotten.push(peer);
                }
                RoomEffect::Disconnect(peer) => match self.address(peer) {
                    Some(Address::Here(socket)) => {
                        out.push(Effect::Disconnect { socket: *socket, close: true });
                    }
                    Some(Address::Session(session)) => out.push(deliver(session, Delivery::Disconnect)),
                    Some(Address::Nowhere) | None => {}
                },
                RoomEffect::Happened(event) => self.happened(&event, now, &mut out),
                // Only a lobby has this effect.
                RoomEffect::Elsewhere { .. } => {}
            }
        }
        for peer in left {
            self.dismiss_guest(peer, &mut out, &mut forgotten);
        }
        for peer in forgotten {
            self.log.forget(receiver(peer));
            self.members.remove(&peer);
            let socket = self.sockets.iter().find(|(_, of)| **of == peer).map(|(socket, _)| *socket);
            socket.map(|socket| self.sockets.remove(&socket));
        }
        self.forget_lost(now, &mut out);
        let calls = if presence_changed { self.observe_calls(now) } else { Vec::new() };
        let calls_changed = !calls.is_empty();
        self.command_calls(calls, now, &mut out);
        if presence_changed && let Some(new) = out.get_mut(settled..) {
            // The runtime holds back what is sent after a write until it is written, so nobody hears of a place that a crash
            // would make the room forget.
            new.sort_by_key(|effect| !is_about_storage(effect));
        }
        self.save(now, &mut out);
        if calls_changed || self.log.next_deadline() != deadline {
            out.push(Effect::Reschedule);
        }
        out
    }

    fn log_end(&self, peer: PeerId, what: &str) {
        if let Some(member) = self.members.get(&peer).filter(|member| member.stored) {
            tracing::info!(connection = member.connection, room = %self.id, peer = peer.0, "{what}");
        }
    }

    /// Stores what must outlive the connection; nothing for peers that have not joined.
    fn store(&mut self, peer: PeerId, out: &mut Out<'_>) {
        let joined = self.room.peer(peer).is_some_and(Peer::is_joined);
        if !joined {
            self.log_end(peer, "left the room");
            self.log.forget(receiver(peer));
        }
        let Some(member) = self.members.get_mut(&peer) else { return };
        let was_stored = std::mem::replace(&mut member.stored, joined);
        if joined {
            out.push(Effect::Command(RoomCommand::Store(Row::Peer(peer))));
        } else if was_stored {
            // What leads back is for who is in the room; a sleep would forget it.
            member.former.clear();
            out.push(self.row_of_departed(peer));
        }
        if was_stored != joined {
            self.keep(peer, out);
        }
    }

    /// What becomes of the row of a member that is no longer one: it is still needed if the client may not know that.
    fn row_of_departed(&self, peer: PeerId) -> Effect<'static, RoomCommand> {
        let row = Row::Peer(peer);
        let has_farewell = self.lost.contains_key(&peer);
        Effect::Command(if has_farewell { RoomCommand::Store(row) } else { RoomCommand::Forget(row) })
    }

    /// Returns a peer that is reached through a Session object and no longer in the room to that object.
    fn dismiss_guest(&mut self, peer: PeerId, out: &mut Out<'_>, forgotten: &mut Vec<PeerId>) {
        let joined = self.room.peer(peer).is_some_and(Peer::is_joined);
        if let (false, Some(Address::Session(session))) = (joined, self.address(peer)) {
            out.push(deliver(session, Delivery::Left));
            self.room.depart(peer, DisconnectReason::Left);
            forgotten.push(peer);
        }
    }

    fn keep(&self, peer: PeerId, out: &mut Out<'_>) {
        if let Some(Address::Here(socket)) = self.address(peer) {
            out.push(Effect::Keep(*socket));
        }
    }

    /// Forgets lost members that did not return in time. Those still connected are kept until the next tick has ended dead
    /// connections.
    fn forget_lost(&mut self, now: i64, out: &mut Out<'_>) {
        let late = self.lost.iter().filter(|(_, lost)| lost.back_by <= now).map(|(peer, _)| *peer);
        let late: Vec<PeerId> = late.filter(|peer| !self.members.contains_key(peer)).collect();
        late.into_iter().for_each(|peer| self.forget_one_lost(peer, out));
        while self.lost.len() > MAX_LOST {
            let oldest = self.lost.iter().min_by_key(|(_, lost)| lost.back_by).map(|(peer, _)| *peer);
            oldest.into_iter().for_each(|peer| self.forget_one_lost(peer, out));
        }
    }

    pub(super) fn forget_one_lost(&mut self, peer: PeerId, out: &mut Out<'_>) {
        self.lost.remove(&peer);
        let row = Row::Peer(peer);
        out.retain(|effect| !matches!(effect, Effect::Command(RoomCommand::Store(of)) if *of == row));
        out.push(Effect::Command(RoomCommand::Forget(Row::Peer(peer))));
    }

    /// Saves what has changed, or deletes everything.
    pub(super) fn save(&mut self, now: i64, out: &mut Out<'_>) {
        if self.needs_storage() {
            if let Some(saving) = self.log.take_saving() {
                // First, so that the runtime sends nothing before it is written.
                let place = if saving.before_sending { 0 } else { out.len() };
                out.insert(place, Effect::Command(RoomCommand::Save(saving)));
            }
            self.has_storage = true;
        } else if std::mem::take(&mut self.has_storage) {
            out.retain(|effect| !is_about_storage(effect));
            let tag = offset::tag(self.id, &(self.settings.new_id)());
            // The clock may have been set back.
            let first = offset::first_mark(now).max(self.log.mark() + 1);
            self.log = Log::new(tag, self.settings.log, first);
            // This deletes the alarm too.
            out.extend([Effect::Command(RoomCommand::DeleteAll), Effect::Reschedule]);
        }
    }

    /// Forgets lost members that may no longer return.
    pub(super) fn forget_lost_that(&mut self, may_not: impl Fn(&LostMember) -> bool, out: &mut Out<'_>) {
        let gone: Vec<PeerId> =
            self.lost.iter().filter(|(_, lost)| may_not(lost)).map(|(peer, _)| *peer).collect();
        gone.into_iter().for_each(|peer| self.forget_one_lost(peer, out));
    }

    /// An error for a client that has not joined, such as a refused join, has no offset and is not kept: there
    /// is nothing to recover here, and maybe something elsewhere.
    fn emit<'a>(&mut self, to: &[PeerId], event: &Outgoing<'a>, now: i64, out: &mut Out<'a>) {
        let is_member = |peer: &PeerId| self.room.peer(*peer).is_some_and(Peer::is_joined);
        let is_kept = match event {
            // A flood of refusals is not worth keeping.
            Outgoing::Error { refusal: Refusal::RateLimited, .. } => false,
            // The recipient was in the room a moment ago. By its offset one that returns shows that it knows.
            Outgoing::Error { refusal: Refusal::Replaced, .. } => true,
            Outgoing::Error { .. } => to.iter().any(is_member),
            // The recipient of `removed` was in the room a moment ago.
            _ => true,
        };
        let offset = is_kept.then(|| self.log.next_offset());
        let emission = offset::emission(event, offset.as_deref());
        let (mut sockets, mut sessions) = (Vec::with_capacity(to.len()), Vec::new());
        for peer in to {
            match self.address(*peer) {
                Some(Address::Here(socket)) => sockets.push(*socket),
                Some(Address::Session(session)) => sessions.push(session.clone()),
                Some(Address::Nowhere) | None => {}
            }
        }
        if is_kept || !sessions.is_empty() {
            let frame = emission.frame("/").text();
            let mark = self.log.mark() + Mark::from(is_kept);
            out.extend(
                sessions.iter().map(|name| deliver(name, Delivery::Frame { mark, frame: frame.clone() })),
            );
            if is_kept {
                self.log.append(to.iter().copied().map(receiver), frame, now);
            }
        }
        if !sockets.is_empty() {
            out.push(Effect::Emit { to: sockets, emission });
        }
    }

    fn address(&self, peer: PeerId) -> Option<&Address> {
        self.members.get(&peer).map(|member| &member.address)
    }
}

pub(super) fn is_about_storage(effect: &Effect<'_, RoomCommand>) -> bool {
    matches!(effect, Effect::Command(command) if command.is_about_storage())
}

/// The id of a peer in the recovery log.
pub(super) fn receiver(peer: PeerId) -> ReceiverId {
    ReceiverId(peer.0)
}
