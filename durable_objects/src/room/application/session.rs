//! Members that are reached through a Session object.

use zetra_signalling::{AckBody, Credential, DisconnectReason, Outgoing, Peer, PeerId, Refusal};
use zetra_socketio::{Effect, ack};

use super::{
    Asker, Out, RoomApplication, RoomCommand, deliver,
    member::{Address, Member},
};
use crate::{
    exchange::{Delivery, FromSession, Joining, Recovering},
    offset,
};

impl RoomApplication {
    /// Handles a message from the Session object of that name.
    pub fn from_session(&mut self, session: &str, message: FromSession, now: i64) -> Out<'static> {
        match (message, self.peer_of(session)) {
            (FromSession::Join(joining), known) => self.join_for(session, joining, known, now),
            (FromSession::Event { name, arguments, ack }, Some(peer)) => {
                self.event_of(peer, &name, &arguments, ack, now)
            }
            (FromSession::Arrived(mark), Some(peer)) => self.arrived_at(peer, mark, now),
            (FromSession::Recover(recovering), _) => self.verify_or_recover(session, recovering, now),
            (FromSession::Gone(departure), Some(peer)) => self.disconnect(peer, departure, now),
            (FromSession::Event { name, ack, .. }, None) => {
                self.answer_stranger(session, Some(not_in_room(&name, ack)), now)
            }
            (FromSession::Arrived(_), None) => self.answer_stranger(session, None, now),
            (FromSession::Gone(_), None) => {
                self.verifying.remove(&Asker::Session(session.to_owned()));
                Vec::new()
            }
        }
    }

    /// After what follows from a restore: that the room has given up this very client, perhaps.
    fn answer_stranger(&mut self, session: &str, reply: Option<String>, now: i64) -> Out<'static> {
        let mut out = self.perform(Vec::new(), now);
        out.push(deliver(session, Delivery::Stranger(reply)));
        out
    }

    /// The Session object of that name did not accept a delivery. If it exists after all, its client has to
    /// reconnect, because the delivery is lost; it is told so once: `is_told` is whether the delivery was just that.
    pub fn session_unreachable(&mut self, session: &str, is_told: bool, now: i64) -> Out<'static> {
        match self.peer_of(session) {
            Some(peer) => self.let_go(peer, now),
            // What was lost may be that the client is no longer in the room.
            None if !is_told => vec![deliver(session, Delivery::Abandon)],
            None => Vec::new(),
        }
    }

    /// Whether a sleep until now forgives a client of a Session object, or one that has gone, what it has sent too fast. Of
    /// other clients it is kept with their sockets.
    #[cfg(test)]
    pub fn forgives_in_sleep(&self, now: i64) -> bool {
        if self.room.departed_have_paid_at().is_some_and(|at| at >= now) {
            return true;
        }
        self.members.iter().any(|(peer, member)| {
            let owes = || self.room.peer(*peer).is_some_and(|peer| peer.rate().paid_at() >= now);
            matches!(member.address, Address::Session(_)) && owes()
        })
    }

    /// The peer that is reached through the Session object of that name.
    fn peer_of(&self, session: &str) -> Option<PeerId> {
        let is_there = |member: &Member| matches!(&member.address, Address::Session(name) if name == session);
        self.members.iter().find(|(_, member)| is_there(member)).map(|(peer, _)| *peer)
    }

    /// Verifies again: the Session has queried the store, but the token may have been revoked since.
    fn verify_or_recover(&mut self, session: &str, recovering: Recovering, now: i64) -> Out<'static> {
        let Recovering { recovery, credential, sid, pid, connection } = recovering;
        let (presented, proposed) = (self.present(Some(recovery), connection), (sid, pid));
        match credential {
            Credential::Token(claims) => {
                self.verify(Asker::Session(session.to_owned()), claims, presented, Some(proposed))
            }
            Credential::None => self.recover_for(session, credential, presented, proposed, now),
        }
    }

    fn join_for(&mut self, session: &str, joining: Joining, known: Option<PeerId>, now: i64) -> Out<'static> {
        let Joining { sid, pid, credential, connection, arguments, ack, rate } = joining;
        let mut out = Vec::new();
        let peer = known.unwrap_or_else(|| {
            let (address, presented) = (Address::Session(session.to_owned()), self.present(None, connection));
            let peer = self.add((sid, pid), address, credential, presented, now, &mut out);
            self.room.inherit_rate(peer, rate);
            peer
        });
        let answer = self.event_of(peer, "\"join-room\"", &arguments, ack, now);
        // Refused or joined at once; otherwise the store is queried first.
        let asks = |e: &Effect<'_, RoomCommand>| matches!(e, Effect::Command(RoomCommand::Lookup { .. }));
        let answer =
            if answer.iter().any(asks) { answer } else { self.outcome_for(session, peer, answer, now) };
        out.extend(answer);
        out
    }

    fn event_of(
        &mut self,
        peer: PeerId,
        name: &str,
        arguments: &[String],
        ack: Option<u64>,
        now: i64,
    ) -> Out<'static> {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let effects = self.room.event(peer, name, &arguments, ack, now);
        self.log_flood(&effects);
        let out = self.perform(effects, now);
        out.into_iter().map(Effect::into_owned).collect()
    }

    /// The outcome of a join, with everything that is sent to the client about it, so that it changes rooms in
    /// one step.
    pub(super) fn outcome_for(
        &mut self,
        session: &str,
        peer: PeerId,
        answer: Out<'static>,
        now: i64,
    ) -> Out<'static> {
        let Some(joined) = self.room.peer(peer).map(Peer::is_joined) else { return answer };
        let (mut frames, mut out) = (Vec::new(), Vec::new());
        for effect in answer {
            match effect {
                Effect::Command(RoomCommand::Deliver {
                    session: to,
                    delivery: Delivery::Frame { frame, .. },
                }) if to == session => frames.push(frame),
                other => out.push(other),
            }
        }
        out.push(deliver(session, Delivery::Joined { joined, mark: self.log.mark(), frames }));
        if !joined {
            let effects = self.room.depart(peer, DisconnectReason::Left);
            out.extend(self.perform(effects, now));
        }
        out
    }
}

/// The reply to a client that sends an event to a room that it is not in; without an offset.
fn not_in_room(name: &str, ack_id: Option<u64>) -> String {
    if let Some(id) = ack_id {
        return ack("/", id, &AckBody::Refused(Refusal::NotInRoom).json(), 0);
    }
    let error = Outgoing::refused(Refusal::NotInRoom, name);
    offset::emission(&error, None).frame("/").text()
}
